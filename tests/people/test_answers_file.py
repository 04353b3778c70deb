"""The file of answers: what a page makes is read again, whatever a mail does to it, and hostile files are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.people.answers_file import (
    MAX_ANSWERS_SIZE,
    AnswersFile,
    GivenAnswer,
    is_answers_file,
    parse_answers,
)
from faceclust.people.names import MAX_NAME_LENGTH, clean_name
from faceclust.people.sent_page import MAX_QUESTIONS

PAGE = "0123456789abcdef" * 2

NAMES = st.text(max_size=60).map(clean_name)
ANSWERS = st.builds(
    GivenAnswer,
    st.integers(1, MAX_QUESTIONS),
    st.sampled_from([None, True, False]),
    NAMES.map(lambda name: name or None),
)


def to_text(answers: AnswersFile) -> str:
    """Write answers in the lines that the page writes, as ASCII."""
    records = []
    for answer in answers.answers:
        values = {"is": answer.is_person, "name": answer.name}
        given = {key: value for key, value in values.items() if value is not None}
        records.append(json.dumps({"question": answer.question, **(given or {"unknown": True})}))
    lines = [
        '{"faceclust-answers": 1,',
        f' "page": {json.dumps(answers.page)},',
        f' "from": {json.dumps(answers.sender)},',
        ' "answers": [',
        ",\n".join(f"  {record}" for record in records),
        " ]}",
    ]
    return "\n".join(lines)


def make_content(**changes: Any) -> bytes:
    """Return the content of a valid file, with some values changed; those that are "missing" are left out."""
    values = {"faceclust-answers": 1, "page": PAGE, "from": "Aunt Mary", "answers": []} | changes
    return json.dumps({key: value for key, value in values.items() if value != "missing"}).encode()


@given(st.lists(ANSWERS, max_size=8, unique_by=lambda answer: answer.question), NAMES.filter(bool), st.data())
def test_answers_are_read_as_they_were_given(answers: list[GivenAnswer], sender: str, data: st.DataObject) -> None:
    expected = AnswersFile(PAGE, sender, tuple(answers))
    text = to_text(expected)
    assert parse_answers(text.encode()) == expected
    wrapped = {
        "in a mail": f"Dear Ben,\n\nhere they are {{}}\n{text}\nLove,\nMary {{}}",
        "quoted": "".join(f"> > {line}\n" for line in text.split("\n")),
        "other line ends": text.replace("\n", "\r\n"),
        "UTF-16": text,
    }
    how = data.draw(st.sampled_from(sorted(wrapped)))
    content = wrapped[how].encode("utf-16" if how == "UTF-16" else "utf-8")
    assert is_answers_file(content) and parse_answers(content) == expected


def test_a_name_that_a_mail_program_broke_is_whole_again() -> None:
    content = make_content(answers=[{"question": 1, "name": "Anna Maria Lopez"}]).replace(b"Maria ", b"Maria\r\n")
    assert parse_answers(content).answers == (GivenAnswer(1, None, "Anna Maria Lopez"),)


def test_names_lose_what_cannot_be_seen() -> None:
    given = parse_answers(make_content(**{"from": "\x1b[31m\u202eMary"}, answers=[{"question": 1, "name": "\x07\n"}]))
    assert given.sender == "[31mMary" and given.answers == (GivenAnswer(1),)
    assert parse_answers(make_content(**{"from": "missing"})).sender == "somebody"
    given = parse_answers(make_content(answers=[{"question": 1, "name": "\ud800Ben"}]))
    assert given.answers == (GivenAnswer(1, None, "?Ben"),)
    html = "<img src=x onerror=alert(1)>"
    assert parse_answers(make_content(answers=[{"question": 1, "name": html}])).answers[0].name == html  # text, no more


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (make_content(**{"faceclust-answers": 2}), "newer faceclust"),
        (make_content(**{"faceclust-answers": True}), "no version"),
        (make_content(**{"faceclust-answers": "1"}), "no version"),
        (make_content(**{"faceclust-answers": 0}), "no version"),
        (make_content(page="../../etc/passwd"), "does not name the page"),
        (make_content(page=PAGE.upper()), "does not name the page"),
        (make_content(page=PAGE + "\n"), "does not name the page"),
        (make_content(page="missing"), "does not name the page"),
        (make_content(page=7), "does not name the page"),
        (make_content(answers="missing"), "no list of answers"),
        (make_content(answers={"1": "Ben"}), "no list of answers"),
        (make_content(answers=[1]), "an answer is not an object"),
        (make_content(answers=[{"question": 0, "name": "Ben"}]), "no number of a question"),
        (make_content(answers=[{"question": True, "name": "Ben"}]), "no number of a question"),
        (make_content(answers=[{"question": 1e300, "name": "Ben"}]), "no number of a question"),
        (make_content(answers=[{"question": MAX_QUESTIONS + 1, "name": "Ben"}]), "no number of a question"),
        (make_content(answers=[{"question": 1, "is": "yes"}]), "neither yes nor no"),
        (make_content(answers=[{"question": 1, "name": ["Ben"]}]), "is not text"),
        (make_content(answers=[{"question": 1, "name": "B" * (MAX_NAME_LENGTH + 1)}]), "is longer than 200"),
        (make_content(**{"from": "M" * (MAX_NAME_LENGTH + 1)}), "the name of who answers is longer than 200"),
        (make_content(**{"from": 5}), "is not text"),
        (make_content(answers=[{"question": 1}, {"question": 1, "name": "Ben"}]), "answers a question twice"),
        (make_content(answers=[{"question": 1}] * (MAX_QUESTIONS + 1)), "it has 101 answers"),
        (make_content()[:-3], "damaged or incomplete"),
        (b'{"faceclust-answers": 1, "answers": ' + b"[" * 100_000, "damaged or incomplete"),
        (b'{"faceclust-answers": ' + b"9" * 100_000 + b"}", "damaged or incomplete"),
        (b'{"faceclust-answers": NaN}', "no version"),
        (make_content(answers=[{"question": 1}] * 1_000_000)[: MAX_ANSWERS_SIZE + 1], "larger than 1,000,000 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_hostile_file_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    assert is_answers_file(content)
    with pytest.raises(ValueError, match=reason):
        parse_answers(content)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_read_or_refused(junk: bytes, cut: int) -> None:
    for content in (junk, make_content(answers=[{"question": 1, "name": "Ben"}])[:cut] + junk):
        try:
            parse_answers(content)
        except ValueError:
            continue


def test_a_journal_is_not_taken_for_answers() -> None:
    line = json.dumps({"event": "name", "name": '{"faceclust-answers": 1}', "note": '{"faceclust-answers": 1}'})
    assert not is_answers_file(line.encode()) and not is_answers_file(b"") and not is_answers_file(b"\xff\xfe\x00")
