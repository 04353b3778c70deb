"""Scan and group new photos as they arrive."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import FaceclustError, LibraryBusyError, UsageError
from faceclust.library.watched_batch import BatchRunner, WatchedBatch
from faceclust.packs.verify import require_files
from faceclust.progress import ShouldStop
from faceclust.store.library_lock import hold_watch_lock
from faceclust.types.arguments import require_number
from faceclust.watch.watched_root import WatchedRoot

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
        self._root: WatchedRoot | None = None
        self._whole = True  # the next batch is the whole library
        self._waiting = set[str]()  # folders of the next batch
        self._later = set[str]()  # folders with photos that could not be read, to be tried once more
        self._retry_at = self._later_at = self._delay = 0.0
        self._next_presence = 0.0
        self._is_away = False
        self._last_problem: str | None = None

    def run_once(self) -> Generator[WatchedBatch, None, None]:
        """Process what is new, waiting while another process works on the library."""
        with hold_watch_lock(self._library.root):
            delay = self._times.scaled(_BUSY_DELAYS)
            while not self._should_stop():
                try:
                    batch = self._runner.run(None)
                except LibraryBusyError:
                    self._sleep(delay[0])
                    continue
                if batch:
                    yield batch
                return

    def run(self) -> Generator[WatchedBatch, None, None]:
        """Process batches until a stop is requested."""
        with hold_watch_lock(self._library.root), contextlib.ExitStack() as stack:
            stack.callback(self._close_root)
            self._library.home.create()
            while not self._should_stop():
                if not self._is_here():
                    if batch := self._handle_absence():
                        yield batch
                    self._sleep(self._times.presence)
                    continue
                root = self._open_root()
                if (self._whole or self._waiting) and time.monotonic() >= self._retry_at:
                    if batch := self._process():
                        yield batch
                    continue
                self._waiting |= root.wait(self._times.tick) | self._take_later()

    # -- the disk -----------------------------------------------------------

    def _is_here(self) -> bool:
        now = time.monotonic()
        if self._is_away or now >= self._next_presence or self._whole or self._waiting:
            self._next_presence = now + self._times.presence
            return self._runner.is_library_here()
        return True

    def _handle_absence(self) -> WatchedBatch | None:
        """Stop watching until the disk is back. Return the problem, once."""
        self._close_root()
        self._whole, self._waiting, self._retry_at = True, set(), 0.0
        if self._is_away:
            return None
        self._is_away = True
        return WatchedBatch.failed(f"{self._library.root} is not there; waiting until its disk is back")

    def _open_root(self) -> WatchedRoot:
        if self._is_away:
            self._is_away = False
            self._library.progress.note(f"{self._library.root} is back ({datetime.now():%H:%M})")
        if self._root is None:
            times = self._times
            intervals = times.interval or DEFAULT_INTERVAL_SECONDS, times.interval or POLLING_INTERVAL_SECONDS
            self._root = WatchedRoot(
                self._library.root,
                times.settle,
                intervals,
                self._library.progress.note,
                self._should_stop,
                poll=self._poll,
            )
        return self._root

    def _close_root(self) -> None:
        if self._root is not None:
            self._root.close()
            self._root = None

    # -- batches ------------------------------------------------------------

    def _process(self) -> WatchedBatch | None:
        """Run a batch. Return its result, or its problem if that is a new one; None if there is neither."""
        folders = None if self._whole else self._waiting
        try:
            batch = self._runner.run(folders)
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

    def _take_later(self) -> set[str]:
        """Return the folders with photos to try once more, if it is time."""
        if not self._later or time.monotonic() < self._later_at:
            return set()
        due, self._later = self._later, set()
        return due

    def _describe_problem(self, error: FaceclustError | OSError) -> WatchedBatch | None:
        if not self._runner.is_library_here():
            return None  # the next step says so
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
