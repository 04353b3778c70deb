"""Halves of the people: one to choose or fit something, the other to measure it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def split_people(people: np.ndarray, splits: int) -> Iterator[np.ndarray]:
    """Yield masks (n,) of the faces of half of the people: for each random split one half, then the other."""
    for seed in range(splits):
        names = np.random.default_rng(seed).permutation(np.unique(people))
        first = np.isin(people, names[: len(names) // 2])
        yield from (first, ~first)
