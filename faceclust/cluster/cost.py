"""Estimate the time and memory of clustering a library beforehand."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

from faceclust.cluster.nearest_lists import LIST_LENGTH

_BASE_MEMORY = 300_000_000  # bytes, of the program without faces


@dataclass(frozen=True)
class CostEstimate:
    """The number of `pairs` of faces to compare, the peak `memory` in bytes, and the time in `seconds`."""

    pairs: int
    memory: int
    seconds: float


def estimate_cost(face_count: int, dimension: int) -> CostEstimate:
    """Estimate the cost of clustering from scratch by average linkage.

    The time to compare all pairs follows from a short measurement of this machine's matrix products.
    The rest takes a fifth of it, and a time for each face (fitted to 100,000 and 1,000,000 faces of
    tests/benchmarks/cluster.py on a processor with fast products of integers).
    """
    pairs = face_count * (face_count - 1) // 2
    # Per face: one factor of the product (float32), sums (float64) of the quarter of the faces that have
    # merged, the neighbour lists and the buffers that fill them; ids, the merges and temporaries. The
    # embeddings of large libraries are mapped from a file.
    each = dimension * (4 + 2) + LIST_LENGTH * (4 + 8) + LIST_LENGTH * 8 + 700
    comparing = pairs * 2 * dimension / _measure_flops(dimension) / (os.cpu_count() or 1)
    return CostEstimate(pairs, _BASE_MEMORY + face_count * each, 0.5 + face_count * 1.4e-4 + 1.2 * comparing)


def describe_cost(cost: CostEstimate, face_count: int) -> str:
    """Format a cost: "50,000 faces, 1.2 billion pairs to compare: about 10 seconds and 0.4 GB of memory"."""
    time = f"{cost.seconds / 60:.0f} minutes" if cost.seconds >= 90 else f"{max(cost.seconds, 1):.0f} seconds"
    pairs = f"{cost.pairs / 1e9:,.1f} billion pairs"
    return f"{face_count:,} faces, {pairs} to compare: about {time} and {cost.memory / 1e9:.1f} GB of memory"


def _measure_flops(dimension: int) -> float:
    """Measure the floating-point operations per second of one core in float32 matrix products."""
    from threadpoolctl import threadpool_limits

    left, right = np.ones((512, dimension), np.float32), np.ones((2048, dimension), np.float32)
    out = np.empty((512, 2048), np.float32)
    with threadpool_limits(1, "blas"):
        np.matmul(left, right.T, out=out)
        started = time.perf_counter()
        for _ in range(8):
            np.matmul(left, right.T, out=out)
    return 8 * 2 * out.size * dimension / max(time.perf_counter() - started, 1e-9)
