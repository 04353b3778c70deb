"""Photos spread over worker processes: what becomes of one that kills or hangs its process."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from faceclust.progress import StopAsked
from faceclust.scan.examine import Examined, Look, PhotoExaminer, Task
from faceclust.scan.workers.pool import run_apart
from faceclust.scan.workers.process import Cause, Lost
from faceclust.types import PhotoRef, SkippedPhoto, SkipReason

#: Seconds a photo may take to be read, and again to be worked on.
TIME_LIMIT = 120.0
#: Photos examined together, by device: one that is fast needs many faces at a time to be busy.
_BATCHES = {"cuda": 16, "directml": 16}


def examine_photos(
    root: Path, look: Look, tasks: Iterable[Task], workers: int, stop_asked: StopAsked
) -> Iterator[tuple[PhotoRef, Examined]]:
    """Examine photos in `workers` processes; what became of each, with the reference it was asked
    for by, comes as it is done, in any order.

    Once `stop_asked()` is true the photos in hand are finished and the rest left. A photo on
    which a worker dies twice, or takes too long, is skipped. `workers=0` works in this process,
    without that protection.
    """
    tasks, size = iter(tasks), _BATCHES.get(look.device, 1)
    batches = iter(lambda: tuple(itertools.islice(tasks, size)), ())
    examiner = partial(PhotoExaminer, root, look)
    singly: list[tuple[Task, ...]] = []
    for batch, outcome in run_apart(examiner, batches, workers, stop_asked, TIME_LIMIT):
        if not isinstance(outcome, Lost):
            yield from zip((task.ref for task in batch), outcome, strict=True)
        elif len(batch) == 1:
            yield batch[0].ref, Examined(_skipped(batch[0].ref, outcome))
        else:  # one of them did it: which one shows when each is alone
            singly += [(task,) for task in batch]
    for (task,), outcome in run_apart(examiner, singly, workers, stop_asked, TIME_LIMIT):
        yield task.ref, Examined(_skipped(task.ref, outcome)) if isinstance(outcome, Lost) else outcome[0]


def _skipped(ref: PhotoRef, lost: Lost) -> SkippedPhoto:
    match lost.cause:
        case Cause.CRASHED:
            return SkippedPhoto(ref, SkipReason.CRASHED, f"the process reading it died twice: {lost.detail}")
        case Cause.KILLED:
            detail = f"the process reading it was killed twice: {lost.detail}"
            return SkippedPhoto(ref, SkipReason.OUT_OF_MEMORY, detail)
        case Cause.SLOW_TO_PREPARE:
            return SkippedPhoto(ref, SkipReason.UNREADABLE, f"reading it took longer than {lost.detail}")
        case Cause.SLOW_TO_WORK:
            return SkippedPhoto(ref, SkipReason.TOO_SLOW, f"it was given {lost.detail}")
