"""Lines of the journal are strict UTF-8 JSON, whatever they contain and whoever wrote them."""

from __future__ import annotations

import io
import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from faceclust.people import journal_lines
from faceclust.people.events import to_record
from faceclust.people.journal_lines import (
    count_distinct_lines,
    encode_record,
    merge_journals,
    parse_event,
    parse_record,
    split_lines,
)
from tests.support.people_builders import make_event

any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=30)
ANNA = to_record(make_event("name", "a", name="Anna"))
LINE = encode_record(ANNA)


@given(any_text)
@example("\x7f\x85\x9b31m\u2028\u2029\u202e.jpg\udcff\0\r\n\x1b$(reboot).jpg")
def test_a_line_is_one_line_of_utf_8_json_without_control_characters(photo: str) -> None:
    line = encode_record({"photo": photo})
    text = line.decode()
    assert text.endswith("\n") and len(text.splitlines()) == 1
    assert all(unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp") for character in text[:-1])
    read = json.loads(line)
    assert read == parse_record(line)
    # Two lone surrogates in a row are read as one character.
    assert read["photo"].encode("utf-16-le", "surrogatepass") == photo.encode("utf-16-le", "surrogatepass")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_json_are_never_written(number: float) -> None:
    with pytest.raises(ValueError):
        encode_record({"box": [number]})


@pytest.mark.parametrize(
    "line",
    [
        b'{"box": [NaN]}',
        b'{"box": [Infinity]}',
        b'{"box": [1e400]}',
        b'{"box": [' + b"1" * 5000 + b"]}",
        b"1" * 5000,
        b"[" * 200_000 + b"]" * 200_000,
        b'{"faces": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "\xff"}',
        b"\0" * 1000,
        json.dumps(ANNA).encode("utf-16"),
        json.dumps(ANNA).encode("utf-32"),
        b"[1, 2]",
        b"null",
        b'"text"',
        b"5",
        b"",
        b"{}{}",
        b'{"a": 1',
    ],
)
def test_a_line_without_a_strict_json_object_is_damaged(line: bytes) -> None:
    assert parse_record(line) is None
    with pytest.raises(ValueError, match="not a JSON object"):
        parse_event(line)


def test_a_line_that_is_too_long_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_lines, "MAX_LINE_SIZE", len(LINE))
    assert parse_record(LINE) == ANNA and parse_record(LINE + b" ") is None


def test_a_byte_order_mark_is_no_damage() -> None:
    assert parse_record(b"\xef\xbb\xbf" + LINE) == ANNA


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_may_have_the_ends_of_any_editor(end: bytes) -> None:
    content = LINE.replace(b"\n", end) * 3
    assert b"".join(split_lines(io.BytesIO(content))) == content
    assert [parse_record(line) for line in split_lines(io.BytesIO(content))] == [ANNA] * 3
    assert merge_journals([content, LINE]) == LINE and count_distinct_lines(content) == 1


@given(st.lists(st.binary(max_size=20), max_size=8), st.lists(st.binary(max_size=20), max_size=8))
def test_a_merge_loses_no_line_and_repeats_none(first: list[bytes], second: list[bytes]) -> None:
    merged = merge_journals([b"\n".join(first), b"\r\n".join(second) + LINE])
    lines = [
        line.rstrip(b"\r\n")
        for content in (b"\n".join(first), b"\r\n".join(second) + LINE)
        for line in split_lines(io.BytesIO(content))
        if line.strip()
    ]
    assert sorted(merged.split(b"\n")[:-1]) == sorted(set(lines))


@pytest.mark.parametrize("change", [{"faces": 5}, {"event": "of a newer version"}])
def test_a_line_of_the_same_id_does_not_replace_an_event(change: dict[str, object]) -> None:
    other = encode_record(ANNA | change)
    assert merge_journals([other + LINE, LINE]) == other + LINE
    assert count_distinct_lines(other + LINE) == 2
