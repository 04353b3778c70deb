"""What is kept of a page: written and read again, bounded, without what was forgotten."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.people.events import JournalFace
from faceclust.people.names import clean_name
from faceclust.people.sent_page import MAX_FACES, MAX_QUESTIONS, SentPage, SentQuestion, decode_page, encode_page

ID = "0123456789abcdef" * 2


def make_face(number: int = 0) -> JournalFace:
    return JournalFace(f"{number:016x}", "a" * 32, f"2020/{number}.jpg", (0.1, 0.2, 0.3, 0.4), False, None)


QUESTIONS = st.one_of(
    st.none(),
    st.builds(
        lambda numbers, name: SentQuestion(tuple(map(make_face, numbers)), name or None),
        st.lists(st.integers(0, 99), min_size=1, max_size=4),
        st.text(max_size=30).map(clean_name),
    ),
)


@given(st.lists(QUESTIONS, min_size=1, max_size=5))
def test_a_page_is_read_as_it_was_written(questions: list[SentQuestion | None]) -> None:
    page = SentPage(ID, tuple(questions))
    assert decode_page(encode_page(page)) == page


def test_a_newer_field_is_ignored_and_a_newer_version_refused() -> None:
    page = SentPage(ID, (SentQuestion((make_face(),)),))
    record = json.loads(encode_page(page))
    assert decode_page(json.dumps(record | {"made": "2031-01-01"}).encode()) == page
    with pytest.raises(ValueError, match="newer version"):
        decode_page(json.dumps(record | {"faceclust-page": 2}).encode())


def test_the_forgotten_leave_a_gap_so_that_numbers_stay() -> None:
    questions = (SentQuestion((make_face(1), make_face(2))), SentQuestion((make_face(3),), "Anna"))
    page = SentPage(ID, (*questions, SentQuestion((make_face(1),))))
    left = page.without({make_face(1).face_id}, ())
    assert left.questions == (SentQuestion((make_face(2),)), questions[1], None)
    assert page.without((), {"anna"}).questions == (questions[0], None, SentQuestion((make_face(1),)))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../x"},
        {"id": None},
        {"questions": []},
        {"questions": [None] * (MAX_QUESTIONS + 1)},
        {"questions": "x"},
        {"questions": [{"faces": []}]},
        {"questions": [{"faces": 5}]},
        {"questions": [[]]},
        {"questions": [{"faces": [{"face": 1}]}]},
        {"questions": [{"name": 5, "faces": "FACES"}]},
        {"questions": [{"name": "\x07", "faces": "FACES"}]},
        {"questions": [{"name": None, "faces": "MANY"}]},
    ],
)
def test_a_hostile_record_is_refused(change: dict[str, object]) -> None:
    record = json.loads(encode_page(SentPage(ID, (SentQuestion((make_face(),)),))))
    faces = json.dumps(record["questions"][0]["faces"])
    many = json.dumps(record["questions"][0]["faces"] * (MAX_FACES + 1))
    text = json.dumps(record | change).replace('"FACES"', faces).replace('"MANY"', many)
    with pytest.raises(ValueError):
        decode_page(text.encode())


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"5", b"[" * 100_000, b'{"questions": [NaN]}'])
def test_what_is_no_record_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        decode_page(content)
