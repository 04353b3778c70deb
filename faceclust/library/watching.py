"""Scan and group new photos as they arrive."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import FaceclustError, LibraryBusyError, UsageError
from faceclust.library.watched_batch import BatchRunner, WatchedBatch
from faceclust.packs.verify import require_files
from faceclust.progress import ShouldStop
from faceclust.store.library_lock import hold_watch_lock
from faceclust.types.arguments import require_number
from faceclust.watch.watched_root import WatchedRoot
from faceclust.watch.watched_roots import WatchedRoots

#: Seconds without a change until photos are processed.
DEFAULT_SETTLE_SECONDS = 10.0
#: Seconds between two looks at all folders: with change events, in case one is lost; and without events.
DEFAULT_INTERVAL_SECONDS, POLLING_INTERVAL_SECONDS = 300.0, 30.0
#: Seconds between two looks at whether the disk is there.
_PRESENCE_SECONDS = 5.0
#: Seconds until a batch is tried again, at first and at most: while another process works on the library, and after
#: a failure.
_BUSY_DELAYS, _FAILURE_DELAYS = (1.0, 30.0), (30.0, 600.0)
_TICK_SECONDS = 1.0


@dataclass(frozen=True)
class _Times:
    settle: float
    interval: float | None

    @property
    def tick(self) -> float:
        return min(_TICK_SECONDS, self.settle / 2)

    @property
    def presence(self) -> float:
        return min(_PRESENCE_SECONDS, self.settle)

    def scaled(self, delays: tuple[float, float]) -> tuple[float, float]:
        """Delays for the default settling time, shorter if that is shorter."""
        ratio = min(1.0, self.settle / DEFAULT_SETTLE_SECONDS)
        return delays[0] * ratio, delays[1] * ratio


def watch(
    library: Catalogue,
    *,
    settle: float = DEFAULT_SETTLE_SECONDS,
    interval: float | None = None,
    poll: bool = False,
    once: bool = False,
    workers: int | None = None,
    device: str = "auto",
    min_face: int | None = None,
    should_stop: ShouldStop = lambda: False,
) -> Iterator[WatchedBatch]:
    """Scan and group new photos as they arrive; yield a `WatchedBatch` after each batch with a result.

    The first batch is everything that is new already; `once` ends after it. Later batches begin once nothing has
    changed in the folders for `settle` seconds, or after six times that while changes go on. `interval`: seconds
    between two looks at all folders, which find what no event told of; default 300, or 30 without events. `poll`: use
    no events of the system; network disks never have them. `workers`, `device`, `min_face`: see `scan`. Groups are
    kept and take in new faces, with the options of the last clustering.

    No lock is held between batches. While another process works on the library, or its disk is away, batches wait. A
    batch that fails has a `problem` and is tried again. Once `should_stop()` is true, the photos in progress are
    finished and saved, and the iterator ends.

    Raises UsageError for an invalid number, PackError if the models are missing, LibraryBusyError if another process of
    this user watches the library, and with `once` the errors of `scan` and `cluster`.
    """
    require_number("settle", settle, above=0)
    if interval is not None:
        require_number("interval", interval, above=0)
    for name, number in (("workers", workers), ("min_face", min_face)):
        if number is not None:
            require_number(name, number)
    if not math.isfinite(settle):
        raise UsageError(f"settle must be a number of seconds, not {settle}")
    require_files(library.pack)
    runner = BatchRunner(library, {"workers": workers, "device": device, "min_face": min_face}, should_stop)
    watcher = _Watcher(library, runner, _Times(settle, interval), should_stop, poll=poll)
    return watcher.run_once() if once else watcher.run()


class _Watcher:
    def __init__(
        self, library: Catalogue, runner: BatchRunner, times: _Times, should_stop: ShouldStop, *, poll: bool
    ) -> None:
        self._library, self._runner, self._times, self._should_stop = library, runner, times, should_stop
        self._poll = poll
        self._roots = WatchedRoots(self._open_root)
        self._whole = True  # the next batch is the whole library
        self._waiting = set[Path]()  # folders of the next batch
        self._later = set[Path]()  # folders with photos that could not be read, to be tried once more
        self._away = set[Path]()
        self._retry_at = self._later_at = self._delay = self._next_presence = 0.0
        self._last_problem: str | None = None

    def run_once(self) -> Generator[WatchedBatch, None, None]:
        """Process what is new, waiting while another process works on the library."""
        with hold_watch_lock(self._library.root):
            for root in self._runner.find_roots()[1]:
                if root != self._library.root:  # without it, the batch fails
                    self._library.progress.note(f"{root} is away; its photos stay known")
            while not self._should_stop():
                try:
                    batch = self._runner.run(None)
                except LibraryBusyError:
                    self._sleep(self._times.scaled(_BUSY_DELAYS)[0])
                    continue
                if batch:
                    yield batch
                return

    def run(self) -> Generator[WatchedBatch, None, None]:
        """Process batches until a stop is requested."""
        with hold_watch_lock(self._library.root), contextlib.closing(self._roots):
            self._library.home.create()
            while not self._should_stop():
                yield from self._update_roots()
                if not self._roots:
                    self._sleep(self._times.presence)
                elif (self._whole or self._waiting) and time.monotonic() >= self._retry_at:
                    if batch := self._process():
                        yield batch
                else:
                    self._waiting |= self._roots.wait(self._times.tick) | self._take_later()

    # -- disks --------------------------------------------------------------

    def _update_roots(self) -> Generator[WatchedBatch, None, None]:
        """Watch the roots that are here. Yield a problem for each one that has gone."""
        now = time.monotonic()
        if self._roots and now < self._next_presence and not (self._whole or self._waiting):
            return
        self._next_presence = now + self._times.presence
        here, away = self._runner.find_roots()
        for root in sorted(set(away) - self._away):
            yield WatchedBatch.failed(f"{root} is not there; waiting until its disk is back")
        for root in self._away.intersection(here):
            self._library.progress.note(f"{root} is back ({datetime.now():%H:%M})")
        self._away = set(away)
        if self._roots.update(here):
            self._whole, self._retry_at = True, 0.0

    def _open_root(self, root: Path) -> WatchedRoot:
        times = self._times
        return WatchedRoot(
            root,
            lambda: self._runner.included_folders(root),
            self._runner.scans_videos,
            times.settle,
            (times.interval or DEFAULT_INTERVAL_SECONDS, times.interval or POLLING_INTERVAL_SECONDS),
            self._library.progress.note,
            self._should_stop,
            poll=self._poll,
        )

    # -- batches ------------------------------------------------------------

    def _process(self) -> WatchedBatch | None:
        """Run a batch. Return its result, or its problem if that is a new one; None if there is neither."""
        folders = None if self._whole else self._roots.existing(self._waiting)
        try:
            batch = self._runner.run(folders) if folders is None or folders else None
        except LibraryBusyError:
            self._postpone(_BUSY_DELAYS)
            return None
        except (FaceclustError, OSError) as error:
            self._whole = True  # what was processed before the error is found unchanged
            self._postpone(_FAILURE_DELAYS)
            return self._describe_problem(error)
        self._whole, self._waiting, self._delay, self._last_problem = False, set(), 0.0, None
        if self._runner.folders_to_retry:
            self._later |= self._runner.folders_to_retry
            self._runner.folders_to_retry = set()
            self._later_at = time.monotonic() + (self._times.interval or DEFAULT_INTERVAL_SECONDS)
        return batch

    def _take_later(self) -> set[Path]:
        """Return the folders with photos to try once more, if it is time."""
        if not self._later or time.monotonic() < self._later_at:
            return set()
        due, self._later = self._later, set()
        return due

    def _describe_problem(self, error: FaceclustError | OSError) -> WatchedBatch | None:
        if set(self._runner.find_roots()[1]) - self._away:
            return None  # the next step reports the disk that has gone
        message = str(error) if isinstance(error, FaceclustError) else f"{error.filename}: {error.strerror or error}"
        if message == self._last_problem:
            return None
        self._last_problem = message
        return WatchedBatch.failed(message, getattr(error, "hint", None))

    def _postpone(self, delays: tuple[float, float]) -> None:
        first, highest = self._times.scaled(delays)
        self._delay = min(max(first, 2 * self._delay), highest)
        self._retry_at = time.monotonic() + self._delay

    def _sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._should_stop() and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, self._times.tick))
