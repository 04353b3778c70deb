"""Refine landmarks by MTCNN's O-Net (Zhang et al. 2016), whatever detector found the face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from faceclust.packs.session import Model
from faceclust.types import Detections, Float32, UInt8
from faceclust.vision.align import cut_squares
from faceclust.vision.geometry import square_boxes
from faceclust.vision.mtcnn import decode_landmarks, run_in_batches


class LandmarkRefiner:
    """Replaces the landmarks of detections by those that O-Net finds in their boxes.

    The detector's landmarks stay if O-Net does not accept the box as a face.
    """

    def __init__(self, onet: Model) -> None:
        self._onet = onet

    def __call__(self, pixels: UInt8, detections: Detections) -> Detections:
        """`pixels` (H, W, 3): the picture that the detections refer to, in the best resolution available."""
        if not len(detections):
            return detections
        boxes = square_boxes(detections.boxes)
        out = run_in_batches(self._onet, cut_squares(pixels, boxes, 48))
        sure = (out["face"] > 0.5)[:, None, None]
        landmarks: Float32 = np.where(sure, decode_landmarks(boxes, out["landmarks"]), detections.landmarks)
        return replace(detections, landmarks=landmarks.astype(np.float32))
