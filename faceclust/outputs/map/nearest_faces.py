"""Exact nearest neighbours of each face, independent of the number of threads."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from faceclust.progress import Progress, SilentProgress
from faceclust.types import Float32

_BLOCK_ENTRIES = 1 << 22  # entries of the distance matrix per thread: 16 MB, and as much for their order


def find_nearest_faces(
    embeddings: Float32,
    k: int,
    *,
    candidate_count: int | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> tuple[NDArray[np.int32], Float32]:
    """Find the `k` nearest other embeddings of each of the embeddings (n, d), all of one norm.

    Return their rows, int32 (n, k), and the L2 distances, float32 (n, k), nearest first. Only the first
    `candidate_count` embeddings, at least k + 1, are candidates. Ties are resolved independently of
    `threads`.
    """
    progress = progress or SilentProgress()
    targets = np.ascontiguousarray(embeddings[:candidate_count])
    n, m = len(embeddings), len(targets)
    norms = np.einsum("ij,ij->i", targets, targets)
    # The block size must not depend on `threads`: other blocks round differently.
    rows = min(1024, max(1, _BLOCK_ENTRIES // m))

    def search_block(start: int) -> tuple[NDArray[np.int32], Float32]:
        block = embeddings[start : start + rows]
        distances = norms - 2 * (block @ targets.T)  # squared L2, less the row's own norm
        own = np.arange(start, min(start + len(block), m))
        distances[own - start, own] = np.inf
        near = np.argpartition(distances, k - 1, axis=1)[:, :k]
        near = np.take_along_axis(near, np.lexsort((near, np.take_along_axis(distances, near, 1))), 1)
        exact = np.einsum("ijk,ijk->ij", *[block[:, None] - targets[near]] * 2)  # without cancellation
        return near.astype(np.int32), np.sqrt(exact)

    found: list[tuple[NDArray[np.int32], Float32]] = []
    progress.start("comparing faces", n, "faces")
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[tuple[NDArray[np.int32], Float32]]] = deque()
        try:
            for start in range(0, n, rows):
                pending.append(pool.submit(search_block, start))
                while len(pending) > 2 * threads or (pending and start + rows >= n):
                    found.append(pending.popleft().result())
                    progress.advance(len(found[-1][0]))
        finally:
            for future in pending:
                future.cancel()
    progress.finish()
    return np.concatenate([near for near, _ in found]), np.concatenate([distances for _, distances in found])
