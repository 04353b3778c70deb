"""Which faces are pictured, where not all can be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from faceclust.outputs.overview import build_overview
from faceclust.outputs.report.timeline import select_faces_across_years
from faceclust.types import FaceOccurrence, Person

_MAX_GROUP_PICTURES = 6  # pictures of a group without a name


@dataclass(frozen=True)
class PictureSelection:
    """The ids of the faces to picture, and how many more there would be without the limit."""

    faces: frozenset[str]
    omitted: int


def choose_pictures(
    persons: Sequence[Person],
    occurrences_of: Mapping[str, Sequence[FaceOccurrence]],
    mentioned: Collection[str],
    per_person: int,
    max_total: int | None,
) -> PictureSelection:
    """`each` faces of every person, of a group without a name at most six; where these are more than
    `at_most`, the same lower number of everybody. The best face of each and those in `spoken_of`
    come first."""
    limits = [per_person if person.name is not None else min(per_person, _MAX_GROUP_PICTURES) for person in persons]
    wished = [
        select_faces_across_years(
            (occurrences_of[face][0] for face in person.face_ids if face in occurrences_of), limit
        )
        for person, limit in zip(persons, limits, strict=True)
    ]
    ahead = [found.face_id for person in persons if (found := build_overview(person, occurrences_of).best)]
    first = list(dict.fromkeys([*ahead, *mentioned]))
    everything = set(first).union(place.face_id for places in wished for place in places)
    if max_total is None or len(everything) <= max_total:
        return PictureSelection(frozenset(everything), 0)
    faces, turn = dict.fromkeys(first[:max_total]), 0
    while len(faces) < max_total and turn < per_person:
        for places in wished:
            if turn < len(places) and len(faces) < max_total:
                faces[places[turn].face_id] = None
        turn += 1
    return PictureSelection(frozenset(faces), len(everything) - len(faces))
