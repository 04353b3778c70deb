"""Open a cluster once there is work for it: that takes seconds, and most runs have little work."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from distributed import Client

from faceclust.cluster.pair_engine import PairEngine
from faceclust.engines.dask.address import MIN_FACES, DaskOptions
from faceclust.engines.dask.connection import DaskCluster, open_cluster
from faceclust.engines.dask.pairs import DaskPairEngine
from faceclust.engines.dask.photos import examine_on_cluster
from faceclust.engines.dask.worker_checks import check_library, checks_for_scan, sample_photos
from faceclust.progress import ShouldStop
from faceclust.scan.examine import ExaminedPhoto, ExamineTask, ScanSettings
from faceclust.types import PhotoRef


def examine_with_dask(
    options: DaskOptions,
    note: Callable[[str], None],
    root: Path,
    settings: ScanSettings,
    tasks: Iterable[ExamineTask],
    should_stop: ShouldStop,
) -> Iterator[tuple[PhotoRef, ExaminedPhoto]]:
    """Examine photos on a cluster, whose workers are checked first; see `ExaminePhotos`, `open_cluster`."""
    tasks = iter(tasks)
    first = list(itertools.islice(tasks, 1))
    if not first or should_stop():
        return
    with open_cluster(options, note, should_stop) as cluster:
        library = (cluster.library_root_on_workers(root), tuple(sample_photos(root)))
        cluster.check_workers((check_library, library), *checks_for_scan(settings))
        yield from examine_on_cluster(cluster, root, settings, itertools.chain(first, tasks), should_stop)


@contextlib.contextmanager
def open_pair_engine(options: DaskOptions, note: Callable[[str], None], root: Path) -> Iterator[PairEngine]:
    """Compare pairs on a cluster, if they are many; see `open_cluster`. `root`: that of the library."""

    def find_on_workers(path: Path) -> str | None:
        if options.local_workers or not options.root:
            return str(path)
        return str(PurePosixPath(options.root, path.relative_to(root))) if path.is_relative_to(root) else None

    with contextlib.ExitStack() as stack:
        yield DaskPairEngine(_ClusterWhenNeeded(options, note, stack), note, find_on_workers, MIN_FACES)


class _ClusterWhenNeeded:
    """A cluster that is opened by its first use, and closed with `stack`."""

    def __init__(self, options: DaskOptions, note: Callable[[str], None], stack: contextlib.ExitStack) -> None:
        self._options, self._note, self._stack = options, note, stack

    @cached_property
    def _cluster(self) -> DaskCluster:
        return self._stack.enter_context(open_cluster(self._options, self._note))

    @cached_property
    def client(self) -> Client:
        return self._cluster.client

    def workers(self) -> dict[str, str]:
        return self._cluster.workers()

    def submit(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return self._cluster.submit(function, *arguments, **options)
