"""Alignment templates: the positions of the five landmarks on a chip, by the method they come from."""

from __future__ import annotations

import numpy as np

from faceclust.types import Float32

_ARCFACE_POINTS = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]

#: Chip size (width, height) and landmarks, px. "arcface": used by InsightFace for ArcFace (Deng et
#: al. 2019) and by most methods since. "sphereface": SphereFace (Liu et al. 2017) and CosFace, the
#: same points eight pixels further left. "dlib": fitted to dlib's own chips for MTCNN's landmarks.
TEMPLATES: dict[str, tuple[tuple[int, int], list[list[float]]]] = {
    "arcface": ((112, 112), _ARCFACE_POINTS),
    "sphereface": ((96, 112), [[x - 8, y] for x, y in _ARCFACE_POINTS]),
    "dlib": ((150, 150), [[47.18, 45.09], [101.50, 45.10], [73.81, 78.04], [50.97, 106.01], [97.86, 106.06]]),
}
#: No alignment: the chip is the face's box with a margin.
BOX_TEMPLATE = "box"
BOX_CHIP_SIZE = (160, 160)


def template_points(name: str, size: tuple[int, int]) -> Float32:
    """Return the landmarks, float32 (5, 2), for a chip of any `size` (width, height).

    The template is scaled by the height and centred horizontally. "box" gets ArcFace's points,
    although it is not aligned by them. Raises ValueError if the name is unknown.
    """
    if name not in TEMPLATES and name != BOX_TEMPLATE:
        raise ValueError(f"unknown template {name!r}; use one of {', '.join([*TEMPLATES, BOX_TEMPLATE])}")
    (width, height), points = TEMPLATES["arcface" if name == BOX_TEMPLATE else name]
    scale = size[1] / height
    shift = (size[0] - width * scale) / 2
    return (np.array(points) * scale + (shift, 0.0)).astype(np.float32)
