"""Finding faces: which detector a pack asks for, run on a copy of bounded size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from faceclust.errors import PackError
from faceclust.packs.manifest import Pack
from faceclust.packs.session import Model, OnnxModel
from faceclust.types import Detections, UInt8
from faceclust.vision.mtcnn import Mtcnn, MtcnnSettings

#: Finds the faces of one RGB picture, in its own pixels.
Detector = Callable[[UInt8], Detections]


def _mtcnn(models: dict[str, Model], settings: dict[str, Any]) -> Detector:
    thresholds = tuple(settings.pop("thresholds"))
    return Mtcnn(models, MtcnnSettings(thresholds=thresholds, **settings))


#: Decoder kinds a manifest can name.
DETECTORS: dict[str, Callable[[dict[str, Model], dict[str, Any]], Detector]] = {"mtcnn": _mtcnn}


def load_detector(pack: Pack) -> Detector:
    """The pack's detector, its models opened. Raises PackError for an unknown kind."""
    spec = pack.detector
    if spec.kind not in DETECTORS:
        raise PackError(
            f"pack {pack.name!r} asks for detector {spec.kind!r}", hint=f"known detectors: {', '.join(DETECTORS)}"
        )
    models: dict[str, Model] = {role: OnnxModel(pack.path(name)) for role, name in spec.files.items()}
    return DETECTORS[spec.kind](models, dict(spec.settings))


def detect_faces(detector: Detector, pixels: UInt8, long_side: int) -> Detections:
    """Faces of a picture of any size, in its own pixels: the detector sees a copy whose longer
    side is at most `long_side`."""
    height, width = pixels.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    if scale == 1.0:
        return detector(pixels)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    copy = Image.fromarray(pixels).resize(small, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return detector(np.asarray(copy)).scaled(1 / scale)
