"""Alignment: transform each face to the chip geometry that its embedder was trained on.

Two methods exist. ArcFace (Deng et al. 2019) and its relatives map five landmarks onto a template
by a least-squares similarity transform. FaceNet (Schroff et al. 2015) crops the face's box with a
margin, without rotation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from faceclust.types import Float32, Float64, UInt8
from faceclust.types.transforms import invert_transform, similarity_transform, transform_points, transform_scale
from faceclust.vision.pillow_image import to_pillow_image, to_rgb_array


def chip_transforms(landmarks: Float32, template: Float32) -> list[Float64]:
    """Return for each face (n, 5, 2) the 2×3 matrix from picture to chip pixels.

    It maps the landmarks onto the template (5, 2) by least squares.
    """
    return [similarity_transform(points, template) for points in landmarks]


def box_transforms(boxes: Float32, margin: float, size: tuple[int, int]) -> list[Float64]:
    """Return for each box (n, 4) the 2×3 matrix from picture to chip pixels.

    A square around the box's centre fills the chip's height. Its side is the longer side of the
    box, plus the share `margin`. `size`: (width, height) of a chip.
    """
    matrices = []
    for left, top, right, bottom in boxes.astype(np.float64):
        scale = size[1] / max((1 + margin) * max(right - left, bottom - top), 1e-6)
        x, y = (left + right) / 2, (top + bottom) / 2
        matrices.append(np.array([[scale, 0, size[0] / 2 - scale * x], [0, scale, size[1] / 2 - scale * y]]))
    return matrices


def cut_chips(pixels: UInt8, matrices: Sequence[Float64], size: tuple[int, int]) -> UInt8:
    """Cut chips uint8 (n, height, width, 3) from a picture (H, W, 3), black beyond its edge.

    `matrices` map picture to chip pixels. `size`: (width, height) of a chip.
    """
    chips = np.empty((len(matrices), size[1], size[0], 3), np.uint8)
    for chip, matrix in zip(chips, matrices, strict=True):
        chip[:] = _warp_region(pixels, invert_transform(matrix), size)
    return chips


def cut_squares(pixels: UInt8, boxes: Float32, side: int) -> UInt8:
    """Cut square boxes (n, 4) from a picture and resize them to (n, side, side, 3).

    Pixels beyond the picture's edge are grey. Meant for a few boxes of a large picture: only their
    pixels are read.
    """
    crops = np.empty((len(boxes), side, side, 3), np.uint8)
    for crop, (left, top, right, _) in zip(crops, boxes.astype(np.float64), strict=True):
        scale = (right - left) / side
        crop[:] = _warp_region(pixels, np.array([[scale, 0, left], [0, scale, top]]), (side, side), fill=127)
    return crops


def _warp_region(pixels: UInt8, chip_to_picture: Float64, size: tuple[int, int], fill: int = 0) -> UInt8:
    width, height = size
    corners = transform_points(chip_to_picture, np.array([(0, 0), (width, 0), (0, height), (width, height)]))
    # Pillow's transform samples single points: reduce the region by a whole factor first, so that
    # no source pixel is skipped.
    step = max(1, int(transform_scale(chip_to_picture)))
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - step, 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + step, pixels.shape[1::-1])
    if right <= left or bottom <= top:
        return np.full((height, width, 3), fill, np.uint8)
    region = to_pillow_image(pixels[top:bottom, left:right]).reduce(step)
    to_region = chip_to_picture.copy()
    to_region[:, 2] -= (left, top)
    to_region /= step
    return to_rgb_array(
        region.transform(
            size,
            Image.Transform.AFFINE,
            to_region.ravel().tolist(),
            Image.Resampling.BILINEAR,
            fillcolor=(fill,) * len(region.getbands()),
        )
    )
