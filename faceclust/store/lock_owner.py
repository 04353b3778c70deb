"""A note beside a lock file that names the owner, for machines that the lock itself does not reach.

On network shares, operating system locks often work on one machine only. A file works across
machines: only one of them can create it (O_EXCL), and the owner rewrites it regularly as a
heartbeat. Its age is measured by the file server's clock, so the machines' clocks may differ.
"""

from __future__ import annotations

import contextlib
import errno
import getpass
import json
import os
import platform
import secrets
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from faceclust.errors import CacheError
from faceclust.files.atomic import (
    TEMPORARY_SUFFIX,
    make_private_folder,
    temporary_beside,
    write_private_atomically,
)
from faceclust.files.own_files import open_own
from faceclust.files.user_folders import state_folder
from faceclust.text.visible import make_visible

#: Seconds without a heartbeat after which an owner counts as gone. Network file systems may cache
#: a file's age for up to a minute.
STALE_AFTER = 120.0
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_MAX_FIELD_LENGTH = 200  # characters; longer fields are cut


class LockOwnedError(Exception):
    """The lock belongs to `owner`."""

    def __init__(self, owner: LockOwner) -> None:
        super().__init__(owner.describe())
        self.owner = owner


@dataclass(frozen=True)
class LockOwner:
    """The process that holds a lock.

    `machine` is a unique id, `host` a readable name; `doing` as in "has been scanning"; `since` an
    ISO time with its zone; `token` is unique to this acquisition of the lock.
    """

    user: str = "somebody"
    host: str = "another machine"
    pid: int = 0
    doing: str = "writing"
    since: str = ""
    machine: str = ""
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def current_process(cls, doing: str) -> LockOwner:
        """Describe this process."""
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        return cls(_user_name(), platform.node() or "this machine", os.getpid(), doing, since, _machine_id())

    @classmethod
    def parse(cls, content: bytes) -> LockOwner:
        """Parse the content of a note. A damaged or unfinished one gives an unknown owner."""
        try:
            found = json.loads(content)
            values: dict[str, Any] = {name: found[name] for name in (field.name for field in fields(cls))}
            if not all(isinstance(value, int if name == "pid" else str) for name, value in values.items()):
                raise TypeError("a field has the wrong type")
            int(values["token"], 16)  # it becomes part of a file name
        except (ValueError, KeyError, TypeError, RecursionError):
            return cls(token="")
        for name in values.keys() - {"pid"}:
            values[name] = make_visible(values[name][:_MAX_FIELD_LENGTH])
        return cls(**values)

    @property
    def encoded(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @property
    def is_local(self) -> bool:
        """Is the owner a process of this machine?"""
        return self.machine == _machine_id()

    def describe(self) -> str:
        """Describe the owner, as in "anna@nas (process 4711) has been scanning since 14:02"."""
        who = f"{self.user}@{self.host} (process {self.pid})" if self.pid else f"{self.user} on {self.host}"
        try:
            since = datetime.fromisoformat(self.since).astimezone()
        except ValueError:
            return f"{who} has been {self.doing}"
        today = since.date() == datetime.now().astimezone().date()
        return f"{who} has been {self.doing} since {since:{'%H:%M' if today else '%Y-%m-%d %H:%M'}}"


class OwnerNote:
    """The owner note at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> LockOwner | None:
        """Return the owner; None if there is no note."""
        try:
            return LockOwner.parse(self.path.read_bytes())
        except OSError:
            return None

    def take(self, new_owner: LockOwner, *, locked: bool) -> LockOwner | None:
        """Make `new_owner` the owner; return the owner that had abandoned the note, if any.

        `locked`: the caller holds this machine's own lock. Raises LockOwnedError if the present
        owner may be running, OSError.
        """
        while not self._create(new_owner):
            found = self._read_with_age()
            if found is None:  # released meanwhile
                continue
            owner, age = found
            is_dead = owner.is_local and (locked or not _process_exists(owner.pid))
            # A negative age means that the server's clock was set back since the last heartbeat.
            if (not is_dead and abs(age) < STALE_AFTER) or not self._take_over(owner, new_owner):
                raise LockOwnedError(owner)
            return owner
        return None

    def refresh(self, owner: LockOwner) -> bool:
        """Send a heartbeat by rewriting the note; return False if another owner has taken over.
        Raises OSError."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return self._create(owner)
        try:
            if LockOwner.parse(os.read(descriptor, 1 << 16)).token != owner.token:
                return False
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, owner.encoded)  # the server, not this machine, sets the new time
        finally:
            os.close(descriptor)
        return True

    def release(self, owner: LockOwner) -> None:
        """Delete the note if it is still this owner's."""
        found = self.read()
        if found is not None and found.token == owner.token:
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _create(self, owner: LockOwner) -> bool:
        """Create the note; return False if it exists."""
        try:
            descriptor = open_own(self.path, _CREATE)
        except FileExistsError:
            return False
        try:
            os.write(descriptor, owner.encoded)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # Commands that free space must work on a full disk: they do without a note.
            with contextlib.suppress(OSError):
                self.path.unlink()
        finally:
            os.close(descriptor)
        return True

    def _read_with_age(self) -> tuple[LockOwner, float] | None:
        """Return the owner and the seconds since the last heartbeat; None if there is no note."""
        try:
            with self.path.open("rb") as stream:
                content, written = stream.read(1 << 16), os.fstat(stream.fileno()).st_mtime
        except FileNotFoundError:
            return None
        probe = temporary_beside(self.path)
        descriptor = open_own(probe, _CREATE)
        try:
            os.write(descriptor, b"\n")
            os.close(descriptor)
            return LockOwner.parse(content), probe.stat().st_mtime - written
        finally:
            with contextlib.suppress(OSError):
                probe.unlink()

    def _take_over(self, previous: LockOwner, new_owner: LockOwner) -> bool:
        """Replace the note that `previous` abandoned; return False if another process does so."""
        # The process that creates this claim file is the only one allowed to replace that note. The
        # owner is read again afterwards: another process may have replaced note and claim meanwhile.
        claim = self.path.with_name(f"{self.path.name}.{previous.token}{TEMPORARY_SUFFIX}")
        try:
            os.close(open_own(claim, _CREATE))
        except FileExistsError:
            with contextlib.suppress(OSError, CacheError):
                if (found := OwnerNote(claim)._read_with_age()) and abs(found[1]) > STALE_AFTER:
                    claim.unlink()  # left by a process killed here; the next attempt can proceed
            return False
        try:
            current = self.read()
            if current is None or current.token != previous.token:
                return False
            write_private_atomically(self.path, lambda stream: stream.write(new_owner.encoded), durable=False)
            current = self.read()
            return current is not None and current.token == new_owner.token
        finally:
            with contextlib.suppress(OSError):
                claim.unlink()


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user id without a name, common in containers
        return "somebody"


def _process_exists(pid: int) -> bool:
    """Is this process running? True if unknown: on Windows, os.kill would end the process."""
    if os.name == "nt" or pid <= 0:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        return True
    return True


@cache
def _machine_id() -> str:
    """Identify this machine, even among machines of the same name."""
    try:
        machine_id = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        machine_id = _stored_machine_id()
    return f"{platform.node()} {machine_id}"


def _stored_machine_id() -> str:
    path = state_folder() / "machine"
    with contextlib.suppress(OSError, CacheError, ValueError):
        if not path.exists():
            make_private_folder(path.parent)
            write_private_atomically(path, lambda stream: stream.write(secrets.token_hex(8).encode()))
        return path.read_text(encoding="ascii")
    return ""
