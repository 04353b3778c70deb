"""Examine photos on the workers of a Dask cluster. Every photo is answered once, whatever becomes of the workers."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from distributed import CancelledError, Future, KilledWorker

from faceclust.engines.dask.connection import DaskCluster
from faceclust.engines.dask.tasks import TaskError, describe_error, task_failure
from faceclust.engines.dask.team import (
    PROGRESS_TOPIC,
    BatchAnswer,
    PhotoBatch,
    Unable,
    WorkerSettings,
    examine_batch,
    is_unreadable,
)
from faceclust.errors import FaceclustError
from faceclust.files.names import is_video_name
from faceclust.files.safe_paths import lstat_if_present
from faceclust.photos.reading import read_head
from faceclust.progress import ShouldStop
from faceclust.scan.examine import ExaminedPhoto, ExamineTask, ScanSettings
from faceclust.scan.examine_pool import VIDEO_TIME_LIMIT
from faceclust.types import PhotoRef, SkippedPhoto, SkipReason

#: Seconds of work in a batch, and the most photos in one.
_BATCH_SECONDS, _MAX_BATCH = 3.0, 200
#: Batches a worker has: the one in progress, and the next.
_BATCHES_IN_FLIGHT = 2
#: Seconds without a finished photo, beyond the usual time of one, until a worker's photos are given to others.
_SILENCE_LIMIT = 60.0
#: Seconds before the scan is given up: while no worker answers, and while all are left out.
_NO_ANSWER_LIMIT, _ALL_REFUSED_LIMIT = 120.0, 10.0
#: Seconds that batches in progress may take after a stop.
_STOP_PATIENCE = 10.0
#: Seconds between checks of `should_stop` and of the workers; seconds to fetch an answer.
_POLL_INTERVAL, _FETCH_LIMIT = 0.2, 5.0
#: Workers that may disappear while they have the same photo, before it is skipped. The last one has it alone.
_MAX_LOSSES = 3


def examine_on_cluster(
    cluster: DaskCluster, root: Path, settings: ScanSettings, tasks: Iterable[ExamineTask], should_stop: ShouldStop
) -> Iterator[tuple[PhotoRef, ExaminedPhoto]]:
    """Examine photos on the workers of a cluster; see `ExaminePhotos`.

    Batches take a few seconds on their worker, so that a slow worker gets fewer photos. Those of a worker that
    leaves or hangs go to others. Raises FaceclustError if no worker can examine photos.
    """
    pack = settings.pack
    sent = WorkerSettings(
        cluster.library_root_on_workers(root),
        pack.name,
        pack.fingerprint,
        pack.embedder.radius,
        settings.device,
        settings.min_face,
    )
    yield from _ClusterScan(cluster, root, sent, iter(tasks), should_stop).run()


@dataclass(eq=False)
class _Worker:
    """A worker. `rate`: photos a second, None if unknown. `last_sign`: the time of its last sign of progress.
    `is_silent`: its photos were given to others, and it gets more once it answers."""

    address: str
    name: str
    last_sign: float
    rate: float | None = None
    batches: list[_Batch] = field(default_factory=list)
    is_silent: bool = False

    @property
    def accepts_batch(self) -> bool:
        is_alone = any(batch.is_alone for batch in self.batches)
        return not (self.is_silent or is_alone) and len(self.batches) < _BATCHES_IN_FLIGHT

    @property
    def batch_size(self) -> int:
        return 1 if self.rate is None else max(1, min(_MAX_BATCH, round(self.rate * _BATCH_SECONDS)))

    @property
    def patience(self) -> float:
        usual = 0.0 if self.rate is None else min(_SILENCE_LIMIT, 2 / self.rate)
        has_video = any(is_video_name(task.ref.name) for batch in self.batches for task in batch.tasks)
        return _SILENCE_LIMIT + usual + (2 * VIDEO_TIME_LIMIT if has_video else 0.0)  # to hash and to examine it

    def note_rate(self, photos: int, seconds: float) -> None:
        rate = photos / max(seconds, 1e-3)
        self.rate = rate if self.rate is None else (self.rate + rate) / 2


@dataclass(eq=False)
class _Batch:
    """A batch in flight. `is_alone`: its photo is one that may have ended or blocked another worker, so that this one
    gets no other meanwhile. `has_begun`: its worker has started it."""

    id: str
    tasks: tuple[ExamineTask, ...]
    worker: _Worker
    is_alone: bool
    has_begun: bool = False
    future: Future[BatchAnswer | Unable | TaskError] = field(init=False)


class _ClusterScan:
    """The photos that are not yet answered, and the workers that have them."""

    def __init__(
        self,
        cluster: DaskCluster,
        root: Path,
        settings: WorkerSettings,
        tasks: Iterator[ExamineTask],
        should_stop: ShouldStop,
    ) -> None:
        self._cluster, self._root, self._settings = cluster, root, settings
        self._tasks, self._should_stop = tasks, should_stop
        self._has_more = True
        self._unanswered: dict[PhotoRef, ExamineTask] = {}
        self._again: deque[ExamineTask] = deque()  # before new photos
        self._alone: deque[ExamineTask] = deque()  # after all others, one by one
        self._losses: Counter[PhotoRef] = Counter()
        self._failed_on: dict[PhotoRef, set[str]] = defaultdict(set)  # workers that could not read the photo
        self._workers: dict[str, _Worker] = {}
        self._refused: dict[str, str] = {}  # address: reason
        self._batches: dict[str, _Batch] = {}
        self._changed = threading.Event()
        self._last_answering = time.monotonic()
        self._lethal: list[PhotoRef] = []

    def run(self) -> Iterator[tuple[PhotoRef, ExaminedPhoto]]:
        stop_by = None
        try:
            while self._has_more or self._unanswered:
                if stop_by is None and self._should_stop():
                    stop_by = time.monotonic() + _STOP_PATIENCE
                self._update_workers()
                if stop_by is None:
                    self._submit_batches()
                elif time.monotonic() > stop_by or not self._release_waiting():
                    return
                self._changed.wait(_POLL_INTERVAL)
                self._changed.clear()
                yield from self._take_answers()
        finally:
            for batch in list(self._batches.values()):
                self._forget(batch)
            with contextlib.suppress(Exception):  # the connection may be lost
                self._cluster.client.unsubscribe_topic(PROGRESS_TOPIC)

    # -- workers --------------------------------------------------------------

    def _update_workers(self) -> None:
        known, now = self._cluster.workers(), time.monotonic()
        for address in self._workers.keys() - known.keys():
            for batch in reversed(self._workers.pop(address).batches[:]):  # the one in progress last
                self._give_back_lost(batch)
        for address in known.keys() - self._workers.keys() - self._refused.keys():
            self._workers[address] = _Worker(address, known[address], now)
            # The scheduler forgets subscriptions with a lost connection, after which all workers come again.
            self._cluster.client.subscribe_topic(PROGRESS_TOPIC, self._note_progress)
        for worker in self._workers.values():
            has_answered = any(batch.future.done() for batch in worker.batches)
            if worker.batches and not (has_answered or worker.is_silent) and now - worker.last_sign > worker.patience:
                self._give_others_the_batches_of(worker)
        if self._answering_workers() or not known:
            self._last_answering = now
        elif now - self._last_answering > (_NO_ANSWER_LIMIT if self._workers else _ALL_REFUSED_LIMIT):
            reasons = "; ".join(sorted(set(self._refused.values()))) or "none finishes a photo"
            raise FaceclustError(
                f"no worker can examine photos: {reasons}",
                hint="all finished work is saved; look after the workers and type the command again",
            )

    def _answering_workers(self) -> set[str]:
        return {address for address, worker in self._workers.items() if not worker.is_silent}

    def _give_others_the_batches_of(self, worker: _Worker) -> None:
        """Give up waiting for a worker. Its answers are still taken if they are the first."""
        worker.is_silent = True
        self._cluster.note(f"worker {worker.name} has finished no photo for a minute; its photos go to others")
        for batch in worker.batches:
            (self._alone if batch.has_begun else self._again).extend(batch.tasks)

    def _note_progress(self, event: tuple[float, Any]) -> None:
        """Called in the client's thread for each sign of progress."""
        batch = self._batches.get(event[1])
        if batch is not None:
            batch.has_begun, batch.worker.last_sign = True, time.monotonic()

    def _refuse(self, worker: _Worker, reason: str) -> None:
        """Give a worker no more photos."""
        if self._workers.pop(worker.address, None) is None:
            return
        self._refused[worker.address] = reason
        self._cluster.note(f"worker {worker.name} is left out: {reason}")
        for batch in worker.batches[:]:
            self._forget(batch)
            self._again.extend(batch.tasks)

    # -- sending --------------------------------------------------------------

    def _submit_batches(self) -> None:
        """Fill up all workers, those with the fewest batches first."""
        for limit in range(1, _BATCHES_IN_FLIGHT + 1):
            for worker in list(self._workers.values()):
                if len(worker.batches) < limit and worker.accepts_batch:
                    if tasks := self._choose_tasks(worker):
                        self._submit(worker, tasks)
                    elif not worker.batches and (tasks := self._choose_suspect()):
                        self._submit(worker, tasks, is_alone=True)

    def _submit(self, worker: _Worker, tasks: tuple[ExamineTask, ...], *, is_alone: bool = False) -> None:
        batch = _Batch(uuid.uuid4().hex, tasks, worker, is_alone)
        self._batches[batch.id] = batch  # first, because a sign of progress may come at once
        if not worker.batches:
            worker.last_sign = time.monotonic()
        worker.batches.append(batch)
        batch.future = self._cluster.submit(
            examine_batch, PhotoBatch(self._settings, tasks, batch.id), workers=[worker.address]
        )
        batch.future.add_done_callback(lambda _: self._changed.set())

    def _choose_tasks(self, worker: _Worker) -> tuple[ExamineTask, ...]:
        """Return the next photos for a worker; () if it gets none now."""
        chosen: list[ExamineTask] = []
        passed_over: list[ExamineTask] = []
        while self._again and len(chosen) < worker.batch_size:
            task = self._again.popleft()
            if task.ref in self._unanswered:
                (chosen if self._may_read(worker, task.ref) else passed_over).append(task)
        self._again.extendleft(reversed(passed_over))
        while self._has_more and len(chosen) < worker.batch_size:
            new = list(itertools.islice(self._tasks, worker.batch_size - len(chosen)))
            self._has_more = bool(new)
            self._unanswered.update((task.ref, task) for task in new)
            chosen += new
        return tuple(chosen)

    def _choose_suspect(self) -> tuple[ExamineTask, ...]:
        while self._alone:
            task = self._alone.popleft()
            if task.ref in self._unanswered:
                return (task,)
        return ()

    def _may_read(self, worker: _Worker, ref: PhotoRef) -> bool:
        return worker.address not in self._failed_on.get(ref, ()) or self._has_failed_everywhere(ref)

    def _has_failed_everywhere(self, ref: PhotoRef) -> bool:
        return self._answering_workers() <= self._failed_on.get(ref, set())

    def _release_waiting(self) -> bool:
        """Release the batches that have not begun, after a stop. Are others still in progress?"""
        for batch in list(self._batches.values()):
            if not batch.has_begun or batch.worker.is_silent:
                self._forget(batch)
        return bool(self._batches)

    # -- receiving ------------------------------------------------------------

    def _take_answers(self) -> Iterator[tuple[PhotoRef, ExaminedPhoto]]:
        while self._lethal:
            ref = self._lethal.pop()
            if ref in self._unanswered:
                detail = f"{_MAX_LOSSES} workers disappeared while they examined it"
                yield self._settle(ref, ExaminedPhoto(SkippedPhoto(ref, SkipReason.OUT_OF_MEMORY, detail)))
        for batch in list(self._batches.values()):
            if batch.future.done() and batch.worker.address in self._workers:
                answer = self._fetch(batch)
                if answer is not None:
                    yield from self._accept(batch, answer)

    def _fetch(self, batch: _Batch) -> BatchAnswer | None:
        """Return the answer of a finished batch; None if it has no answer, and its photos are given back.

        Raises FaceclustError if the task has failed.
        """
        has_failed = batch.future.status == "error"
        try:
            answer: BatchAnswer | Unable | TaskError = batch.future.result(timeout=_FETCH_LIMIT)
        except TimeoutError:
            return None  # fetch it again, unless its worker is gone
        except Exception as error:
            if isinstance(error, CancelledError | KilledWorker) or (isinstance(error, OSError) and not has_failed):
                self._give_back_lost(batch)
                return None
            raise task_failure(describe_error(error)) from error
        if isinstance(answer, TaskError):
            raise task_failure(answer.text)
        if isinstance(answer, Unable):  # on this machine, perhaps not on others
            self._refuse(batch.worker, answer.reason)
            return None
        self._forget(batch)
        batch.worker.last_sign, batch.worker.is_silent = time.monotonic(), False
        batch.worker.note_rate(len(answer.examined), answer.seconds)
        return answer

    def _accept(self, batch: _Batch, answer: BatchAnswer) -> Iterator[tuple[PhotoRef, ExaminedPhoto]]:
        """Yield the results that are the first of their photo. Photos without a result are tried again."""
        lost_folder = None
        for ref, examined in answer.examined:
            if ref not in self._unanswered:
                continue
            if is_unreadable(examined) and _is_readable(self._root / ref.rel_path):
                if ref.folder in answer.lost_folders:
                    lost_folder = ref.folder
                    continue
                self._failed_on[ref].add(batch.worker.address)
                if not self._has_failed_everywhere(ref):  # another worker may read it
                    continue
            yield self._settle(ref, examined)
        self._again.extend(task for task in batch.tasks if task.ref in self._unanswered)
        if lost_folder is not None:
            self._refuse(batch.worker, f"it can no longer read {Path(self._settings.root) / lost_folder}")

    def _settle(self, ref: PhotoRef, examined: ExaminedPhoto) -> tuple[PhotoRef, ExaminedPhoto]:
        del self._unanswered[ref]
        self._losses.pop(ref, None)
        self._failed_on.pop(ref, None)
        return ref, _with_listed_time(self._root, ref, examined)

    def _give_back_lost(self, batch: _Batch) -> None:
        """Try the photos of a lost batch again; those that were lost often, one by one."""
        # The connection may have been lost instead, which cancels all futures.
        was_in_progress = batch is batch.worker.batches[0] and batch.future.status not in ("cancelled", "finished")
        self._forget(batch)
        for task in batch.tasks:
            if task.ref in self._unanswered:
                self._losses[task.ref] += was_in_progress
                if self._losses[task.ref] >= _MAX_LOSSES:
                    self._lethal.append(task.ref)
                else:
                    (self._alone if self._losses[task.ref] == _MAX_LOSSES - 1 else self._again).append(task)

    def _forget(self, batch: _Batch) -> None:
        self._batches.pop(batch.id, None)
        if batch in batch.worker.batches:
            batch.worker.batches.remove(batch)
        with contextlib.suppress(Exception):  # the connection may be lost
            batch.future.release()


def _is_readable(path: Path) -> bool:
    try:
        read_head(path)
    except OSError:
        return False
    return True


def _with_listed_time(root: Path, ref: PhotoRef, examined: ExaminedPhoto) -> ExaminedPhoto:
    """Replace the time of a file by the one it has here, if a worker's file system rounds times."""
    seen = examined.photo.ref
    if seen == ref or seen.size != ref.size or abs(seen.mtime_ns - ref.mtime_ns) > 2 * 10**9:
        return examined
    status = lstat_if_present(os.fspath(root / ref.rel_path))
    if status is None or (status.st_size, status.st_mtime_ns) != (ref.size, ref.mtime_ns):
        return examined
    return replace(examined, photo=replace(examined.photo, ref=ref))
