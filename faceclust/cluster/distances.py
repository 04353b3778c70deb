"""Average squared L2 between clusters from their sums, in blocks, without an n×n matrix.

With μ the mean of a cluster's points and q the mean of their squared norms, the average
squared distance of all pairs between A and B is q_A + q_B − 2⟨μ_A, μ_B⟩.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from faceclust.types import Float32

Float64 = NDArray[np.float64]
Indices = NDArray[np.int64]

_ROWS, _COLUMNS = 1024, 16384  # a tile of float32 distances: 64 MB


class ClusterMeans:
    """Sums and sizes of clusters named by position; a single point is a cluster of one."""

    def __init__(self, points: NDArray[np.floating]) -> None:
        values = points.astype(np.float64)
        # Distances do not change when all points move; small numbers round less.
        values -= values.mean(axis=0) if len(values) else 0.0
        self.sums = values
        self.square_sums = np.einsum("ij,ij->i", values, values)
        self.sizes = np.ones(len(values), np.int64)
        #: Bound on what a float32 distance of `tiles` is off by.
        self.rounding = float((values.shape[1] + 8) * 2.0**-24 * 4 * self.square_sums.max(initial=0.0))

    def merge(self, into: NDArray[np.integer], others: NDArray[np.integer]) -> None:
        """Unite pairs of clusters, element by element; no cluster may occur twice."""
        self.sums[into] += self.sums[others]
        self.square_sums[into] += self.square_sums[others]
        self.sizes[into] += self.sizes[others]

    def distance(self, a: NDArray[np.integer], b: NDArray[np.integer]) -> Float64:
        """Average squared distances of the pairs (a[i], b[i]), float64, symmetric to the bit."""
        out = np.empty(len(a), np.float64)
        for start in range(0, len(a), 65536):  # bounds the memory of the gathered rows
            i, j = a[start : start + 65536], b[start : start + 65536]
            products = np.einsum("ij,ij->i", self.sums[i], self.sums[j]) / (self.sizes[i] * self.sizes[j])
            squares = self.square_sums[i] / self.sizes[i] + self.square_sums[j] / self.sizes[j]
            out[start : start + 65536] = squares - 2 * products
        return np.maximum(out, 0.0)

    def tiles(self, rows: Indices, columns: Indices) -> Iterator[tuple[slice, slice, Float32]]:
        """All distances between clusters `rows` and `columns`, tile by tile, in float32: the
        slice of rows, the slice of columns, the distances (valid until the next tile)."""
        buffer = np.empty(_ROWS * min(_COLUMNS, max(len(columns), 1)), np.float32)
        right, right_squares = self._single(columns)
        for r in range(0, len(rows), _ROWS):
            left, left_squares = self._single(rows[r : r + _ROWS])
            left *= -2
            for c in range(0, len(columns), _COLUMNS):
                part = right[c : c + _COLUMNS]
                tile = buffer[: len(left) * len(part)].reshape(len(left), len(part))
                np.matmul(left, part.T, out=tile)
                tile += left_squares[:, None]
                tile += right_squares[c : c + _COLUMNS]
                yield slice(r, r + len(left)), slice(c, c + len(part)), tile

    def _single(self, clusters: Indices) -> tuple[Float32, Float32]:
        means = (self.sums[clusters] / self.sizes[clusters, None]).astype(np.float32)
        return means, (self.square_sums[clusters] / self.sizes[clusters]).astype(np.float32)
