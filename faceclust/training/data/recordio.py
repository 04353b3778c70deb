"""Aligned faces in InsightFace's layout: `train.rec`, `train.idx` and `property`, a RecordIO of MXNet.

Facts of the format, from the sources of dmlc-core and MXNet: a part starts with a magic number and a word of three
bits of kind and 29 bits of length, little-endian, and its content is padded to four bytes. A record is one part (kind
0), or a first, further and a last one (kinds 1, 2, 3), with the magic number left out between them. The content of a
record is a header (flag, float32 label, two numbers), as many float32 labels as the flag says, and the picture.
Records without a picture are InsightFace's own index of people; they are skipped. Nothing is unpickled or executed.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import UsageError
from faceclust.files.own_files import open_own, read_own

RECORD_FILE, INDEX_FILE, PROPERTY_FILE = "train.rec", "train.idx", "property"
_MAGIC = struct.pack("<I", 0xCED7230A)
_PART = struct.Struct("<II")
_HEADER = struct.Struct("<IfQQ")
_ONE, _FIRST, _MIDDLE, _LAST = range(4)
_MAX_LABEL = 1 << 24  # float32 holds no larger whole numbers exactly
_MAX_RECORDS = 100_000_000  # the largest published set has 42 million
_MAX_RECORD_BYTES = 1 << 24  # pictures of aligned faces have up to 100 kB
_MAX_INDEX_LINE = 64  # bytes
_MAX_PROPERTY_BYTES = 1000


@dataclass(frozen=True)
class RecordTable:
    """Records of a file: the number of each, uint32 (n,), its offset, uint64 (n,), and its label, int32 (n,), −1 for
    one without a picture."""

    numbers: NDArray[np.uint32]
    offsets: NDArray[np.uint64]
    labels: NDArray[np.int32]

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> RecordTable:
        """Return the table of these rows."""
        return RecordTable(self.numbers[rows], self.offsets[rows], self.labels[rows])


class RecordFile:
    """A `train.rec`, mapped into memory. Raises UsageError if it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with os.fdopen(open_own(Path(os.path.realpath(path))), "rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                self._data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"{path} cannot be read: {reason}") from error

    def __len__(self) -> int:
        return len(self._data)

    def read_picture(self, offset: int) -> bytes:
        """Return the encoded picture of the record at an offset of its `RecordTable`."""
        return self._read_record(offset, "the record")[1]

    def list_records(self, advance: Callable[[int, bytes], None] = lambda size, picture: None) -> RecordTable:
        """Read all records, in the order of the file. `advance` is called with the size of each in bytes, and its
        picture. Raises UsageError that names the record if one is damaged."""
        numbers, offsets, labels = array("I"), array("Q"), array("i")
        at, number = 0, 0
        while at < len(self._data):
            if number == _MAX_RECORDS:
                raise self._error(f"more than {_MAX_RECORDS:,} records")
            label, picture, end = self._read_record(at, f"record {number:,}")
            if picture and (math.isnan(label) or not 0 <= label < _MAX_LABEL or label != int(label)):
                raise self._error(f"record {number:,} has the label {label:g}, not a whole number from 0")
            numbers.append(number)
            offsets.append(at)
            labels.append(int(label) if picture else -1)
            advance(end - at, picture)
            at, number = end, number + 1
        return RecordTable(np.array(numbers, np.uint32), np.array(offsets, np.uint64), np.array(labels, np.int32))

    def _read_record(self, at: int, name: str) -> tuple[float, bytes, int]:
        """Return the label, the picture and the end of the record at an offset. Raises UsageError."""
        parts: list[bytes] = []
        total, expected = 0, (_ONE, _FIRST)
        while True:
            if len(self._data) - at < _PART.size or self._data[at : at + len(_MAGIC)] != _MAGIC:
                raise self._error(f"{name} is damaged: no part of a record starts at byte {at:,}")
            _, word = _PART.unpack_from(self._data, at)
            kind, length = word >> 29, word & ((1 << 29) - 1)
            if kind not in expected:
                raise self._error(f"{name} is damaged: a part of kind {kind} at byte {at:,}")
            total += length + len(_MAGIC) * bool(parts)
            if total > _MAX_RECORD_BYTES:
                raise self._error(f"{name} has more than {_MAX_RECORD_BYTES:,} bytes")
            start, end = at + _PART.size, at + _PART.size + length + -length % 4
            if end > len(self._data):
                raise self._error(f"{name} is cut off: it ends at byte {end:,}, the file at {len(self._data):,}")
            parts.append(self._data[start : start + length])
            at, expected = end, (_MIDDLE, _LAST)
            if kind in (_ONE, _LAST):
                return *self._split_content(_MAGIC.join(parts), name), end

    def _split_content(self, content: bytes, name: str) -> tuple[float, bytes]:
        """Return the label and the picture."""
        if len(content) < _HEADER.size:
            raise self._error(f"{name} is damaged: {len(content)} bytes are less than a header")
        count, label, _, _ = _HEADER.unpack_from(content)
        if count * 4 > len(content) - _HEADER.size:
            raise self._error(f"{name} is damaged: it has fewer than the {count:,} labels of its header")
        if count:
            (label,) = struct.unpack_from("<f", content, _HEADER.size)
        return label, content[_HEADER.size + count * 4 :]

    def _error(self, problem: str) -> UsageError:
        return UsageError(f"{self.path}: {problem}", hint="expected InsightFace's layout of MXNet's RecordIO")


def select_indexed(table: RecordTable, path: Path) -> RecordTable:
    """Return the records that a `train.idx` lists, in the order of the file; all of them if it is missing.

    Each of its lines holds a number and the offset of a record, a tab between. Raises UsageError if it cannot be read,
    or an offset is not the start of a record or occurs twice.
    """
    if not path.exists():
        return table
    limit = (len(table.offsets) + 1) * _MAX_INDEX_LINE
    text = _read_small(path, limit)
    try:
        if not text.strip():
            raise ValueError("it is empty")
        offsets = np.loadtxt(text.decode("ascii").splitlines(), np.int64, comments=None, delimiter="\t", ndmin=2)
        if offsets.shape[1] != 2:
            raise ValueError(f"{offsets.shape[1]} columns, expected two")
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{path} is not an index of {RECORD_FILE}: {' '.join(str(error).split())[:200]}") from error
    wanted, lines, counts = np.unique(offsets[:, 1], return_index=True, return_counts=True)
    is_start = np.isin(wanted, table.offsets.astype(np.int64))
    if not is_start.all():
        line = int(lines[~is_start].min())
        raise UsageError(f"{path}:{line + 1}: no record of {RECORD_FILE} starts at byte {offsets[line, 1]:,}")
    if (counts > 1).any():
        raise UsageError(f"{path} lists the record at byte {wanted[counts.argmax()]:,} {counts.max():,} times")
    return table.take(np.isin(table.offsets.astype(np.int64), wanted))


def check_property(table: RecordTable, path: Path) -> None:
    """Check labels against a `property` file, which holds the number of people and the height and width of pictures,
    separated by commas. A missing one is fine. Raises UsageError if it is invalid or a label is too large."""
    if not path.exists():
        return
    text = _read_small(path, _MAX_PROPERTY_BYTES).decode("ascii", "replace").strip()
    parts = [part.strip() for part in text.split(",")]  # int() does not strip all that strip() does
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"{path} must hold three numbers, as in 85742,112,112; it holds {text[:60]!r}")
    people = int(parts[0])
    if len(beyond := np.flatnonzero(table.labels >= people)):
        first = beyond[0]
        raise UsageError(
            f"{path} announces {people:,} people, but record {table.numbers[first]:,} of {RECORD_FILE} has the label "
            f"{table.labels[first]:,}"
        )


def _read_small(path: Path, limit: int) -> bytes:
    try:
        return read_own(Path(os.path.realpath(path)), limit)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
