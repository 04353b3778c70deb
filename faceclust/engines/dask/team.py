"""Examine batches of photos inside a Dask worker, in a child process that outlives the batch.

A photo that crashes or hangs costs the child, not the worker. Opening the models takes a second, so the child
waits for the next batch. It ends if none comes for a while, and with the worker.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from distributed import get_worker

from faceclust.errors import FaceclustError, PackError
from faceclust.packs.registry import clear_pack_cache, load_pack
from faceclust.packs.session import choose_device
from faceclust.packs.verify import require_files
from faceclust.scan.examine import ExaminedPhoto, PhotoExaminer, ScanSettings
from faceclust.scan.examine_pool import Batch, batch_time_limit, examine_in_batches
from faceclust.scan.workers.pool import WorkerPool
from faceclust.types import PhotoRef, SkippedPhoto, SkipReason

#: The topic of Dask's events (see `distributed.Worker.log_event`). One for all scans: a scheduler keeps some of each.
PROGRESS_TOPIC = "faceclust-scan"
#: Seconds that a child waits for another batch.
IDLE_LIMIT = 60.0
#: Seconds between two signs of progress.
_REPORT_INTERVAL = 1.0
#: Seconds. If reading a photo fails after that, the rest of the batch is left: reading it would take as long.
_SLOW_FAILURE = 30.0


@dataclass(frozen=True)
class WorkerSettings:
    """The settings of a scan as sent to workers, whose model files lie elsewhere.

    `root`: the library's folder on the workers. `radius`: that of the client's pack, which is not part of the
    fingerprint. `device`: see `packs.session.choose_device`. `min_face`: see `ScanSettings`.
    """

    root: str
    pack: str
    fingerprint: str
    radius: float
    device: str
    min_face: int | None

    def load(self) -> ScanSettings:
        """Return the settings with this machine's model files. Raises PackError if its pack is not the client's."""
        clear_pack_cache()  # a worker lasts for days
        pack = load_pack(self.pack)
        if pack.fingerprint != self.fingerprint:
            raise PackError(f"its pack {self.pack} is another one than on the machine that started the scan")
        require_files(pack)
        pack = replace(pack, embedder=replace(pack.embedder, radius=self.radius))
        return ScanSettings(pack, choose_device(self.device), self.min_face)


@dataclass(frozen=True)
class PhotoBatch:
    """Photos to examine. `id` is logged under PROGRESS_TOPIC as a sign of progress."""

    settings: WorkerSettings
    tasks: Batch
    id: str


@dataclass(frozen=True)
class BatchAnswer:
    """Results by the reference as listed; some may be missing. `seconds`: elapsed time.

    `lost_folders`: folders of the library that this worker cannot list, or finds empty.
    """

    examined: list[tuple[PhotoRef, ExaminedPhoto]]
    seconds: float
    lost_folders: frozenset[str]


@dataclass(frozen=True)
class Unable:
    """The answer of a worker that cannot examine photos."""

    reason: str


class PhotoTeam:
    """A child process with opened models. Raises what `WorkerSettings.load` raises."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings, local = settings, settings.load()
        self._root, self._device = Path(settings.root), local.device
        self._pool: WorkerPool[Batch, list[ExaminedPhoto]] = WorkerPool(
            partial(PhotoExaminer, self._root, local), 1, batch_time_limit, lasting=True
        )

    def examine(self, tasks: Batch, report: Callable[[], object]) -> BatchAnswer:
        """Examine a batch. `report` is called at the start, and as photos are finished.

        After an exception, the team can only be closed.
        """
        report()
        began = last = reported = time.monotonic()
        examined, lost, is_slow = [], set(), threading.Event()
        for ref, one in examine_in_batches(self._pool.run, self._device, tasks, is_slow.is_set):
            now = time.monotonic()
            examined.append((ref, one))
            if is_unreadable(one):
                if _is_lost(self._root / ref.folder):
                    lost.add(ref.folder)
                if now - last > _SLOW_FAILURE:
                    is_slow.set()
            last = now
            if now - reported > _REPORT_INTERVAL:
                reported = now
                report()
        return BatchAnswer(examined, time.monotonic() - began, frozenset(lost))

    def close(self) -> None:
        """End the child process."""
        self._pool.shut_down()


def is_unreadable(examined: ExaminedPhoto) -> bool:
    """Was the photo skipped because its file could not be read?"""
    return isinstance(examined.photo, SkippedPhoto) and examined.photo.reason is SkipReason.UNREADABLE


def _is_lost(folder: Path) -> bool:
    """Is a folder missing, unreadable or empty, as below a mount point whose disk went away?"""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return True


class _TeamKeeper:
    """Keeps the team of this process between batches."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._team: PhotoTeam | None = None
        self._timer: threading.Timer | None = None

    def take(self, settings: WorkerSettings) -> PhotoTeam:
        """Return the idle team if it suits, else a new one."""
        team = self._swap(None)
        if team is not None and team.settings == settings:
            return team
        if team is not None:
            team.close()
        return PhotoTeam(settings)

    def keep(self, team: PhotoTeam) -> None:
        """Keep a team for the next batch, for a while."""
        before = self._swap(team)
        if before is not None:
            before.close()

    def close(self) -> None:
        """End the idle team."""
        team = self._swap(None)
        if team is not None:
            team.close()

    def _swap(self, team: PhotoTeam | None) -> PhotoTeam | None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            before, self._team, self._timer = self._team, team, None
            if team is not None:
                self._timer = threading.Timer(IDLE_LIMIT, self.close)
                self._timer.daemon = True
                self._timer.start()
            return before


_keeper = _TeamKeeper()


def examine_batch(batch: PhotoBatch) -> BatchAnswer | Unable:
    """Examine a batch as a Dask task."""
    try:
        return _examine(batch)
    except (FaceclustError, OSError, MemoryError, ImportError) as error:
        return Unable(str(error) or type(error).__name__)


def _examine(batch: PhotoBatch) -> BatchAnswer:
    team = _keeper.take(batch.settings)
    try:
        answer = team.examine(batch.tasks, partial(get_worker().log_event, PROGRESS_TOPIC, batch.id))
    except BaseException:
        team.close()
        raise
    _keeper.keep(team)
    return answer
