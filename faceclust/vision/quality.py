"""How much a face is worth to recognition, 0 to 1."""

from __future__ import annotations

import numpy as np

from faceclust.types import Detections, Float32
from faceclust.vision.geometry import Float64


def face_quality(detections: Detections, scales: Float64) -> Float32:
    """Detector score × resolution: 1 where the detector is sure and the photo has at least
    one pixel for each chip pixel; half where the face had to be blown up twofold.

    `scales` (n,): chip pixels for one photo pixel, from `align.chip_scales`.
    """
    resolution = np.minimum(1.0, 1.0 / np.maximum(scales, 1e-6))
    return np.clip(detections.scores * resolution, 0.0, 1.0).astype(np.float32)
