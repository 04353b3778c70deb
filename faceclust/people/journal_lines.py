"""The lines of the journal: JSON objects in UTF-8. Those of a library from elsewhere may be hostile."""

from __future__ import annotations

import heapq
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, TypeVar

from faceclust.people.events import Event, from_record

#: Larger journals are refused: they would fill the memory. A face takes about 200 bytes.
MAX_JOURNAL_SIZE = 1 << 30
#: Longer lines are damaged: parsing takes up to 20 times the memory. It leaves room for 500,000 faces.
MAX_LINE_SIZE = 100_000_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: Characters that are escaped for other readers of the file: control characters, line separators,
#: changes of the writing direction, and lone surrogates, which have no UTF-8.
_ESCAPED = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

T = TypeVar("T")


def encode_record(record: dict[str, Any]) -> bytes:
    """Return a record as a line of the journal. Raises ValueError for NaN and infinity."""
    text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    return (_ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n").encode()


def parse_record(line: bytes) -> dict[str, Any] | None:
    """Return a line's JSON object; None if it does not hold one."""
    if len(line) > MAX_LINE_SIZE:
        return None
    try:
        value = _DECODER.decode(line.removeprefix(_BYTE_ORDER_MARK).decode())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def parse_event(line: bytes, folder: str = "") -> Event | None:
    """Return a line's event; None if its kind is unknown.

    `folder` is that of `from_record`. Raises ValueError if the line is damaged.
    """
    record = parse_record(line)
    if record is None:
        raise ValueError("not a JSON object")
    return from_record(record, folder)


def is_damaged(line: bytes) -> bool:
    """Return whether this is neither a valid event, nor a line of a newer version, nor empty."""
    if line.strip():
        try:
            parse_event(line)
        except ValueError:
            return True
    return False


def split_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file, each with its end: LF, CRLF, or CR from an old editor. The last may have none."""
    for line in stream:
        if b"\r" in line:
            yield from line.splitlines(keepends=True)
        else:
            yield line


def has_end(line: bytes) -> bool:
    """Return whether a line is complete."""
    return line.endswith((b"\n", b"\r"))


def merge_journals(journals: Iterable[bytes]) -> bytes:
    """Merge several journals of one library into one, with each event once and without empty lines.

    Unreadable lines keep their place.
    """
    merged, known = bytearray(), set[object]()
    for _, id, line in merge_by_time(map(_identified_lines, journals), lambda item: item[0]):
        if id not in known:
            known.add(id)
            merged += line
    return bytes(merged)


def count_distinct_lines(content: bytes) -> int:
    """Count the lines that `merge_journals` would keep of one journal."""
    return len({id for _, id, _ in _identified_lines(content)})


def _identified_lines(content: bytes) -> Iterator[tuple[str | None, object, bytes]]:
    """Yield the time, identity and text of each line.

    Events of one id and kind are the same. A line that is damaged, or of no id, is the same as its copies
    alone: it must not take the place of an event.
    """
    for line in split_lines(io.BytesIO(content)):
        if not line.isspace():
            line = line.rstrip(b"\r\n") + b"\n"
            record = parse_record(line) or {}
            time, id = record.get("time"), record.get("id")
            known = isinstance(id, str) and not is_damaged(line)
            yield time if isinstance(time, str) else None, (record.get("event"), id) if known else line, line


def merge_by_time(sequences: Iterable[Iterable[T]], time_of: Callable[[T], str | None]) -> Iterator[T]:
    """Merge sequences by time into one, keeping the order within each.

    So a clock that was set back does not move a later answer before an earlier one. An item without a
    time (None) has that of the item before it.
    """

    def timed(sequence: Iterable[T]) -> Iterator[tuple[str, T]]:
        latest = ""
        for item in sequence:
            latest = max(latest, time_of(item) or "")
            yield latest, item

    return (item for _, item in heapq.merge(*map(timed, sequences), key=lambda pair: pair[0]))


def _parse_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.20} is too large")
    return number


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


#: Strict: NaN and infinity, which the module accepts by default, are errors.
_DECODER = json.JSONDecoder(parse_float=_parse_finite, parse_constant=_refuse_constant)
