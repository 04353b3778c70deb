"""Choose the faces that the report shows as pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from faceclust.outputs.overview import build_overview
from faceclust.outputs.report.timeline import select_faces_across_years
from faceclust.types import FaceOccurrence, Person

_MAX_GROUP_PICTURES = 6  # of a group without a name


@dataclass(frozen=True)
class PictureSelection:
    """The ids of the faces to picture, and the number left out because of the limit."""

    faces: frozenset[str]
    omitted: int


def choose_pictures(
    persons: Sequence[Person],
    occurrences_of: Mapping[str, Sequence[FaceOccurrence]],
    mentioned: Collection[str],
    per_person: int,
    max_total: int | None,
) -> PictureSelection:
    """Choose `per_person` faces of every person, and at most six of a group without a name.

    If they exceed `max_total`, everybody gets the same lower number. The best face of each person and
    the faces in `mentioned` take precedence.
    """
    limits = [per_person if person.name is not None else min(per_person, _MAX_GROUP_PICTURES) for person in persons]
    candidates = [
        select_faces_across_years(
            (occurrences_of[face][0] for face in person.face_ids if face in occurrences_of), limit
        )
        for person, limit in zip(persons, limits, strict=True)
    ]
    best = [found.face_id for person in persons if (found := build_overview(person, occurrences_of).best)]
    first = list(dict.fromkeys([*best, *mentioned]))
    everything = set(first).union(occurrence.face_id for faces in candidates for occurrence in faces)
    if max_total is None or len(everything) <= max_total:
        return PictureSelection(frozenset(everything), 0)
    chosen = dict.fromkeys(first[:max_total])
    for rank in range(per_person):
        if len(chosen) == max_total:
            break
        for faces in candidates:
            if rank < len(faces) and len(chosen) < max_total:
                chosen[faces[rank].face_id] = None
    return PictureSelection(frozenset(chosen), len(everything) - len(chosen))
