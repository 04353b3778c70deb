"""The part of a comparison of all pairs that a Dask worker does: clusters against clusters, in blocks.

A worker makes its rows from the stored embeddings and the client's origin, to the bit as `ClusterMeans` does. It
answers with short lists for the rows of a block, and the client merges these.
"""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.blocked_pairs import find_near_pairs
from faceclust.cluster.constraints import TileMask
from faceclust.cluster.integer_filter import IntegerFilter, IntegerProduct
from faceclust.cluster.nearest_lists import SmallestEntries
from faceclust.cluster.pair_engine import MIN_FILTERED_ROWS
from faceclust.types import Float32, Float64, Indices

#: Clusters on one side of a block, at most: their positions fit into 16 bits.
MAX_SIDE = 1 << 16
_CHUNK = 2048  # rows converted at a time, so that they stay in the processor's cache
_SAMPLE = 8  # rows of a part of a file that are compared with the client's
_SIDES_KEPT = 4  # sides of blocks that a worker keeps for its next tasks

Positions16 = NDArray[np.uint16]
#: Clusters that have merged: positions in their part, and their rows of `ClusterMeans.targets`.
Patch = tuple[Positions16, Float32]


class FileRows(NamedTuple):
    """Rows `first` to `first + points` of a matrix in a file: `dimension` values of `dtype` from `offset` bytes on."""

    path: str
    offset: int
    dtype: str
    first: int
    points: int
    dimension: int
    sample: int

    def open(self) -> NDArray[np.floating]:
        """Map the rows into memory. Raises OSError or ValueError if the file is missing or another one."""
        dtype = np.dtype(self.dtype)
        start = self.offset + self.first * self.dimension * dtype.itemsize
        rows = np.memmap(self.path, dtype, "r", start, (self.points, self.dimension))
        if sample_rows(rows) != self.sample:
            raise ValueError(f"{self.path}: other content than on the client")
        return rows


def sample_rows(rows: NDArray[np.floating]) -> int:
    """Return a checksum of a few rows, evenly spaced."""
    places = np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.int64)
    return zlib.crc32(rows[places].tobytes())


class Part(NamedTuple):
    """Some clusters among up to MAX_SIDE consecutive points.

    `rows` are the stored embeddings of the points, `squares` (points,) float32 their squared norms plus offsets.
    Later `patches` take precedence over earlier ones. `members` are packed bits: which points name a cluster here.
    """

    rows: NDArray[np.floating] | FileRows
    squares: Float32
    patches: Sequence[Patch]
    members: bytes


class Side(NamedTuple):
    """The clusters of one side of a block. `key` names them and their state, for the worker's memory.

    `error` is the upper bound of the error of a float32 distance.
    """

    key: str
    centre: Float64
    error: float
    parts: Sequence[Part]


class Lists(NamedTuple):
    """Short lists of rows: the `counts` of each row, and its `columns` and float32 `values`, row by row, ascending."""

    counts: NDArray[np.uint8]
    columns: Positions16
    values: Float32


class Unreadable(NamedTuple):
    """The answer of a worker that cannot read the file of embeddings, or reads another one."""

    reason: str


class _OpenSide:
    """The rows of `ClusterMeans.targets` of a side, and a filter for products with them."""

    def __init__(self, targets: Float32, error: float) -> None:
        self.targets, self._error = targets, error

    @cached_property
    def integer_filter(self) -> IntegerFilter | None:
        """A filter that rules out most pairs, None if this processor or these clusters have none."""
        product = _find_integer_product(self.targets.shape[1] - 2)
        built = None if product is None else IntegerFilter(product, self.targets, self._error)
        return built if built is not None and built.is_useful else None


@cache
def _find_integer_product(dimension: int) -> IntegerProduct | None:
    from faceclust.engines.integer_product import find_integer_product  # loads the model runtime

    return find_integer_product(dimension)


_sides: OrderedDict[str, _OpenSide] = OrderedDict()
_lock = threading.Lock()


def compare_block(
    left: Side | Float32,
    right: Side,
    row_limits: Float32,
    column_limits: Float32 | None,
    mask: TileMask | None,
    length: int,
) -> tuple[Lists, ...] | Unreadable:
    """Return the `length` nearest columns of each row, and with `column_limits` the nearest rows of each column.

    `left` may be rows of `ClusterMeans.targets` instead. A side against itself is compared once; its lists are
    those of the rows.
    """
    try:
        side = _open_side(right)
        rows = left if isinstance(left, np.ndarray) else _open_side(left).targets
    except (OSError, ValueError) as error:
        return Unreadable(str(error))
    alone = not isinstance(left, np.ndarray) and left.key == right.key
    best = _limited(row_limits, length)
    other = best if alone else None if column_limits is None else _limited(column_limits, length)
    pairs = find_near_pairs(
        lambda part: _to_probes(rows[part]),
        side.targets,
        best.limits,
        None if other is None else other.limits,
        mask,
        rectangle=not alone,
        threads=1,
        integer_filter=side.integer_filter if len(rows) >= MIN_FILTERED_ROWS else None,
    )
    for found_rows, found_columns, values in pairs:
        best.add(found_rows, found_columns, values)
        if other is not None:
            other.add(found_columns, found_rows, values)
    return tuple(_pack_lists(lists) for lists in ((best,) if other is None or alone else (best, other)))


def _limited(limits: Float32, length: int) -> SmallestEntries:
    lists = SmallestEntries(len(limits), np.inf, length)
    lists.limits[:] = limits
    return lists


def _pack_lists(lists: SmallestEntries) -> Lists:
    lists.flush()
    used = lists.columns >= 0
    return Lists(
        np.count_nonzero(used, axis=1).astype(np.uint8), lists.columns[used].astype(np.uint16), lists.values[used]
    )


def _to_probes(targets: Float32) -> Float32:
    """Return the rows of `ClusterMeans.probes` from those of `targets`."""
    rows = targets.copy()
    rows[:, :-2] *= -2
    rows[:, -2:] = rows[:, :-3:-1]
    return rows


def _open_side(side: Side) -> _OpenSide:
    """Return the rows of a side. Raises OSError or ValueError if a file is unreadable."""
    with _lock:
        opened = _sides.pop(side.key, None)
    if opened is None:
        parts = [_make_targets(part, side.centre) for part in side.parts]
        opened = _OpenSide(parts[0] if len(parts) == 1 else np.concatenate(parts), side.error)
    with _lock:
        _sides[side.key] = opened
        while len(_sides) > _SIDES_KEPT:
            _sides.popitem(last=False)
    return opened


def targets_of(side: Side) -> Float32:
    """Return the rows of `ClusterMeans.targets` of a side, as this worker has them."""
    return _open_side(side).targets


def _make_targets(part: Part, centre: Float64) -> Float32:
    rows = part.rows.open() if isinstance(part.rows, FileRows) else part.rows
    members: Indices = np.flatnonzero(np.unpackbits(np.frombuffer(part.members, np.uint8), count=len(rows)))
    targets = np.empty((len(members), len(centre) + 2), np.float32)
    for start in range(0, len(members), _CHUNK):
        some = slice(start, start + _CHUNK)
        targets[some, :-2] = rows[members[some]] - centre
    targets[:, -2] = 1
    targets[:, -1] = part.squares[members]
    place = np.full(len(rows), -1)
    place[members] = np.arange(len(members))
    for points, merged in part.patches:
        at = place[points]
        targets[at[at >= 0]] = merged[at >= 0]
    return targets


def restrict_mask(mask: TileMask, rows: slice, columns: slice) -> TileMask | None:
    """Return the excluded pairs of a block; None without any."""
    first, last = np.searchsorted(mask.rows, (rows.start, rows.stop))
    row, column = mask.rows[first:last] - rows.start, mask.columns[first:last]
    inside = (column >= columns.start) & (column < columns.stop)
    blocks = [(_within(some, rows), _within(others, columns)) for some, others in mask.blocks]
    blocks = [(some, others) for some, others in blocks if len(some) and len(others)]
    part = TileMask(row[inside], column[inside] - columns.start, blocks)
    return part if len(part.rows) or blocks else None


def _within(positions: Indices, bounds: slice) -> Indices:
    """Return the ascending positions that lie in a range, relative to its start."""
    first, last = np.searchsorted(positions, (bounds.start, bounds.stop))
    return np.asarray(positions[first:last] - bounds.start)
