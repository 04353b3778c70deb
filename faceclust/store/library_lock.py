"""The library lock: one writer at a time, across the processes of a machine and across machines."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from faceclust.errors import CacheError, LibraryBusyError
from faceclust.files.atomic import make_private_folder
from faceclust.files.lock import acquire_if_supported, open_lock_file, plain_lock
from faceclust.files.own_files import UnsafeFileError
from faceclust.files.user_folders import state_folder
from faceclust.store.locations import home_below
from faceclust.store.lock_owner import UNFINISHED_AFTER, LockOwnedError, LockOwner, OwnerNote

#: Seconds between two heartbeats.
HEARTBEAT_SECONDS = 20.0
_RETRY_SECONDS = 0.1


class HeldLock:
    """A held lock. `lost` becomes true if another machine takes it over after missed heartbeats,
    for example because this one was asleep."""

    def __init__(self, note: OwnerNote, owner: LockOwner) -> None:
        self._note, self._owner = note, owner
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._send_heartbeats, name="faceclust lock", daemon=True)
        self.lost = False
        self._thread.start()

    def _send_heartbeats(self) -> None:
        while not self.lost and not self._released.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):  # the network may be down: the next heartbeat tries again
                self.lost = not self._note.refresh(self._owner)

    def release(self) -> None:
        self._released.set()
        self._thread.join(timeout=10)  # a hanging file system must not block the exit
        self._note.release(self._owner)


@contextmanager
def hold_lock(
    path: Path, doing: str, resource: str, timeout: float, on_note: Callable[[str], None]
) -> Iterator[HeldLock]:
    """Hold the lock at `path`, waiting at most `timeout` seconds for it.

    Other processes show `doing` ("has been scanning") and `resource`, the path being locked.
    `on_note` receives a message if an abandoned lock is taken over. Raises LibraryBusyError if
    another process, here or on another machine, holds the lock or took it over meanwhile;
    CacheError if no lock file can be created.
    """
    deadline = time.monotonic() + timeout
    note = OwnerNote(path.with_name(f"{path.name}.owner"))
    with _translate_lock_errors(path):
        lock = open_lock_file(path)
    try:
        with _translate_lock_errors(path):
            try:
                locked = acquire_if_supported(lock, timeout)
            except TimeoutError:
                raise _busy_error(resource, note.read()) from None
            owner = _claim_ownership(note, LockOwner.current_process(doing), locked, resource, deadline, on_note)
        held = HeldLock(note, owner)
        try:
            yield held
        finally:
            held.release()
    finally:
        os.close(lock)
    if held.lost:
        raise _busy_error(resource, note.read())


@contextmanager
def _translate_lock_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"{error.filename or path} cannot be locked: {error.strerror or error}",
            hint="move it away, then try again" if isinstance(error, UnsafeFileError) else None,
        ) from error


def _claim_ownership(
    note: OwnerNote, owner: LockOwner, locked: bool, resource: str, deadline: float, on_note: Callable[[str], None]
) -> LockOwner:
    while True:
        try:
            previous = note.take(owner, locked=locked)
        except LockOwnedError as error:
            is_unfinished = not error.owner.token
            if time.monotonic() >= deadline + (2 * UNFINISHED_AFTER if is_unfinished else 0):
                raise _busy_error(resource, error.owner) from None
            time.sleep(_RETRY_SECONDS)
        else:
            if previous is not None:
                on_note(f"{previous.describe()}, but is no longer running: took over its lock on {resource}")
            return owner


def _busy_error(resource: str, owner: LockOwner | None) -> LibraryBusyError:
    if owner is None:
        return LibraryBusyError(
            f"{resource} is in use by another faceclust", hint="wait until it is done, then try again"
        )
    if_off = "" if owner.is_local else f" (in two minutes if {owner.host} was switched off)"
    return LibraryBusyError(
        f"{resource} is in use: {owner.describe()}", hint=f"wait until it is done, then try again{if_off}"
    )


@contextmanager
def hold_watch_lock(root: Path) -> Iterator[None]:
    """Be the one process of this user and machine that watches the library at `root`.

    The lock file lies in the user's state folder: an open file on the library's disk would keep it from being
    unmounted. Raises LibraryBusyError if another process watches the library, CacheError if the file cannot be made.
    """
    path = state_folder() / "watching" / f"{home_below(Path(), root)}.lock"
    make_private_folder(path.parent)
    busy = LibraryBusyError(
        f"{root} is being watched already", hint="one faceclust watch is enough; stop that one first"
    )
    with contextlib.ExitStack() as held:
        with _translate_lock_errors(path):
            held.enter_context(plain_lock(path, busy))
        yield
