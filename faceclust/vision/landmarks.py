"""A second look at a face for its landmarks: one run of MTCNN's O-Net (Zhang et al. 2016) on the
sharpest pixels at hand, whatever detector found it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from faceclust.packs.session import Model
from faceclust.types import Detections, Float32, UInt8
from faceclust.vision.align import cut_squares
from faceclust.vision.geometry import square_boxes
from faceclust.vision.mtcnn import decode_landmarks, run_in_batches


class LandmarkRefiner:
    """`refiner(pixels, detections)` gives the same faces with the landmarks O-Net sees in their
    boxes. Where it does not take the box for a face, those of the detector stay."""

    def __init__(self, onet: Model) -> None:
        self._onet = onet

    def __call__(self, pixels: UInt8, detections: Detections) -> Detections:
        """Pixels (H, W, 3) that the detections are in."""
        if not len(detections):
            return detections
        boxes = square_boxes(detections.boxes)
        out = run_in_batches(self._onet, cut_squares(pixels, boxes, 48))
        sure = (out["face"] > 0.5)[:, None, None]
        landmarks: Float32 = np.where(sure, decode_landmarks(boxes, out["landmarks"]), detections.landmarks)
        return replace(detections, landmarks=landmarks.astype(np.float32))
