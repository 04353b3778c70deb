"""Where the five landmarks belong on a chip, by the name of the method that trained on such chips."""

from __future__ import annotations

import numpy as np

from faceclust.types import Float32

_ARCFACE_POINTS = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]

#: The size (width, height) of a chip, and the landmarks on it, px. "arcface": InsightFace's, of
#: ArcFace (Deng et al. 2019) and most since; "sphereface": that of SphereFace (Liu et al. 2017) and
#: CosFace, the same eight pixels further to the left; "dlib": fitted for MTCNN's points against
#: dlib's own chips.
TEMPLATES: dict[str, tuple[tuple[int, int], list[list[float]]]] = {
    "arcface": ((112, 112), _ARCFACE_POINTS),
    "sphereface": ((96, 112), [[x - 8, y] for x, y in _ARCFACE_POINTS]),
    "dlib": ((150, 150), [[47.18, 45.09], [101.50, 45.10], [73.81, 78.04], [50.97, 106.01], [97.86, 106.06]]),
}
#: No template: the chip is the face's box, with a margin.
BOX_TEMPLATE = "box"
BOX_CHIP_SIZE = (160, 160)


def template_points(name: str, size: tuple[int, int]) -> Float32:
    """The landmarks (5, 2) on a chip of another `read_dimensions` (width, height): scaled as the height is, the
    middle left to right staying in the middle. For "box", which is not aligned by them, they are
    ArcFace's. Raises ValueError for an unknown name."""
    if name not in TEMPLATES and name != BOX_TEMPLATE:
        raise ValueError(f"no template {name!r}; known are {', '.join([*TEMPLATES, BOX_TEMPLATE])}")
    (width, height), points = TEMPLATES["arcface" if name == BOX_TEMPLATE else name]
    scale = size[1] / height
    shift = (size[0] - width * scale) / 2
    return (np.array(points) * scale + (shift, 0.0)).astype(np.float32)
