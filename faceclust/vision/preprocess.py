"""Convert pixels to network input: channel order, normalisation and layout."""

from __future__ import annotations

import numpy as np

from faceclust.packs.pack import ChannelLevels
from faceclust.types import Float32, UInt8


def to_model_input(
    pixels: UInt8, colour: str, mean: ChannelLevels, scale: ChannelLevels, layout: str = "nchw"
) -> Float32:
    """Convert pictures uint8 (n, h, w, 3) RGB to float32 (n, 3, h, w), or (n, h, w, 3) for "nhwc".

    Each channel, RGB or BGR (`colour`), becomes (value − mean) / scale. `mean` and `scale` are a
    number, or three in the order of the channels.
    """
    ordered = pixels[..., ::-1] if colour == "bgr" else pixels
    if layout == "nchw":
        ordered = ordered.transpose(0, 3, 1, 2)
    images = np.ascontiguousarray(ordered, dtype=np.float32)
    if (mean, scale) == (0.0, 1.0):
        return images
    with np.errstate(over="ignore"):  # invalid levels show in the results
        return np.asarray((images - _reshape_levels(mean, layout)) / _reshape_levels(scale, layout))


def _reshape_levels(levels: ChannelLevels, layout: str) -> Float32:
    values = np.asarray(levels, dtype=np.float32)
    return values.reshape(-1, 1, 1) if values.ndim and layout == "nchw" else values
