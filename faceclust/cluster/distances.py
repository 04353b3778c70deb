"""Average squared L2 between clusters, computed from sums and without an n×n matrix.

Let μ be the mean of a cluster's points and q the mean of their squared norms. Then the average
squared distance over all pairs between A and B is q_A + q_B − 2⟨μ_A, μ_B⟩.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceclust.types import Float32, Float64, Indices

_CHUNK = 2048  # pairs gathered at a time, so that their rows stay in the processor's cache


class ClusterMeans:
    """Sums and sizes of clusters, named by position; each point starts as a cluster of one.

    `offsets` (n,) are added to each distance: one for each of the two points. A negative
    smallest offset is subtracted from all, so that no distance is negative; `shift_limit` converts limits.
    """

    def __init__(self, points: NDArray[np.floating], offsets: Float64 | None = None) -> None:
        self.points, self.offsets = points, offsets
        values = points.astype(np.float64)
        # Distances do not depend on the origin, and small numbers have smaller rounding errors. A shift by
        # a multiple of a power of two keeps exact numbers exact.
        step = _ceil_power_of_two(max(values.max(initial=0.0), -values.min(initial=0.0))) / 64
        #: The new origin (d,). The row of a point is exactly `points[i]` in float64 minus this.
        self.centre: Float64 = np.zeros(values.shape[1])
        if len(values) and step:
            self.centre = np.rint(values.mean(axis=0) / step) * step
        values -= self.centre
        self.sums = values
        self.square_sums = np.einsum("ij,ij->i", values, values)
        smallest = 0.0 if offsets is None else float(offsets.min(initial=0.0))
        if offsets is not None:
            self.square_sums += offsets - smallest
        #: The difference between a true distance and the one computed here.
        self.shift = 2 * smallest
        self.sizes = np.ones(len(values), np.int64)
        largest = 4 * float(self.square_sums.max(initial=0.0))
        #: Distances are rounded to multiples of this, so that equal ones stay equal despite rounding errors.
        self.distance_step = _ceil_power_of_two(largest) * 2.0**-46
        #: An upper bound of the error of a float32 distance, from `probes` and `targets`.
        self.float32_error = (values.shape[1] + 8) * largest * 2.0**-24

    def shift_limit(self, limit: float) -> float:
        """Return a limit of true distances on the scale of the distances computed here."""
        return limit - self.shift

    def merge(self, into: NDArray[np.integer], others: NDArray[np.integer]) -> None:
        """Merge cluster others[i] into into[i] for each i; no cluster may occur twice."""
        self.sums[into] += self.sums[others]
        self.square_sums[into] += self.square_sums[others]
        self.sizes[into] += self.sizes[others]

    def merge_group(self, group: Indices) -> None:
        """Merge several clusters into one, named by the first of them."""
        first = group.min()
        for total in (self.sums, self.square_sums, self.sizes):
            total[first] = total[np.sort(group)].sum(axis=0)

    def pair_distances(self, a: NDArray[np.integer], b: NDArray[np.integer]) -> Float64:
        """Return the average squared distances of the pairs (a[i], b[i]), float64.

        Swapping `a` and `b` gives bit-identical results.
        """
        out = np.empty(len(a), np.float64)
        for start in range(0, len(a), _CHUNK):
            i, j = a[start : start + _CHUNK], b[start : start + _CHUNK]
            products = np.einsum("ij,ij->i", self.sums[i], self.sums[j]) / (self.sizes[i] * self.sizes[j])
            squares = self.square_sums[i] / self.sizes[i] + self.square_sums[j] / self.sizes[j]
            out[start : start + _CHUNK] = squares - 2 * products
        if self.distance_step:
            np.rint(out / self.distance_step, out=out)
            out *= self.distance_step
        return np.maximum(out, 0.0)

    def distances_to_all(self, rows: Indices) -> Float64:
        """Return the squared distances of some points to all points, float64 (rows, n)."""
        out = self.sums[rows] @ self.sums.T
        out *= -2
        out += self.square_sums[rows, None]
        out += self.square_sums
        if self.distance_step:
            np.rint(out / self.distance_step, out=out)
            out *= self.distance_step
        return np.maximum(out, 0.0, out=out)

    def scatter(self) -> Float64:
        """Return the mean squared distance of each cluster's points from their mean, float64 (n,)."""
        centres = np.einsum("ij,ij->i", self.sums, self.sums) / self.sizes**2
        return np.asarray(np.maximum(self.square_sums / self.sizes - centres, 0.0))

    def probes(self, clusters: Indices) -> Float32:
        """Return rows (m, d + 2) whose product with a row of `targets` is the distance of the two clusters."""
        rows = self.targets(clusters)
        rows[:, :-2] *= -2
        rows[:, -2:] = rows[:, :-3:-1]
        return rows

    def targets(self, clusters: Indices) -> Float32:
        """Return the rows (m, d + 2) that `probes` are multiplied with."""
        rows = np.empty((len(clusters), self.sums.shape[1] + 2), np.float32)
        for start in range(0, len(clusters), _CHUNK):
            some, part = clusters[start : start + _CHUNK], slice(start, start + _CHUNK)
            rows[part, :-2] = self.sums[some] / self.sizes[some, None]
            rows[part, -1] = self.square_sums[some] / self.sizes[some]
        rows[:, -2] = 1
        return rows


def _ceil_power_of_two(value: float) -> float:
    """Return the smallest power of two that is at least `value`; 0 for 0."""
    return float(2.0 ** np.ceil(np.log2(value))) if value > 0 else 0.0
