"""Random changes of chips. This module does not import torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceclust.types import UInt8


def augment(chips: UInt8, positions: NDArray[np.int64], epoch: int, seed: int) -> UInt8:
    """Return the chips uint8 (n, h, w, 3), half of them mirrored.

    Whether a chip is mirrored depends on the seed, the epoch and its position in the set (n,) alone: not on the
    batch or the process that it is in.
    """
    mirrored = _mix(_mix(_mix(np.uint64(seed)) ^ np.uint64(epoch)) ^ positions.astype(np.uint64)) >> np.uint64(63) == 1
    return np.where(mirrored[:, None, None, None], chips[:, :, ::-1], chips)


def _mix(values: NDArray[np.uint64] | np.uint64) -> NDArray[np.uint64]:
    """Return 64 well mixed bits for each value: SplitMix64 (Steele, Lea and Flood 2014)."""
    mixed = np.atleast_1d(values) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
