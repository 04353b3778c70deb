"""`people.jsonl`: what the user said, one JSON object a line, only ever appended to.

The one precious file: everything else can be made anew from the photos. Undo is a line too.
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
    """The journal at `path`. `on_note` is told of lines that cannot be used.

    `others` are journals read with it, never written: of parts of the library that were
    libraries of their own, each with the folder (POSIX path) its photo paths begin at.
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

    def events(self) -> list[Event]:
        """All usable events in order; with other journals, in the order of their times. Lines of
        a kind unknown here, written by a newer version, stay in the file and are passed by; so
        are damaged ones, which are told of."""
        journals = [prefix_photo_paths(folder, self._read_file(path)) for path, folder in self.others] + [
            self._read_file(self.path)
        ]
        once: dict[str, Event] = {}
        for event in merge_by_time(journals, lambda event: event.time):
            once.setdefault(event.id, event)
        return list(once.values())

    def _read_file(self, path: Path) -> list[Event]:
        """What is in the file. It only grows, so only what is new is parsed."""
        try:
            with path.open("rb") as stream:
                identity = os.fstat(stream.fileno()).st_ino
                known = self._read_states.get(path)
                if known is None or known.inode != identity or known.offset > os.fstat(stream.fileno()).st_size:
                    known = self._read_states[path] = _ReadState(identity)
                stream.seek(known.offset)
                new = stream.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CacheError(f"{path} cannot be read: {error.strerror or error}") from error
        whole, end, torn = new.rpartition(b"\n")
        for line in whole.split(b"\n"):
            known.line_count += 1
            known.events += self._parse_line(line, f"{path}:{known.line_count}")
        known.line_count -= not end
        known.offset += len(whole) + len(end)
        return known.events + self._parse_line(torn, f"{path}:{known.line_count + 1}")

    def _parse_line(self, line: bytes, where: str) -> list[Event]:
        if not line.strip():
            return []
        try:
            event = from_record(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            self._on_note(f"{where}: this line cannot be read and is passed by ({error})")
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
        """Add an event of this kind (see `Event`). On disk before this returns; raises CacheError
        where it cannot be, and then nothing was added."""
        return self._append(new_event(kind, faces=tuple(faces), rest=tuple(rest), name=name, to=to, source=source))

    def undo(self, event_id: str | None = None) -> Event | None:
        """Take back the last event still standing, or the one of this id; gives that event, None
        where there is none."""
        standing = [event for event in effective_events(self.events()) if event.kind not in IRREVERSIBLE_KINDS]
        standing = [event for event in standing if event_id in (None, event.id)]
        if not standing:
            return None
        self._append(new_event("undo", undoes=standing[-1].id))
        return standing[-1]

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
                    os.ftruncate(descriptor, before)  # no half line stays behind
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
        """A crash in the middle of a write leaves a line without its end: keep it in a file of
        its own, so that the next line begins on a line of its own."""
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
        """Where half lines go."""
        return self.path.with_suffix(".torn")


@dataclass
class _ReadState:
    """What was read of a file so far: `end` is where the line after the last one begins."""

    inode: int
    offset: int = 0
    line_count: int = 0
    events: list[Event] = field(default_factory=list)


def merge_by_time(sequences: Iterable[Sequence[T]], time_of: Callable[[T], str | None]) -> list[T]:
    """One sequence of several, by time, each keeping its own order: a clock that was set back
    makes nothing said later count as earlier. None: at the time of the one before."""

    def timed(sequence: Sequence[T]) -> Iterator[tuple[str, T]]:
        latest = ""
        for item in sequence:
            latest = max(latest, time_of(item) or "")
            yield latest, item

    return [item for _, item in heapq.merge(*map(timed, sequences), key=lambda pair: pair[0])]


def merge_journals(journals: Iterable[bytes]) -> bytes:
    """The lines of several journals of one library as one journal, each event once; what
    cannot be read stays where it is."""

    def line_time(line: bytes) -> str | None:
        value = (parse_record(line) or {}).get("time")
        return value if isinstance(value, str) else None

    once: dict[object, bytes] = {}
    for line in merge_by_time([content.split(b"\n") for content in journals], line_time):
        known_by = (parse_record(line) or {}).get("id")
        once.setdefault(known_by if isinstance(known_by, str) else line, line)
    return b"".join(line + b"\n" for line in once.values() if line.strip())


def encode_record(record: dict[str, Any]) -> bytes:
    """A record as the journal holds it."""
    return (json.dumps(record, ensure_ascii=False) + "\n").encode()


def parse_record(line: bytes) -> dict[str, Any] | None:
    """Return a line's JSON object; None if it does not hold one."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _open_private(path: Path) -> int:
    """For appending; made where it is not there, its owner's only whatever the umask is."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
    with contextlib.suppress(OSError):  # another user's, or on a file system that knows none
        path.chmod(0o600)
    return descriptor


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
