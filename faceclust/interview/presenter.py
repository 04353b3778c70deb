"""A question as the user meets it: in words, and with pictures of faces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from faceclust.interview.questions import Candidate, Question, QuestionKind
from faceclust.library.library import Library
from faceclust.outputs.overview import format_year_range
from faceclust.outputs.report.timeline import select_faces_across_years
from faceclust.people.event_text import describe_similarity
from faceclust.people.similarity import GroupDistances
from faceclust.types import FaceOccurrence

#: A face this likely to be somebody else is shown when its group is asked about.
_MIN_OUTLIER_PROBABILITY = 0.3


@dataclass(frozen=True)
class QuestionPicture:
    """A face shown with a question. `parse_number`: what the user calls it by, None for one of a known
    person that the others are compared with."""

    occurrence: FaceOccurrence
    caption: str
    number: int | None


@dataclass(frozen=True)
class PresentedQuestion:
    """A question with its pictures. `words`: the question; `facts`: what is known of what it is
    about; `left`: how many questions there are, this one too."""

    question: Question
    text: str
    summary: str
    pictures: tuple[QuestionPicture, ...]
    remaining: int

    @property
    def numbered_faces(self) -> list[str]:
        """The face ids of the numbered pictures, in their order."""
        return [picture.occurrence.face_id for picture in self.pictures if picture.number is not None]

    @property
    def accepts_name(self) -> bool:
        """Whether it is about one group or face, of whom the answer may say who it is."""
        kind = self.question.kind
        return kind is QuestionKind.WHO or (kind is QuestionKind.ALSO and len(self.question.candidates) == 1)


class Presenter:
    """Chooses words and pictures. `row`: how many pictures go side by side."""

    def __init__(self, library: Library, group_distances: GroupDistances, pictures_per_row: int) -> None:
        self._library, self._group_distances, self._pictures_per_row = library, group_distances, pictures_per_row

    def present(self, question: Question, remaining: int) -> PresentedQuestion:
        """The question as it is shown."""
        known: list[FaceOccurrence] = []
        if question.kind in (QuestionKind.ALSO, QuestionKind.OUTLIER):
            known = self._best_occurrences(self._confirmed_faces(question.names[0]), 1)
        shown = self._choose_numbered_pictures(question, self._pictures_per_row - len(known))
        pictures = [QuestionPicture(place, question.names[0], None) for place in known]
        pictures += [
            QuestionPicture(place, f"{number} {caption}".strip(), number)
            for number, (place, caption) in enumerate(shown, start=1)
        ]
        return PresentedQuestion(
            question, _question_text(question), self._summarise_faces(question), tuple(pictures), remaining
        )

    def _choose_numbered_pictures(self, question: Question, room: int) -> list[tuple[FaceOccurrence, str]]:
        """The numbered faces, each with a few words."""
        units = question.candidates
        if question.kind is QuestionKind.SAME:
            half = max(1, room // 2)
            labels = _candidate_labels(question)
            return [
                (place, label)
                for unit, label in zip(units, labels, strict=True)
                for place in self._best_occurrences(unit.faces, half)
            ]
        if question.kind is QuestionKind.OUTLIER:
            return [(self._library.occurrences_of[unit.faces[0]][0], "") for unit in units]
        if len(units) == 1:
            alike = describe_similarity(units[0].distance) if question.kind is QuestionKind.ALSO else ""
            return [(place, alike) for place in self._doubtful_first(units[0], room)]
        return [(self._best_occurrences(unit.faces, 1)[0], _candidate_caption(unit)) for unit in units]

    def _summarise_faces(self, question: Question) -> str:
        faces = [*(face for unit in question.candidates for face in unit.faces), *question.unshown_faces]
        places = [place for face in faces for place in self._library.occurrences_of[face]]
        photos, years = len({place.photo for place in places}), format_year_range(place.taken_at for place in places)
        facts = f"{_format_count(len(faces), 'face')} on {_format_count(photos, 'photo')}"
        return f"{facts}, {years}" if years else facts

    def _doubtful_first(self, unit: Candidate, count: int) -> list[FaceOccurrence]:
        """The faces to show of a group: those that may not belong first, then its best."""
        strays = self._group_distances.outlier_probabilities(unit.faces)
        doubtful = sorted(
            (face for face in strays if strays[face] >= _MIN_OUTLIER_PROBABILITY), key=lambda face: -strays[face]
        )
        doubtful = doubtful[: count // 2]
        rest = [face for face in unit.faces if face not in doubtful]
        return [self._library.occurrences_of[face][0] for face in doubtful] + self._best_occurrences(
            rest, count - len(doubtful)
        )

    def _best_occurrences(self, faces: Iterable[str], count: int) -> list[FaceOccurrence]:
        places = (self._library.occurrences_of[face][0] for face in faces)
        return sorted(
            select_faces_across_years(places, count), key=lambda place: (place.taken_at or datetime.min, place.photo)
        )

    def _confirmed_faces(self, name: str) -> Iterable[str]:
        person = self._library.find_person(name)
        return person.confirmed or person.face_ids


def _question_text(question: Question) -> str:
    units, names = question.candidates, question.names
    if question.kind is QuestionKind.ALSO:
        return f"Is this {names[0]} too?" if len(units) == 1 else f"Are these {names[0]} too?"
    if question.kind is QuestionKind.OUTLIER:
        new = "New: " if question.is_new else ""
        words = f"{new}is this {names[0]}?" if len(units) == 1 else f"{new}are these all {names[0]}?"
        return words[0].upper() + words[1:]
    if question.kind is QuestionKind.SAME:
        return "Are {} and {} the same person?".format(*_candidate_labels(question))
    return f"Who is this? ({_candidate_label(units[0])})"


def _candidate_labels(question: Question) -> tuple[str, ...]:
    return question.names or tuple(_candidate_label(unit) for unit in question.candidates)


def _candidate_label(unit: Candidate) -> str:
    return f"group {unit.groups[0]}" if unit.groups else "one face"


def _candidate_caption(unit: Candidate) -> str:
    alike = describe_similarity(unit.distance)
    return f"{len(unit.faces)} faces, {alike}" if len(unit.faces) > 1 else alike


def _format_count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
