"""What is worth a look, in words, with the faces to be seen side by side."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence

from faceclust.outputs.overview import date_range, overview
from faceclust.outputs.report.timeline import shot_of
from faceclust.outputs.report.values import Doubt, Doubts, Likeness, Mention, Rift, Shot, Stray
from faceclust.types import FacePlace, Person

_Side = tuple[Mention, Shot, str]


class Mentions:
    """Speaks of persons by id. `pictured`: the faces it has shown so far. `here`: the ids of those who
    have a place in the report."""

    def __init__(
        self, persons: Sequence[Person], places_of: Mapping[str, Sequence[FacePlace]], here: Collection[str]
    ) -> None:
        self._persons = {person.id: person for person in persons}
        self._places_of = places_of
        self._here = here
        self._known: dict[str, Mention] = {}
        self.pictured: dict[str, None] = {}

    def doubts(self, doubts: Doubts) -> tuple[tuple[Doubt, ...], tuple[Doubt, ...], tuple[Doubt, ...]]:
        """Strays, pairs that may be one person, and people in far parts."""
        return (
            tuple(map(self._stray, doubts.strays)),
            tuple(map(self._alike, doubts.alike)),
            tuple(map(self._rift, doubts.rifts)),
        )

    def _stray(self, stray: Stray) -> Doubt:
        owner = self._persons[stray.person]
        about = self._mention(owner)
        sides = [self._side(about, stray.face_id, "this face")]
        sides += self._best(about, "the best of the others")
        words = f"{stray.distance:.2f} from the other faces of {about.title}"
        advice = [f"faceclust reject {shlex.quote(owner.name)} {stray.face_id}"] if owner.name else []
        advice = advice or [f"faceclust split {owner.clusters[0]} {stray.face_id}"]
        if stray.nearest is not None:
            other = self._mention(self._persons[stray.nearest])
            if stray.nearest_distance < stray.distance:
                sides += self._best(other, "nearer by looks")
                words += f", but {stray.nearest_distance:.2f} from {other.title}"
        return Doubt(tuple(sides), words, tuple(advice))

    def _alike(self, pair: Likeness) -> Doubt:
        both = [self._persons[person] for person in pair.persons]
        sides = [side for person in both for side in self._best(self._mention(person), self._size(person))]
        both.sort(key=lambda person: person.name is not None)  # the name is what it becomes
        one, other = (shlex.quote(person.name) if person.name else str(person.clusters[0]) for person in both)
        words = f"{pair.distance:.2f} apart"
        return Doubt(tuple(sides), words, (f"faceclust merge {one} {other}",))

    def _rift(self, rift: Rift) -> Doubt:
        about = self._mention(self._persons[rift.person])
        sides = []
        for number, faces in zip(rift.groups, rift.faces, strict=True):
            days = [place.taken_at for face in faces for place in self._places_of.get(face, ())]
            years = date_range(days)
            words = f"group {number}, {len(faces)} faces" + (f", {years}" if years else "")
            sides.append(self._side(about, faces[0], words))
        advice = f"faceclust split {shlex.quote(about.title)} {rift.groups[1]}"
        return Doubt(tuple(sides), f"{rift.distance:.2f} apart, under one name", (advice,))

    def _best(self, about: Mention, words: str) -> list[_Side]:
        return [self._side(about, about.best.face_id, words)] if about.best else []

    def _side(self, about: Mention, face: str, words: str) -> _Side:
        self.pictured[face] = None
        return about, shot_of(self._places_of[face][0], self._persons[about.id].confirmed), words

    def _mention(self, person: Person) -> Mention:
        if person.id not in self._known:
            best = overview(person, self._places_of).best
            title = person.name or f"Group {person.clusters[0]}"
            self._known[person.id] = Mention(
                person.id,
                title,
                len(person.face_ids),
                shot_of(best, person.confirmed) if best else None,
                person.id in self._here,
            )
        return self._known[person.id]

    def _size(self, person: Person) -> str:
        return f"{len(person.face_ids)} face{'' if len(person.face_ids) == 1 else 's'}"
