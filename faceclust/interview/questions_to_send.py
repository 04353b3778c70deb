"""Choose the questions of a page for somebody else: those whose answers settle the most faces."""

from __future__ import annotations

from faceclust.interview.planner import plan_questions
from faceclust.interview.questions import Candidate, QuestionKind
from faceclust.interview.session import Interview
from faceclust.library.library import Library
from faceclust.library.question_page import QuestionToSend

#: Groups near a person that are asked about in one question at home. On a page, each has a question of its own.
_MAX_CANDIDATES = 1_000


def choose_questions(library: Library, count: int) -> list[QuestionToSend]:
    """Return at most `count` questions: who a group is, or whether it is a named person.

    The most faces come first, weighted as in an interview. Questions that only concern the user's own answers are
    left out.
    """
    interview = Interview(library, pictures_per_row=2)
    planned = plan_questions(interview.group_distances, interview.state(), max_candidates=_MAX_CANDIDATES)
    asked: list[tuple[float, Candidate, str | None]] = []
    for question in planned:
        if question.kind is QuestionKind.WHO:
            asked.append((question.expected_gain, question.candidates[0], None))
        elif question.kind is QuestionKind.ALSO:
            for candidate in question.candidates:
                asked.append((candidate.probability * len(candidate.faces), candidate, question.names[0]))
    asked.sort(key=lambda one: (-one[0], one[1].key))
    by_candidate: dict[str, QuestionToSend] = {}  # each with its most valuable question
    for _, candidate, name in asked:
        by_candidate.setdefault(candidate.key, QuestionToSend(candidate.faces, name))
    return list(by_candidate.values())[:count]
