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
from faceclust.files.atomic import PRIVATE_FILE
from faceclust.files.lock import NO_LOCKS
from faceclust.store.lock_owner import OwnedError, Owner, OwnerNote

if TYPE_CHECKING:
    import filelock

#: Seconds between two signs of life.
HEARTBEAT = 20.0
_RETRY = 0.1


class Held:
    """A lock in hand. `lost` is true once another machine has taken it over: this one did not give
    a sign of life for minutes, as when it was asleep."""

    def __init__(self, note: OwnerNote, mine: Owner) -> None:
        self._note, self._mine = note, mine
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="faceclust lock", daemon=True)
        self.lost = False
        self._thread.start()

    def _beat(self) -> None:
        while not self.lost and not self._over.wait(HEARTBEAT):
            with contextlib.suppress(OSError):  # the network is away: the next beat tries again
                self.lost = not self._note.confirm(self._mine)

    def release(self) -> None:
        self._over.set()
        self._thread.join(timeout=10)  # a file system that hangs is no reason to hang
        self._note.give_up(self._mine)


@contextmanager
def held(path: Path, doing: str, what: str, wait: float, on_note: Callable[[str], None]) -> Iterator[Held]:
    """Hold the lock at `path`, waiting for at most `wait` seconds. `doing` is told to others, as in
    "has been scanning"; `what` the lock is over. `on_note` is told of a lock that was left behind.

    Raises LibraryBusyError where another process holds it, here or on another machine, or took it
    over in the meantime; CacheError where no lock can be made.
    """
    until = time.monotonic() + wait
    note = OwnerNote(path.with_name(f"{path.name}.owner"))
    import filelock  # what only reads need not wait for its import

    lock = filelock.FileLock(path, timeout=wait, mode=PRIVATE_FILE)
    with _told_of(path):
        locked = _acquired(lock, note, what)
    try:
        with _told_of(path):
            mine = _noted(note, Owner.myself(doing), locked, what, until, on_note)
        held = Held(note, mine)
        try:
            yield held
        finally:
            held.release()
    finally:
        lock.release()
    if held.lost:
        raise _busy(what, note.read())


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(f"{path} cannot be locked: {error.strerror or error}") from error


def _acquired(lock: filelock.BaseFileLock, note: OwnerNote, what: str) -> bool:
    """Hold this machine's lock; False where the file system knows none."""
    try:
        lock.acquire()
    except TimeoutError:
        raise _busy(what, note.read()) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True


def _noted(
    note: OwnerNote, mine: Owner, locked: bool, what: str, until: float, on_note: Callable[[str], None]
) -> Owner:
    while True:
        try:
            gone = note.take(mine, locked=locked)
        except OwnedError as error:
            if time.monotonic() >= until:
                raise _busy(what, error.owner) from None
            time.sleep(_RETRY)
        else:
            if gone is not None:
                on_note(f"{gone.in_words()}, but is gone: its lock on {what} is taken over")
            return mine


def _busy(what: str, owner: Owner | None) -> LibraryBusyError:
    if owner is None:
        return LibraryBusyError(f"{what} is in use by another faceclust", hint="wait until it is done, then try again")
    off = "" if owner.is_here else f"; if {owner.host} was switched off, in two minutes"
    return LibraryBusyError(f"{what} is in use: {owner.in_words()}", hint=f"wait until it is done, then try again{off}")
