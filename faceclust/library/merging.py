"""Merge what a user means: people, groups and faces."""

from __future__ import annotations

from collections.abc import Sequence

from faceclust.catalogue.catalogue import Catalogue
from faceclust.catalogue.face_selection import FaceSelection
from faceclust.errors import UsageError
from faceclust.library.doubtful import check_shared_photos
from faceclust.library.naming import link, name, record_answer
from faceclust.library.selection import Selector
from faceclust.people.events import Event


def merge(library: Catalogue, *who: Selector) -> Event:
    """Make people, groups and faces one person. `who`: names, group numbers and face ids.

    Two names merge the first person into the second. With one name, the groups and faces get that
    name. Without a name, they become one person who is still unnamed. Raises UsageError if fewer
    than two different things are given, or if the people to merge are not clear.
    """
    selections = [library.select_faces(selector) for selector in who]
    names = _names_to_merge(selections)
    unnamed = [face for selection in selections if selection.name is None for face in selection.faces]
    if len(names) == 2:
        check_shared_photos(library, *map(library.find_person, names))
        return record_answer(library, "merge", (), name=names[0], to=names[1])
    return name(library, unnamed, names[0]) if names else link(library, unnamed)


def _names_to_merge(selections: Sequence[FaceSelection]) -> list[str]:
    """The different names among the selections: at most two, and two only if both were given by name."""
    names = list(dict.fromkeys(selection.name for selection in selections if selection.name is not None))
    has_unnamed = any(selection.name is None for selection in selections)
    if len(selections) > 1 and len(names) == 1 and not has_unnamed:
        raise UsageError(f"all of these are already {names[0]}", hint="faceclust people lists the names")
    if len({selection.faces for selection in selections}) < 2:
        raise UsageError("merge needs at least two people, groups or faces", hint="such as: faceclust merge 12 Anna")
    by_group = [selection for selection in selections if selection.name is not None and not selection.is_person]
    if by_group and len(names) > 1:
        first, last = names[:2]
        raise UsageError(
            f"{by_group[0].label} belongs to {by_group[0].name}",
            hint=f'to merge the two people, type their names: faceclust merge "{first}" "{last}"',
        )
    if len(names) > 2 or (len(names) == 2 and has_unnamed):
        raise UsageError(f"{', '.join(names)} are {len(names)} people", hint="merge two of them at a time")
    return names
