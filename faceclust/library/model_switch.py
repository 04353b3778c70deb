"""What it means for a library to use other models: which photos they are still to look at, for how long."""

from __future__ import annotations

import contextlib
import os
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from faceclust.errors import CacheError
from faceclust.files.names import pack_of_cache_file
from faceclust.library.photo_faces import FaceReader, UnreadablePhotoError
from faceclust.packs.pack import Pack
from faceclust.packs.verify import require_files
from faceclust.store.folder_cache import UnusableCacheError, read_photo_names
from faceclust.store.home import LibraryHome

_SAMPLE_SIZE = 6  # photos


@dataclass(frozen=True)
class SwitchPlan:
    """Of the `photos` that some models know, those `unknown` to the new ones are to be looked at
    anew. `others`: the packs that have found something. `seconds`: how long that takes by a try on
    `tried` of them; None where none was tried."""

    photos: int
    unscanned: tuple[str, ...]
    other_packs: tuple[str, ...] = ()
    sample_size: int = 0
    estimated_seconds: float | None = None


def plan_switch(home: LibraryHome, pack: Pack) -> SwitchPlan:
    """What using these models means for a library, photos by their paths below its root. Raises
    PackError where their files are not there."""
    require_files(pack)
    known: dict[str | None, set[str]] = defaultdict(set)
    for path, folder in home.cache_files():
        with contextlib.suppress(UnusableCacheError, CacheError):  # for a scan to tell
            known[pack_of_cache_file(path.name)] |= {f"{folder}/{name}".lstrip("/") for name in read_photo_names(path)}
    everything = set[str]().union(*known.values())
    others = sorted(name for name in known if name not in (None, pack.name))
    return SwitchPlan(len(everything), tuple(sorted(everything - known[pack.name])), tuple(others))


def with_time_estimate(home: LibraryHome, pack: Pack, plan: SwitchPlan) -> SwitchPlan:
    """The same plan with the time it takes, measured on some of the photos."""
    eye, spent = FaceReader(pack), list[float]()
    step = max(1, len(plan.unscanned) // _SAMPLE_SIZE)
    for i, photo in enumerate(plan.unscanned[: step * _SAMPLE_SIZE : step]):
        for _ in range(2 if i == 0 else 1):  # the first time the models are opened
            began = time.perf_counter()
            with contextlib.suppress(UnreadablePhotoError):
                eye.read(Path(home.root / photo))
            took = time.perf_counter() - began
        spent.append(took)
    seconds = sum(spent) / len(spent) * len(plan.unscanned) / (os.cpu_count() or 1) if spent else None
    return replace(plan, sample_size=len(spent), estimated_seconds=seconds)
