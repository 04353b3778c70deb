"""The effort that a detector makes."""

from __future__ import annotations

from enum import Enum, auto


class Effort(Enum):
    """QUICK: the detector may leave out faces that it is not sure of. THOROUGH: lower scores are enough, so that
    hidden, turned and blurred faces are found, and more that are none."""

    QUICK = auto()
    USUAL = auto()
    THOROUGH = auto()
