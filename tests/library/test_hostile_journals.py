"""Journals from somebody else's disk: nothing outside the library changes, and nobody's answers are lost."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.errors import CacheError, UsageError
from faceclust.people import journal_lines
from faceclust.people.events import to_record
from faceclust.people.journal_lines import encode_record
from faceclust.people.names import MAX_NAME_LENGTH
from faceclust.types import NO_FACTS
from tests.support.command import run
from tests.support.people_builders import make_event

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs symlinks and pipes")
OTHERS = encode_record(to_record(make_event("name", "x", name="Ben")))
HOSTILE = [
    b"",
    b"not JSON\0\xff",
    b'{"time": "t", "event": "name", "id": "q", "name": "Nan", "faces": [{"box": [NaN, Infinity, 0, 1]}]}',
    b'{"time": "t", "event": "name", "id": "\\ud800", "name": "Ben", "faces": []}',
    b'{"event": "marry", "id": "m", "whom": "Ben"}',
    b'{"faces": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"time": "t", "event": "found", "id": "f", "faces": [], "rest": []}',
    b"1" * 5000,
    b"  \t ",
]


@pytest.fixture
def named(library: Library, truth: dict[str, list[str]]) -> Library:
    """Group 1 is called Anna."""
    library.name(library.faces_in_group(1), "Anna")
    return library


def list_names(library: Library) -> list[str | None]:
    return [person.name for person in Library(library.root).people()]


@posix
def test_a_link_in_place_of_the_journal_is_refused_and_its_file_stays(library: Library, tmp_path: Path) -> None:
    """With a photo called $(command).jpg, an appended line would be a command of the shell."""
    bashrc = tmp_path / "bashrc"
    bashrc.write_bytes(b"# mine\n")
    face = library.occurrences[0].face_id
    library.home.journal.symlink_to(bashrc)
    for words in (["name", "1", "Anna"], ["ignore", face], ["undo"], ["status"], ["journal", "--merge", str(bashrc)]):
        done = run(*words, "-l", library.root)
        assert done.returncode != 0 and "Traceback" not in done.stderr
        assert sum("error:" in line for line in done.stderr.splitlines()) == 1
    assert bashrc.read_bytes() == b"# mine\n" and library.home.journal.is_symlink()


@posix
def test_forgetting_stops_before_any_change_if_a_journal_cannot_be_read(named: Library, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(OTHERS)
    skipped = named.root / "#recycle/.faceclust/people.jsonl"
    skipped.parent.mkdir(parents=True)
    skipped.symlink_to(outside)
    before = {path: path.read_bytes() for path in named.root.rglob("*") if path.is_file()}
    with pytest.raises(CacheError, match="symlink"):
        Library(named.root).plan_forget("Anna")
    skipped.unlink()
    os.mkfifo(skipped)
    with pytest.raises(CacheError, match="pipe"):
        Library(named.root).plan_forget("Anna")
    skipped.unlink()
    after = {path: path.read_bytes() for path in named.root.rglob("*") if path.is_file()}
    assert after == {path: content for path, content in before.items() if path != skipped}


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_forgetting_keeps_hostile_lines_about_others_byte_for_byte(named: Library, end: bytes) -> None:
    journal = named.home.journal
    others = end.join([*HOSTILE, OTHERS.rstrip(), *HOSTILE]) + end
    about_anna = end.join([b'{"event": "marry", "whom": "Anna"}', b"damaged: anna", b'{"id": 5, "name": "\\u0041nna"}'])
    journal.write_bytes(others + journal.read_bytes() + about_anna + end)
    opened = Library(named.root)
    opened.forget(opened.plan_forget("Anna"))
    content = journal.read_bytes()
    assert content.startswith(others) and b"nna" not in content.lower()
    added = content.removeprefix(others).splitlines()
    assert [json.loads(line)["event"] for line in added] == ["forget"]


@pytest.mark.parametrize("field", [b'"deep": ' + b"[" * 900 + b"]" * 900, b'"mood": "sure"'])
def test_a_hostile_field_in_a_line_that_loses_faces_does_not_stop_forgetting(named: Library, field: bytes) -> None:
    anna, other = named.faces_in_group(1), named.faces_in_group(2)
    named.split(anna, other)
    named.link([*anna, *other])
    named.name(other, "Ben")
    content = named.home.journal.read_bytes().replace(b'"event": "split"', field + b', "event": "split"')
    named.home.journal.write_bytes(content)
    opened = Library(named.root)
    opened.forget(opened.plan_forget("Anna"))
    assert list_names(named) == ["Ben"]


def test_names_have_a_bound_wherever_they_are_typed(named: Library) -> None:
    faces, longest = named.faces_in_group(2), "N" * MAX_NAME_LENGTH
    too_long = longest + "n"
    answers: list[Callable[[], object]] = [
        lambda: named.name(faces, too_long),
        lambda: named.confirm(faces, too_long),
        lambda: named.reject(faces, too_long),
        lambda: named.rename("Anna", too_long),
        lambda: named.name(faces, "a" + "\u0301" * 10_000_000),
    ]
    for answer in answers:
        with pytest.raises(UsageError, match="a name has at most 200 characters, not"):
            answer()
    named.name(faces, longest)
    assert set(list_names(named)) == {"Anna", longest}
    done = run("name", "3", too_long, "-l", named.root)
    assert done.returncode == 2 and len(done.stderr) < 200


def test_a_long_name_of_an_older_version_can_still_be_typed(named: Library) -> None:
    long = "Anna " * 99 + "Berg"
    named.home.journal.write_bytes(named.home.journal.read_bytes().replace(b'"Anna"', f'"{long}"'.encode()))
    opened = Library(named.root)
    (name,) = list_names(opened)
    assert name and len(name) <= MAX_NAME_LENGTH
    assert opened.find_person(long) == opened.find_person(name)
    assert opened.plan_forget(long).name == name
    opened.rename(long, "Anna Berg")
    assert list_names(opened) == ["Anna Berg"]
    opened.forget(opened.plan_forget("Anna Berg"))
    assert b"Anna" not in named.home.journal.read_bytes()


@posix
def test_only_a_regular_file_of_bounded_size_is_merged(
    named: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = named.home.journal.read_bytes()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "endless", Path("/dev/zero"), tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="cannot be read"):
            named.import_journal(path)
    other = tmp_path / "other.jsonl"
    other.write_bytes(OTHERS)
    monkeypatch.setattr("faceclust.library.naming.MAX_JOURNAL_SIZE", len(OTHERS) - 1)
    with pytest.raises(UsageError, match="larger than"):
        named.import_journal(other)
    monkeypatch.undo()
    assert named.home.journal.read_bytes() == before
    (tmp_path / "link").symlink_to(other)  # typed by the user
    assert named.import_journal(tmp_path / "link") == 1
    assert named.home.journal.read_bytes() in (before + OTHERS, OTHERS + before)


def test_a_merge_takes_in_no_damaged_line(named: Library, tmp_path: Path) -> None:
    before, other = named.home.journal.read_bytes(), tmp_path / "other.jsonl"
    other.write_bytes(b"\n".join([*HOSTILE, OTHERS.rstrip(), b"\x00" * 100]))
    named.import_journal(other)
    added = named.home.journal.read_bytes().replace(before, b"")
    assert sorted(json.loads(line)["event"] for line in added.splitlines()) == ["found", "marry", "name"]
    assert not [line for line in added.splitlines() if journal_lines.parse_record(line) is None]
    other.write_bytes(b"\n".join(HOSTILE[:2]))
    with pytest.raises(UsageError, match="is not a journal"):
        named.import_journal(other)


def test_numbers_that_are_not_json_never_reach_json_output(named: Library) -> None:
    with named.home.journal.open("ab") as stream:
        stream.write(b"\n".join(HOSTILE) + b"\n")
    done = run("journal", "--json", "-l", named.root)
    assert done.returncode == 0 and "NaN" not in done.stdout and "Infinity" not in done.stdout
    assert {event["event"] for event in json.loads(done.stdout)["events"]} == {"name", "found"}


@pytest.mark.parametrize(
    "facts",
    [{"born": "9999-99-99"}, {"died": "0000"}, {"note": "x" * 1_000_000}, {"note": 5}, {"aliases": ["a"] * 101}],
    ids=lambda facts: str(facts)[:30],
)
def test_invalid_facts_are_ignored(named: Library, facts: dict[str, object]) -> None:
    append_facts(named, facts)
    done = run("people", "--json", "-l", named.root)
    (anna,) = json.loads(done.stdout)["people"][:1]
    assert done.returncode == 0 and anna["name"] == "Anna" and "Traceback" not in done.stderr
    assert Library(named.root).find_person("Anna").facts == NO_FACTS


def test_control_characters_in_facts_do_not_reach_the_terminal(named: Library) -> None:
    hostile = "a\x1b]0;title\x07\x9b31m\r\x08b\u202e"
    append_facts(named, {"note": hostile, "groups": [hostile], "aliases": [hostile]})
    for words in (["person", "Anna"], ["people"], ["journal"], ["find", "Anna"]):
        done = run(*words, "-l", named.root)
        assert done.returncode == 0 and not set("\x1b\x07\x9b\r\x08\u202e").intersection(done.stdout + done.stderr)
    assert "note" in run("person", "Anna", "-l", named.root).stdout


def append_facts(library: Library, facts: dict[str, object]) -> None:
    """Append an answer with these facts about Anna to the journal, as another program might."""
    record = {"time": "2026-01-01T00:00:00.000Z", "id": "facts", "event": "person", "name": "Anna", "faces": []}
    with library.home.journal.open("ab") as stream:
        stream.write(json.dumps(record | {"facts": facts}).encode() + b"\n")
