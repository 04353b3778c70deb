"""Read a file of the journal: each line only once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from faceclust.errors import CacheError
from faceclust.files.own_files import UnsafeFileError, open_own, read_own
from faceclust.people.events import Event, from_record
from faceclust.people.journal_lines import MAX_JOURNAL_SIZE, has_end, parse_record, split_lines
from faceclust.text.plural import format_count

#: Damaged lines that are reported one by one; the last report counts the others.
_MAX_REPORTS = 20


def read_journal(path: Path) -> bytes:
    """Return the content of a journal; nothing if it is missing. Raises CacheError."""
    try:
        return read_own(path, MAX_JOURNAL_SIZE)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> CacheError:
    hint = "put the file itself in its place, or delete it" if isinstance(error, UnsafeFileError) else None
    return CacheError(f"{path} cannot be read: {error.strerror or error}", hint=hint)


class JournalReader:
    """The usable events of the journal at `path`, up to the last `read`.

    The photo paths are relative to `folder` of the library. `on_note` receives a message for each
    damaged line, once.
    """

    def __init__(self, path: Path, folder: str, on_note: Callable[[str], None]) -> None:
        self.path, self._folder, self._on_note = path, folder, on_note
        self._restart(None)

    def _restart(self, identity: tuple[int, int] | None) -> None:
        self.events: list[Event] = []
        self._identity, self._size, self._undone = identity, 0, set[str]()
        # Of the lines that have an end: their number, their length in bytes, and the number of their events.
        self._lines, self._offset, self._complete = 0, 0, 0
        self._last_reported = 0

    def read(self) -> bool:
        """Read the lines that are new; return whether anything has changed. Raises CacheError."""
        try:
            return self._read_new_lines()
        except FileNotFoundError:
            was_there = self._identity is not None
            self._restart(None)
            return was_there
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def _read_new_lines(self) -> bool:
        with os.fdopen(open_own(self.path), "rb") as stream:
            status = os.fstat(stream.fileno())
            if status.st_size > MAX_JOURNAL_SIZE:
                raise CacheError(f"{self.path} cannot be read: it is larger than {MAX_JOURNAL_SIZE:,} bytes")
            if self._identity != (status.st_dev, status.st_ino) or self._offset > status.st_size:
                self._restart((status.st_dev, status.st_ino))
            elif self._size == status.st_size:
                return False
            self._size = status.st_size
            stream.seek(self._offset)
            del self.events[self._complete :]
            damaged = []
            for line in split_lines(stream):
                self._lines += 1
                if not line.isspace() and not self._add_event(line):
                    damaged.append(self._lines)
                if not has_end(line):
                    self._lines -= 1
                    break
                self._offset += len(line)
                self._complete = len(self.events)
        self._report([number for number in damaged if number > self._last_reported])
        return True

    def _add_event(self, line: bytes) -> bool:
        """Add the event of a line, unless its kind is unknown; return False if the line is damaged."""
        record = parse_record(line)
        if record is None:
            return False
        undoes = record.get("undoes")
        if isinstance(undoes, str) and undoes in self._undone and record.get("event") == "undo":
            return True  # a second undo has no effect, and a million of them would take seconds
        try:
            event = from_record(record, self._folder)
        except ValueError:
            return False
        if event is not None:
            self.events.append(event)
            if event.undoes is not None and has_end(line):
                self._undone.add(event.undoes)
        return True

    def _report(self, numbers: list[int]) -> None:
        for number in numbers[:_MAX_REPORTS]:
            self._on_note(f"{self.path}:{number}: skipped a damaged line")
        if others := numbers[_MAX_REPORTS:]:
            self._on_note(f"{self.path}:{others[0]}: skipped {format_count(len(others), 'damaged line')} from here on")
        self._last_reported = max([self._last_reported, *numbers[-1:]])
