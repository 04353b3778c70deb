"""Show more faces with a question."""

from __future__ import annotations

from dataclasses import replace

from faceclust.interview.presenter import PresentedQuestion, QuestionPicture
from faceclust.interview.questions import QuestionKind
from faceclust.library.library import Library
from faceclust.outputs.report.timeline import select_faces_across_years


def with_more_faces(library: Library, shown: PresentedQuestion, count: int) -> PresentedQuestion | None:
    """Return the question with up to `count` more faces of its groups, the best ones over the years.

    Their numbers go on from those of the faces shown. None if all faces are shown, and for questions whose
    pictures each stand for a group.
    """
    question = shown.question
    if not (shown.accepts_name or question.kind is QuestionKind.SAME):
        return None
    known = {picture.occurrence.face_id: picture for picture in shown.pictures}
    added: list[QuestionPicture] = []
    number = len(shown.numbered_faces)
    for candidate in question.candidates:
        first = next((known[face] for face in candidate.faces if face in known), None)
        label = first.caption.partition(" ")[2] if first and question.kind is QuestionKind.SAME else ""
        others = [library.occurrences_of[face][0] for face in candidate.faces if face not in known]
        for occurrence in select_faces_across_years(others, max(1, count // len(question.candidates))):
            number += 1
            added.append(QuestionPicture(occurrence, f"{number} {label}".strip(), number))
    return replace(shown, pictures=(*shown.pictures, *added)) if added else None
