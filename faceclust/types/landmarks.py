"""The way up of a face, by its landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceclust.types.arrays import Float64

#: Degrees. A face that is tilted by less is shown as it is.
_MAX_TILT = 60.0


def find_upright_turns(landmarks: Float64) -> NDArray[np.int64]:
    """Return the quarter turns (see `numpy.rot90`) that make faces upright, (n,); 0 for tilted faces.

    `landmarks` (n, 5, 2), in pixels, are those of `types.Detections`. The mouth of an upright face is below
    the eyes.
    """
    x, y = (landmarks[:, 3:].mean(axis=1) - landmarks[:, :2].mean(axis=1)).T
    tilt = np.degrees(np.arctan2(x, y))
    turns = np.where(np.abs(tilt) < _MAX_TILT, 0, -np.round(tilt / 90) % 4)
    return turns.astype(np.int64)
