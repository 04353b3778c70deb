"""Reading a journal never leaves the library, hangs or fills the memory, and loses no valid line."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.errors import CacheError
from faceclust.people import journal_reader
from faceclust.people.events import Event, to_record
from faceclust.people.journal import Journal
from faceclust.people.journal_lines import encode_record, parse_record
from faceclust.people.journal_reader import read_journal
from faceclust.people.replay import replay_events
from tests.support.people_builders import make_event, make_occurrence

LINES = [
    encode_record(to_record(event))
    for event in (
        make_event("name", "a", "b", name="Anna"),
        make_event("reject", "c", name="Anna"),
        make_event("rename", name="Anna", to="Anne"),
        make_event("split", "a", rest=("c",)),
        make_event("found", "d", rest=("a",)),
        make_event("merge", "a", "b"),
        make_event("undo", undoes="e0"),
        make_event("forget", "e"),
    )
]
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs symlinks, pipes and devices")


def list_ids(path: Path) -> list[str]:
    return [event.id for event in Journal(path).events()]


def make_unsafe(kind: str, path: Path) -> Path:
    """Put something at `path` that is no regular file of its own; return the path to open."""
    outside = path.parent / "outside"
    outside.mkdir()
    (outside / "people.jsonl").write_bytes(LINES[0])
    if kind == "symlink":
        path.symlink_to(outside / "people.jsonl")
    elif kind == "dangling symlink":
        path.symlink_to(outside / "missing")
    elif kind == "folder symlink":
        (path.parent / "home").symlink_to(outside)
        return path.parent / "home" / "people.jsonl"
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    return path


@posix
@pytest.mark.parametrize("kind", ["symlink", "dangling symlink", "folder symlink", "device", "pipe", "folder"])
def test_nothing_but_a_regular_file_is_read_or_written(tmp_path: Path, kind: str) -> None:
    path = make_unsafe(kind, tmp_path.resolve() / "people.jsonl")
    before = sorted(tmp_path.rglob("*"))
    for attempt in (Journal(path).events, lambda: Journal(path).record("ignore"), lambda: read_journal(path)):
        with pytest.raises(CacheError, match=r"symlink|pipe|folder") as error:
            attempt()
        assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "outside/people.jsonl").read_bytes() == LINES[0]
    with pytest.raises(CacheError, match=r"symlink|pipe|folder"):  # as the journal of a former library
        Journal(tmp_path / "own.jsonl", [(path, "2019")]).events()


@posix
def test_an_error_of_the_disk_is_not_a_missing_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> int:
        raise OSError(5, "Input/output error")

    path = tmp_path / "people.jsonl"
    path.write_bytes(LINES[0])
    monkeypatch.setattr(os, "open", fail)
    for attempt in (Journal(path).events, lambda: read_journal(path)):
        with pytest.raises(CacheError, match="Input/output error"):
            attempt()


def test_a_journal_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "people.jsonl"
    path.write_bytes(b"".join(LINES))
    monkeypatch.setattr(journal_reader, "MAX_JOURNAL_SIZE", path.stat().st_size - 1)
    for attempt in (Journal(path).events, lambda: read_journal(path)):
        with pytest.raises(CacheError, match="larger than"):
            attempt()


def test_only_new_lines_are_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []

    def parse(line: bytes) -> dict[str, Any] | None:
        parsed.append(line)
        return parse_record(line)

    monkeypatch.setattr(journal_reader, "parse_record", parse)
    path = tmp_path / "people.jsonl"
    journal = Journal(path)
    path.write_bytes(LINES[0] + LINES[1][:20])
    assert len(journal.events()) == 1
    path.write_bytes(LINES[0] + LINES[1] + LINES[2].removesuffix(b"\n"))
    assert len(journal.events()) == 3
    path.write_bytes(b"".join(LINES[:4]))
    assert len(journal.events()) == len(journal.events()) == 4
    assert parsed == [LINES[0], LINES[1][:20], LINES[1], LINES[2].removesuffix(b"\n"), *LINES[2:4]]


def test_a_line_is_reported_once_and_a_million_lines_are_one_report(tmp_path: Path) -> None:
    notes: list[str] = []
    path = tmp_path / "people.jsonl"
    journal = Journal(path, on_note=notes.append)
    path.write_bytes(LINES[0] + b'{"torn')
    journal.events()
    path.write_bytes(LINES[0] + b'{"torn"\n' + b"{}\n" * 100_000)
    journal.events()
    journal.events()
    assert notes[:2] == [f"{path}:2: skipped a damaged line", f"{path}:3: skipped a damaged line"]
    assert len(notes) < 30 and notes[-1] == f"{path}:23: skipped 99,980 damaged lines from here on"


def test_a_second_undo_of_an_event_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    undos = [make_event("undo", undoes=undoes) for undoes in ("x", "x", "y", "x")]
    path.write_bytes(b"".join(encode_record(to_record(event)) for event in undos))
    assert list_ids(path) == [undos[0].id, undos[2].id]


@pytest.mark.slow
@pytest.mark.parametrize("line", [b"\n", b'{"time":"t","event":"undo","id":"u%d","undoes":"x"}\n', b"{x}\n", b"\r"])
def test_a_million_lines_take_seconds(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "people.jsonl"
    path.write_bytes(b"".join(line % n if b"%" in line else line for n in range(1_000_000)) + LINES[0])
    started = time.process_time()
    assert list_ids(path)[-1] == json.loads(LINES[0])["id"]
    assert time.process_time() - started < 10  # 2 s on an idle machine


hostile_line = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b"", b" ", b"\0\0", b"[" * 3000, b"{}", b"NaN", b"1" * 5000, b"\xff\xfe{\0}\0", b'{"event": "marry"}', b"\r\r"]
    ),
    st.builds(  # a valid line with a part replaced
        lambda line, start, length, part: line[:start] + part + line[start + length : -1],
        st.sampled_from(LINES),
        st.integers(0, 200),
        st.integers(0, 60),
        st.sampled_from([b"", b"\0", b'"', b"[", b"}", b"NaN", b"1e999", b'"\\ud800"', b"null", b"\xff", b"-1", b"{}"]),
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(LINES), hostile_line), max_size=12), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_a_hostile_journal_raises_nothing_and_loses_no_valid_line(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], end: bytes
) -> None:
    path = tmp_path_factory.mktemp("journal") / "people.jsonl"
    path.write_bytes(b"".join(line.rstrip(b"\n") + end for line in lines))
    journal = Journal(path)
    events = journal.events()
    records = [json.loads(line) for line in lines if line in LINES]
    valid = list(dict.fromkeys(record["id"] for record in records if "undoes" not in record))  # a second undo is none
    assert ([event.id for event in events if event.id in valid] and valid) or not valid
    assert set(valid) <= {event.id for event in events}
    replay_events(events, [make_occurrence(id) for id in "abcde"])
    before = path.read_bytes()
    recorded = journal.record("ignore")
    assert path.read_bytes().startswith(before) and recorded in journal.events()
    undone: Event | None = journal.undo()
    assert undone is not None and Journal(path).events() == journal.events()
