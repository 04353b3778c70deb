"""Alignment: each face turned, scaled and cut to the chip its embedder was trained on.

Five landmarks and a similarity transform by least squares, as ArcFace (Deng et al. 2019)
and its kin do it; the template says where the landmarks belong. Or, as FaceNet (Schroff et al. 2015)
does it, the face's box with a margin, not turned.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from faceclust.types import Float32, Float64, UInt8
from faceclust.vision.geometry import invert_transform, similarity_transform, transform_points, transform_scale


def chip_transforms(landmarks: Float32, template: Float32) -> list[Float64]:
    """For each face (n, 5, 2), the 2×3 matrix from picture to chip pixels, so that the landmarks
    come to lie where the template (5, 2) has them."""
    return [similarity_transform(points, template) for points in landmarks]


def box_transforms(boxes: Float32, margin: float, size: tuple[int, int]) -> list[Float64]:
    """For each face's box (n, 4), the 2×3 matrix from picture to chip pixels that brings a square
    about its middle, its longer side grown by the share `margin`, to the chip's height. `read_dimensions` =
    (width, height) of a chip."""
    matrices = []
    for left, top, right, bottom in boxes.astype(np.float64):
        scale = size[1] / max((1 + margin) * max(right - left, bottom - top), 1e-6)
        x, y = (left + right) / 2, (top + bottom) / 2
        matrices.append(np.array([[scale, 0, size[0] / 2 - scale * x], [0, scale, size[1] / 2 - scale * y]]))
    return matrices


def cut_chips(pixels: UInt8, matrices: Sequence[Float64], size: tuple[int, int]) -> UInt8:
    """Chips uint8 (n, height, width, 3), black beyond the picture's edge, of a picture (H, W, 3) by
    the matrices from its pixels to theirs. `read_dimensions` = (width, height) of a chip."""
    chips = np.empty((len(matrices), size[1], size[0], 3), np.uint8)
    for chip, matrix in zip(chips, matrices, strict=True):
        chip[:] = _warp_region(pixels, invert_transform(matrix), size)
    return chips


def cut_squares(pixels: UInt8, boxes: Float32, side: int) -> UInt8:
    """The square boxes (n, 4) of a picture at (n, side, side, 3), grey beyond the picture's edge:
    for a few boxes of a large picture, of which nothing else is touched."""
    crops = np.empty((len(boxes), side, side, 3), np.uint8)
    for crop, (left, top, right, _) in zip(crops, boxes.astype(np.float64), strict=True):
        scale = (right - left) / side
        crop[:] = _warp_region(pixels, np.array([[scale, 0, left], [0, scale, top]]), (side, side), fill=127)
    return crops


def _warp_region(pixels: UInt8, chip_to_picture: Float64, size: tuple[int, int], fill: int = 0) -> UInt8:
    width, height = size
    corners = transform_points(chip_to_picture, np.array([(0, 0), (width, 0), (0, height), (width, height)]))
    # Pillow's transform takes single samples: shrink the region by whole pixels first, so
    # that no sample skips over what lies between.
    step = max(1, int(transform_scale(chip_to_picture)))
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - step, 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + step, pixels.shape[1::-1])
    if right <= left or bottom <= top:
        return np.full((height, width, 3), fill, np.uint8)
    region = Image.fromarray(pixels[top:bottom, left:right]).reduce(step)
    to_region = chip_to_picture.copy()
    to_region[:, 2] -= (left, top)
    to_region /= step
    return np.asarray(
        region.transform(
            size,
            Image.Transform.AFFINE,
            to_region.ravel().tolist(),
            Image.Resampling.BILINEAR,
            fillcolor=(fill, fill, fill),
        )
    )
