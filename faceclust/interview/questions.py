"""The questions of a naming interview, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from faceclust.people.date_evidence import NO_DATE_EVIDENCE, DateEvidence
from faceclust.people.replay import ReplayedAnswers
from faceclust.types import Person


class QuestionKind(StrEnum):
    """The kinds of questions."""

    WHO = "who"  # who is this group?
    ALSO = "too"  # which of these are this person too?
    OUTLIER = "odd"  # which of this person's suggested faces do not belong?
    SAME = "same"  # are these two the same person?


@dataclass(frozen=True)
class Candidate:
    """A face, or a group by its numbers, that a question is about.

    `distance`: squared L2 to the person it may be. `probability`: that it is that person; for an
    OUTLIER question, that it is not.
    """

    faces: tuple[str, ...]
    groups: tuple[int, ...] = ()
    distance: float = 0.0
    probability: float = 0.0

    @property
    def key(self) -> str:
        """An identifier that is the same for the same face or group."""
        return f"group {self.groups[0]}" if len(self.faces) > 1 and self.groups else self.faces[0]


@dataclass(frozen=True)
class Question:
    """A question about some candidates.

    `names`: the person it is about; for SAME the two persons, if they are named. `expected_gain`: the
    number of faces it is expected to settle. `is_new`: it is about faces added since the clustering
    before the last. `unshown_faces`: faces that are not shown and follow the candidates that belong.
    `suggested_by`: who gave these faces the name, "" for the groups' own suggestions.
    """

    kind: QuestionKind
    candidates: tuple[Candidate, ...]
    names: tuple[str, ...] = ()
    expected_gain: float = 0.0
    is_new: bool = False
    unshown_faces: tuple[str, ...] = ()
    suggested_by: str = ""

    @property
    def keys(self) -> frozenset[str]:
        """The keys to skip when this question is skipped."""
        if len(self.candidates) == 1 and not self.unshown_faces:
            return frozenset((question_key(self.kind, self.candidates[0].key, *self.names),))
        about = [*(candidate.key for candidate in self.candidates), *self.unshown_faces]
        return frozenset(question_key(self.kind, key, *self.names) for key in about)


def question_key(kind: QuestionKind, candidate: str, *names: str) -> str:
    """Return an identifier of the questions of this kind about this candidate and these persons."""
    return "\n".join((kind.value, candidate, *names))


@dataclass(frozen=True)
class InterviewState:
    """The persons, groups and answers that questions are planned from.

    `ungrouped`: faces in no group and of no person that can be compared. `group_of`: face id → group number.
    `photo_of`: face id → its photo or frame of a video. `new_faces`: faces missing from the clustering before the last.
    `evidence`: what dates tell about the persons.
    `suggested_by`: face id → who suggested its name, for those that nobody has confirmed.
    """

    persons: Sequence[Person]
    answers: ReplayedAnswers
    ungrouped: Sequence[str]
    group_of: Mapping[str, int]
    photo_of: Mapping[str, str]
    new_faces: frozenset[str] = frozenset()
    evidence: DateEvidence = NO_DATE_EVIDENCE
    suggested_by: Mapping[str, str] = field(default_factory=dict)
