"""Where in the plane a face lies: faces that are alike side by side.

t-SNE (van der Maaten and Hinton 2008) by openTSNE, or UMAP (McInnes et al. 2018) by umap-learn,
which the extra `umap` brings. Both begin with the two principal components and know of the faces
only the distances to their nearest neighbours; nothing in them is left to chance or to the number
of threads. Over UMAP's layout of the same faces, t-SNE's keeps more of the neighbours.
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
#: More faces than these are put beside the ones most like them that were laid out.
MAX_LAYOUT_FACES = 100_000
_PERPLEXITY = 30.0  # how many neighbours count, of t-SNE; it looks at three times as many
_UMAP_NEIGHBOURS = 15
_PLACEMENT_NEIGHBOURS = 5  # nearest faces whose middle is where one lies that was not laid out
_BARNES_HUT_LIMIT = 10_000  # faces up to which Barnes and Hut's tree is faster than interpolation
#: The iterations of t-SNE, as in Belkina et al. 2019: with neighbours drawn together, then without.
_EARLY_ITERATIONS, _LATE_ITERATIONS, _EXAGGERATION = 250, 500, 12.0


def require_method(method: str) -> None:
    """Raises UsageError for a method nobody knows, FaceclustError for one that is not installed."""
    if method not in METHODS:
        raise UsageError(f"no layout is called {method!r}", hint=f"there are {' and '.join(METHODS)}")
    if method == "umap" and find_spec("umap") is None:
        raise FaceclustError(
            "umap-learn is not installed", hint="type: pip install 'faceclust[umap]', or leave out --method umap"
        )


def compute_layout(
    embeddings: Float32,
    method: str = "tsne",
    *,
    threads: int | None = None,
    max_faces: int = MAX_LAYOUT_FACES,
    progress: Progress | None = None,
) -> Float32:
    """The faces' points in the plane, (n, 2), for vectors (n, d) of one norm: each coordinate from
    0 to 1, the larger extent fills that, the other is in the middle. The same for the same vectors
    in the same order, whatever the `threads` (default one a core).

    Of more than `most` faces only the first so many are laid out; each other one is put where its
    nearest faces among them are. Raises as `require_method` does.
    """
    require_method(method)
    progress, threads = progress or SilentProgress(), threads or os.cpu_count() or 1
    points = _project_to_plane(np.ascontiguousarray(embeddings[:max_faces], np.float32), method, threads, progress)
    if len(embeddings) > max_faces:
        k = min(_PLACEMENT_NEIGHBOURS, max_faces - 1)
        near, _ = find_nearest_faces(embeddings, k, candidate_count=max_faces, threads=threads, progress=progress)
        # The median: not between two groups where the neighbours lie in both.
        points = np.concatenate([points, np.median(points[near[max_faces:]], axis=1)])
    return _fit_unit_square(points)


def _project_to_plane(embeddings: Float32, method: str, threads: int, progress: Progress) -> Float64:
    n = len(embeddings)
    start = principal_plane(embeddings)
    if n < 4 or not np.ptp(start, axis=0).any():  # nothing to lay out, or all the same
        return start
    neighbours = int(3 * _PERPLEXITY) if method == "tsne" else _UMAP_NEIGHBOURS
    near, gaps = find_nearest_faces(embeddings, min(neighbours, n - 1), threads=threads, progress=progress)
    with threadpool_limits(1, user_api="blas"):
        layout: Callable[..., Float64] = _run_tsne if method == "tsne" else _run_umap
        return layout(embeddings, start, near, gaps, threads, progress)


def principal_plane(embeddings: Float32) -> Float64:
    """The first two principal components (n, 2), each turned so that its largest weight is positive."""
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
    every = 10
    progress.start("laying out", _EARLY_ITERATIONS + _LATE_ITERATIONS)
    points = tsne.TSNEEmbedding(
        start * (1e-4 / start[:, 0].std()),  # small, as the method wants it
        affinities,
        negative_gradient_method="bh" if n <= _BARNES_HUT_LIMIT else "fft",
        n_jobs=threads,
        callbacks=lambda *_: progress.advance(every),
        callbacks_every_iters=every,
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
    progress.note("UMAP cannot say how far it is: a minute for 20,000 faces, several for 100,000")
    own = np.arange(len(neighbours), dtype=np.int32)[:, None]  # it counts a face among its neighbours
    neighbours, distances = np.hstack([own, neighbours]), np.hstack([np.zeros_like(distances[:, :1]), distances])
    with warnings.catch_warnings():  # that new faces could not be added, and of its packages' own
        warnings.simplefilter("ignore")
        umap: Any = import_module("umap")
        model = umap.UMAP(
            n_neighbors=neighbours.shape[1],
            init=start * (10 / np.abs(start).max()),
            precomputed_knn=(neighbours, distances, None),
            force_approximation_algorithm=True,  # else it would compare small libraries again
            random_state=0,
            n_jobs=1,
        )
        return np.asarray(model.fit_transform(embeddings), dtype=np.float64)


def _fit_unit_square(points: Float64) -> Float32:
    """Into the unit square, without a change of proportions."""
    if not len(points):
        return np.empty((0, 2), np.float32)
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    scale = extent.max() or 1.0
    return np.asarray((points - low - extent / 2) / scale + 0.5, dtype=np.float32)
