"""`people.jsonl`: the user's answers, one JSON object per line, append-only.

This is the only file that cannot be recreated from the photos. Undo is a line too.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from faceclust.errors import CacheError
from faceclust.people.events import (
    IRREVERSIBLE_KINDS,
    Event,
    JournalFace,
    effective_events,
    from_record,
    new_event,
    prefix_photo_paths,
    to_record,
)

T = TypeVar("T")


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
        self._read_states: dict[Path, _ReadState] = {}
        self._damaged_lines: set[str] = set()

    def events(self) -> list[Event]:
        """Return all usable events in order; with other journals, ordered by time.

        Events of unknown kinds, from a newer version, are skipped and stay in the file. So are
        damaged lines, each of which is reported once.
        """
        journals = [prefix_photo_paths(folder, self._read_file(path)) for path, folder in self.others] + [
            self._read_file(self.path)
        ]
        by_id: dict[str, Event] = {}
        for event in merge_by_time(journals, lambda event: event.time):
            by_id.setdefault(event.id, event)
        return list(by_id.values())

    def _read_file(self, path: Path) -> list[Event]:
        """Return the events of a file. It only grows, so only new lines are parsed."""
        try:
            with path.open("rb") as stream:
                status = os.fstat(stream.fileno())
                state = self._read_states.get(path)
                if state is None or state.inode != status.st_ino or state.offset > status.st_size:
                    state = self._read_states[path] = _ReadState(status.st_ino)
                stream.seek(state.offset)
                new = stream.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CacheError(f"{path} cannot be read: {error.strerror or error}") from error
        whole, end, torn = new.rpartition(b"\n")
        for line in whole.split(b"\n"):
            state.line_count += 1
            state.events += self._parse_line(line, f"{path}:{state.line_count}")
        state.line_count -= not end
        state.offset += len(whole) + len(end)
        return state.events + self._parse_line(torn, f"{path}:{state.line_count + 1}")

    def _parse_line(self, line: bytes, where: str) -> list[Event]:
        if not line.strip():
            return []
        try:
            event = from_record(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            if where not in self._damaged_lines:
                self._damaged_lines.add(where)
                self._on_note(f"{where}: skipped a damaged line")
            return []
        return [event] if event is not None else []

    def record(
        self,
        kind: str,
        faces: Iterable[JournalFace] = (),
        *,
        rest: Iterable[JournalFace] = (),
        name: str | None = None,
        to: str | None = None,
        source: str | None = None,
    ) -> Event:
        """Append an event of this kind (see `Event`); it is on disk when this returns.

        Raises CacheError if it cannot be saved; then the journal is unchanged.
        """
        return self._append(new_event(kind, faces=tuple(faces), rest=tuple(rest), name=name, to=to, source=source))

    def undo(self, event_id: str | None = None) -> Event | None:
        """Undo the last event in effect, or the one with this id. Return it, or None if there is none."""
        undoable = [event for event in effective_events(self.events()) if event.kind not in IRREVERSIBLE_KINDS]
        undoable = [event for event in undoable if event_id in (None, event.id)]
        if not undoable:
            return None
        self._append(new_event("undo", undoes=undoable[-1].id))
        return undoable[-1]

    def _append(self, event: Event) -> Event:
        line = encode_record(to_record(event))
        try:
            descriptor = _open_private(self.path)
            try:
                self._set_torn_line_aside(descriptor)
                before = os.fstat(descriptor).st_size
                try:
                    _write_all(descriptor, line)
                    os.fsync(descriptor)
                except OSError:
                    os.ftruncate(descriptor, before)  # leave no torn line
                    raise
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CacheError(
                f"the answer was not saved: {self.path}: {error.strerror or error}",
                hint="is the disk full or the folder read-only?",
            ) from error
        return event

    def _set_torn_line_aside(self, descriptor: int) -> None:
        """Move a torn last line, left by a crash during a write, to a file of its own.

        Otherwise the next event would be appended to that line. If only the line's end is missing, add it.
        """
        content = self.path.read_bytes()
        if not content or content.endswith(b"\n"):
            return
        whole, _, torn = content.rpartition(b"\n")
        try:
            json.loads(torn)
        except (ValueError, RecursionError):
            with os.fdopen(_open_private(self.torn_lines_path), "ab") as stream:
                stream.write(torn + b"\n")
            os.ftruncate(descriptor, len(whole) + 1 if whole else 0)
            self._on_note(
                f"{self.path}: the last line was cut off by a crash; it was moved to {self.torn_lines_path.name}"
            )
        else:
            _write_all(descriptor, b"\n")

    @property
    def torn_lines_path(self) -> Path:
        """The file for torn lines."""
        return self.path.with_suffix(".torn")


@dataclass
class _ReadState:
    """The part of a file that was read so far; `offset` is the start of the next line."""

    inode: int
    offset: int = 0
    line_count: int = 0
    events: list[Event] = field(default_factory=list)


def merge_by_time(sequences: Iterable[Sequence[T]], time_of: Callable[[T], str | None]) -> list[T]:
    """Merge sequences by time into one, keeping the order within each.

    So a clock that was set back does not move a later answer before an earlier one. An item without a
    time (None) has that of the item before it.
    """

    def timed(sequence: Sequence[T]) -> Iterator[tuple[str, T]]:
        latest = ""
        for item in sequence:
            latest = max(latest, time_of(item) or "")
            yield latest, item

    return [item for _, item in heapq.merge(*map(timed, sequences), key=lambda pair: pair[0])]


def merge_journals(journals: Iterable[bytes]) -> bytes:
    """Merge several journals of one library into one, with each event once.

    Unreadable lines keep their place.
    """

    def line_time(line: bytes) -> str | None:
        value = (parse_record(line) or {}).get("time")
        return value if isinstance(value, str) else None

    by_id: dict[object, bytes] = {}
    for line in merge_by_time([content.split(b"\n") for content in journals], line_time):
        id = (parse_record(line) or {}).get("id")
        by_id.setdefault(id if isinstance(id, str) else line, line)
    return b"".join(line + b"\n" for line in by_id.values() if line.strip())


def encode_record(record: dict[str, Any]) -> bytes:
    """Return a record as a line of the journal."""
    return (json.dumps(record, ensure_ascii=False) + "\n").encode()


def parse_record(line: bytes) -> dict[str, Any] | None:
    """Return a line's JSON object; None if it does not hold one."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _open_private(path: Path) -> int:
    """Open or create a file for appending, readable by its owner only, whatever the umask is."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
    with contextlib.suppress(OSError):  # not the owner, or a file system without permissions
        path.chmod(0o600)
    return descriptor


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
