"""The faces nearest to each face, exactly, and the same ones however many threads look."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from faceclust.progress import Progress, SilentProgress
from faceclust.types import Float32

_BLOCK_ENTRIES = 1 << 22  # of the distance matrix looked at at a time, by each thread: 16 MB, and their order


def find_nearest_faces(
    embeddings: Float32,
    k: int,
    *,
    candidate_count: int | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> tuple[NDArray[np.int32], Float32]:
    """For each of the vectors (n, d), all of one norm, the rows of the `k` nearest others and the
    L2 distances to them, both (n, k), nearest first. `among`: only the first so many are
    neighbours, at least k + 1. Of vectors equally near, which come does not depend on `threads`."""
    progress = progress or SilentProgress()
    targets = np.ascontiguousarray(embeddings[:candidate_count])
    n, m = len(embeddings), len(targets)
    norms = np.einsum("ij,ij->i", targets, targets)
    rows = min(1024, max(1, _BLOCK_ENTRIES // m))  # by the number of faces alone: other pieces round otherwise

    def piece(start: int) -> tuple[NDArray[np.int32], Float32]:
        some = embeddings[start : start + rows]
        far = norms - 2 * (some @ targets.T)  # squared L2, less the row's own norm
        own = np.arange(start, min(start + len(some), m))
        far[own - start, own] = np.inf
        near = np.argpartition(far, k - 1, axis=1)[:, :k]
        near = np.take_along_axis(near, np.lexsort((near, np.take_along_axis(far, near, 1))), 1)
        gaps = np.einsum("ijk,ijk->ij", *[some[:, None] - targets[near]] * 2)  # without cancellation
        return near.astype(np.int32), np.sqrt(gaps)

    found: list[tuple[NDArray[np.int32], Float32]] = []
    progress.start("comparing faces", n, "faces")
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[tuple[NDArray[np.int32], Float32]]] = deque()
        try:
            for start in range(0, n, rows):
                waiting.append(pool.submit(piece, start))
                while len(waiting) > 2 * threads or (waiting and start + rows >= n):
                    found.append(waiting.popleft().result())
                    progress.advance(len(found[-1][0]))
        finally:
            for future in waiting:
                future.cancel()
    progress.finish()
    return np.concatenate([near for near, _ in found]), np.concatenate([gaps for _, gaps in found])
