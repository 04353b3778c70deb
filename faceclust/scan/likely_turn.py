"""The turn of a photo that other programs recorded beside it, and not in the photo."""

from __future__ import annotations

from pathlib import Path

from faceclust.photos.picasa_ini import read_rotation
from faceclust.scan.sidecar_facts import read_sidecar_facts

#: Quarter turns counter-clockwise (see `numpy.rot90`) by EXIF orientation; mirror images count as
#: unmirrored, because a mirrored face is found as well.
_TURNS = {1: 0, 2: 0, 3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}


def read_likely_turn(photo: Path, applied: int | None) -> int:
    """Return the quarter turns (see `numpy.rot90`) of the decoded picture after which it is likely upright.

    `applied`: the EXIF orientation that was applied to the stored picture. The orientation in a sidecar
    counts, and without one Picasa's rotation of the photo.
    """
    recorded = read_sidecar_facts(photo).orientation
    if recorded is not None:
        return (_TURNS[recorded] - _TURNS.get(applied or 1, 0)) % 4
    return _TURNS[read_rotation(photo)]
