"""Make a page of questions for somebody else, and keep at home which faces the questions are about."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import CacheError
from faceclust.library.reporting import thumbnails
from faceclust.library.sent_pages import remove_sent_page, save_sent_page
from faceclust.outputs.question_page.render import PageQuestion, render_question_page
from faceclust.outputs.report.timeline import select_faces_across_years
from faceclust.people.events import JournalFace
from faceclust.people.names import MAX_NAME_LENGTH
from faceclust.people.sent_page import MAX_FACES, SentPage, SentQuestion
from faceclust.photos.thumbnails import strip_metadata
from faceclust.types import FaceOccurrence

#: Pictures of a question: two rows on a phone.
_MAX_PICTURES = 6


@dataclass(frozen=True)
class QuestionToSend:
    """A question about `faces`: are they the person `name`, or, without a name, who are they?"""

    faces: tuple[str, ...]
    name: str | None = None


@dataclass(frozen=True)
class QuestionPage:
    """A page to send. `content`: UTF-8 HTML. `sent`: what stays at home. `pictures`: the number of pictures in it."""

    content: bytes
    sent: SentPage
    pictures: int

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the page."""
        return tuple(sorted({one.name for one in self.sent.questions if one is not None and one.name is not None}))


def make_question_page(library: Catalogue, questions: Sequence[QuestionToSend]) -> QuestionPage | None:
    """Return the page of these questions; None if none of their faces can be shown. Nothing is written.

    Each question shows its best faces, spread over the years. One without any picture is left out.
    """
    shown = [_choose_faces(library, question) for question in questions]
    pictures = thumbnails(library, sorted({face for faces in shown for face in faces}, key=lambda face: face.photo))
    asked = []
    for question, faces in zip(questions, shown, strict=True):
        seen = tuple(strip_metadata(pictures[face.face_id]) for face in faces if face.face_id in pictures)
        if seen:
            asked.append((_to_sent_question(library, question, faces), PageQuestion(seen, question.name)))
    if not asked:
        return None
    sent = SentPage(secrets.token_hex(16), tuple(one for one, _ in asked))
    html = render_question_page(sent.id, [one for _, one in asked], max_name_length=MAX_NAME_LENGTH)
    return QuestionPage(html.encode(), sent, sum(len(one.pictures) for _, one in asked))


@contextmanager
def keep_sent_page(library: Catalogue, page: QuestionPage) -> Iterator[None]:
    """Keep the page's questions before it is written in the body; drop it if that fails. Raises CacheError."""
    save_sent_page(library, page.sent)
    try:
        yield
    except BaseException:
        with contextlib.suppress(CacheError):
            remove_sent_page(library, page.sent)
        raise


def _choose_faces(library: Catalogue, question: QuestionToSend) -> list[FaceOccurrence]:
    """Choose faces from the whole time in which the person was photographed, in an order that reveals nothing."""
    return select_faces_across_years((library.occurrences_of[face][0] for face in question.faces), _MAX_PICTURES)


def _to_sent_question(library: Catalogue, question: QuestionToSend, shown: Sequence[FaceOccurrence]) -> SentQuestion:
    """The question as it is kept: the faces shown first. Of a larger group, the others follow their group."""
    order = dict.fromkeys([*(face.face_id for face in shown), *question.faces])
    faces = [library.occurrences_of[face][0] for face in list(order)[:MAX_FACES]]
    return SentQuestion(tuple(JournalFace.from_occurrence(face, confirmed=False) for face in faces), question.name)
