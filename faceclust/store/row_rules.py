"""The rules that the rows of a folder cache keep. A cache may come from somebody else's disk.

File names become paths to read, to copy and to write beside; face ids become file names; numbers
become dates and sizes of pictures. A table that breaks a rule is refused as a whole, and the next
scan makes the cache again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from faceclust.store.hex_digits import are_hex, hex_to_integers
from faceclust.store.precision import INT8_PEAK
from faceclust.store.schema import (
    MAX_CAMERA_LENGTH,
    MAX_DETAIL_LENGTH,
    STATUS_OK,
    concatenate,
)
from faceclust.types import DATE_SOURCES, SkipReason
from faceclust.types.frames import MAX_FRAME_TIME, MAX_FRAMES

_UTF8_SIZE = 4  # bytes of a character, at most
# 255 characters (APFS, exFAT and NTFS count characters), or 255 bytes that are not UTF-8, as \xNN.
_MAX_NAME_SIZE = 255 * _UTF8_SIZE
_RESERVED = "/\0" if os.sep == "/" else "/\\:\0"  # characters that no file name contains
_MAX_PIXELS = 2**31  # of a photo: more than any decoder accepts
#: Relative change of a norm by rounding to 16 bits, with a margin.
_NORM_TOLERANCE = 2e-3
#: Change of a component by rounding to 16 bits, if it is below 2^-14.
_FLOAT16_STEP = 2.0**-25
_FIRST_SECOND, _LAST_SECOND = (
    int((date - datetime(1970, 1, 1)).total_seconds())
    for date in (datetime(1826, 1, 1), datetime(9999, 12, 31, 23, 59, 59))
)
_SIDES = ("left", "top", "right", "bottom")
_FACE_COLUMNS = ("face", "face_id", *_SIDES, "score")
_REQUIRED_COLUMNS = ("photo", "photo_size", "photo_mtime_ns", "status")
#: Columns that only photos that were read have; the first three are required of them.
_SCANNED_COLUMNS = tuple(
    "photo_hash width height orientation taken_at taken_at_source camera latitude longitude min_face"
    " face face_id".split()
)
_PHOTO_COLUMNS = ("photo_size", "photo_mtime_ns", "status", *_SCANNED_COLUMNS[:-2])
_CHUNK_SIZE = 1 << 12  # embeddings at a time, so that they stay in the CPU cache

Mask = NDArray[np.bool_]


class BrokenRuleError(ValueError):
    """A row breaks a rule. `rule` is its name, a key of RULES."""

    def __init__(self, rule: str, row: int) -> None:
        super().__init__(f"{RULES[rule][0]} (row {row + 1})")
        self.rule = rule


def check_rows(table: pa.Table, radius: float) -> None:
    """Raise BrokenRuleError unless the rows keep every rule.

    `table`: rows of one folder cache, in its schema and order. `radius`: the norm of embeddings,
    unless they are integers.
    """
    if not len(table):
        return
    rows = _Rows(table, radius)
    for name, (_, find_broken) in RULES.items():
        for broken in find_broken(rows):
            if broken.any():
                raise BrokenRuleError(name, int(broken.argmax()))


def keep_rules(tables: Sequence[tuple[pa.Table, float]]) -> bool:
    """Return whether the rows of several caches, each with its radius, surely keep every rule. If not,
    `check_rows` finds the reason, which may be only that the caches differ in precision or radius."""
    filled = [table for table, _ in tables if len(table)]
    kinds = {(table.schema.field("embedding").type, radius) for table, radius in tables}
    if len(kinds) > 1:
        return False
    if filled:
        starts = np.cumsum([0, *map(len, filled[:-1])])
        rows = _Rows(concatenate([table.replace_schema_metadata() for table in filled]), tables[0][1], starts)
        return not any(broken.any() for _, find_broken in RULES.values() for broken in find_broken(rows))
    return True


class _Rows:
    """The columns of a table as NumPy arrays, each converted once. `starts`: the first row of each file."""

    def __init__(self, table: pa.Table, radius: float, starts: Sequence[int] | NDArray[Any] = (0,)) -> None:
        table = table.combine_chunks()
        self.radius, self.starts, self.count = radius, np.asarray(starts), len(table)
        self._columns = {name: table[name].chunk(0) for name in table.column_names}
        self._all, self._none = np.ones(self.count, bool), np.zeros(self.count, bool)
        self._valid: dict[str, Mask] = {}
        self._numbers: dict[str, NDArray[Any]] = {}

    def column(self, name: str) -> Any:
        return self._columns[name]

    def valid(self, name: str) -> Mask:
        """Rows with a value."""
        if name not in self._valid:
            column = self._columns[name]
            self._valid[name] = _to_mask(column.is_valid()) if column.null_count else self._all
        return self._valid[name]

    def numbers(self, name: str) -> NDArray[Any]:
        """The numbers of a column, any number for null; seconds for dates, indices for words, 0 or 1 for truths."""
        if name not in self._numbers:
            column = self._columns[name]
            if pa.types.is_timestamp(column.type):
                column = column.view(pa.int64())
            elif pa.types.is_dictionary(column.type):
                column = column.indices
            elif pa.types.is_boolean(column.type):
                column = column.cast(pa.int8())
            column = column.fill_null(0) if column.null_count else column
            self._numbers[name] = np.asarray(column.to_numpy(zero_copy_only=False))
        return self._numbers[name]

    def lists(self, name: str) -> NDArray[Any]:
        """The lists of the rows that have one (n, k). A missing number is NaN."""
        column = self._columns[name]
        return np.asarray(column.flatten().to_numpy(zero_copy_only=False)).reshape(-1, column.type.list_size)

    def texts(self, name: str, is_broken: Callable[[Any], Any]) -> Mask:
        """Rows whose text is broken according to a function of a text array."""
        column = self._columns[name]
        if not pa.types.is_dictionary(column.type):
            return self._none if column.null_count == self.count else _to_mask(is_broken(column))
        broken = _to_mask(is_broken(column.dictionary))
        return broken[self.numbers(name)] & self.valid(name) if broken.any() else self._none

    def outside(self, name: str, low: float, high: float) -> Mask:
        """Rows with a number that is not from `low` to `high`. NaN is not."""
        numbers = self.numbers(name)
        inside = (numbers >= low) & (numbers <= high)
        return self._none if inside.all() else ~inside & self.valid(name)

    def differs(self, name: str) -> Mask:
        """Rows whose value is not that of the row before. The first row's is not."""
        column, valid, result = self._columns[name], self.valid(name), np.zeros(self.count, bool)
        if pa.types.is_string(column.type):
            changed = _to_mask(pc.not_equal(column[1:], column[:-1]))
        else:
            numbers = self.numbers(name)
            changed = numbers[1:] != numbers[:-1]
        if valid is not self._all:
            changed = (valid[1:] != valid[:-1]) | (changed & valid[1:])
        result[1:] = changed
        return result

    def of_lists(self, name: str, broken: Mask) -> Mask:
        """Spread a mask of the rows with a list to all rows."""
        mask = np.zeros(self.count, bool)
        mask[self.valid(name)] = broken
        return mask

    @cached_property
    def scanned(self) -> Mask:
        """Rows of photos that were read."""
        return self.texts("status", lambda words: pc.equal(words, STATUS_OK))

    @cached_property
    def first_of_photo(self) -> Mask:
        begins = self.differs("photo")
        begins[self.starts] = True
        return begins

    @cached_property
    def boxes(self) -> NDArray[np.float64]:
        return np.stack([self.numbers(side) for side in _SIDES], axis=1).astype(np.float64)


def _to_mask(values: Any) -> Mask:
    """Convert a boolean array; null counts as false."""
    return np.asarray((values.fill_null(False) if values.null_count else values).to_numpy(zero_copy_only=False))


# -- rules of a photo ---------------------------------------------------------


def _find_missing(rows: _Rows) -> Iterator[Mask]:
    for name in _REQUIRED_COLUMNS:
        yield ~rows.valid(name)
    for name in _SCANNED_COLUMNS[:3]:
        yield ~rows.valid(name) & rows.scanned


def _find_bad_names(rows: _Rows) -> Iterator[Mask]:
    names = rows.column("photo")
    text = bytes(names.buffers()[2] or b"")
    for reserved in _RESERVED:
        if reserved.encode() in text:  # faster than looking at each name
            yield rows.texts("photo", partial(pc.match_substring, pattern=reserved))
    sizes = pc.binary_length(names).to_numpy(zero_copy_only=False)
    yield (sizes == 0) | (sizes > _MAX_NAME_SIZE)
    if sizes.min() <= 2:
        yield rows.texts("photo", lambda names: pc.is_in(names, pa.array([".", ".."])))


def _find_disorder(rows: _Rows) -> Iterator[Mask]:
    names = rows.column("photo")
    is_before = np.concatenate([[False], _to_mask(pc.less(names[1:], names[:-1]))])
    is_before[rows.starts] = False
    yield is_before
    index = np.arange(rows.count)
    place = index - np.maximum.accumulate(np.where(rows.first_of_photo, index, 0))
    is_only = rows.first_of_photo & np.append(rows.first_of_photo[1:], True)
    yield np.where(rows.valid("face"), rows.numbers("face") != place, ~is_only)


def _find_contradictions(rows: _Rows) -> Iterator[Mask]:
    if not rows.first_of_photo.all():
        yield from (rows.differs(name) & ~rows.first_of_photo for name in _PHOTO_COLUMNS)


def _find_unknown_statuses(rows: _Rows) -> Iterator[Mask]:
    yield rows.texts("status", lambda words: pc.invert(pc.is_in(words, pa.array([STATUS_OK, *SkipReason]))))


def _find_scanned_skips(rows: _Rows) -> Iterator[Mask]:
    if not rows.scanned.all():
        yield from (rows.valid(name) & ~rows.scanned for name in _SCANNED_COLUMNS)


def _find_bad_hashes(rows: _Rows) -> Iterator[Mask]:
    yield ~are_hex(rows.column("photo_hash"), 32)


def _find_bad_sizes(rows: _Rows) -> Iterator[Mask]:
    yield rows.outside("photo_size", 0, np.inf)
    yield rows.outside("width", 1, np.inf)
    yield rows.outside("height", 1, np.inf)
    yield rows.numbers("width").astype(np.int64) * rows.numbers("height") > _MAX_PIXELS


def _find_bad_orientations(rows: _Rows) -> Iterator[Mask]:
    yield rows.outside("orientation", 1, 8)


def _find_bad_dates(rows: _Rows) -> Iterator[Mask]:
    yield rows.outside("taken_at", _FIRST_SECOND, _LAST_SECOND)
    yield rows.texts("taken_at_source", lambda words: pc.invert(pc.is_in(words, pa.array(DATE_SOURCES))))
    yield rows.valid("taken_at_source") & ~rows.valid("taken_at")


def _find_bad_places(rows: _Rows) -> Iterator[Mask]:
    yield rows.outside("latitude", -90, 90)
    yield rows.outside("longitude", -180, 180)


def _find_bad_min_faces(rows: _Rows) -> Iterator[Mask]:
    yield rows.outside("min_face", 0, np.inf)


def _find_long_texts(rows: _Rows) -> Iterator[Mask]:
    for name, length in (("camera", MAX_CAMERA_LENGTH), ("detail", MAX_DETAIL_LENGTH)):
        yield rows.texts(name, partial(_are_longer, size=length * _UTF8_SIZE))


def _are_longer(texts: Any, size: int) -> Any:
    return pc.greater(pc.binary_length(texts), size)


# -- rules of a face ----------------------------------------------------------


def _find_incomplete_faces(rows: _Rows) -> Iterator[Mask]:
    for name in _FACE_COLUMNS:
        yield rows.valid(name) != rows.valid("face")
    by_hand = rows.valid("by_hand") & (rows.numbers("by_hand") == 1)
    yield rows.valid("landmarks") != rows.valid("embedding")
    yield rows.valid("embedding") & ~rows.valid("quality")
    may_be_uncompared = by_hand & (rows.numbers("quality") == 0)
    yield rows.valid("quality") & ~rows.valid("embedding") & ~may_be_uncompared
    for name in ("quality", "by_hand", "frame_time"):
        yield rows.valid(name) & ~rows.valid("face")


def _find_bad_frames(rows: _Rows) -> Iterator[Mask]:
    yield rows.valid("frame_time") != rows.valid("frames_seen")
    if not rows.valid("frame_time").any():
        return
    yield rows.outside("frame_time", 0, MAX_FRAME_TIME)
    yield rows.outside("frames_seen", 1, MAX_FRAMES)
    yield rows.valid("frame_time") & rows.valid("by_hand") & (rows.numbers("by_hand") == 1)
    yield (rows.valid("frame_time") != np.roll(rows.valid("frame_time"), 1)) & ~rows.first_of_photo


def _find_bad_ids(rows: _Rows) -> Iterator[Mask]:
    yield ~are_hex(rows.column("face_id"), 16)


def _find_ambiguous_ids(rows: _Rows) -> Iterator[Mask]:
    """An id is a hash of the photo's content, the box, rounded to thousandths, and the frame. That of a person without
    a visible face is not: it stays when the photo is edited, so that an edited copy has it, too."""
    faces = np.flatnonzero(rows.valid("face_id"))
    ids = hex_to_integers(rows.column("face_id").drop_null(), 16)
    ordered = np.sort(ids)
    if not (ordered[1:] == ordered[:-1]).any():
        return
    order = np.argsort(ids, kind="stable")
    is_same = ids[order[1:]] == ids[order[:-1]]  # the photo has copies
    first, second = faces[order[:-1][is_same]], faces[order[1:][is_same]]
    hashes, boxes = rows.column("photo_hash"), np.rint(rows.boxes * 1000)
    frames = np.where(rows.valid("frame_time"), np.rint(rows.numbers("frame_time").astype(np.float64) * 1000), -1)
    other_photo = _to_mask(pc.not_equal(hashes.take(pa.array(first)), hashes.take(pa.array(second))))
    is_whole = (boxes[first] == (0, 0, 1000, 1000)).all(axis=1)
    broken = np.zeros(rows.count, bool)
    other_box = (boxes[first] != boxes[second]).any(axis=1) | (frames[first] != frames[second])
    broken[second] = (other_photo & ~is_whole) | other_box
    yield broken


def _find_bad_boxes(rows: _Rows) -> Iterator[Mask]:
    left, top, right, bottom = rows.boxes.T
    inside = (left >= 0) & (left < right) & (right <= 1) & (top >= 0) & (top < bottom) & (bottom <= 1)
    yield ~inside & rows.valid("face")


def _find_bad_scores(rows: _Rows) -> Iterator[Mask]:
    yield rows.outside("score", 0, 1)


def _find_bad_qualities(rows: _Rows) -> Iterator[Mask]:
    yield rows.outside("quality", 0, 1)


def _find_bad_landmarks(rows: _Rows) -> Iterator[Mask]:
    yield rows.of_lists("landmarks", ~np.isfinite(rows.lists("landmarks")).all(axis=1))


def _find_bad_embeddings(rows: _Rows) -> Iterator[Mask]:
    vectors = rows.lists("embedding")
    is_integer = pa.types.is_int8(rows.column("embedding").type.value_type)
    find = _are_bad_integers if is_integer else _are_bad_vectors
    parts = (vectors[start : start + _CHUNK_SIZE] for start in range(0, len(vectors), _CHUNK_SIZE))
    yield rows.of_lists("embedding", np.concatenate([np.zeros(0, bool), *(find(part, rows.radius) for part in parts)]))


def _are_bad_integers(vectors: NDArray[Any], _: float) -> Mask:
    return np.asarray(np.abs(vectors.astype(np.float32)).max(axis=1, initial=0) != INT8_PEAK)


def _are_bad_vectors(vectors: NDArray[Any], radius: float) -> Mask:
    vectors = vectors.astype(np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    tolerance = _NORM_TOLERANCE * radius + _FLOAT16_STEP * np.sqrt(vectors.shape[1])
    return np.asarray(~(np.abs(norms - radius) <= tolerance))  # true for NaN as well


#: By name: what is wrong with a row that breaks the rule, and a function that yields masks of such
#: rows. A rule may rely on the ones before it.
RULES: dict[str, tuple[str, Callable[[_Rows], Iterator[Mask]]]] = {
    "missing": ("the name, size, time, status or hash of a photo is missing", _find_missing),
    "status": ("the status of a photo is unknown", _find_unknown_statuses),
    "skipped": ("a photo that could not be read has content", _find_scanned_skips),
    "name": ("the name of a photo is not a file name", _find_bad_names),
    "order": ("the rows are out of order, or the faces of a photo are not numbered from 0", _find_disorder),
    "contradiction": ("the rows of a photo contradict each other", _find_contradictions),
    "hash": ("the content hash of a photo is not 32 hexadecimal digits", _find_bad_hashes),
    "size": ("the size of a photo is out of range", _find_bad_sizes),
    "orientation": ("the orientation of a photo is not 1 to 8", _find_bad_orientations),
    "date": ("the date of a photo is not in the years 1826 to 9999, or its source is unknown", _find_bad_dates),
    "place": ("the latitude or longitude of a photo is out of range", _find_bad_places),
    "min_face": ("the smallest face searched for is negative", _find_bad_min_faces),
    "text": ("the camera of a photo, or the reason it was skipped, is too long", _find_long_texts),
    "incomplete": ("a face lacks its number, id, box, score or some of its biometric data", _find_incomplete_faces),
    "frame": ("the frame of a face is out of range, or only some faces of a photo have one", _find_bad_frames),
    "id": ("a face id is not 16 hexadecimal digits", _find_bad_ids),
    "ambiguous": ("two different faces have the same id", _find_ambiguous_ids),
    "box": ("the box of a face is empty, or not within the photo", _find_bad_boxes),
    "score": ("the score of a face is not 0 to 1", _find_bad_scores),
    "quality": ("the quality of a face is not 0 to 1", _find_bad_qualities),
    "landmarks": ("the landmarks of a face are not finite", _find_bad_landmarks),
    "embedding": ("an embedding is not finite, or has the wrong norm", _find_bad_embeddings),
}
