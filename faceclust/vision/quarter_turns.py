"""Pictures that lie on their side or upside down: turned copies, and faces turned back.

A turn is a number of quarter turns counter-clockwise, 0 to 3, as in `numpy.rot90`.
"""

from __future__ import annotations

import numpy as np

from faceclust.types import Detections, Float32, UInt8

#: The turns of a picture that is not upright.
TURNS = (1, 2, 3)
_GAP, _GAP_VALUE = 8, 127  # pixels between copies, in grey


def turn_back(detections: Detections, turn: int, size: tuple[int, int]) -> Detections:
    """Return the faces found in `numpy.rot90(pixels, turn)` as faces of `pixels`, in the same order.

    `size`: width and height of `pixels`. The landmarks keep their order, too: the first eye is the one
    on the left of the upright face.
    """
    points = _turn_points_back(detections.landmarks, turn, size)
    corners = _turn_points_back(detections.boxes.reshape(-1, 2, 2), turn, size)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return Detections(boxes, detections.scores, points)


def _turn_points_back(points: Float32, turn: int, size: tuple[int, int]) -> Float32:
    """Return points (…, 2) of the turned picture in the picture before the turn."""
    width, height = np.float32(size[0]), np.float32(size[1])
    x, y = points[..., 0], points[..., 1]
    turned = ((x, y), (width - y, x), (width - x, height - y), (y, height - x))[turn]
    return np.stack(turned, axis=-1)


def lay_out_turned_copies(pixels: UInt8) -> UInt8:
    """Return one picture with a copy of `pixels` (h, w, 3) for each of `TURNS`, side by side.

    A detector needs less time for it than for three pictures.
    """
    side = max(pixels.shape[:2])
    columns = [number * (side + _GAP) for number in range(len(TURNS))]
    laid_out = np.full((side, columns[-1] + side, 3), _GAP_VALUE, np.uint8)
    for column, turn in zip(columns, TURNS, strict=True):
        copy = np.rot90(pixels, turn)
        laid_out[: copy.shape[0], column : column + copy.shape[1]] = copy
    return laid_out


def choose_turn(found: Detections, side: int) -> int | None:
    """Return the turn with the largest sum of scores, None without a face.

    `found`: the faces in the picture of `lay_out_turned_copies`, whose copies have a longer side of
    `side` pixels.
    """
    if not len(found):
        return None
    centres = (found.boxes[:, 0] + found.boxes[:, 2]) / 2
    copies = np.clip(centres // (side + _GAP), 0, len(TURNS) - 1).astype(np.intp)
    return TURNS[int(np.bincount(copies, found.scores).argmax())]
