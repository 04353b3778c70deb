"""`people.jsonl`: the user's answers, one JSON object per line, append-only.

This is the only file that cannot be recreated from the photos. Undo is a line too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from faceclust.errors import CacheError
from faceclust.files.atomic import sync_folder, write_private_atomically
from faceclust.files.own_files import UnsafeFileError, open_own, read_own
from faceclust.people.events import (
    Event,
    JournalFace,
    new_event,
    redoable_events,
    to_record,
    undoable_events,
)
from faceclust.people.fact_changes import FactChanges
from faceclust.people.journal_lines import (
    MAX_JOURNAL_SIZE,
    MAX_LINE_SIZE,
    encode_record,
    merge_by_time,
    parse_event,
    parse_record,
)
from faceclust.people.journal_reader import JournalReader

_LINE_END = re.compile(b"[\r\n]")


class Journal:
    """The journal at `path`. `on_note` receives a message for each unusable line.

    `others` are journals that are read too but never written. They belong to folders of the library
    that were libraries of their own. Each comes with the folder (POSIX path) of its photo paths.
    """

    def __init__(
        self,
        path: Path,
        others: Sequence[tuple[Path, str]] = (),
        on_note: Callable[[str], None] | None = None,
    ) -> None:
        self.path, self.others = path, others
        self._on_note = on_note or (lambda message: None)
        self._readers = [JournalReader(*file, self._on_note) for file in (*others, (path, ""))]
        self._events: list[Event] = []
        self._uncertain: Event | None = None  # may be in the file, although its write failed

    def events(self) -> list[Event]:
        """Return all usable events in order; with other journals, ordered by time.

        Events of unknown kinds, from a newer version, are skipped and stay in the file. So are
        damaged lines, which are reported once. Raises CacheError if a file cannot be read.
        """
        has_changed = [reader.read() for reader in self._readers]
        if any(has_changed):
            by_id: dict[str, Event] = {}
            for event in merge_by_time([reader.events for reader in self._readers], lambda event: event.time):
                by_id.setdefault(event.id, event)
            self._events = list(by_id.values())
        return self._events.copy()

    def record(
        self,
        kind: str,
        faces: Iterable[JournalFace] = (),
        *,
        rest: Iterable[JournalFace] = (),
        name: str | None = None,
        to: str | None = None,
        source: str | None = None,
        facts: FactChanges | None = None,
        event_id: str | None = None,
    ) -> Event:
        """Append an event of this kind (see `Event`); it is on disk when this returns.

        `event_id`: its id, for an answer that counts once however often it is taken in; default a random one.
        Raises CacheError if it cannot be saved; then the journal is unchanged, unless the message says
        that the event may be saved.
        """
        event = new_event(kind, faces=tuple(faces), rest=tuple(rest), name=name, to=to, source=source, facts=facts)
        return self._append(event if event_id is None else replace(event, id=event_id))

    def undo(self, event_id: str | None = None) -> Event | None:
        """Undo the last event in effect, or the one with this id. Return it, or None if there is none."""
        found = next((event for event in self.undoable() if event_id in (None, event.id)), None)
        if found is not None:
            self._append(new_event("undo", undoes=found.id))
        return found

    def redo(self) -> Event | None:
        """Repeat the answer that was undone last, and return the new event.

        None if nothing was undone, or an answer was recorded since.
        """
        undone = redoable_events(self._events_before_retry(lambda event: event.redoes is not None))
        if not undone:
            return None
        new = new_event(undone[0].kind)
        return self._append(replace(undone[0], id=new.id, time=new.time, redoes=undone[0].id))

    def undoable(self) -> list[Event]:
        """Return the answers that can be undone, the last one first."""
        return undoable_events(self._events_before_retry(lambda event: event.undoes is not None))

    def _events_before_retry(self, is_of_kind: Callable[[Event], bool]) -> list[Event]:
        """The events without one of this kind that may be in the file: it is tried again, instead of one more."""
        uncertain = self._uncertain.id if self._uncertain and is_of_kind(self._uncertain) else None
        return [event for event in self.events() if event.id != uncertain]

    def _append(self, event: Event) -> Event:
        if self._uncertain and replace(event, id=self._uncertain.id, time=self._uncertain.time) == self._uncertain:
            event = self._uncertain  # a second try: lines with the same id count once
        try:
            descriptor = open_own(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, single_link=True)
            try:
                self._append_line(descriptor, _encode_event(event))
            finally:
                with contextlib.suppress(OSError):  # the line is on disk, or the error is known already
                    os.close(descriptor)
        except CacheError as error:
            raise CacheError(f"the answer was not saved: {error}", hint=error.hint) from error
        except OSError as error:
            message = f"{error.filename or self.path}: {error.strerror or error}"
            if isinstance(error, _UncertainWriteError):
                self._uncertain = event
                raise CacheError(
                    f"the answer may not be saved: {message}", hint="before you repeat it: faceclust journal -n 1"
                ) from error
            hint = None if isinstance(error, UnsafeFileError) else "is the disk full or the folder read-only?"
            raise CacheError(f"the answer was not saved: {message}", hint=hint) from error
        self._uncertain = None
        return event

    def _append_line(self, descriptor: int, line: bytes) -> None:
        before = os.fstat(descriptor).st_size
        if before + len(line) > MAX_JOURNAL_SIZE:
            raise OSError(errno.EFBIG, f"it would be larger than {MAX_JOURNAL_SIZE:,} bytes")
        torn = _read_torn_line(descriptor, before)
        if parse_record(torn) is not None:
            line = b"\n" + line  # only the end of that line is missing
        elif torn:
            self._set_torn_line_aside(torn)
            before -= len(torn)
            os.ftruncate(descriptor, before)
            self._on_note(f"{self.path}: the last line was cut off by a crash; it is in {self.torn_lines_path.name}")
        try:
            _write_all(descriptor, line)
            os.fsync(descriptor)
            if not before:
                sync_folder(self.path.parent)  # the file may be new there
        except OSError as error:
            if _remove_line(descriptor, before, len(line)):
                raise
            raise _UncertainWriteError(error.errno, error.strerror) from error

    def _set_torn_line_aside(self, torn: bytes) -> None:
        """Copy a torn last line, left by a crash during a write, to a file of its own.

        The journal loses the line after that, so a crash in between costs nothing: the next answer finds
        the copy. Raises OSError, CacheError.
        """
        try:
            known = read_own(self.torn_lines_path, MAX_JOURNAL_SIZE)
        except FileNotFoundError:
            known = b""
        if known and not known.endswith(b"\n"):
            known += b"\n"
        if not (b"\n" + known).endswith(b"\n" + torn + b"\n"):
            write_private_atomically(self.torn_lines_path, lambda stream: stream.writelines((known, torn, b"\n")))

    @property
    def torn_lines_path(self) -> Path:
        """The file for torn lines."""
        return self.path.with_suffix(".torn")


def _encode_event(event: Event) -> bytes:
    """Return the event as a line. Raises OSError if it could not be read again, CacheError if it is too long."""
    line = encode_record(to_record(event))
    if len(line) > MAX_LINE_SIZE:
        raise CacheError(
            f"it is about {len(event.all_faces):,} faces, and its line would be longer than {MAX_LINE_SIZE:,} bytes",
            hint="give several answers about fewer faces each, such as one for each folder",
        )
    try:
        parse_event(line)
    except ValueError as error:
        raise OSError(errno.EINVAL, f"the line would be invalid: {error}") from error
    return line


class _UncertainWriteError(OSError):
    """A write failed, but the line may be in the file."""


def _read_torn_line(descriptor: int, size: int) -> bytes:
    """Return the last line of a file of this size if it has no end, else nothing. Raises OSError."""
    torn, start = b"", size
    while start > 0 and not _LINE_END.search(torn):
        length = min(start, max(1, 2 * len(torn)))  # one byte first: the line nearly always has its end
        start -= length
        os.lseek(descriptor, start, os.SEEK_SET)
        block = os.read(descriptor, length)
        if len(block) < length:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        torn = block + torn
    return _LINE_END.split(torn)[-1]


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        written = os.write(descriptor, data)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        data = data[written:]


def _remove_line(descriptor: int, before: int, length: int) -> bool:
    """Remove what was written of a line of this length; return False if the line may still be there."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, before)
        return True
    with contextlib.suppress(OSError):
        # Without more than its end, a line is no JSON object, so it is not read.
        return os.fstat(descriptor).st_size < before + length - 1
    return False
