"""What the workers know of the clusters: the embeddings once, and then the means of clusters that have merged."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Future
from numpy.typing import NDArray

from faceclust.cluster.distances import ClusterMeans
from faceclust.engines.dask.answers import Cluster
from faceclust.engines.dask.blocks import FileRows, Part, Patch, Side, sample_rows
from faceclust.types import Indices

_SEND_LIMIT = 20.0  # seconds to send a value
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

    def rows(self, number: int) -> Any:
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
    """Return the file that a matrix is mapped from as a whole, readable by others; None for a matrix in memory."""
    if isinstance(points, np.memmap) and points.filename is not None and points.flags.c_contiguous:
        whole = points
        while isinstance(whole.base, np.memmap):
            whole = whole.base
        if whole.ctypes.data == points.ctypes.data:
            _write_to_disk(Path(points.filename))
            return Path(points.filename)
    return None


def _write_to_disk(path: Path) -> None:
    """Let other machines that have mounted the disk read all of a file that was just written."""
    with contextlib.suppress(OSError):  # files that are opened for reading cannot be flushed on Windows
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _as_float16_if_exact(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    with np.errstate(over="ignore"):
        half = rows.astype(np.float16)
    return half if np.array_equal(half.astype(rows.dtype), rows) else np.ascontiguousarray(rows)


@dataclass
class _SentMeans:
    """The means of some clusters, in ascending order; None before the first task needs them."""

    clusters: Indices
    future: Future | None = None


class Uploads:
    """The clusters of one `ClusterMeans` on the workers. What has changed since the last use is sent, and only that."""

    def __init__(self, embeddings: Embeddings, means: ClusterMeans) -> None:
        self.means, self._embeddings = means, embeddings
        self._sent_sizes = np.ones(len(means.sizes), np.int64)
        self._squares: dict[int, Future] = {}
        self._patches: dict[int, list[_SentMeans]] = {}
        self._name, self._version = uuid.uuid4().hex, itertools.count()
        self._key = ""

    def update(self, clusters: Indices) -> None:
        """Note which means of `clusters` (ascending) have changed: the workers receive them before their next task."""
        self._clusters, self._key = clusters, f"{self._name}-{next(self._version)}"
        changed = clusters[self.means.sizes[clusters] != self._sent_sizes[clusters]]
        size = self._embeddings.size
        for number, some in self._by_part(changed):
            patches = self._patches.setdefault(number, [])
            if len(patches) >= _MAX_PATCHES or sum(len(patch.clusters) for patch in patches) + len(some) > size // 2:
                first, last = np.searchsorted(clusters, (number * size, (number + 1) * size))
                some = clusters[first:last]
                some = some[self.means.sizes[some] > 1]
                self._sent_sizes[number * size : (number + 1) * size] = 1
                patches.clear()
            patches.append(_SentMeans(some))
            self._sent_sizes[some] = self.means.sizes[some]

    def side(self, first: int, last: int) -> Side:
        """Return the clusters first to last − 1 of the last `update`, as an argument of a task.

        Sends what the workers do not have, or have lost. Raises TimeoutError or OSError without workers.
        """
        parts = [self._part(number, some) for number, some in self._by_part(self._clusters[first:last])]
        mode = "sent" if self._embeddings.are_sent else "file"
        return Side(f"{self._key}-{first}-{last}-{mode}", self.means.centre, self.means.float32_error, parts)

    def _part(self, number: int, some: Indices) -> Part:
        cluster, first = self._embeddings.cluster, number * self._embeddings.size
        part = slice(first, first + self._embeddings.size)
        squares = self._squares.get(number)
        if not is_usable(squares):
            values = (self.means.square_sums[part] / self.means.sizes[part]).astype(np.float32)
            squares = self._squares[number] = scatter(cluster, values)
        patches = self._patches.get(number, [])
        for patch in patches:
            if not is_usable(patch.future):
                rows: Patch = (patch.clusters - first).astype(np.uint16), self.means.targets(patch.clusters)
                patch.future = scatter(cluster, rows)
        members = np.zeros(len(self.means.sizes[part]), np.bool_)
        members[some - first] = True
        sent: list[Any] = [squares, *(patch.future for patch in patches)]  # Dask replaces them by their values
        return Part(self._embeddings.rows(number), sent[0], sent[1:], np.packbits(members).tobytes())

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
    try:
        # `Client.scatter` has no time limit, and waits for minutes for a worker that hangs.
        client, to = cluster.client, [random.choice(workers)]
        sent = client.sync(client._scatter, [value], workers=to, hash=False, callback_timeout=_SEND_LIMIT)
    except KeyError as error:  # the worker has left meanwhile
        raise TimeoutError("the worker is lost") from error
    future: Future = sent[0]
    return future


def is_usable(future: Future | None) -> bool:
    """Whether a scattered value is still held by a worker."""
    return future is not None and future.status == "finished"
