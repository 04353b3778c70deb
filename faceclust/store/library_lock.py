"""Holding a library for writing: among the processes of a machine, and among machines."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from faceclust.errors import CacheError, LibraryBusyError
from faceclust.files.atomic import PRIVATE_FILE_MODE
from faceclust.files.lock import NO_LOCKS
from faceclust.store.lock_owner import LockOwnedError, LockOwner, OwnerNote

if TYPE_CHECKING:
    import filelock

#: Seconds between two signs of life.
HEARTBEAT_SECONDS = 20.0
_RETRY_SECONDS = 0.1


class HeldLock:
    """A lock in hand. `lost` is true once another machine has taken it over: this one did not give
    a sign of life for minutes, as when it was asleep."""

    def __init__(self, note: OwnerNote, owner: LockOwner) -> None:
        self._note, self._owner = note, owner
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._send_heartbeats, name="faceclust lock", daemon=True)
        self.lost = False
        self._thread.start()

    def _send_heartbeats(self) -> None:
        while not self.lost and not self._released.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):  # the network is away: the next beat tries again
                self.lost = not self._note.refresh(self._owner)

    def release(self) -> None:
        self._released.set()
        self._thread.join(timeout=10)  # a file system that hangs is no reason to hang
        self._note.release(self._owner)


@contextmanager
def hold_lock(
    path: Path, doing: str, resource: str, timeout: float, on_note: Callable[[str], None]
) -> Iterator[HeldLock]:
    """Hold the lock at `path`, waiting for at most `wait` seconds. `doing` is told to others, as in
    "has been scanning"; `what` the lock is over. `on_note` is told of a lock that was left behind.

    Raises LibraryBusyError where another process holds it, here or on another machine, or took it
    over in the meantime; CacheError where no lock can be made.
    """
    until = time.monotonic() + timeout
    note = OwnerNote(path.with_name(f"{path.name}.owner"))
    import filelock  # what only reads need not wait for its import

    lock = filelock.FileLock(path, timeout=timeout, mode=PRIVATE_FILE_MODE)
    with _translate_lock_errors(path):
        locked = _try_acquire(lock, note, resource)
    try:
        with _translate_lock_errors(path):
            mine = _claim_ownership(note, LockOwner.current_process(doing), locked, resource, until, on_note)
        held = HeldLock(note, mine)
        try:
            yield held
        finally:
            held.release()
    finally:
        lock.release()
    if held.lost:
        raise _busy_error(resource, note.read())


@contextmanager
def _translate_lock_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(f"{path} cannot be locked: {error.strerror or error}") from error


def _try_acquire(lock: filelock.BaseFileLock, note: OwnerNote, resource: str) -> bool:
    """Hold this machine's lock; False where the file system knows none."""
    try:
        lock.acquire()
    except TimeoutError:
        raise _busy_error(resource, note.read()) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True


def _claim_ownership(
    note: OwnerNote, owner: LockOwner, locked: bool, resource: str, deadline: float, on_note: Callable[[str], None]
) -> LockOwner:
    while True:
        try:
            gone = note.take(owner, locked=locked)
        except LockOwnedError as error:
            if time.monotonic() >= deadline:
                raise _busy_error(resource, error.owner) from None
            time.sleep(_RETRY_SECONDS)
        else:
            if gone is not None:
                on_note(f"{gone.describe()}, but is gone: its lock on {resource} is taken over")
            return owner


def _busy_error(resource: str, owner: LockOwner | None) -> LibraryBusyError:
    if owner is None:
        return LibraryBusyError(
            f"{resource} is in use by another faceclust", hint="wait until it is done, then try again"
        )
    off = "" if owner.is_local else f"; if {owner.host} was switched off, in two minutes"
    return LibraryBusyError(
        f"{resource} is in use: {owner.describe()}", hint=f"wait until it is done, then try again{off}"
    )
