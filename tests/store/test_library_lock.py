"""The library lock: one writer at a time across processes and machines, even after a crash."""

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

pytestmark = pytest.mark.process

HOLD = """
import sys, time
from pathlib import Path
from faceclust.store.home import LibraryHome
with LibraryHome(Path(sys.argv[1])).lock("scanning"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of `tmp_path` for a scan."""
    (tmp_path / "2019").mkdir()
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def remote_owner(**changes: object) -> LockOwner:
    """Return a lock owner on another machine."""
    return replace(
        LockOwner.current_process("scanning"), user="anna", host="nas", machine="another", pid=4711, **changes
    )  # type: ignore[arg-type]


def write_note(home: LibraryHome, owner: LockOwner, *, seconds_ago: float = 0) -> Path:
    home.create()
    path = home.home / "lock.owner"
    path.write_bytes(owner.encoded)
    written_at = path.stat().st_mtime - seconds_ago
    os.utime(path, (written_at, written_at))
    return path


def test_a_busy_library_names_the_lock_owner(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    for command in (["scan", tmp_path], ["cache", "prune", "-l", tmp_path], ["cache", "clear", "-y", "-l", tmp_path]):
        done = run(*command)
        assert done.returncode == 1, done.stderr
        assert f"{tmp_path} is in use: " in done.stderr and "hint: wait" in done.stderr
        assert f"(process {holder.pid}) has been scanning since " in done.stderr


def test_a_scan_does_not_block_the_journal(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with LibraryHome(tmp_path).lock_journal():
        assert holder.poll() is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_lock_left_by_sigkill_is_taken_over_at_once(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    note = LibraryHome(tmp_path).home / "lock.owner"
    assert json.loads(note.read_bytes())["pid"] == holder.pid
    done = run("scan", tmp_path)
    assert done.returncode == 0 and f"(process {holder.pid}) has been scanning" in done.stderr
    assert "took over" in done.stderr and not note.exists()
    assert "took over" not in run("scan", tmp_path).stderr


def test_a_fresh_note_of_another_machine_is_respected(tmp_path: Path) -> None:
    note = write_note(LibraryHome(tmp_path), remote_owner(), seconds_ago=STALE_AFTER - 60)
    with pytest.raises(
        LibraryBusyError, match=r"anna@nas \(process 4711\) has been scanning since \d\d:\d\d$"
    ) as raised:
        LibraryHome(tmp_path).lock("scanning").__enter__()
    assert "nas was switched off" in str(raised.value.hint)
    assert LockOwner.parse(note.read_bytes()).user == "anna"


def test_a_stale_lock_of_another_machine_is_taken_over_with_a_note(tmp_path: Path) -> None:
    note = write_note(LibraryHome(tmp_path), remote_owner(), seconds_ago=STALE_AFTER + 60)
    notes: list[str] = []
    with LibraryHome(tmp_path, on_note=notes.append).lock("scanning"):
        assert LockOwner.parse(note.read_bytes()).pid == os.getpid()
    assert len(notes) == 1 and "anna@nas (process 4711)" in notes[0] and "took over" in notes[0]
    assert sorted(path.name for path in note.parent.iterdir()) == [".faceclust-home", "lock"]


@pytest.mark.parametrize("year", ["1999", "2099"])
def test_another_machines_clock_does_not_matter(tmp_path: Path, year: str) -> None:
    write_note(LibraryHome(tmp_path), remote_owner(since=f"{year}-01-01T12:00:00+00:00"))
    with pytest.raises(LibraryBusyError, match=f"since {year}-01-01"):
        LibraryHome(tmp_path).lock().__enter__()


def test_this_machines_clock_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_note(LibraryHome(tmp_path), remote_owner())
    for shift in (-(10**6), 10**6):
        monkeypatch.setattr(time, "time", lambda shift=shift: 1.7e9 + shift)
        with pytest.raises(LibraryBusyError, match="anna@nas"):
            LibraryHome(tmp_path).lock().__enter__()


def test_a_lock_expires_even_if_the_servers_clock_was_set_back(tmp_path: Path) -> None:
    write_note(LibraryHome(tmp_path), remote_owner(), seconds_ago=-7 * 24 * 3600)
    with LibraryHome(tmp_path).lock():
        pass


def test_an_unreadable_note_holds_the_lock_until_it_is_stale(tmp_path: Path) -> None:
    note = write_note(LibraryHome(tmp_path), remote_owner())
    for content in (b"", b"{}", b"\0", note.read_bytes().replace(b"4711", b'"x"')):
        note.write_bytes(content)
        with pytest.raises(LibraryBusyError, match="somebody on another machine"):
            LibraryHome(tmp_path).lock().__enter__()
    os.utime(note, (1, 1))
    with LibraryHome(tmp_path).lock():
        pass


def test_a_hostile_note_affects_neither_paths_nor_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "lock.owner"
    hostile = remote_owner(token="../../x")
    path.write_bytes(hostile.encoded)
    os.utime(path, (1, 1))
    assert OwnerNote(path).take(LockOwner.current_process("scanning"), locked=True) is not None
    assert "\x1b" not in LockOwner.parse(replace(hostile, token="ab", user="\x1b[31m").encoded).describe()


def _take_over(path: Path, start: object, winners: object) -> None:
    owner = LockOwner.current_process("scanning")
    start.wait()  # type: ignore[attr-defined]
    try:
        # A machine id of its own simulates machines whose locks do not reach each other.
        OwnerNote(path).take(replace(owner, machine=owner.token), locked=True)
    except LockOwnedError:
        return
    winners.put(owner.token)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_only_one_of_several_processes_takes_over_a_stale_lock(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    path = tmp_path / "lock.owner"
    for content in (remote_owner().encoded, b""):
        path.write_bytes(content)
        os.utime(path, (1, 1))
        start, winners = context.Barrier(4), context.Queue()
        processes = [context.Process(target=_take_over, args=(path, start, winners)) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert LockOwner.parse(path.read_bytes()).token == winners.get(timeout=10)
        assert winners.empty()
        winners.close()
        winners.join_thread()


def test_heartbeats_detect_a_lost_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_lock, "HEARTBEAT_SECONDS", 0.01)
    note = tmp_path / "lock.owner"
    with (
        pytest.raises(LibraryBusyError, match="anna@nas"),
        hold_lock(tmp_path / "lock", "scanning", "it", 0, print) as lock,
    ):
        before = note.stat().st_mtime_ns
        while note.stat().st_mtime_ns == before:  # wait for a heartbeat
            time.sleep(0.01)
        note.unlink()
        while not note.exists():  # a deleted note is recreated
            time.sleep(0.01)
        OwnerNote(tmp_path / "other").take(remote_owner(), locked=True)
        (tmp_path / "other").replace(note)
        while not lock.lost:
            time.sleep(0.01)
    assert LockOwner.parse(note.read_bytes()).user == "anna"  # the new owner's note stays


def test_waiting_for_a_lock(tmp_path: Path) -> None:
    note = write_note(LibraryHome(tmp_path), remote_owner())
    threading.Timer(0.3, note.unlink).start()
    with hold_lock(note.with_name("lock"), "writing", "it", 10, print):
        assert LockOwner.parse(note.read_bytes()).pid == os.getpid()


def test_errors_inside_the_lock_are_not_reported_as_lock_errors(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), hold_lock(tmp_path / "lock", "writing", "it", 0, print):
        raise BrokenPipeError
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="cannot be locked"):
        hold_lock(tmp_path / "file" / "lock", "writing", "it", 0, print).__enter__()


@pytest.mark.parametrize("error", [OSError(errno.ENOLCK, "No locks available"), NotImplementedError("flock")])
def test_on_a_file_system_without_locks_the_owner_note_suffices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holder: subprocess.Popen[str], error: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(LibraryBusyError, match=f"process {holder.pid}"):
        LibraryHome(tmp_path).lock().__enter__()
    holder.kill()
    holder.wait()
    with LibraryHome(tmp_path).lock(), pytest.raises(LibraryBusyError, match=f"process {os.getpid()}"):
        LibraryHome(tmp_path).lock().__enter__()
