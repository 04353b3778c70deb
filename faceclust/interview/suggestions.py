"""Ask about the names that somebody else has suggested: one question for each name and person who suggested it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from faceclust.interview.questions import Candidate, InterviewState, Question, QuestionKind, question_key
from faceclust.people.similarity import GroupDistances
from faceclust.types import Person


def plan_questions_about_suggestions(
    group_distances: GroupDistances,
    state: InterviewState,
    named: Iterable[Person],
    skipped: frozenset[str],
    max_candidates: int,
) -> Iterator[Question]:
    """Ask whether the faces are the person, the most doubtful first. The answer settles those not shown, too."""
    for person in named if state.suggested_by else ():
        by_suggester: dict[str, list[str]] = defaultdict(list)
        for face in person.face_ids:
            is_skipped = question_key(QuestionKind.OUTLIER, face, person.label) in skipped
            if face in state.suggested_by and face not in person.confirmed and not is_skipped:
                by_suggester[state.suggested_by[face]].append(face)
        for suggester, faces in by_suggester.items():
            probability = group_distances.outlier_probabilities(faces)
            order = sorted(faces, key=lambda face: (-probability.get(face, 0.0), face))
            yield Question(
                QuestionKind.OUTLIER,
                tuple(Candidate((face,), probability=probability.get(face, 0.0)) for face in order[:max_candidates]),
                (person.label,),
                float(len(order)),
                unshown_faces=tuple(order[max_candidates:]),
                suggested_by=suggester,
            )
