"""Compare pairs of clusters on a device, through ONNX Runtime.

The device gives the nearest columns of each row of a tile. A device that computes in less than float32
gives the same clusters with a larger error bound: more lists are rebuilt, by this process if need be.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np

from faceclust.cluster.constraints import TileMask
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.nearest_lists import SmallestEntries
from faceclust.cluster.pair_engine import Comparison, OnRows, ThreadEngine
from faceclust.engines.onnx_graphs import build_tile_graph
from faceclust.errors import FaceclustError
from faceclust.packs.session import OnnxGraph
from faceclust.types import Float32, Indices

_TILE_ROWS, _TILE_COLUMNS = 1024, 1 << 16  # float32: 256 MB
_MAX_HIDDEN = 1 << 22  # excluded entries of a tile, which bounds the memory
_MIN_PAIRS = 1 << 28  # fewer are compared sooner by threads than copied to a device

#: Relative errors of a rounded number: float32; float16 or TF32, rounded and truncated; bfloat16, likewise.
_UNITS = (0.0, 2.0**-11, 2.0**-10, 2.0**-8, 2.0**-7)
_FINE_UNIT = 2.0**-10  # with a larger error, rebuilding by means would leave thousands of lists to float64
_SAMPLE, _SAMPLE_STEP = 512, 61  # clusters in a sample, and which of their distances are compared with float64
_MARGIN = 2  # the largest error of a trillion pairs is less than twice that of a few thousand

Hide = Callable[[slice, slice], tuple[Indices, Indices]]


class DevicePairEngine:
    """A `PairEngine` that computes distances on a device, one of `packs.session.DEVICES`.

    The device's error is measured against float64 before each comparison. It chooses the error bound,
    the smallest that is at least twice as large: float32's, or that of a format with fewer bits. A
    comparison raises PackError if ONNX Runtime cannot use the device, and FaceclustError if its error
    exceeds every bound.
    """

    def __init__(self, device: str) -> None:
        self._device, self._threads = device, ThreadEngine()

    @cached_property
    def _graph(self) -> OnnxGraph:
        """The tile. Opening a GPU takes seconds, and adding a few faces to groups needs none."""
        return OnnxGraph(build_tile_graph(), self._device, "the comparison of pairs")

    def compare_all(self, means: ClusterMeans, clusters: Indices, limit: float, on_rows: OnRows) -> Comparison:
        """See `PairEngine`. All pairs are compared, not half of them, because a row's list needs a whole row."""
        error = self._choose_error(means, clusters)
        return self._compare(means, clusters, clusters, limit, error, None, _as_triangle(on_rows, len(clusters)))

    def compare_some(
        self,
        means: ClusterMeans,
        rows: Indices,
        columns: Indices,
        limit: float,
        mask: TileMask | None,
        on_rows: OnRows,
    ) -> Comparison:
        """See `PairEngine`. Threads compare few pairs, or all of them if the device is not precise enough."""
        if len(rows) * len(columns) >= _MIN_PAIRS:
            error = self._choose_error(means, columns)
            if error <= means.error_of_rounded(_FINE_UNIT):
                return self._compare(means, rows, columns, limit, error, mask, on_rows)
        return self._threads.compare_some(means, rows, columns, limit, mask, on_rows)

    def _compare(
        self,
        means: ClusterMeans,
        rows: Indices,
        columns: Indices,
        limit: float,
        error: float,
        mask: TileMask | None,
        on_rows: OnRows,
    ) -> Comparison:
        best = SmallestEntries(len(rows), limit + error)
        length = best.columns.shape[1]
        tiles = [self._copy_columns(means, columns[part]) for part in _ranges(len(columns), _TILE_COLUMNS)]
        _, own_rows, own_columns = np.intersect1d(rows, columns, assume_unique=True, return_indices=True)
        order = np.argsort(own_rows)
        masks = [TileMask(own_rows[order], own_columns[order], []), *([mask] if mask else [])]
        for part in _ranges(len(rows), _rows_at_a_time(mask, len(columns))):
            left = means.targets(rows[part])
            found = [
                # One more than a list holds, so that the list is full even if one place is wasted.
                self._find_nearest(left, tile, length + 1, [each.entries_in(part, place) for each in masks])
                for tile, place in zip(tiles, _ranges(len(columns), _TILE_COLUMNS), strict=True)
            ]
            distances = np.concatenate([each["distances"] for each in found], axis=1)
            nearest = np.concatenate([each["nearest"] + k * _TILE_COLUMNS for k, each in enumerate(found)], axis=1)
            row, slot = np.nonzero(np.isfinite(distances))
            best.add((row + part.start).astype(np.int32), nearest[row, slot].astype(np.int32), distances[row, slot])
            on_rows(len(left))
        best.flush()
        return Comparison(best, error)

    def _copy_columns(self, means: ClusterMeans, clusters: Indices) -> dict[str, Any]:
        """Copy the right-hand factor of a tile to the device."""
        targets = means.targets(clusters)
        parts = {"columns": targets[:, :-2], "column_squares": targets[None, :, -1]}
        return {name: self._graph.copy_to_device(part) for name, part in parts.items()} | {"size": len(clusters)}

    def _find_nearest(
        self, left: Float32, tile: dict[str, Any], length: int, hidden: list[tuple[Indices, Indices]]
    ) -> dict[str, Any]:
        """Return the `nearest` columns (r, length) of the rows, at most all, and their `distances`."""
        entries = np.concatenate([np.stack(each, axis=1) for each in hidden]) if hidden else np.empty((0, 2), np.int64)
        inputs = {name: value for name, value in tile.items() if name != "size"}
        return self._graph(
            inputs
            | {
                "rows": left[:, :-2],
                "row_squares": left[:, -1:],
                "hidden": entries.astype(np.int64, copy=False),
                "hidden_values": np.full(len(entries), np.inf, np.float32),
                "length": np.array([min(length, tile["size"])]),
            }
        )

    def _choose_error(self, means: ClusterMeans, clusters: Indices) -> float:
        """Return the smallest error bound that covers the device's error on a sample of these clusters."""
        measured = self._measure_error(means, clusters)
        bounds = [means.error_of_rounded(unit) for unit in _UNITS]
        for bound in bounds:
            if _MARGIN * measured <= bound:
                return bound
        raise FaceclustError(
            f"{self._device} computes squared distances with an error of {measured:.2g}, "
            f"which is too much: at most {bounds[-1] / _MARGIN:.2g} is supported",
            hint="faceclust cluster --device cpu",
        )

    def _measure_error(self, means: ClusterMeans, clusters: Indices) -> float:
        """Return the largest error of some thousand pairs. Truncated numbers are worst for a cluster and itself."""
        sample = clusters[:: max(1, len(clusters) // _SAMPLE)][:_SAMPLE]
        found = self._find_nearest(means.targets(sample), self._copy_columns(means, sample), len(sample), [])
        row, column = np.broadcast_to(np.arange(len(sample))[:, None], found["nearest"].shape), found["nearest"]
        chosen = (row == column) | (np.arange(row.size).reshape(row.shape) % _SAMPLE_STEP == 0)
        exact = means.pair_distances(sample[row[chosen]], sample[column[chosen]])
        return float(np.abs(found["distances"][chosen] - exact).max(initial=0))


def _ranges(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _rows_at_a_time(mask: TileMask | None, columns: int) -> int:
    """Return the rows of a tile; fewer if large sets of clusters exclude each other."""
    hidden = min(columns, sum(len(block) for _, block in mask.blocks)) if mask else 0
    return max(1, min(_TILE_ROWS, _MAX_HIDDEN // max(hidden, 1)))


def _as_triangle(on_rows: OnRows, n: int) -> OnRows:
    """Return an `on_rows` for rows of the square that reports rows of a triangle with as large a share of the pairs."""
    done = reported = 0

    def on_square_rows(rows: int) -> None:
        nonlocal done, reported
        done += rows
        share = round(n * (1 - sqrt(max(0.0, 1 - done / n))))
        on_rows(share - reported)
        reported = share

    return on_square_rows
