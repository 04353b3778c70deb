"""Plan the switch of a library to another pack: the photos to rescan, and the time that takes."""

from __future__ import annotations

import contextlib
import os
import time
from collections import defaultdict
from dataclasses import dataclass, replace

from faceclust.errors import NewerCacheError
from faceclust.files.names import is_video_name, pack_of_cache_file
from faceclust.files.safe_paths import join_posix
from faceclust.library.photo_faces import FaceReader, UnreadablePhotoError
from faceclust.packs.pack import Pack
from faceclust.packs.verify import require_files
from faceclust.store.folder_cache import UnusableCacheError, read_photo_names
from faceclust.store.home import LibraryHome

_SAMPLE_SIZE = 6  # photos


@dataclass(frozen=True)
class SwitchPlan:
    """The photos of a library that a pack has not scanned yet.

    `photos`: number of photos that any pack has scanned. `unscanned`: paths of those that this pack
    has not. `other_packs`: names of the other packs with caches. `estimated_seconds`: time to scan
    them, measured on `sample_size` photos; None without a sample.
    """

    photos: int
    unscanned: tuple[str, ...]
    other_packs: tuple[str, ...] = ()
    sample_size: int = 0
    estimated_seconds: float | None = None


def plan_switch(home: LibraryHome, pack: Pack) -> SwitchPlan:
    """Plan to use this pack for a library, with photos by their paths below the root.

    Raises PackError if the pack's model files are missing.
    """
    require_files(pack)
    known: dict[str | None, set[str]] = defaultdict(set)
    for path, folder in home.cache_files():
        with contextlib.suppress(UnusableCacheError, NewerCacheError):  # the next scan reports it
            known[pack_of_cache_file(path.name)] |= {join_posix(folder, name) for name in read_photo_names(path)}
    everything = set[str]().union(*known.values())
    others = sorted(name for name in known if name not in (None, pack.name))
    return SwitchPlan(len(everything), tuple(sorted(everything - known[pack.name])), tuple(others))


def with_time_estimate(home: LibraryHome, pack: Pack, plan: SwitchPlan) -> SwitchPlan:
    """Return the plan with a time estimate, measured on a sample of the unscanned photos.

    Videos and photos that are away are not sampled: to read them fails at once.
    """
    reader, durations = FaceReader(pack), list[float]()
    photos = [photo for photo in plan.unscanned if home.roots.is_here(photo) and not is_video_name(photo)]
    step = max(1, len(photos) // _SAMPLE_SIZE)
    for i, photo in enumerate(photos[: step * _SAMPLE_SIZE : step]):
        for _ in range(2 if i == 0 else 1):  # the first read includes loading the models
            began = time.perf_counter()
            with contextlib.suppress(UnreadablePhotoError, OSError):
                reader.read(home.roots.path_of(photo))
            duration = time.perf_counter() - began
        durations.append(duration)
    mean = sum(durations) / len(durations) if durations else None
    seconds = None if mean is None else mean * len(plan.unscanned) / (os.cpu_count() or 1)
    return replace(plan, sample_size=len(durations), estimated_seconds=seconds)
