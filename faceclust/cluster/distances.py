"""Average squared L2 between clusters, computed from sums and without an n×n matrix.

Let μ be the mean of a cluster's points and q the mean of their squared norms. Then the average
squared distance over all pairs between A and B is q_A + q_B − 2⟨μ_A, μ_B⟩.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from faceclust.types import Float32, Float64, Indices

_CHUNK = 2048  # pairs gathered at a time, so that their rows stay in the processor's cache


class ClusterMeans:
    """Sums and sizes of clusters, named by position; each point starts as a cluster of one.

    The sum of a single point follows from `points` (n, d), which are never copied and may be a
    memory-mapped file. Only clusters that have merged have a sum in memory. `offsets` (n,) are added to
    each distance: one for each of the two points. A negative smallest offset is subtracted from all,
    so that no distance is negative; `shift_limit` converts limits.
    """

    def __init__(self, points: NDArray[np.floating], offsets: Float64 | None = None) -> None:
        self.points, self.offsets = points, offsets
        n, dimension = points.shape
        # Distances do not depend on the origin, and small numbers have smaller rounding errors. A shift by
        # a multiple of a power of two keeps exact numbers exact.
        step = _ceil_power_of_two(max(float(points.max(initial=0.0)), -float(points.min(initial=0.0)))) / 64
        #: The new origin (d,). The row of a point is exactly `points[i]` in float64 minus this.
        self.centre: Float64 = np.zeros(dimension)
        if n and step:
            total = sum_rows(lambda part: points[part].astype(np.float64), n)
            self.centre = np.rint(total / n / step) * step
        self.square_sums = np.empty(n)
        self.sizes = np.ones(n, np.int64)
        # At most half as many clusters as points have several points. The system provides the memory of
        # these rows only as they are written.
        self._sums = np.empty((n // 2, dimension))
        self._row_of = np.full(n, -1, np.int32)  # the row in _sums of a cluster that has merged
        self._free_rows: Indices = np.empty(0, np.int64)
        self._used_rows = 0
        for start in range(0, n, _CHUNK):
            part = slice(start, start + _CHUNK)
            rows = points[part] - self.centre
            self.square_sums[part] = np.einsum("ij,ij->i", rows, rows)
        smallest = 0.0 if offsets is None else float(offsets.min(initial=0.0))
        if offsets is not None:
            self.square_sums += offsets - smallest
        #: The difference between a true distance and the one computed here.
        self.shift = 2 * smallest
        largest = 4 * float(self.square_sums.max(initial=0.0))
        #: Distances are rounded to multiples of this, so that equal ones stay equal despite rounding errors.
        self.distance_step = _ceil_power_of_two(largest) * 2.0**-46
        #: An upper bound of the error of a float32 distance, from `probes` and `targets`.
        self.float32_error: float = (dimension + 8) * largest * 2.0**-24
        self._largest = largest

    def error_of_rounded(self, unit: float) -> float:
        """Return an upper bound of the error of a float32 distance whose product is of rounded vectors.

        `unit` is the largest relative error of a number that is rounded. The squared norms are not.
        """
        # By Cauchy-Schwarz 4·unit·|a|·|b|, and a hundredth for unit² and numbers too small for the format.
        return self.float32_error + 1.01 * unit * self._largest

    def shift_limit(self, limit: float) -> float:
        """Return a limit of true distances on the scale of the distances computed here."""
        return limit - self.shift

    def sums(self, clusters: NDArray[np.integer]) -> Float64:
        """Return the sums (m, d) of some clusters, float64, relative to the new origin."""
        rows = self._row_of[clusters]
        merged = rows >= 0
        if not merged.any():
            return np.asarray(self.points[clusters] - self.centre)
        out = np.empty((len(clusters), len(self.centre)))
        out[merged] = self._sums[rows[merged]]
        out[~merged] = self.points[clusters[~merged]] - self.centre
        return out

    def merge(self, into: NDArray[np.integer], others: NDArray[np.integer]) -> None:
        """Merge cluster others[i] into into[i] for each i; no cluster may occur twice."""
        for start in range(0, len(into), _CHUNK):
            a, b = into[start : start + _CHUNK], others[start : start + _CHUNK]
            sums = self.sums(a) + self.sums(b)
            self._release(b)
            self._store(a, sums)
        self.square_sums[into] += self.square_sums[others]
        self.sizes[into] += self.sizes[others]

    def merge_group(self, group: Indices) -> None:
        """Merge several clusters into one, named by the first of them."""
        group = np.sort(group)
        total = sum_rows(lambda part: self.sums(group[part]), len(group))
        self._release(group)
        self._store(group[:1], total)
        for values in (self.square_sums, self.sizes):
            values[group[0]] = values[group].sum(axis=0)

    def _release(self, clusters: NDArray[np.integer]) -> None:
        """Free the rows of clusters that are absorbed."""
        rows = self._row_of[clusters]
        self._free_rows = np.append(self._free_rows, rows[rows >= 0])
        self._row_of[clusters] = -1

    def _store(self, clusters: NDArray[np.integer], sums: Float64) -> None:
        """Set the sums of clusters, and give a row to those that have none."""
        new = clusters[self._row_of[clusters] < 0]
        reused = min(len(new), len(self._free_rows))
        left = len(self._free_rows) - reused
        added = np.arange(self._used_rows, self._used_rows + len(new) - reused)
        self._row_of[new] = np.append(self._free_rows[left:], added)
        self._free_rows, self._used_rows = self._free_rows[:left], self._used_rows + len(added)
        self._sums[self._row_of[clusters]] = sums

    def pair_distances(self, a: NDArray[np.integer], b: NDArray[np.integer]) -> Float64:
        """Return the average squared distances of the pairs (a[i], b[i]), float64.

        Swapping `a` and `b` gives bit-identical results.
        """
        out = np.empty(len(a), np.float64)
        for start in range(0, len(a), _CHUNK):
            i, j = a[start : start + _CHUNK], b[start : start + _CHUNK]
            products = np.einsum("ij,ij->i", self.sums(i), self.sums(j)) / (self.sizes[i] * self.sizes[j])
            squares = self.square_sums[i] / self.sizes[i] + self.square_sums[j] / self.sizes[j]
            out[start : start + _CHUNK] = squares - 2 * products
        if self.distance_step:
            np.rint(out / self.distance_step, out=out)
            out *= self.distance_step
        return np.maximum(out, 0.0)

    def distances_to_all(self, rows: Indices) -> Float64:
        """Return the squared distances of some points to all points, float64 (rows, n)."""
        out, left = np.empty((len(rows), len(self.sizes))), self.sums(rows)
        for start in range(0, len(self.sizes), _CHUNK):
            some = np.arange(start, min(start + _CHUNK, len(self.sizes)))
            np.matmul(left, self.sums(some).T, out=out[:, some[0] : some[-1] + 1])
        out *= -2
        out += self.square_sums[rows, None]
        out += self.square_sums
        if self.distance_step:
            np.rint(out / self.distance_step, out=out)
            out *= self.distance_step
        return np.maximum(out, 0.0, out=out)

    def scatter(self) -> Float64:
        """Return the mean squared distance of each cluster's points from their mean, float64 (n,)."""
        centres = np.empty(len(self.sizes))
        for start in range(0, len(self.sizes), _CHUNK):
            some = np.arange(start, min(start + _CHUNK, len(self.sizes)))
            sums = self.sums(some)
            centres[some] = np.einsum("ij,ij->i", sums, sums)
        centres /= self.sizes**2
        return np.asarray(np.maximum(self.square_sums / self.sizes - centres, 0.0))

    def probes(self, clusters: Indices) -> Float32:
        """Return rows (m, d + 2) whose product with a row of `targets` is the distance of the two clusters."""
        rows = self.targets(clusters)
        rows[:, :-2] *= -2
        rows[:, -2:] = rows[:, :-3:-1]
        return rows

    def targets(self, clusters: Indices) -> Float32:
        """Return the rows (m, d + 2) that `probes` are multiplied with."""
        rows = np.empty((len(clusters), len(self.centre) + 2), np.float32)
        for start in range(0, len(clusters), _CHUNK):
            some, part = clusters[start : start + _CHUNK], slice(start, start + _CHUNK)
            rows[part, :-2] = self.sums(some) / self.sizes[some, None]
            rows[part, -1] = self.square_sums[some] / self.sizes[some]
        rows[:, -2] = 1
        return rows


def sum_rows(rows: Callable[[slice], Float64], n: int) -> Float64:
    """Return the sum (d,) of n rows, of which `rows` returns a part (k, d), in the order of one sum over all."""
    total = rows(slice(0, _CHUNK)).sum(axis=0)
    for start in range(_CHUNK, n, _CHUNK):
        total = np.concatenate([total[None], rows(slice(start, start + _CHUNK))]).sum(axis=0)
    return np.asarray(total)


def _ceil_power_of_two(value: float) -> float:
    """Return the smallest power of two that is at least `value`; 0 for 0."""
    return float(2.0 ** np.ceil(np.log2(value))) if value > 0 else 0.0
