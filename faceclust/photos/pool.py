"""Photos spread over worker processes: what becomes of one that kills or hangs its process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from faceclust.packs.manifest import Pack
from faceclust.photos.apart import run_apart
from faceclust.photos.examine import Examined, PhotoExaminer
from faceclust.photos.member import Cause, Lost
from faceclust.progress import StopAsked
from faceclust.types import PhotoRef, SkippedPhoto, SkipReason

#: Seconds a photo may take to be read, and again to be worked on.
TIME_LIMIT = 120.0


def examine_photos(
    root: Path, pack: Pack, photos: Sequence[PhotoRef], workers: int, stop_asked: StopAsked
) -> Iterator[Examined]:
    """Examine photos in `workers` processes; results come as they are done, in any order.

    Once `stop_asked()` is true the photos in hand are finished and the rest left. A photo on
    which a worker dies twice, or takes too long, is skipped. `workers=0` works in this process,
    without that protection.
    """
    examiner = partial(PhotoExaminer, root, pack)
    for ref, outcome in run_apart(examiner, photos, workers, stop_asked, TIME_LIMIT):
        yield Examined(_skipped(ref, outcome)) if isinstance(outcome, Lost) else outcome


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
