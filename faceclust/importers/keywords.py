"""Find people among hierarchical keywords, by the branch that the keywords are in."""

from __future__ import annotations

from collections.abc import Iterable

from faceclust.xmp.values import XmpFaces

#: digiKam and Lightroom plug-ins put people below "People", or its translation.
PEOPLE_BRANCHES = frozenset(
    "people persons person personen menschen leute personnes personas persone pessoas who".split()
)
#: Names that programs write for unknown people.
PLACEHOLDER_NAMES = frozenset("unknown unconfirmed ignored ignore unnamed untagged".split())


def unplaced_people_of(faces: XmpFaces) -> tuple[str, ...]:
    """Return the people that a packet names without a region, without duplicates."""
    paths = [path for path in faces.keywords if len(path) > 1 and path[0].casefold() in PEOPLE_BRANCHES]
    leaves = (path[-1] for path in paths if not _has_descendant(path, paths))
    return tuple(dict.fromkeys([*leaves, *faces.people]))


def is_placeholder_name(name: str) -> bool:
    """Is this a name that programs write for unknown people?"""
    return name.casefold() in PLACEHOLDER_NAMES


def _has_descendant(path: tuple[str, ...], paths: Iterable[tuple[str, ...]]) -> bool:
    return any(len(other) > len(path) and other[: len(path)] == path for other in paths)
