"""A question as the user meets it: in words, and with pictures of faces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from faceclust.interview.questions import Candidate, Kind, Question
from faceclust.library.library import Library
from faceclust.outputs.overview import date_range
from faceclust.outputs.report.timeline import pictured_faces
from faceclust.people.event_text import alike_in_words
from faceclust.people.similarity import Likeness
from faceclust.types import FacePlace

#: A face this likely to be somebody else is shown when its group is asked about.
_DOUBTFUL = 0.3


@dataclass(frozen=True)
class Picture:
    """A face shown with a question. `number`: what the user calls it by, None for one of a known
    person that the others are compared with."""

    place: FacePlace
    caption: str
    number: int | None


@dataclass(frozen=True)
class Asked:
    """A question with its pictures. `words`: the question; `facts`: what is known of what it is
    about; `left`: how many questions there are, this one too."""

    question: Question
    words: str
    facts: str
    pictures: tuple[Picture, ...]
    left: int

    @property
    def numbered(self) -> list[str]:
        """The face ids of the numbered pictures, in their order."""
        return [picture.place.face_id for picture in self.pictures if picture.number is not None]

    @property
    def takes_a_name(self) -> bool:
        """Whether it is about one group or face, of whom the answer may say who it is."""
        kind = self.question.kind
        return kind is Kind.WHO or (kind is Kind.TOO and len(self.question.candidates) == 1)


class Presenter:
    """Chooses words and pictures. `row`: how many pictures go side by side."""

    def __init__(self, library: Library, likeness: Likeness, row: int) -> None:
        self._library, self._likeness, self._row = library, likeness, row

    def present(self, question: Question, left: int) -> Asked:
        """The question as it is shown."""
        known: list[FacePlace] = []
        if question.kind in (Kind.TOO, Kind.ODD):
            known = self._best(self._sure_faces(question.names[0]), 1)
        shown = self._shown(question, self._row - len(known))
        pictures = [Picture(place, question.names[0], None) for place in known]
        pictures += [
            Picture(place, f"{number} {caption}".strip(), number)
            for number, (place, caption) in enumerate(shown, start=1)
        ]
        return Asked(question, _words(question), self._facts(question), tuple(pictures), left)

    def _shown(self, question: Question, room: int) -> list[tuple[FacePlace, str]]:
        """The numbered faces, each with a few words."""
        units = question.candidates
        if question.kind is Kind.SAME:
            half = max(1, room // 2)
            labels = _labels(question)
            return [
                (place, label)
                for unit, label in zip(units, labels, strict=True)
                for place in self._best(unit.faces, half)
            ]
        if question.kind is Kind.ODD:
            return [(self._library.places_of[unit.faces[0]][0], "") for unit in units]
        if len(units) == 1:
            alike = alike_in_words(units[0].distance) if question.kind is Kind.TOO else ""
            return [(place, alike) for place in self._telling(units[0], room)]
        return [(self._best(unit.faces, 1)[0], _caption(unit)) for unit in units]

    def _facts(self, question: Question) -> str:
        faces = [*(face for unit in question.candidates for face in unit.faces), *question.others]
        places = [place for face in faces for place in self._library.places_of[face]]
        photos, years = len({place.photo for place in places}), date_range(place.taken_at for place in places)
        facts = f"{_count(len(faces), 'face')} on {_count(photos, 'photo')}"
        return f"{facts}, {years}" if years else facts

    def _telling(self, unit: Candidate, count: int) -> list[FacePlace]:
        """The faces to show of a group: those that may not belong first, then its best."""
        strays = self._likeness.strays(unit.faces)
        doubtful = sorted((face for face in strays if strays[face] >= _DOUBTFUL), key=lambda face: -strays[face])
        doubtful = doubtful[: count // 2]
        rest = [face for face in unit.faces if face not in doubtful]
        return [self._library.places_of[face][0] for face in doubtful] + self._best(rest, count - len(doubtful))

    def _best(self, faces: Iterable[str], count: int) -> list[FacePlace]:
        places = (self._library.places_of[face][0] for face in faces)
        return sorted(pictured_faces(places, count), key=lambda place: (place.taken_at or datetime.min, place.photo))

    def _sure_faces(self, name: str) -> Iterable[str]:
        person = self._library.person(name)
        return person.confirmed or person.face_ids


def _words(question: Question) -> str:
    units, names = question.candidates, question.names
    if question.kind is Kind.TOO:
        return f"Is this {names[0]} too?" if len(units) == 1 else f"Are these {names[0]} too?"
    if question.kind is Kind.ODD:
        new = "New: " if question.fresh else ""
        words = f"{new}is this {names[0]}?" if len(units) == 1 else f"{new}are these all {names[0]}?"
        return words[0].upper() + words[1:]
    if question.kind is Kind.SAME:
        return "Are {} and {} the same person?".format(*_labels(question))
    return f"Who is this? ({_label(units[0])})"


def _labels(question: Question) -> tuple[str, ...]:
    return question.names or tuple(_label(unit) for unit in question.candidates)


def _label(unit: Candidate) -> str:
    return f"group {unit.groups[0]}" if unit.groups else "one face"


def _caption(unit: Candidate) -> str:
    alike = alike_in_words(unit.distance)
    return f"{len(unit.faces)} faces, {alike}" if len(unit.faces) > 1 else alike


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
