"""Examine photos in worker processes, and skip those that crash or hang their process."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

from faceclust.files.names import is_video_name
from faceclust.progress import ShouldStop
from faceclust.scan.examine import ExaminedPhoto, ExamineTask, PhotoExaminer, ScanSettings
from faceclust.scan.workers.pool import run_isolated
from faceclust.scan.workers.process import LossCause, LostTask
from faceclust.types import PhotoRef, SkippedPhoto, SkipReason

#: Seconds to read a photo, and as many to examine it.
PHOTO_TIME_LIMIT = 120.0
#: Seconds to hash the file of a video, and as many to examine its frames.
VIDEO_TIME_LIMIT = 600.0
#: Photos examined together, by device: a fast device is busy only with many faces at a time.
_BATCH_SIZES = {"cuda": 16, "directml": 16}
#: Photos examined together by a `PhotoExaminer`.
Batch = tuple[ExamineTask, ...]


class ExaminePhotos(Protocol):
    """Examines photos here or on other machines; the results are the same."""

    def __call__(
        self, tasks: Iterable[ExamineTask], should_stop: ShouldStop
    ) -> Iterator[tuple[PhotoRef, ExaminedPhoto]]:
        """Yield (reference as listed, result) of each photo, in any order.

        Once `should_stop()` is true, photos in progress are finished or given up, and the rest is left.
        """


def examine_photos(
    root: Path, settings: ScanSettings, workers: int, tasks: Iterable[ExamineTask], should_stop: ShouldStop
) -> Iterator[tuple[PhotoRef, ExaminedPhoto]]:
    """Examine photos in `workers` processes; yield (reference as listed, result), in any order.

    Once `should_stop()` is true, photos in progress are finished and the rest is left. A photo is
    skipped if a worker dies on it twice or takes too long. `workers=0` examines them in this
    process, without that protection.
    """
    examiner = partial(PhotoExaminer, root, settings)

    def run(
        batches: Iterable[Batch], should_stop: ShouldStop
    ) -> Iterator[tuple[Batch, list[ExaminedPhoto] | LostTask]]:
        return run_isolated(examiner, batches, workers, should_stop, batch_time_limit)

    return examine_in_batches(run, settings.device, tasks, should_stop)


def batch_time_limit(batch: Batch) -> float:
    """Return the seconds that each step of a batch may take."""
    return max(PHOTO_TIME_LIMIT, VIDEO_TIME_LIMIT * sum(is_video_name(task.ref.name) for task in batch))


def examine_in_batches(
    run: Callable[[Iterable[Batch], ShouldStop], Iterator[tuple[Batch, list[ExaminedPhoto] | LostTask]]],
    device: str,
    tasks: Iterable[ExamineTask],
    should_stop: ShouldStop,
) -> Iterator[tuple[PhotoRef, ExaminedPhoto]]:
    """Examine photos in batches that suit the device. `run`: a worker pool's, whose workers are `PhotoExaminer`s."""
    tasks, size = iter(tasks), _BATCH_SIZES.get(device, 1)
    batches = iter(lambda: tuple(itertools.islice(tasks, size)), ())
    singly: list[Batch] = []
    for batch, outcome in run(batches, should_stop):
        if not isinstance(outcome, LostTask):
            yield from zip((task.ref for task in batch), outcome, strict=True)
        elif len(batch) == 1:
            yield batch[0].ref, ExaminedPhoto(_skip_lost_photo(batch[0].ref, outcome))
        else:  # examine each alone to find the one at fault
            singly += [(task,) for task in batch]
    for (task,), outcome in run(singly, should_stop):
        yield (
            task.ref,
            ExaminedPhoto(_skip_lost_photo(task.ref, outcome)) if isinstance(outcome, LostTask) else outcome[0],
        )


def _skip_lost_photo(ref: PhotoRef, lost: LostTask) -> SkippedPhoto:
    match lost.cause:
        case LossCause.CRASHED:
            return SkippedPhoto(ref, SkipReason.CRASHED, f"its worker process crashed twice: {lost.detail}")
        case LossCause.KILLED:
            detail = f"its worker process was killed twice: {lost.detail}"
            return SkippedPhoto(ref, SkipReason.OUT_OF_MEMORY, detail)
        case LossCause.PREPARE_TIMEOUT:
            return SkippedPhoto(ref, SkipReason.UNREADABLE, f"reading it took more than {lost.detail}")
        case LossCause.WORK_TIMEOUT:
            return SkippedPhoto(ref, SkipReason.TOO_SLOW, f"more than {lost.detail}")
