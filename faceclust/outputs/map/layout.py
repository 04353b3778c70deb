"""Lay out embeddings in the plane so that similar faces are close together.

The methods are t-SNE (van der Maaten and Hinton 2008) by openTSNE, and UMAP (McInnes et al. 2018) by
umap-learn (extra `umap`). Both start from the two principal components and use only the distances to
the nearest neighbours. Both are deterministic, whatever the number of threads. t-SNE preserves more of
the neighbours than UMAP.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from faceclust.errors import FaceclustError, UsageError
from faceclust.outputs.map.nearest_faces import find_nearest_faces
from faceclust.progress import Progress, SilentProgress
from faceclust.types import Float32, Float64

METHODS = ("tsne", "umap")
#: Further faces are placed beside their nearest neighbours among these.
MAX_LAYOUT_FACES = 100_000
_PERPLEXITY = 30.0  # effective number of neighbours in t-SNE, which takes three times as many
_UMAP_NEIGHBOURS = 15
_PLACEMENT_NEIGHBOURS = 5  # a face beyond the limit is placed at their median
_BARNES_HUT_LIMIT = 10_000  # up to this many faces Barnes-Hut is faster than FFT interpolation
#: Iterations of t-SNE with and without early exaggeration, after Belkina et al. 2019.
_EARLY_ITERATIONS, _LATE_ITERATIONS, _EXAGGERATION = 250, 500, 12.0


def require_method(method: str) -> None:
    """Raises UsageError for an unknown method, FaceclustError for one that is not installed."""
    if method not in METHODS:
        raise UsageError(f"unknown layout method {method!r}", hint=f"known: {', '.join(METHODS)}")
    if method == "umap" and find_spec("umap") is None:
        raise FaceclustError(
            "umap-learn is not installed", hint="pip install 'faceclust[umap]', or leave out --method umap"
        )


def compute_layout(
    embeddings: Float32,
    method: str = "tsne",
    *,
    threads: int | None = None,
    max_faces: int = MAX_LAYOUT_FACES,
    progress: Progress | None = None,
) -> Float32:
    """Compute points in the plane, float32 (n, 2), for embeddings (n, d) of one norm.

    Coordinates are 0 to 1: the larger extent fills the range, the smaller one is centred. The result
    depends on the embeddings and their order only, not on `threads` (default: one per core).

    Only the first `max_faces` are laid out. Each further face is placed at the median of its nearest
    neighbours among them. Raises as `require_method` does.
    """
    require_method(method)
    progress, threads = progress or SilentProgress(), threads or os.cpu_count() or 1
    points = _project_to_plane(np.ascontiguousarray(embeddings[:max_faces], np.float32), method, threads, progress)
    if len(embeddings) > max_faces:
        k = min(_PLACEMENT_NEIGHBOURS, max_faces - 1)
        near, _ = find_nearest_faces(embeddings, k, candidate_count=max_faces, threads=threads, progress=progress)
        # The median, unlike the mean, does not fall between two groups if the neighbours are in both.
        points = np.concatenate([points, np.median(points[near[max_faces:]], axis=1)])
    return _fit_unit_square(points)


def _project_to_plane(embeddings: Float32, method: str, threads: int, progress: Progress) -> Float64:
    n = len(embeddings)
    start = principal_plane(embeddings)
    if n < 4 or not np.ptp(start, axis=0).any():  # too few faces, or all identical
        return start
    neighbours = int(3 * _PERPLEXITY) if method == "tsne" else _UMAP_NEIGHBOURS
    near, gaps = find_nearest_faces(embeddings, min(neighbours, n - 1), threads=threads, progress=progress)
    with threadpool_limits(1, user_api="blas"):
        layout: Callable[..., Float64] = _run_tsne if method == "tsne" else _run_umap
        return layout(embeddings, start, near, gaps, threads, progress)


def principal_plane(embeddings: Float32) -> Float64:
    """Project onto the first two principal components, float64 (n, 2).

    The sign of each component is chosen so that its largest weight is positive.
    """
    if not len(embeddings):
        return np.empty((0, 2))
    with threadpool_limits(1, user_api="blas"):
        centred = embeddings.astype(np.float64) - embeddings.mean(axis=0, dtype=np.float64)
        axes = np.linalg.eigh(centred.T @ centred)[1][:, :-3:-1]
        axes *= np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
        return np.asarray(centred @ axes)


def _run_tsne(
    embeddings: Float32,
    start: Float64,
    neighbours: NDArray[np.int32],
    distances: Float32,
    threads: int,
    progress: Progress,
) -> Float64:
    tsne: Any = import_module("openTSNE")
    n, k = neighbours.shape
    index = import_module("openTSNE.nearest_neighbors").PrecomputedNeighbors(neighbours, distances)
    affinities = tsne.affinity.PerplexityBasedNN(perplexity=min(_PERPLEXITY, k / 3), knn_index=index, n_jobs=threads)
    interval = 10  # iterations between two reports of progress
    progress.start("laying out", _EARLY_ITERATIONS + _LATE_ITERATIONS)
    points = tsne.TSNEEmbedding(
        start * (1e-4 / start[:, 0].std()),  # t-SNE needs a small initial scale
        affinities,
        negative_gradient_method="bh" if n <= _BARNES_HUT_LIMIT else "fft",
        n_jobs=threads,
        callbacks=lambda *_: progress.advance(interval),
        callbacks_every_iters=interval,
    )
    for iterations, exaggeration in ((_EARLY_ITERATIONS, _EXAGGERATION), (_LATE_ITERATIONS, 1.0)):
        points.optimize(iterations, exaggeration=exaggeration, learning_rate="auto", momentum=0.8, inplace=True)
    progress.finish()
    return np.asarray(points, dtype=np.float64)


def _run_umap(
    embeddings: Float32,
    start: Float64,
    neighbours: NDArray[np.int32],
    distances: Float32,
    threads: int,
    progress: Progress,
) -> Float64:
    progress.note("UMAP reports no progress: it takes a minute for 20,000 faces, several for 100,000")
    own = np.arange(len(neighbours), dtype=np.int32)[:, None]  # UMAP expects a face among its own neighbours
    neighbours, distances = np.hstack([own, neighbours]), np.hstack([np.zeros_like(distances[:, :1]), distances])
    with warnings.catch_warnings():  # precomputed neighbours rule out transform(), and numba warns as well
        warnings.simplefilter("ignore")
        umap: Any = import_module("umap")
        model = umap.UMAP(
            n_neighbors=neighbours.shape[1],
            init=start * (10 / np.abs(start).max()),
            precomputed_knn=(neighbours, distances, None),
            force_approximation_algorithm=True,  # else it recomputes the neighbours of small libraries
            random_state=0,
            n_jobs=1,
        )
        return np.asarray(model.fit_transform(embeddings), dtype=np.float64)


def _fit_unit_square(points: Float64) -> Float32:
    """Scale points into the unit square and keep their aspect ratio."""
    if not len(points):
        return np.empty((0, 2), np.float32)
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    scale = extent.max() or 1.0
    return np.asarray((points - low - extent / 2) / scale + 0.5, dtype=np.float32)
