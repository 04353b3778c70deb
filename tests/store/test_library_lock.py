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
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from faceclust.errors import CacheError, LibraryBusyError
from faceclust.files import lock
from faceclust.store import library_lock, lock_owner
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
        LibraryBusyError, match=r"anna@nas \(process 4711\) has been scanning since \d\d:\d\d\b"
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


@pytest.mark.parametrize("content", [b"", b"{}", b"\0", b'{"user":', b"[" * 100_000, b"x" * 2_000_000])
def test_an_unfinished_note_is_taken_over_after_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """Another machine may be writing it on a file system without hard links."""
    monkeypatch.setattr(lock_owner, "UNFINISHED_AFTER", 0.3)
    monkeypatch.setattr(library_lock, "UNFINISHED_AFTER", 0.3)
    note = write_note(LibraryHome(tmp_path), remote_owner())
    note.write_bytes(content)
    started = time.monotonic()
    with LibraryHome(tmp_path).lock():
        assert time.monotonic() - started < 2
        assert LockOwner.parse(note.read_bytes()).pid == os.getpid()


@pytest.mark.parametrize(
    "change",
    [{"pid": 10**20}, {"pid": -1}, {"pid": "4711"}, {"token": "0x1f"}, {"token": "../../x"}, {"token": "a" * 300}],
)
def test_a_note_with_an_invalid_field_counts_as_unfinished(change: dict[str, object]) -> None:
    content = json.loads(remote_owner().encoded) | change
    owner = LockOwner.parse(json.dumps(content).encode())
    assert owner.token == "" and owner.describe() == "somebody on another machine has been writing"


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "", "x" * 300])
def test_any_start_time_can_be_described(since: str) -> None:
    assert "has been scanning" in LockOwner.parse(remote_owner(since=since).encoded).describe()


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
        hold_lock(tmp_path / "lock", "scanning", "it", 0, print) as held,
    ):
        before = note.stat().st_mtime_ns
        while note.stat().st_mtime_ns == before:  # wait for a heartbeat
            time.sleep(0.01)
        note.unlink()
        while not note.exists():  # a deleted note is recreated
            time.sleep(0.01)
        OwnerNote(tmp_path / "other").take(remote_owner(), locked=True)
        (tmp_path / "other").replace(note)
        while not held.lost:
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


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOSYS])
def test_on_a_file_system_without_locks_the_owner_note_suffices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holder: subprocess.Popen[str], error: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(lock, "_lock_descriptor", refuse)
    with pytest.raises(LibraryBusyError, match=f"process {holder.pid}"):
        LibraryHome(tmp_path).lock().__enter__()
    holder.kill()
    holder.wait()
    with LibraryHome(tmp_path).lock(), pytest.raises(LibraryBusyError, match=f"process {os.getpid()}"):
        LibraryHome(tmp_path).lock().__enter__()


def _list_home(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir())


#: System calls that change something: a process killed before each of them leaves every possible state.
_STEPS = {"flock", "link", "mkdir", "rename", "replace", "rmdir", "unlink", "write"}


def _kill_at_step(number: int, body: Callable[[], object]) -> bool:
    """Run `body` in a fork that is killed before its step `number`. Was it killed?"""
    pid = os.fork()
    if pid == 0:
        count = 0

        def watch(frame: FrameType, event: str, function: Any) -> None:
            nonlocal count
            if event == "c_call" and function.__name__ in _STEPS and function.__module__ in ("posix", "fcntl"):
                count += 1
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(watch)
        try:
            body()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX signals")
@pytest.mark.parametrize("case", ["free", "abandoned here", "abandoned on another machine", "no hard links"])
def test_a_lock_killed_at_any_step_blocks_nobody_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    if case == "no hard links":
        monkeypatch.setattr(os, "link", refuse)
        monkeypatch.setattr(lock_owner, "UNFINISHED_AFTER", 0.05)
    path = tmp_path / "lock"
    note = tmp_path / "lock.owner"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    abandoned = {
        "abandoned here": replace(LockOwner.current_process("scanning"), pid=dead.pid),
        "abandoned on another machine": remote_owner(),
    }
    number = 0
    while True:
        number += 1
        if owner := abandoned.get(case):
            note.write_bytes(owner.encoded)
            os.utime(note, (1, 1))
        if not _kill_at_step(number, lambda: hold_lock(path, "scanning", "it", 0, print).__enter__()):
            break
        started = time.monotonic()
        with hold_lock(path, "scanning", "it", 0, lambda note: None):
            assert _list_home(tmp_path) == ["lock", "lock.owner"]
        assert time.monotonic() - started < 1, number
        assert _list_home(tmp_path) == ["lock"]
    assert number > 4


COUNT = """
import sys
from pathlib import Path
from faceclust.files import lock
from faceclust.store import library_lock, lock_owner
from faceclust.store.library_lock import hold_lock
folder = Path(sys.argv[1])
if sys.argv[2] == "machines":  # the file system has no locks, and each process is a machine
    import faceclust.store.library_lock as module
    module.acquire_if_supported = lambda descriptor, timeout=0: False
    name = sys.argv[3]
    lock_owner._machine_id = lambda: name
for _ in range(int(sys.argv[4])):
    with hold_lock(folder / "lock", "counting", "it", 60, print):
        counter = folder / "counter"
        counter.write_text(str(int(counter.read_text()) + 1))
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["processes", "machines"])
def test_racing_processes_hold_the_lock_one_at_a_time(tmp_path: Path, where: str) -> None:
    (tmp_path / "counter").write_text("0")
    racing = [
        subprocess.Popen([sys.executable, "-c", COUNT, str(tmp_path), where, str(number), "20"]) for number in range(3)
    ]
    assert [process.wait() for process in racing] == [0, 0, 0]
    assert (tmp_path / "counter").read_text() == "60"
    assert _list_home(tmp_path) == ["counter", "lock"]


@pytest.mark.parametrize("name", ["lock", "lock.owner"])
@pytest.mark.parametrize("kind", ["symlink", "hard link", "pipe", "folder", "link to nowhere"])
def test_a_lock_file_that_is_not_ours_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    home = tmp_path / "home"
    home.mkdir()
    file = home / name
    match kind:
        case "symlink":
            file.symlink_to(victim)
        case "hard link":
            os.link(victim, file)
        case "pipe":
            os.mkfifo(file)
        case "folder":
            file.mkdir()
        case _:
            file.symlink_to(tmp_path / "new")
    os.utime(victim, (1, 1))
    if name == "lock.owner" and kind == "hard link":  # replaced: its content is not a note
        with hold_lock(home / "lock", "scanning", "it", 0, print):
            pass
    else:
        with pytest.raises(CacheError, match=f"{file} cannot be locked: it "):
            hold_lock(home / "lock", "scanning", "it", 0, print).__enter__()
    assert victim.read_text() == "precious" and victim.stat().st_mtime == 1
    assert not (tmp_path / "new").exists()


def test_on_a_full_disk_a_lock_goes_without_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    home = LibraryHome(tmp_path)
    home.create()
    monkeypatch.setattr(lock_owner, "_write_new_file", refuse)
    with home.lock():
        assert _list_home(home.home) == [".faceclust-home", "lock"]
    note = write_note(home, replace(LockOwner.current_process("scanning")))
    with home.lock():
        assert not note.exists()
    write_note(home, remote_owner())
    with pytest.raises(LibraryBusyError, match="anna@nas"):
        home.lock().__enter__()
