"""From batches of positions to a network's input, read ahead by another thread."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceclust.errors import UsageError
from faceclust.training.backbones.base import MEAN, SCALE
from faceclust.training.data.samplers import AdaptiveSampler, PeopleBatches, Sampler, Share, Shuffled
from faceclust.training.data.triplets import TripletSampler
from faceclust.training.heads.base import Head
from faceclust.training.options import TrainingOptions
from faceclust.types import UInt8

_Item = TypeVar("_Item")
_Loaded = TypeVar("_Loaded")


def read_ahead(
    load: Callable[[_Item], _Loaded], items: Sequence[_Item], *, ahead: int = 2
) -> Generator[_Loaded, None, None]:
    """Yield `load(item)` of each item in order, loaded by another thread while the caller works.

    `ahead` items are loaded before they are asked for. An exception of `load` is raised at its item.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="chips") as pool:
        waiting = [pool.submit(load, item) for item in items[:ahead]]
        try:
            for index in range(len(items)):
                loaded = waiting.pop(0).result()
                if index + ahead < len(items):
                    waiting.append(pool.submit(load, items[index + ahead]))
                yield loaded
        finally:
            for future in waiting:
                future.cancel()


def normalise_chips(chips: UInt8, device: torch.device) -> Tensor:
    """Return chips uint8 (n, h, w, 3) as a network's input: float32 (n, 3, h, w), (value − MEAN) / SCALE, in the
    memory layout channels_last, which the chips have already."""
    if device.type == "cpu":
        values = np.subtract(chips, MEAN, dtype=np.float32)
        values /= SCALE
        return torch.from_numpy(values).permute(0, 3, 1, 2)
    pixels = torch.from_numpy(np.ascontiguousarray(chips))  # a quarter of the bytes to copy
    if device.type == "cuda":
        pixels = pixels.pin_memory()
    return (pixels.to(device, non_blocking=True).permute(0, 3, 1, 2).float() - MEAN) / SCALE


def build_sampler(head: Head, labels: NDArray[np.int64], options: TrainingOptions, share: Share) -> Sampler:
    """Return the sampler that a head needs, of this process's share. Raises UsageError if options or data do not
    allow it."""
    if options.people_per_batch and head.sampler in ("triplets", "adaptive"):
        raise UsageError(
            f"--people-per-batch is not possible with these settings of {head.title}, which choose the faces",
            hint="leave out --people-per-batch",
        )
    if head.sampler == "triplets":
        return TripletSampler(labels, options.batch, options.seed, share)
    if head.sampler == "people" or options.people_per_batch:
        people = options.people_per_batch or _choose_people_per_batch(labels, options.batch, share.processes)
        return PeopleBatches(
            labels, people, options.batch // people, options.seed, share, allow_single=head.sampler != "people"
        )
    kind = AdaptiveSampler if head.sampler == "adaptive" else Shuffled
    return kind(len(labels), options.batch, options.seed, share)


def _choose_people_per_batch(labels: NDArray[np.int64], batch: int, processes: int) -> int:
    """Return a quarter of the batch, or as many people as have two faces; a multiple of the processes."""
    people = min(max(batch // 4, 2), int(np.count_nonzero(np.bincount(labels) > 1)))
    return max(people // processes, 1) * processes
