"""Names without a place: keywords that are people, by the branch of the tree they hang on."""

from __future__ import annotations

from collections.abc import Iterable

from faceclust.xmp.values import XmpFaces

#: digiKam and Lightroom's plug-ins file people below "People"; other languages have their word.
PEOPLE_BRANCHES = frozenset(
    "people persons person personen menschen leute personnes personas persone pessoas who".split()
)
#: What programs write where they know no name.
PLACEHOLDER_NAMES = frozenset("unknown unconfirmed ignored ignore unnamed untagged".split())


def unplaced_people_of(faces: XmpFaces) -> tuple[str, ...]:
    """The people a packet names without saying where they are, each once."""
    paths = [path for path in faces.keywords if len(path) > 1 and path[0].casefold() in PEOPLE_BRANCHES]
    leaves = (path[-1] for path in paths if not _has_descendant(path, paths))
    return tuple(dict.fromkeys([*leaves, *faces.people]))


def is_placeholder_name(name: str) -> bool:
    """Is this what a program writes for "nobody knows"?"""
    return name.casefold() in PLACEHOLDER_NAMES


def _has_descendant(path: tuple[str, ...], paths: Iterable[tuple[str, ...]]) -> bool:
    return any(len(other) > len(path) and other[: len(path)] == path for other in paths)
