"""What a naming interview asks, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from faceclust.people.replay import ReplayedAnswers
from faceclust.types import Person


class QuestionKind(StrEnum):
    """What is asked."""

    WHO = "who"  # who is this group?
    ALSO = "too"  # which of these are this person too?
    OUTLIER = "odd"  # which of this person's suggested faces do not belong?
    SAME = "same"  # are these two the same person?


@dataclass(frozen=True)
class Candidate:
    """One of the things asked about: a face, or a group by its numbers. `distance`: squared L2
    from the person it may be; `chance`: how likely it is that person (for ODD: that it is not)."""

    faces: tuple[str, ...]
    groups: tuple[int, ...] = ()
    distance: float = 0.0
    probability: float = 0.0

    @property
    def key(self) -> str:
        """The same for the same candidate."""
        return f"group {self.groups[0]}" if len(self.faces) > 1 and self.groups else self.faces[0]


@dataclass(frozen=True)
class Question:
    """`names`: the person it is about, or (SAME) the two, or nobody. `gain`: the faces it is expected
    to settle. `fresh`: whether it is about faces that came since. `others`: faces that came with
    the candidates and go with those that belong, unseen."""

    kind: QuestionKind
    candidates: tuple[Candidate, ...]
    names: tuple[str, ...] = ()
    expected_gain: float = 0.0
    is_new: bool = False
    unshown_faces: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """What is passed over when the question is."""
        about = [*(candidate.key for candidate in self.candidates), *self.unshown_faces]
        return frozenset(question_key(self.kind, key, *self.names) for key in about)


def question_key(kind: QuestionKind, candidate: str, *names: str) -> str:
    """The same for a question of this kind about the same."""
    return "\n".join((kind.value, candidate, *names))


@dataclass(frozen=True)
class InterviewState:
    """How things stand. `alone`: the faces that are nobody's and in no group; `group_of` and
    `photo_of`: each face's group, if any, and photo; `fresh`: faces that came since the grouping
    before."""

    persons: Sequence[Person]
    answers: ReplayedAnswers
    ungrouped: Sequence[str]
    group_of: Mapping[str, int]
    photo_of: Mapping[str, str]
    new_faces: frozenset[str] = frozenset()
