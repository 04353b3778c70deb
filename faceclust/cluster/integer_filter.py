"""Rule out pairs by a product of 8-bit integers, which many processors compute four times as fast as one of float32.

Let x = s·p + e and y = s·q + f, where p and q are integers up to 127 and e and f rounding errors. Then
⟨x, y⟩ − s²⟨p, q⟩ = ⟨e, s·q⟩ + ⟨x, f⟩, which is at most |e|·|s·q| + |x|·|f| (Cauchy-Schwarz). So the squared
distance |x|² + |y|² − 2⟨x, y⟩ has a lower bound in integers. It rules out most pairs for certain; the
others are candidates, for the caller to compute in float32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from faceclust.types import Float32, UInt8

Int8 = NDArray[np.int8]
Int32 = NDArray[np.int32]
#: Writes the product of a (m, k) minus 128 and b (k, n) to out (m, n), exactly.
IntegerProduct = Callable[[UInt8, Int8, Int32], None]

_MAX = 127  # of an integer
_ZERO = 128  # what an unsigned integer of 0 is stored as
_LOWEST = int(np.iinfo(np.int32).min)
_CHUNK = 1 << 14  # targets encoded at a time, which bounds the memory


class IntegerFilter:
    """Lower bounds of the distances of probes to the rows of `targets` (n, d + 2), see `ClusterMeans`.

    A bound is a product of integers. Beside those of the vectors, each factor has some for the squared
    norm of its own vector, which meet 127 in the other factor. `error` is an upper bound of the error of
    a float32 distance: a pair that float32 puts within a limit is a candidate for certain.
    """

    def __init__(self, product: IntegerProduct, targets: Float32, error: float) -> None:
        self._product, self._error = product, error
        vectors, squares = targets[:, :-2], targets[:, -1]
        #: The step s between integers.
        self._step = max(float(vectors.max(initial=0)), -float(vectors.min(initial=0))) / _MAX
        self._unit = 2 * self._step**2  # of an integer product, as a squared distance
        highest = float(squares.max(initial=0)) / (self._unit * _MAX**2) if self._unit else np.inf
        #: Whether this takes less work than float32. It does not for offsets much larger than the vectors.
        self.is_useful = highest < 2 + vectors.shape[1] / 4
        if not self.is_useful:
            return
        self._extra = int(highest) + 1  # entries for each of the two squared norms
        self._largest_error = self._largest_norm = 0.0
        self._columns = np.empty((vectors.shape[1] + 2 * self._extra, len(targets)), np.int8)
        for start in range(0, len(targets), _CHUNK):
            part = slice(start, start + _CHUNK)
            integers, errors = self._round(vectors[part].astype(np.float64))
            self._largest_error = max(self._largest_error, float(errors.max()))
            self._largest_norm = max(self._largest_norm, self._step * float(np.linalg.norm(integers, axis=1).max()))
            own, others = self._split(self._heights(squares[part].astype(np.float64))), np.full(len(integers), _MAX)
            self._columns[:, part] = np.vstack([integers.T, own, *[others] * self._extra])

    def encode(self, probes: Float32) -> UInt8 | None:
        """Return the left-hand factor (r, k) for some probes (r, d + 2); None if they are out of range."""
        vectors, squares = probes[:, :-2].astype(np.float64) / -2, probes[:, -2].astype(np.float64)
        integers, errors = self._round(vectors)
        slack = 2 * (errors * self._largest_norm + np.linalg.norm(vectors, axis=1) * self._largest_error)
        heights = self._heights(squares - slack - self._error)
        if heights.min(initial=0) < -_MAX * self._extra:
            return None
        others = np.full(len(integers), -_MAX)
        rows = np.vstack([integers.T, *[others] * self._extra, -self._split(heights)])
        return (rows.T + _ZERO).astype(np.uint8, order="C")

    def multiply(self, rows: UInt8, columns: slice, out: Int32) -> None:
        """Write the negative lower bounds of a tile to `out` (r, c), in units of their own."""
        self._product(rows, np.ascontiguousarray(self._columns[:, columns]), out)

    def convert_limits(self, limits: Float32) -> Int32:
        """Convert limits of distances: a pair may be within one if its product is at least the result."""
        # Two less, because of rounding towards 0. Excluded pairs, at the lowest integer, are within no limit.
        converted = limits * np.float64(-1 / self._unit) - 2
        return np.clip(converted, _LOWEST + 1, -_LOWEST - 1).astype(np.int32)

    def _round(self, vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return integers (n, d), and the norms (n,) of the rounding errors."""
        integers = np.clip(np.rint(vectors / self._step), -_MAX, _MAX)
        return integers, np.linalg.norm(vectors - integers * self._step, axis=1)

    def _heights(self, squares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return squared norms as multiples of 127 units, rounded down, and at most what can be encoded."""
        return np.minimum(np.floor(squares / (self._unit * _MAX)), _MAX * self._extra)

    def _split(self, heights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return entries (m, n) from −127 to 127 whose sums are the heights (n,)."""
        entries = np.empty((self._extra, len(heights)))
        for k in range(self._extra):
            entries[k] = np.clip(heights - entries[:k].sum(axis=0), -_MAX, _MAX)
        return entries
