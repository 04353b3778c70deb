"""What the workers know of the clusters: the embeddings once, and then the means of clusters that have merged."""

from __future__ import annotations

import itertools
import random
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Future
from numpy.typing import NDArray

from faceclust.cluster.distances import ClusterMeans
from faceclust.engines.dask.answers import Cluster
from faceclust.engines.dask.blocks import FileRows, Part, Patch, Side, sample_rows
from faceclust.types import Indices

_MAX_PATCHES = 16  # of a part; they are replaced by one when there are more


class Embeddings:
    """The points (n, d) on the workers, in parts of `size` rows: parts of a file that all can read, or sent."""

    def __init__(self, cluster: Cluster, points: NDArray[np.floating], size: int, path_on_workers: str | None) -> None:
        self.cluster, self.points, self.size, self._path = cluster, points, size, path_on_workers
        self._sent: dict[int, Future] = {}
        self._samples: dict[int, int] = {}

    def send_instead(self) -> None:
        """Send the embeddings from now on: some worker cannot read the file."""
        self._path = None

    @property
    def are_sent(self) -> bool:
        """Whether workers receive the embeddings, since there is no file that all of them can read."""
        return self._path is None

    def rows(self, number: int) -> Future | FileRows:
        """Return a part, as an argument of a task."""
        first = number * self.size
        block = self.points[first : first + self.size]
        if self._path is not None and isinstance(self.points, np.memmap):
            if number not in self._samples:
                self._samples[number] = sample_rows(block)
            return FileRows(
                *(self._path, self.points.offset, self.points.dtype.str, first, *block.shape, self._samples[number])
            )
        future = self._sent.get(number)
        if not is_usable(future):
            future = self._sent[number] = scatter(self.cluster, _as_float16_if_exact(block))
        return future


def mapped_file(points: NDArray[np.floating]) -> Path | None:
    """Return the file that a matrix is mapped from as a whole, None for a matrix in memory."""
    if isinstance(points, np.memmap) and points.filename is not None and points.flags.c_contiguous:
        whole = points
        while isinstance(whole.base, np.memmap):
            whole = whole.base
        if whole.ctypes.data == points.ctypes.data:
            return Path(points.filename)
    return None


def _as_float16_if_exact(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    with np.errstate(over="ignore"):
        half = rows.astype(np.float16)
    return half if np.array_equal(half.astype(rows.dtype), rows) else np.ascontiguousarray(rows)


class Uploads:
    """The clusters of one `ClusterMeans` on the workers. What has changed since the last use is sent, and only that."""

    def __init__(self, embeddings: Embeddings, means: ClusterMeans) -> None:
        self.means, self._embeddings = means, embeddings
        self._sent_sizes = np.ones(len(means.sizes), np.int64)
        self._squares: dict[int, Future] = {}
        self._patches: dict[int, list[tuple[int, Future]]] = {}
        self._name, self._version = uuid.uuid4().hex, itertools.count()
        self._key = ""

    def update(self, clusters: Indices) -> None:
        """Send the means of those of `clusters`, in ascending order, whose size has changed."""
        self._clusters, self._key = clusters, f"{self._name}-{next(self._version)}"
        changed = clusters[self.means.sizes[clusters] != self._sent_sizes[clusters]]
        for number, some in self._by_part(changed):
            patches = self._patches.setdefault(number, [])
            size = self._embeddings.size
            if len(patches) >= _MAX_PATCHES or sum(count for count, _ in patches) + len(some) > size // 2:
                self._replace_patches(number)
            else:
                self._add_patch(number, some)

    def side(self, first: int, last: int) -> Side:
        """Return the clusters first to last − 1 of the last `update`, as an argument of a task.

        What the workers have lost is sent again.
        """
        parts = []
        for number, some in self._by_part(self._clusters[first:last]):
            if not is_usable(self._squares.get(number)):
                start = number * self._embeddings.size
                squares = self.means.square_sums[start : start + self._embeddings.size]
                sizes = self.means.sizes[start : start + self._embeddings.size]
                self._squares[number] = scatter(self._embeddings.cluster, (squares / sizes).astype(np.float32))
            if not all(is_usable(patch) for _, patch in self._patches.get(number, [])):
                self._replace_patches(number)
            parts.append(self._part(number, some))
        mode = "sent" if self._embeddings.are_sent else "file"
        return Side(f"{self._key}-{first}-{last}-{mode}", self.means.centre, parts)

    def _part(self, number: int, some: Indices) -> Part:
        first = number * self._embeddings.size
        members = np.zeros(min(self._embeddings.size, len(self.means.sizes) - first), np.bool_)
        members[some - first] = True
        patches: list[Any] = [patch for _, patch in self._patches.get(number, [])]
        squares: Any = self._squares[number]
        rows: Any = self._embeddings.rows(number)
        return Part(rows, squares, patches, np.packbits(members).tobytes())

    def _replace_patches(self, number: int) -> None:
        """Send one patch with all clusters of a part that have merged."""
        first, last = np.searchsorted(
            self._clusters, [number * self._embeddings.size, (number + 1) * self._embeddings.size]
        )
        some = self._clusters[first:last]
        self._patches[number] = []
        self._sent_sizes[number * self._embeddings.size : (number + 1) * self._embeddings.size] = 1
        self._add_patch(number, some[self.means.sizes[some] > 1])

    def _add_patch(self, number: int, some: Indices) -> None:
        if len(some):
            patch: Patch = (some - number * self._embeddings.size).astype(np.uint16), self.means.targets(some)
            self._patches[number].append((len(some), scatter(self._embeddings.cluster, patch)))
            self._sent_sizes[some] = self.means.sizes[some]

    def _by_part(self, clusters: Indices) -> list[tuple[int, Indices]]:
        """Split clusters in ascending order by the part that their point is in."""
        numbers = clusters // self._embeddings.size
        places = np.flatnonzero(np.diff(numbers)) + 1
        return [(int(some[0]) // self._embeddings.size, some) for some in np.split(clusters, places) if len(some)]


def scatter(cluster: Cluster, value: Any) -> Future:
    """Send a value to one worker, from where the others fetch it. Raises TimeoutError or OSError without workers."""
    workers = list(cluster.workers())
    if not workers:
        raise TimeoutError("no workers")
    return cluster.client.scatter([value], workers=[random.choice(workers)], hash=False)[0]


def is_usable(future: Future | None) -> bool:
    """Whether a scattered value is still held by a worker."""
    return future is not None and future.status == "finished"
