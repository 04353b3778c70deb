"""The inputs that well-known families of face models are trained with, for hints."""

from __future__ import annotations

from typing import NamedTuple


class UsualInput(NamedTuple):
    """A channel order, mean and scale, as in `packs.pack.EmbedderSpec`."""

    family: str
    colour: str
    mean: float
    scale: float


USUAL_INPUTS = (
    UsualInput("InsightFace", "rgb", 127.5, 127.5),
    UsualInput("MobileFaceNet, FaceNet", "rgb", 127.5, 128.0),
    UsualInput("AdaFace", "bgr", 127.5, 127.5),
    UsualInput("MagFace", "bgr", 0.0, 255.0),
    UsualInput("SFace", "rgb", 0.0, 1.0),
)
