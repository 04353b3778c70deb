"""EXIF orientation values, 1 to 8, applied to pixels and sizes."""

from __future__ import annotations

from faceclust.types import UInt8

#: For each orientation: whether rows and columns are swapped, then the steps along the rows and
#: along the columns of the stored picture.
_STEPS = {
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}


def apply_orientation(pixels: UInt8, orientation: int) -> UInt8:
    """Return an upright view of pixels (h, w, …), without copying. Values outside 1..8 change nothing."""
    swapped, down, across = _STEPS.get(orientation, (False, 1, 1))
    return (pixels.swapaxes(0, 1) if swapped else pixels)[::down, ::across]


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return (width, height) of the upright picture, given those of the stored picture."""
    swapped, _, _ = _STEPS.get(orientation, (False, 1, 1))
    return size[::-1] if swapped else size
