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
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from faceclust.files.own_files import (
    list_own,
    locate,
    open_own,
    own_exists,
    read_own,
    remove_own,
    rename_own,
    stat_own,
)
from faceclust.files.user_folders import state_folder
from faceclust.text.visible import make_visible

#: Seconds without a heartbeat after which an owner counts as gone. Network file systems may cache
#: a file's age for up to a minute.
STALE_AFTER = 120.0
#: Seconds after which a note without a readable owner counts as abandoned. Writing one takes milliseconds;
#: FAT file systems round times to 2 seconds.
UNFINISHED_AFTER = 3.0
_MAX_SIZE = 1 << 16  # bytes of a note that are read
_TOKEN = re.compile(r"[0-9a-f]{1,32}")
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
            # The token becomes part of a file name, and the system calls take no larger process ids.
            if not _TOKEN.fullmatch(values["token"]) or not 0 <= values["pid"] < 1 << 31:
                raise ValueError("a field has an invalid value")
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

    def may_be_running(self, age: float, *, locked: bool) -> bool:
        """May the owner of a note with this `age` in seconds be running?

        `locked`: the caller holds this machine's own lock.
        """
        if self.is_local and (locked or not _process_exists(self.pid)):
            return False
        # A negative age means that the server's clock was set back since the last heartbeat.
        return abs(age) < (STALE_AFTER if self.token else UNFINISHED_AFTER)

    def describe(self) -> str:
        """Describe the owner, as in "anna@nas (process 4711) has been scanning since 14:02"."""
        who = f"{self.user}@{self.host} (process {self.pid})" if self.pid else f"{self.user} on {self.host}"
        try:
            since = datetime.fromisoformat(self.since).astimezone()
        except (ValueError, OverflowError, OSError):
            return f"{who} has been {self.doing}"
        today = since.date() == datetime.now().astimezone().date()
        return f"{who} has been {self.doing} since {since:{'%H:%M' if today else '%Y-%m-%d %H:%M'}}"


class OwnerNote:
    """The owner note at `path`.

    It appears complete, under a name that is linked to a temporary file, so that a killed process
    leaves no half-written note. On file systems without hard links it is written in place.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> LockOwner | None:
        """Return the owner; None if there is no note. Raises OSError."""
        found = self._read_with_time()
        return found[0] if found else None

    def take(self, new_owner: LockOwner, *, locked: bool) -> LockOwner | None:
        """Make `new_owner` the owner; return the owner that had abandoned the note, if any.

        `locked`: the caller holds this machine's own lock. Raises LockOwnedError if the present
        owner may be running, OSError.
        """
        while True:
            with self._stage(new_owner) as staged:
                if self._create(new_owner, staged):
                    self._remove_leftovers()
                    return None
                found = self._read_with_time()
                if found is None:  # released meanwhile
                    continue
                owner, written = found
                if owner.may_be_running(staged.time - written, locked=locked):
                    raise LockOwnedError(owner)
                if not self._take_over(owner, new_owner, staged, locked=locked):
                    raise LockOwnedError(owner)
                self._remove_leftovers()
                return owner

    def refresh(self, owner: LockOwner) -> bool:
        """Send a heartbeat by rewriting the note; return False if another owner has taken over.
        Raises OSError."""
        try:
            descriptor = open_own(self.path, os.O_RDWR)
        except FileNotFoundError:
            with self._stage(owner) as staged:
                return self._create(owner, staged)
        try:
            if LockOwner.parse(os.read(descriptor, _MAX_SIZE)).token != owner.token:
                return False
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, owner.encoded)  # the server, not this machine, sets the new time
        finally:
            os.close(descriptor)
        return True

    def release(self, owner: LockOwner) -> None:
        """Delete the note if it is still this owner's."""
        with contextlib.suppress(OSError):
            if (found := self.read()) and found.token == owner.token:
                remove_own(self.path)

    @contextmanager
    def _stage(self, owner: LockOwner) -> Iterator[_StagedNote]:
        """Write the note under a temporary name, which is removed afterwards. Raises OSError."""
        temporary = temporary_beside(self.path)
        try:
            try:
                _write_new_file(temporary, owner.encoded)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                has_room = False
            else:
                has_room = True
            status = stat_own(temporary)
            yield _StagedNote(temporary, status.st_mtime if status else time.time(), has_room)
        finally:
            with contextlib.suppress(OSError):
                remove_own(temporary)

    def _create(self, owner: LockOwner, staged: _StagedNote) -> bool:
        """Create the note; return False if it exists, or if a new owner removed the temporary file."""
        if not staged.has_room:
            # Commands that free space must work on a full disk: they do without a note.
            return stat_own(self.path) is None
        try:
            with locate(self.path) as (folder, name):
                os.link(staged.path if folder is None else staged.path.name, name, src_dir_fd=folder, dst_dir_fd=folder)
        except (FileExistsError, FileNotFoundError):
            return False
        except (OSError, NotImplementedError):
            return self._create_in_place(owner)
        return True

    def _create_in_place(self, owner: LockOwner) -> bool:
        """Create the note on a file system without hard links; return False if it exists."""
        try:
            _write_new_file(self.path, owner.encoded)
        except FileExistsError:
            return False
        # A slow server may make an unfinished note look abandoned to another machine.
        return self._belongs_to(owner)

    def _read_with_time(self) -> tuple[LockOwner, float] | None:
        """Return the owner and the time of its last heartbeat; None if there is no note. Raises OSError."""
        try:
            descriptor = open_own(self.path)
        except FileNotFoundError:
            return None
        try:
            return LockOwner.parse(os.read(descriptor, _MAX_SIZE)), os.fstat(descriptor).st_mtime
        finally:
            os.close(descriptor)

    def _belongs_to(self, owner: LockOwner) -> bool:
        found = self.read()
        return found is not None and found.token == owner.token

    def _take_over(self, previous: LockOwner, new_owner: LockOwner, staged: _StagedNote, *, locked: bool) -> bool:
        """Replace the note that `previous` abandoned; return False if another process does so."""
        if not staged.has_room:
            remove_own(self.path)
            return True
        # The owner of this claim is the only process allowed to replace the note. The note is read again
        # afterwards: another process may have replaced note and claim meanwhile.
        claim = OwnerNote(self.path.with_name(f"{self.path.name}.{previous.token}{TEMPORARY_SUFFIX}"))
        try:
            claim.take(new_owner, locked=locked)
        except LockOwnedError:
            return False
        try:
            if not self._belongs_to(previous):
                return False
            rename_own(staged.path, self.path)
            return self._belongs_to(new_owner)
        except FileNotFoundError:  # a new owner removed the temporary file
            return False
        finally:
            claim.release(new_owner)

    def _remove_leftovers(self) -> None:
        """Remove temporary files and claims of killed processes.

        Only the owner calls this. A process that loses its temporary file to it tries again.
        """
        with contextlib.suppress(OSError):
            for name in list_own(self.path.parent):
                if name.startswith(f"{self.path.name}.") and name.endswith(TEMPORARY_SUFFIX):
                    remove_own(self.path.with_name(name))


@dataclass(frozen=True)
class _StagedNote:
    """A note under a temporary name, and the file server's time. Without `has_room` the disk is full
    and the file is incomplete or missing."""

    path: Path
    time: float
    has_room: bool


def _write_new_file(path: Path, content: bytes) -> None:
    """Raises OSError, FileExistsError if the file exists."""
    descriptor = open_own(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


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
    with contextlib.suppress(OSError, CacheError):
        if not own_exists(path):
            make_private_folder(path.parent)
            write_private_atomically(path, lambda stream: stream.write(secrets.token_hex(8).encode()))
        return read_own(path, _MAX_FIELD_LENGTH).decode("ascii", "replace")
    return ""
