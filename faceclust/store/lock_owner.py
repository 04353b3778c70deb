"""A note beside a lock that says whose it is: it counts for machines the lock does not reach.

Locks of the operating system often stay on one machine where a folder is shared over a network.
Files do not: one is made by one machine only (O_EXCL), and its owner writes it again now and
then. How old it is the file server's clock tells, so that those of the machines may differ.
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

import platformdirs

from faceclust.errors import CacheError
from faceclust.files.atomic import (
    TEMPORARY_SUFFIX,
    create_private,
    make_private_folder,
    temporary_beside,
    write_atomically,
)

#: Seconds after which an owner that was not heard of counts as gone. Network file systems may
#: show an age that is a minute old.
STALE_AFTER = 120.0
_MAX_FIELD_LENGTH = 200  # characters of a field that are believed


class LockOwnedError(Exception):
    """The lock is somebody's: `owner`."""

    def __init__(self, owner: LockOwner) -> None:
        super().__init__(owner.describe())
        self.owner = owner


@dataclass(frozen=True)
class LockOwner:
    """Who holds a lock. `machine` is one of a kind, `host` what people call it; `doing` as in "has
    been scanning"; `since` an ISO time with its zone; `token` is of this hold alone."""

    user: str = "somebody"
    host: str = "another machine"
    pid: int = 0
    doing: str = "writing"
    since: str = ""
    machine: str = ""
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def current_process(cls, doing: str) -> LockOwner:
        """This process."""
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        return cls(_user_name(), platform.node() or "this machine", os.getpid(), doing, since, _machine_id())

    @classmethod
    def parse(cls, content: bytes) -> LockOwner:
        """From the content of a note; one that is being written, or damaged, is nobody known."""
        try:
            found = json.loads(content)
            values: dict[str, Any] = {name: found[name] for name in (field.name for field in fields(cls))}
            if not all(isinstance(value, int if name == "pid" else str) for name, value in values.items()):
                raise TypeError("a field of another type")
            int(values["token"], 16)  # it becomes part of a file's name
        except (ValueError, KeyError, TypeError, RecursionError):
            return cls(token="")
        for name in values.keys() - {"pid"}:
            values[name] = _replace_unprintable(values[name])
        return cls(**values)

    @property
    def encoded(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @property
    def is_local(self) -> bool:
        """Is it a process of this machine?"""
        return self.machine == _machine_id()

    def describe(self) -> str:
        """As in "anna@nas (process 4711) has been scanning since 14:02"."""
        who = f"{self.user}@{self.host} (process {self.pid})" if self.pid else f"{self.user} on {self.host}"
        try:
            since = datetime.fromisoformat(self.since).astimezone()
        except ValueError:
            return f"{who} has been {self.doing}"
        today = since.date() == datetime.now().astimezone().date()
        return f"{who} has been {self.doing} since {since:{'%H:%M' if today else '%Y-%m-%d %H:%M'}}"


class OwnerNote:
    """The note at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> LockOwner | None:
        """Who is written there, None where nobody is."""
        try:
            return LockOwner.parse(self.path.read_bytes())
        except OSError:
            return None

    def take(self, new_owner: LockOwner, *, locked: bool) -> LockOwner | None:
        """Make the note `mine`; gives the owner who had left it behind, if one had. `locked`: the
        caller holds this machine's own lock. Raises OwnedError where the owner may be at work, OSError."""
        while not self._create(new_owner):
            found = self._read_with_age()
            if found is None:  # released since
                continue
            owner, age = found
            gone_from_here = owner.is_local and (locked or not _process_exists(owner.pid))
            # An age below 0: the server's clock was set back, and nobody has written since.
            if (not gone_from_here and abs(age) < STALE_AFTER) or not self._take_over(owner, new_owner):
                raise LockOwnedError(owner)
            return owner
        return None

    def refresh(self, owner: LockOwner) -> bool:
        """Write the note again, so that it is seen to be fresh; False where it is another's now.
        Raises OSError."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return self._create(owner)
        try:
            if LockOwner.parse(os.read(descriptor, 1 << 16)).token != owner.token:
                return False
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, owner.encoded)  # a new time that the server, not this machine, sets
        finally:
            os.close(descriptor)
        return True

    def release(self, owner: LockOwner) -> None:
        """Remove the note, unless it is another's."""
        found = self.read()
        if found is not None and found.token == owner.token:
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _create(self, owner: LockOwner) -> bool:
        """False where there is a note already."""
        try:
            descriptor = create_private(self.path)
        except FileExistsError:
            return False
        try:
            os.write(descriptor, owner.encoded)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # On a full disk work that makes room has to be possible: it then goes without a note.
            with contextlib.suppress(OSError):
                self.path.unlink()
        finally:
            os.close(descriptor)
        return True

    def _read_with_age(self) -> tuple[LockOwner, float] | None:
        """The owner, and the seconds since the note was written last; None where there is none."""
        try:
            with self.path.open("rb") as stream:
                content, written = stream.read(1 << 16), os.fstat(stream.fileno()).st_mtime
        except FileNotFoundError:
            return None
        probe = temporary_beside(self.path)
        descriptor = create_private(probe)
        try:
            os.write(descriptor, b"\n")
            os.close(descriptor)
            return LockOwner.parse(content), probe.stat().st_mtime - written
        finally:
            with contextlib.suppress(OSError):
                probe.unlink()

    def _take_over(self, previous: LockOwner, new_owner: LockOwner) -> bool:
        """Put `mine` in the place of the note `gone` left behind; False where another process is
        about to, or has done it."""
        # Who makes this file is the only one who may replace that one note. Its owner is looked
        # at once more afterwards: another may have replaced it, and this file, in between.
        turn = self.path.with_name(f"{self.path.name}.{previous.token}{TEMPORARY_SUFFIX}")
        try:
            os.close(create_private(turn))
        except FileExistsError:
            with contextlib.suppress(OSError, CacheError):
                if (found := OwnerNote(turn)._read_with_age()) and abs(found[1]) > STALE_AFTER:
                    turn.unlink()  # killed in the middle of this; the next try goes on
            return False
        try:
            now = self.read()
            if now is None or now.token != previous.token:
                return False
            write_atomically(self.path, lambda stream: stream.write(new_owner.encoded), durable=False)
            now = self.read()
            return now is not None and now.token == new_owner.token
        finally:
            with contextlib.suppress(OSError):
                turn.unlink()


def _replace_unprintable(text: str) -> str:
    """Without what a terminal would act on."""
    return "".join(c if c.isprintable() else "?" for c in text[:_MAX_FIELD_LENGTH])


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name, as containers have
        return "somebody"


def _process_exists(pid: int) -> bool:
    """Is there such a process? True where that cannot be asked without harm."""
    if os.name == "nt" or pid <= 0:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


@cache
def _machine_id() -> str:
    """Tells this machine from others, also from ones of the same name."""
    try:
        known = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        known = _stored_machine_id()
    return f"{platform.node()} {known}"


def _stored_machine_id() -> str:
    path = platformdirs.user_state_path("faceclust") / "machine"
    with contextlib.suppress(OSError, CacheError, ValueError):
        if not path.exists():
            make_private_folder(path.parent)
            write_atomically(path, lambda stream: stream.write(secrets.token_hex(8).encode()))
        return path.read_text(encoding="ascii")
    return ""
