"""An answer is saved, or it is not, or the message says that it may be: after every fault of the disk."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faceclust.errors import CacheError
from faceclust.people import journal as journal_module
from faceclust.people import journal_lines
from faceclust.people.events import effective_events
from faceclust.people.journal import Journal
from tests.support.people_builders import make_face

TORN = b'{"time": "2026-11-29T21:28:23.068Z", "event": "name", "id": "395a38d0e9fc", "na'
FACE = [make_face("a")]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the calls to fail are those of POSIX")


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def failing(*failures: tuple[str, int, BaseException | int]) -> Iterator[list[str]]:
    """Make the Nth call of functions of `os` fail: (name, N, error); an int makes a write that short.

    Yields the names of the calls made.
    """
    calls: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("write", "fsync", "ftruncate", "replace", "close", "fstat"):
            patch.setattr(os, name, _failing_function(name, getattr(os, name), calls, failures))
        yield calls


def _failing_function(
    name: str, real: Callable[..., object], calls: list[str], failures: tuple[tuple[str, int, BaseException | int], ...]
) -> Callable[..., object]:
    def call(*arguments: object, **options: object) -> object:
        calls.append(name)
        for failing_name, number, error in failures:
            if failing_name == name and calls.count(name) == number:
                if not isinstance(error, int):
                    raise error
                descriptor, data = arguments
                return real(descriptor, data[:error])  # type: ignore[index]
        return real(*arguments, **options)

    return call


def fault(code: int = errno.EIO) -> OSError:
    return OSError(code, os.strerror(code))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "people.jsonl")
    journal.record("name", FACE, name="Anna")
    return journal


def list_names(journal: Journal) -> list[str | None]:
    events = journal.events()
    assert Journal(journal.path).events() == events
    return [event.name for event in events]


def test_short_writes_are_continued(journal: Journal) -> None:
    with failing(("write", 1, 5), ("write", 2, 1)):
        journal.record("name", FACE, name="Ben")
    assert list_names(journal) == ["Anna", "Ben"]


@pytest.mark.parametrize(
    "failures",
    [
        [("write", 1, fault(errno.ENOSPC))],
        [("write", 1, 20), ("write", 2, fault(errno.ENOSPC))],
        [("write", 1, 0)],
        [("fsync", 1, fault())],
        [("fsync", 1, fault()), ("close", 1, fault())],
    ],
)
def test_an_answer_that_was_not_saved_leaves_the_journal_as_it_was(
    journal: Journal, failures: list[tuple[str, int, BaseException | int]]
) -> None:
    before = journal.path.read_bytes()
    with failing(*failures), pytest.raises(CacheError, match=r"the answer was not saved: .*(space|error)"):
        journal.record("name", FACE, name="Ben")
    assert journal.path.read_bytes() == before
    journal.record("name", FACE, name="Ben")
    assert list_names(journal) == ["Anna", "Ben"]


@pytest.mark.parametrize("more", [[], [("fstat", 3, fault())]])
def test_an_answer_that_may_be_saved_is_called_so_and_a_retry_records_it_once(
    journal: Journal, more: list[tuple[str, int, BaseException | int]]
) -> None:
    failures = [("fsync", 1, fault()), ("ftruncate", 1, fault(errno.EROFS)), *more]
    with failing(*failures) as calls, pytest.raises(CacheError, match=r"may not be saved: .*output error") as error:
        journal.record("name", FACE, name="Ben")
    assert calls.count("fstat") == 3
    assert "faceclust journal" in str(error.value.hint)
    assert list_names(journal) == ["Anna", "Ben"]
    journal.record("name", FACE, name="Ben")
    assert list_names(journal) == ["Anna", "Ben"]
    journal.record("name", FACE, name="Ben")  # the same answer again, on purpose
    assert list_names(journal) == ["Anna", "Ben", "Ben"]


def test_a_retry_of_an_undo_takes_back_one_answer(journal: Journal) -> None:
    journal.record("name", FACE, name="Ben")
    with failing(("fsync", 1, fault()), ("ftruncate", 1, fault())), pytest.raises(CacheError, match="may not be"):
        journal.undo()
    undone = journal.undo()
    assert undone is not None and undone.name == "Ben"
    undone = journal.undo()
    assert undone is not None and undone.name == "Anna"


def test_a_retry_of_a_redo_repeats_one_answer(journal: Journal) -> None:
    journal.record("name", FACE, name="Ben")
    journal.undo()
    journal.undo()
    with failing(("fsync", 1, fault()), ("ftruncate", 1, fault())), pytest.raises(CacheError, match="may not be"):
        journal.redo()
    for expected in (["Anna"], ["Anna", "Ben"]):
        assert journal.redo() is not None
        assert [event.name for event in effective_events(journal.events())] == expected


def test_a_part_of_a_line_that_cannot_be_removed_is_no_answer(journal: Journal) -> None:
    no_space = fault(errno.ENOSPC)
    with (
        failing(("write", 1, 20), ("write", 2, no_space), ("ftruncate", 1, fault())),
        pytest.raises(CacheError, match=r"was not saved: .*space"),
    ):
        journal.record("name", FACE, name="Ben")
    journal.record("name", FACE, name="Carl")
    assert list_names(journal) == ["Anna", "Carl"]
    assert len(journal.torn_lines_path.read_bytes()) == 21


def test_an_error_on_closing_comes_too_late_to_matter(journal: Journal) -> None:
    with failing() as calls:
        journal.record("name", FACE, name="Ben")
    with failing(("close", calls.count("close"), fault())):
        journal.record("name", FACE, name="Carl")
    assert list_names(journal) == ["Anna", "Ben", "Carl"]


def count_calls(path: Path) -> list[str]:
    with failing() as calls:
        Journal(path).record("name", FACE, name="Ben")
    return calls


@pytest.mark.parametrize("end", [Killed(), fault(), fault(errno.ENOSPC)])
@pytest.mark.parametrize("torn", [b"", TORN])
def test_a_fault_or_an_end_at_any_step_loses_nothing(tmp_path: Path, torn: bytes, end: BaseException) -> None:
    """Every step of an append fails once: the torn line survives, once, and a retry records one answer."""
    trial = tmp_path / "trial.jsonl"
    trial.write_bytes(torn)
    steps = count_calls(trial)
    assert ("replace" in steps) == ("ftruncate" in steps) == bool(torn)
    for step, name in enumerate(steps):
        path = tmp_path / f"{step}.jsonl"
        journal = Journal(path)
        journal.record("name", FACE, name="Anna")
        whole = path.read_bytes()
        path.write_bytes(whole + torn)
        try:
            with failing((name, steps[: step + 1].count(name), end)):
                journal.record("name", FACE, name="Ben")
        except (CacheError, Killed):
            pass
        assert path.read_bytes().startswith(whole)
        aside = journal.torn_lines_path.read_bytes() if journal.torn_lines_path.exists() else b""
        assert torn in path.read_bytes() + aside
        if "Ben" not in list_names(journal):
            journal.record("name", FACE, name="Ben")
        assert list_names(journal) == ["Anna", "Ben"]
        assert not torn or journal.torn_lines_path.read_bytes() == torn + b"\n"
        assert torn not in path.read_bytes() or not torn
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]


def test_torn_lines_gather_and_one_cut_off_there_is_completed(journal: Journal) -> None:
    journal.torn_lines_path.write_bytes(b"older torn line\n" + TORN)  # by an older version, killed there
    with journal.path.open("ab") as stream:
        stream.write(TORN + b"2")
    journal.record("name", FACE, name="Ben")
    assert journal.torn_lines_path.read_bytes() == b"older torn line\n" + TORN + b"\n" + TORN + b"2\n"
    assert journal.torn_lines_path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_a_journal_with_the_ends_of_another_editor_is_continued(journal: Journal, end: bytes) -> None:
    journal.path.write_bytes(journal.path.read_bytes().replace(b"\n", end))
    journal.record("name", FACE, name="Ben")
    assert list_names(journal) == ["Anna", "Ben"] and not journal.torn_lines_path.exists()


def test_a_hard_link_is_not_written_through(journal: Journal, tmp_path: Path) -> None:
    other = tmp_path / "other"
    os.link(journal.path, other)
    before = other.read_bytes()
    with pytest.raises(CacheError, match=r"not saved: .*hard links"):
        journal.record("name", FACE, name="Ben")
    assert other.read_bytes() == before and list_names(journal) == ["Anna"]


def test_torn_lines_are_not_moved_through_a_link(journal: Journal, tmp_path: Path) -> None:
    outside = tmp_path / "bashrc"
    outside.write_bytes(b"# mine\n")
    journal.torn_lines_path.symlink_to(outside)
    with journal.path.open("ab") as stream:
        stream.write(TORN)
    before = journal.path.read_bytes()
    with pytest.raises(CacheError, match=r"not saved: .*people\.torn: it is a symlink"):
        journal.record("name", FACE, name="Ben")
    assert outside.read_bytes() == b"# mine\n" and journal.path.read_bytes() == before


def test_a_line_or_a_journal_that_would_be_too_large_to_read_is_not_written(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = journal.path.read_bytes()
    monkeypatch.setattr(journal_module, "MAX_LINE_SIZE", 100)
    with pytest.raises(CacheError, match=r"not saved: .*longer than"):
        journal.record("name", FACE, name="Ben")
    monkeypatch.undo()
    monkeypatch.setattr(journal_module, "MAX_JOURNAL_SIZE", len(before))
    with pytest.raises(CacheError, match=r"not saved: .*larger than"):
        journal.record("name", FACE, name="Ben")
    assert journal.path.read_bytes() == before


def test_an_answer_that_could_not_be_read_again_is_not_written(journal: Journal) -> None:
    for face in (make_face("a", photo="\udcff.jpg"), make_face("a", box=(0.0, 0.0, 9.0, 9.0))):
        with pytest.raises(CacheError, match=r"not saved: .*invalid"):
            journal.record("name", [face], name="Ben")
    with pytest.raises(ValueError):
        journal.record("name", [make_face("a", box=(0.0, 0.0, float("nan"), 1.0))], name="Ben")
    assert list_names(journal) == ["Anna"] and journal_lines.MAX_LINE_SIZE > 1e8 - 1


def test_a_surrogate_in_an_id_does_not_break_undo(journal: Journal) -> None:
    hostile = journal.path.read_bytes().replace(journal.events()[0].id.encode(), rb"\ud800")
    with journal.path.open("ab") as stream:
        stream.write(hostile)
    undone = journal.undo()
    assert undone is not None and undone.name == "Anna" and journal.undo() is None
