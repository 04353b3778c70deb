"""Faces that a tiny network learns to tell apart in seconds: sixteen patches in each person's own colours."""

from __future__ import annotations

import numpy as np

from faceclust.training.data.face_set import FaceSet
from faceclust.types import UInt8
from tests.support.drawn_people import DrawnChips

_SIDE, _PATCHES = 32, 4


def make_patchwork_people(people: int, photos: int, *, first: int = 0) -> FaceSet:
    """Return `photos` chips of each of the people `first`, `first` + 1, …, with other light, position and noise."""
    chips = np.concatenate([_make_chips(first + i, photos) for i in range(people)])
    names = tuple(f"person{first + i:05d}" for i in range(people))
    return FaceSet(
        DrawnChips(chips),
        np.arange(len(chips)),
        np.repeat(np.arange(people), photos),
        names,
        tuple(f"{name}/{k}.png" for name in names for k in range(photos)),
    )


def _make_chips(person: int, photos: int) -> UInt8:
    own = np.random.default_rng([person, 1]).integers(0, 256, (_PATCHES, _PATCHES, 3))
    chance = np.random.default_rng([person, 2])
    patches = np.kron(own, np.ones((_SIDE // _PATCHES, _SIDE // _PATCHES, 1)))
    moved = [np.roll(patches, chance.integers(-2, 3, 2), (0, 1)) for _ in range(photos)]
    light = chance.uniform(0.6, 1.1, (photos, 1, 1, 1))
    chips = np.stack(moved) * light + chance.normal(0, 25, (photos, _SIDE, _SIDE, 3))
    return chips.clip(0, 255).astype(np.uint8)
