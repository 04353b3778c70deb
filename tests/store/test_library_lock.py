"""One writer at a time: among processes, among machines, and after whatever killed the last one."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import filelock
import pytest

from faceclust.errors import CacheError, LibraryBusyError
from faceclust.store import library_lock
from faceclust.store.home import LibraryHome
from faceclust.store.library_lock import hold_lock
from faceclust.store.lock_owner import STALE_AFTER, LockOwnedError, LockOwner, OwnerNote
from tests.support.command import run

HOLD = """
import sys, time
from pathlib import Path
from faceclust.store.home import LibraryHome
with LibraryHome(Path(sys.argv[1])).locked("scanning"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another program that is scanning `tmp_path`."""
    (tmp_path / "2019").mkdir()
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def elsewhere(**changes: object) -> LockOwner:
    """Who scans on another machine."""
    return replace(
        LockOwner.current_process("scanning"), user="anna", host="nas", machine="another", pid=4711, **changes
    )  # type: ignore[arg-type]


def leave(home: LibraryHome, owner: LockOwner, *, seconds_ago: float = 0) -> Path:
    home.create()
    path = home.home / "lock.owner"
    path.write_bytes(owner.encoded)
    then = path.stat().st_mtime - seconds_ago
    os.utime(path, (then, then))
    return path


def test_a_second_program_is_told_who_is_at_work(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    for command in (["scan", tmp_path], ["cache", "prune", "-l", tmp_path], ["cache", "clear", "-y", "-l", tmp_path]):
        done = run(*command)
        assert done.returncode == 1, done.stderr
        assert f"{tmp_path} is in use: " in done.stderr and "hint: wait" in done.stderr
        assert f"(process {holder.pid}) has been scanning since " in done.stderr


def test_an_answer_does_not_wait_for_a_scan(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with LibraryHome(tmp_path).lock_journal():
        assert holder.poll() is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_lock_left_by_kill_9_is_free_at_once(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    note = LibraryHome(tmp_path).home / "lock.owner"
    assert json.loads(note.read_bytes())["pid"] == holder.pid
    done = run("scan", tmp_path)
    assert done.returncode == 0 and f"(process {holder.pid}) has been scanning" in done.stderr
    assert "taken over" in done.stderr and not note.exists()
    assert "taken over" not in run("scan", tmp_path).stderr


def test_a_machine_that_is_at_work_is_left_in_peace(tmp_path: Path) -> None:
    note = leave(LibraryHome(tmp_path), elsewhere(), seconds_ago=STALE_AFTER - 60)
    with pytest.raises(LibraryBusyError, match=r"anna@nas \(process 4711\) has been scanning since \d\d:\d\d$") as told:
        LibraryHome(tmp_path).lock("scanning").__enter__()
    assert "nas was switched off" in str(told.value.hint)
    assert LockOwner.parse(note.read_bytes()).user == "anna"


def test_a_lock_a_machine_left_behind_is_taken_over_and_that_is_said(tmp_path: Path) -> None:
    note = leave(LibraryHome(tmp_path), elsewhere(), seconds_ago=STALE_AFTER + 60)
    told: list[str] = []
    with LibraryHome(tmp_path, on_note=told.append).lock("scanning"):
        assert LockOwner.parse(note.read_bytes()).pid == os.getpid()
    assert len(told) == 1 and "anna@nas (process 4711)" in told[0] and "taken over" in told[0]
    assert sorted(path.name for path in note.parent.iterdir()) == [".faceclust-home", "lock"]


@pytest.mark.parametrize("year", ["1999", "2099"])
def test_the_clock_of_another_machine_does_not_matter(tmp_path: Path, year: str) -> None:
    leave(LibraryHome(tmp_path), elsewhere(since=f"{year}-01-01T12:00:00+00:00"))
    with pytest.raises(LibraryBusyError, match=f"since {year}-01-01"):
        LibraryHome(tmp_path).lock().__enter__()


def test_the_own_clock_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(LibraryHome(tmp_path), elsewhere())
    for shift in (-(10**6), 10**6):
        monkeypatch.setattr(time, "time", lambda shift=shift: 1.7e9 + shift)
        with pytest.raises(LibraryBusyError, match="anna@nas"):
            LibraryHome(tmp_path).lock().__enter__()


def test_a_servers_clock_set_back_leaves_no_lock_for_ever(tmp_path: Path) -> None:
    leave(LibraryHome(tmp_path), elsewhere(), seconds_ago=-7 * 24 * 3600)
    with LibraryHome(tmp_path).lock():
        pass


def test_a_note_that_cannot_be_read_counts_while_it_is_fresh(tmp_path: Path) -> None:
    note = leave(LibraryHome(tmp_path), elsewhere())
    for content in (b"", b"{}", b"\0", note.read_bytes().replace(b"4711", b'"x"')):
        note.write_bytes(content)
        with pytest.raises(LibraryBusyError, match="somebody on another machine"):
            LibraryHome(tmp_path).lock().__enter__()
    os.utime(note, (1, 1))
    with LibraryHome(tmp_path).lock():
        pass


def test_a_note_leads_nowhere_and_draws_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock.owner"
    hostile = elsewhere(token="../../x")
    path.write_bytes(hostile.encoded)
    os.utime(path, (1, 1))
    assert OwnerNote(path).take(LockOwner.current_process("scanning"), locked=True) is not None
    assert "\x1b" not in LockOwner.parse(replace(hostile, token="ab", user="\x1b[31m").encoded).describe()


def _break(path: Path, start: object, winners: object) -> None:
    mine = LockOwner.current_process("scanning")
    start.wait()  # type: ignore[attr-defined]
    try:
        # As on machines whose own locks do not reach each other.
        OwnerNote(path).take(replace(mine, machine=mine.token), locked=True)
    except LockOwnedError:
        return
    winners.put(mine.token)  # type: ignore[attr-defined]


def test_of_many_who_break_a_lock_one_wins(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    path = tmp_path / "lock.owner"
    for content in (elsewhere().encoded, b""):
        path.write_bytes(content)
        os.utime(path, (1, 1))
        start, winners = context.Barrier(4), context.Queue()
        breakers = [context.Process(target=_break, args=(path, start, winners)) for _ in range(4)]
        for process in breakers:
            process.start()
        for process in breakers:
            process.join()
        assert LockOwner.parse(path.read_bytes()).token == winners.get(timeout=10)
        assert winners.empty()
        winners.close()
        winners.join_thread()


def test_who_slept_too_long_learns_that_the_lock_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_lock, "HEARTBEAT_SECONDS", 0.01)
    note = tmp_path / "lock.owner"
    with (
        pytest.raises(LibraryBusyError, match="anna@nas"),
        hold_lock(tmp_path / "lock", "scanning", "it", 0, print) as lock,
    ):
        before = note.stat().st_mtime_ns
        while note.stat().st_mtime_ns == before:  # signs of life
            time.sleep(0.01)
        note.unlink()
        while not note.exists():  # somebody tidied up: it is put back
            time.sleep(0.01)
        OwnerNote(tmp_path / "other").take(elsewhere(), locked=True)
        (tmp_path / "other").replace(note)
        while not lock.lost:
            time.sleep(0.01)
    assert LockOwner.parse(note.read_bytes()).user == "anna"  # whose lock it is now


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    note = leave(LibraryHome(tmp_path), elsewhere())
    threading.Timer(0.3, note.unlink).start()
    with hold_lock(note.with_name("lock"), "writing", "it", 10, print):
        assert LockOwner.parse(note.read_bytes()).pid == os.getpid()


def test_what_fails_under_a_lock_is_not_taken_for_the_lock(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), hold_lock(tmp_path / "lock", "writing", "it", 0, print):
        raise BrokenPipeError
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="cannot be locked"):
        hold_lock(tmp_path / "file" / "lock", "writing", "it", 0, print).__enter__()


def test_without_locks_of_the_system_the_note_alone_keeps_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holder: subprocess.Popen[str]
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuses)
    with pytest.raises(LibraryBusyError, match=f"process {holder.pid}"):
        LibraryHome(tmp_path).lock().__enter__()
    holder.kill()
    holder.wait()
    with LibraryHome(tmp_path).lock(), pytest.raises(LibraryBusyError, match=f"process {os.getpid()}"):
        LibraryHome(tmp_path).lock().__enter__()
