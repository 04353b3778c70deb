"""Which faces are pictured, where not all can be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from faceclust.outputs.overview import overview
from faceclust.outputs.report.timeline import pictured_faces
from faceclust.types import FacePlace, Person

_OF_A_GROUP = 6  # pictures of a group without a name


@dataclass(frozen=True)
class Chosen:
    """The ids of the faces to picture, and how many more there would be without the limit."""

    faces: frozenset[str]
    left_out: int


def chosen_pictures(
    persons: Sequence[Person],
    places_of: Mapping[str, Sequence[FacePlace]],
    spoken_of: Collection[str],
    each: int,
    at_most: int | None,
) -> Chosen:
    """`each` faces of every person, of a group without a name at most six; where these are more than
    `at_most`, the same lower number of everybody. The best face of each and those in `spoken_of`
    come first."""
    limits = [each if person.name is not None else min(each, _OF_A_GROUP) for person in persons]
    wished = [
        pictured_faces((places_of[face][0] for face in person.face_ids if face in places_of), limit)
        for person, limit in zip(persons, limits, strict=True)
    ]
    ahead = [found.face_id for person in persons if (found := overview(person, places_of).best)]
    first = list(dict.fromkeys([*ahead, *spoken_of]))
    everything = set(first).union(place.face_id for places in wished for place in places)
    if at_most is None or len(everything) <= at_most:
        return Chosen(frozenset(everything), 0)
    faces, turn = dict.fromkeys(first[:at_most]), 0
    while len(faces) < at_most and turn < each:
        for places in wished:
            if turn < len(places) and len(faces) < at_most:
                faces[places[turn].face_id] = None
        turn += 1
    return Chosen(frozenset(faces), len(everything) - len(faces))
