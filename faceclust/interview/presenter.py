"""Present a question to a user: in words, and with pictures of faces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from faceclust.interview.nearby_age import NearbyAges
from faceclust.interview.questions import Candidate, Question, QuestionKind
from faceclust.library.library import Library
from faceclust.outputs.overview import format_year_range
from faceclust.outputs.report.timeline import select_faces_across_years
from faceclust.people.event_text import describe_similarity
from faceclust.people.similarity import GroupDistances
from faceclust.text.plural import format_count
from faceclust.types import FaceOccurrence
from faceclust.types.frames import format_frame_time

#: Faces at least this probably wrong are shown when their group is asked about.
_MIN_OUTLIER_PROBABILITY = 0.3


@dataclass(frozen=True)
class QuestionPicture:
    """A face shown with a question.

    `number`: the number that the user calls it by; None for a face of a known person, shown for
    comparison.
    """

    occurrence: FaceOccurrence
    caption: str
    number: int | None

    @property
    def caption_with_time(self) -> str:
        """The caption, and the time of a face in a video, such as "2 at 1:23"."""
        time = self.occurrence.frame_time
        return self.caption if time is None else f"{self.caption} at {format_frame_time(time)}"


@dataclass(frozen=True)
class PresentedQuestion:
    """A question in words and pictures.

    `summary`: facts about the faces concerned. `remaining`: number of open questions, including this
    one.
    """

    question: Question
    text: str
    summary: str
    pictures: tuple[QuestionPicture, ...]
    remaining: int

    @property
    def numbered_faces(self) -> list[str]:
        """The face ids of the numbered pictures, in order."""
        return [picture.occurrence.face_id for picture in self.pictures if picture.number is not None]

    @property
    def accepts_name(self) -> bool:
        """True for a question about one group or face, which the answer may name."""
        kind = self.question.kind
        return kind is QuestionKind.WHO or (kind is QuestionKind.ALSO and len(self.question.candidates) == 1)


class Presenter:
    """Chooses the words and pictures of questions. `pictures_per_row`: at least 2."""

    def __init__(self, library: Library, group_distances: GroupDistances, pictures_per_row: int) -> None:
        self._library, self._group_distances, self._pictures_per_row = library, group_distances, pictures_per_row

    def present(self, question: Question, remaining: int) -> PresentedQuestion:
        """Return the question with its words and pictures."""
        known: list[FaceOccurrence] = []
        if question.kind in (QuestionKind.ALSO, QuestionKind.OUTLIER):
            known = self._best_occurrences(self._example_faces(question), 1)
        shown = self._choose_numbered_pictures(question, self._pictures_per_row - len(known))
        pictures = [QuestionPicture(occurrence, question.names[0], None) for occurrence in known]
        pictures += [
            QuestionPicture(occurrence, f"{number} {caption}".strip(), number)
            for number, (occurrence, caption) in enumerate(shown, start=1)
        ]
        summary = self._summarise_faces(question)
        return PresentedQuestion(question, _question_text(question), summary, tuple(pictures), remaining)

    def _choose_numbered_pictures(self, question: Question, count: int) -> list[tuple[FaceOccurrence, str]]:
        """The faces to number, each with a caption."""
        candidates = question.candidates
        if question.kind is QuestionKind.SAME:
            labels = _candidate_labels(question)
            return [
                (occurrence, label)
                for candidate, label in zip(candidates, labels, strict=True)
                for occurrence in self._best_occurrences(candidate.faces, max(1, count // 2))
            ]
        if question.kind is QuestionKind.OUTLIER:
            return [(self._library.occurrences_of[candidate.faces[0]][0], "") for candidate in candidates]
        if len(candidates) == 1:
            caption = describe_similarity(candidates[0].distance) if question.kind is QuestionKind.ALSO else ""
            return [(occurrence, caption) for occurrence in self._doubtful_first(candidates[0], count)]
        return [
            (self._best_occurrences(candidate.faces, 1)[0], _candidate_caption(candidate)) for candidate in candidates
        ]

    def _summarise_faces(self, question: Question) -> str:
        faces = [*(face for candidate in question.candidates for face in candidate.faces), *question.unshown_faces]
        occurrences = [occurrence for face in faces for occurrence in self._library.occurrences_of[face]]
        photos = len({occurrence.photo for occurrence in occurrences})
        years = format_year_range(occurrence.taken_at for occurrence in occurrences)
        summary = f"{format_count(len(faces), 'face')} on {format_count(photos, 'photo')}"
        return f"{summary}, {years}" if years else summary

    def _doubtful_first(self, candidate: Candidate, count: int) -> list[FaceOccurrence]:
        """The faces to show of a group: probable outliers first, for up to half of `count`, then its best."""
        probability = self._group_distances.outlier_probabilities(candidate.faces)
        doubtful = sorted(
            (face for face in probability if probability[face] >= _MIN_OUTLIER_PROBABILITY),
            key=lambda face: -probability[face],
        )[: count // 2]
        others = [face for face in candidate.faces if face not in doubtful]
        shown = [self._library.occurrences_of[face][0] for face in doubtful]
        return shown + self._best_occurrences(others, count - len(doubtful))

    def _best_occurrences(self, faces: Iterable[str], count: int) -> list[FaceOccurrence]:
        """The best faces, spread over the years, in the order they were taken."""
        best = select_faces_across_years((self._library.occurrences_of[face][0] for face in faces), count)
        return sorted(best, key=lambda occurrence: (occurrence.taken_at or datetime.min, occurrence.photo))

    def _example_faces(self, question: Question) -> Iterable[str]:
        """The confirmed faces of the person asked about: of a child, those of nearby ages if there are any."""
        person, evidence = self._library.find_person(question.names[0]), self._library.date_evidence
        asked = (face for candidate in question.candidates for face in candidate.faces)
        near = NearbyAges(person, evidence).examples_for(asked) if evidence else []
        # A name that somebody else gave may be new: then there is no face to compare with.
        return near or person.confirmed or (() if question.suggested_by else person.face_ids)


def _question_text(question: Question) -> str:
    candidates, names = question.candidates, question.names
    if question.kind is QuestionKind.ALSO:
        return f"Is this {names[0]} too?" if len(candidates) == 1 else f"Are these {names[0]} too?"
    if question.kind is QuestionKind.OUTLIER:
        new = "New: " if question.is_new else ""
        if question.suggested_by:
            new = f"Suggested by {question.suggested_by}: "
        text = f"{new}is this {names[0]}?" if len(candidates) == 1 else f"{new}are these all {names[0]}?"
        return text[0].upper() + text[1:]
    if question.kind is QuestionKind.SAME:
        return "Are {} and {} the same person?".format(*_candidate_labels(question))
    return f"Who is this? ({_candidate_label(candidates[0])})"


def _candidate_labels(question: Question) -> tuple[str, ...]:
    return question.names or tuple(_candidate_label(candidate) for candidate in question.candidates)


def _candidate_label(candidate: Candidate) -> str:
    return f"group {candidate.groups[0]}" if candidate.groups else "one face"


def _candidate_caption(candidate: Candidate) -> str:
    similarity = describe_similarity(candidate.distance)
    return f"{len(candidate.faces)} faces, {similarity}" if len(candidate.faces) > 1 else similarity
