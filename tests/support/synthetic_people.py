"""Draw photos of people for the constructed models of `tiny_models`.

Each photo has a red mark, which the detector finds as a face, among patches in the person's colours,
which the embedder measures.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.support import tiny_models

SIDE = 192
#: Distances from the mark to the sides of the box and to the landmarks, in cells of 8 pixels.
_BOX = (6.0, 6.0, 7.0, 7.0)
_POINTS = (-1.5, -1.0, 2.5, -1.0, 0.5, 1.0, -1.0, 3.0, 2.0, 3.0)


def draw_photo(person: int, shot: int, *, variation: float = 6.0) -> Image.Image:
    """Draw a photo of a person: sixteen patches in the person's colours around the mark.

    Each shot has another background, and changes the colours by about `variation` levels.
    """
    by_person, by_shot = np.random.default_rng([person, 1]), np.random.default_rng([person, shot, 2])
    pixels = np.full((SIDE, SIDE, 3), by_shot.integers(0, 256, 3), np.uint8)
    patches = by_person.integers(0, 256, (4, 4, 3)) + by_shot.normal(0, variation, (4, 4, 3))
    patches[..., 0] = np.clip(patches[..., 0], 0, 150)  # nothing as red as the mark
    pixels[..., 0] = np.minimum(pixels[..., 0], 150)
    pixels[40:152, 40:152] = np.clip(np.kron(patches, np.ones((28, 28, 1))), 0, 255)
    row, column = 88 + 8 * by_shot.integers(0, 2), 88 + 8 * by_shot.integers(0, 2)
    pixels[row : row + 8, column : column + 8] = (255, 0, 0)
    return Image.fromarray(pixels)


def write_people(root: Path, people: int, shots: int = 4, *, variation: float = 6.0) -> Path:
    """Write a folder of photos for each person."""
    for person in range(people):
        for shot in range(shots):
            path = root / f"person {person:02d}" / f"{shot}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            draw_photo(person, shot, variation=variation).save(path)
    return root


DETECTOR_MANIFEST = """
schema = 1
name = "marks"
title = "a mark is a face"
licence = "none"

[detector]
kind = "scrfd"
long_side = 1000
smallest = 20
threshold = 0.9
overlap = 0.4
files = { scrfd = "marks.onnx" }

[embedder]
file = "dlib_resnet.onnx"
dimension = 128
chip_size = [150, 150]
colour = "rgb"
mean = 0
scale = 1
mirror = false
radius = 1.0
sure_score = 0.0
max_asymmetry = 4.0
template = "dlib"

[[file]]
name = "marks.onnx"
licence = "none"

[[file]]
name = "dlib_resnet.onnx"
embedded = true
"""


def write_detector(folder: Path) -> Path:
    """Write a manifest with a detector that finds the marks, and its model; return the manifest."""
    tiny_models.write_scrfd(folder / "marks.onnx", _BOX, _POINTS)
    (folder / "marks.toml").write_text(DETECTOR_MANIFEST, encoding="utf-8")
    return folder / "marks.toml"
