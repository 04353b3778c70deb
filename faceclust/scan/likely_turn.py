"""The turn of a photo that other programs recorded beside it, and not in the photo."""

from __future__ import annotations

from pathlib import Path

from faceclust.photos.picasa_ini import read_rotation

#: Quarter turns counter-clockwise (see `numpy.rot90`) by EXIF orientation; mirror images count as
#: unmirrored, because a mirrored face is found as well.
_TURNS = {1: 0, 2: 0, 3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}


def read_likely_turn(photo: Path, applied: int | None, recorded: int | None = None) -> int:
    """Return the quarter turns (see `numpy.rot90`) of the upright picture after which it is likely upright.

    `applied`: the EXIF orientation that made the picture upright. `recorded`: the one that a sidecar
    has for the stored picture. Without that, Picasa's rotation of the photo counts.
    """
    if recorded in _TURNS:
        return (_TURNS[recorded] - _TURNS.get(applied or 1, 0)) % 4
    return _TURNS[read_rotation(photo)]
