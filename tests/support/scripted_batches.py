"""A Dask task in place of `examine_batch`: it does what the names of the photos tell it to do."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from distributed import get_worker

from faceclust.engines.dask.team import PROGRESS_TOPIC, BatchAnswer, PhotoBatch, Unable
from faceclust.scan.examine import ExaminedPhoto, KnownPhoto
from faceclust.types import PhotoRef, SkippedPhoto, SkipReason


def examine_by_name(batch: PhotoBatch) -> BatchAnswer | Unable:
    """Answer each photo with the worker's number as its content.

    A name is an action and a number, such as "kill 3". The action is done once if the name begins with "once", and
    only by the first worker if it ends in "here". The root is a folder for marks.
    """
    worker, began = get_worker(), time.monotonic()
    root = Path(batch.settings.root)
    worker.log_event(PROGRESS_TOPIC, batch.id)
    examined, lost = [], set()
    for task in batch.tasks:
        ref = task.ref
        action = ref.name.rstrip("0123456789 ")
        is_done = action.startswith("once") and (root / f"{ref.name}.done").exists()
        if is_done or (action.endswith("here") and worker.name != 0):
            action = ""
        (root / f"{ref.name}.done").touch()
        photo: KnownPhoto | SkippedPhoto = KnownPhoto(ref, str(worker.name))
        match action.removeprefix("once ").removesuffix(" here"):
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                while not (root / "wake").exists():
                    time.sleep(0.05)
            case "nap":
                time.sleep(0.2)
            case "other pack":
                return Unable("its pack differs")
            case "bug":
                raise ZeroDivisionError("a bug")
            case "unreadable":
                photo = SkippedPhoto(ref, SkipReason.UNREADABLE, "Stale file handle")
            case "unmounted":
                photo = SkippedPhoto(ref, SkipReason.UNREADABLE, "No such file or directory")
                lost.add(ref.folder)
            case "rounded":
                photo = KnownPhoto(PhotoRef(ref.rel_path, ref.size, ref.mtime_ns // 10**9 * 10**9), "")
        time.sleep(0.1 if worker.name == 0 and action == "slow here" else 0.005)
        examined.append((ref, ExaminedPhoto(photo)))
    return BatchAnswer(examined, time.monotonic() - began, frozenset(lost))
