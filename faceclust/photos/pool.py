"""Photos spread over worker processes, one photo's crash kept to that photo."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from faceclust.errors import FaceclustError
from faceclust.packs.manifest import Pack
from faceclust.photos.examine import Examined, PhotoExaminer
from faceclust.progress import StopAsked
from faceclust.types import PhotoRef, SkippedPhoto, SkipReason

_IN_HAND = 2  # photos a worker has in hand or next in line: bounds memory and the work at a stop

_examiner: PhotoExaminer | None = None  # one in each worker process


def examine_photos(
    root: Path, pack: Pack, photos: Sequence[PhotoRef], workers: int, stop_asked: StopAsked
) -> Iterator[Examined]:
    """Examine photos in `workers` processes; results come as they are done, in any order.

    Once `stop_asked()` is true the photos in hand are finished and the rest left. A photo
    on which a worker dies is found out by trying the ones in hand singly, and skipped.
    `workers=0` works in this process, without that protection.
    """
    if workers == 0:
        examiner = PhotoExaminer(root, pack)
        for ref in photos:
            if stop_asked():
                return
            yield examiner(ref)
        return
    waiting = deque(photos)
    while waiting and not stop_asked():
        lost = yield from _examine_until_broken(root, pack, waiting, workers, stop_asked)
        for ref in lost:
            if stop_asked():
                return
            alone = deque([ref])
            if (yield from _examine_until_broken(root, pack, alone, 1, stop_asked)):
                yield Examined(SkippedPhoto(ref, SkipReason.CRASHED, "the process reading it died; skipped"))


def _examine_until_broken(
    root: Path, pack: Pack, waiting: deque[PhotoRef], workers: int, stop_asked: StopAsked
) -> Generator[Examined, None, list[PhotoRef]]:
    """Take from `waiting` until it is empty, a stop is asked, or a worker dies; the generator
    returns the photos then in hand."""
    running: dict[Future[Examined], PhotoRef] = {}
    lost: list[PhotoRef] = []
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(waiting)), context, _start_worker, (root, pack))
    try:
        _require_ready(pool)
        while running or (waiting and not stop_asked() and not lost):
            while waiting and len(running) < workers * _IN_HAND and not stop_asked() and not lost:
                ref = waiting.popleft()
                try:
                    with _interrupts_held():
                        running[pool.submit(_work, ref)] = ref
                except BrokenProcessPool:
                    lost.append(ref)
            # The time-out lets a signal handler run and `stop_asked` be looked at.
            done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                ref = running.pop(future)
                try:
                    yield future.result()
                except BrokenProcessPool:
                    lost.append(ref)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return sorted(lost)


def _require_ready(pool: ProcessPoolExecutor) -> None:
    """Raise unless a worker starts: else every photo would look like one that kills it."""
    try:
        with _interrupts_held():
            first = pool.submit(os.getpid)
        first.result()
    except BrokenProcessPool:
        raise FaceclustError(
            "the worker processes end before they begin",
            hint="run `faceclust doctor`; from a script, call scan() under `if __name__ == '__main__':`",
        ) from None


def _start_worker(root: Path, pack: Pack) -> None:
    global _examiner
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _examiner = PhotoExaminer(root, pack)


def _work(ref: PhotoRef) -> Examined:
    assert _examiner is not None
    return _examiner(ref)


def _end_with_parent() -> None:
    """A parent that was killed outright cannot end its workers: they watch for it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """A worker started in here is born deaf to Ctrl-C, also while it still imports."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
