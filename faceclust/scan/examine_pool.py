"""Photos spread over worker processes: what becomes of one that kills or hangs its process."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from faceclust.progress import ShouldStop
from faceclust.scan.examine import ExaminedPhoto, ExamineTask, PhotoExaminer, ScanSettings
from faceclust.scan.workers.pool import run_isolated
from faceclust.scan.workers.process import LossCause, LostTask
from faceclust.types import PhotoRef, SkippedPhoto, SkipReason

#: Seconds a photo may take to be read, and again to be worked on.
PHOTO_TIME_LIMIT = 120.0
#: Photos examined together, by device: one that is fast needs many faces at a time to be busy.
_BATCH_SIZES = {"cuda": 16, "directml": 16}


def examine_photos(
    root: Path, settings: ScanSettings, tasks: Iterable[ExamineTask], workers: int, stop_asked: ShouldStop
) -> Iterator[tuple[PhotoRef, ExaminedPhoto]]:
    """Examine photos in `workers` processes; what became of each, with the reference it was asked
    for by, comes as it is done, in any order.

    Once `stop_asked()` is true the photos in hand are finished and the rest left. A photo on
    which a worker dies twice, or takes too long, is skipped. `workers=0` works in this process,
    without that protection.
    """
    tasks, size = iter(tasks), _BATCH_SIZES.get(settings.device, 1)
    batches = iter(lambda: tuple(itertools.islice(tasks, size)), ())
    examiner = partial(PhotoExaminer, root, settings)
    singly: list[tuple[ExamineTask, ...]] = []
    for batch, outcome in run_isolated(examiner, batches, workers, stop_asked, PHOTO_TIME_LIMIT):
        if not isinstance(outcome, LostTask):
            yield from zip((task.ref for task in batch), outcome, strict=True)
        elif len(batch) == 1:
            yield batch[0].ref, ExaminedPhoto(_skip_lost_photo(batch[0].ref, outcome))
        else:  # one of them did it: which one shows when each is alone
            singly += [(task,) for task in batch]
    for (task,), outcome in run_isolated(examiner, singly, workers, stop_asked, PHOTO_TIME_LIMIT):
        yield (
            task.ref,
            ExaminedPhoto(_skip_lost_photo(task.ref, outcome)) if isinstance(outcome, LostTask) else outcome[0],
        )


def _skip_lost_photo(ref: PhotoRef, lost: LostTask) -> SkippedPhoto:
    match lost.cause:
        case LossCause.CRASHED:
            return SkippedPhoto(ref, SkipReason.CRASHED, f"the process reading it died twice: {lost.detail}")
        case LossCause.KILLED:
            detail = f"the process reading it was killed twice: {lost.detail}"
            return SkippedPhoto(ref, SkipReason.OUT_OF_MEMORY, detail)
        case LossCause.PREPARE_TIMEOUT:
            return SkippedPhoto(ref, SkipReason.UNREADABLE, f"reading it took longer than {lost.detail}")
        case LossCause.WORK_TIMEOUT:
            return SkippedPhoto(ref, SkipReason.TOO_SLOW, f"it was given {lost.detail}")
