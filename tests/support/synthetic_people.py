"""People whom made models tell apart: photos with a red mark that a made detector takes for a face, in
colours of the person's own that a made embedder gives as numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.support import tiny_models

SIDE = 192
#: From the mark, a cell of 8 pixels, to the box, and to the landmarks, in cells.
_BOX = (6.0, 6.0, 7.0, 7.0)
_POINTS = (-1.5, -1.0, 2.5, -1.0, 0.5, 1.0, -1.0, 3.0, 2.0, 3.0)


def draw_photo(person: int, shot: int, *, variation: float = 6.0) -> Image.Image:
    """A photo of a person: sixteen patches about the mark in the person's colours, which a shot
    changes by `unlike` levels, and a wall that is another each time."""
    own, now = np.random.default_rng([person, 1]), np.random.default_rng([person, shot, 2])
    pixels = np.full((SIDE, SIDE, 3), now.integers(0, 256, 3), np.uint8)
    patches = own.integers(0, 256, (4, 4, 3)) + now.normal(0, variation, (4, 4, 3))
    patches[..., 0] = np.clip(patches[..., 0], 0, 150)  # nothing as red as the mark
    pixels[..., 0] = np.minimum(pixels[..., 0], 150)
    pixels[40:152, 40:152] = np.clip(np.kron(patches, np.ones((28, 28, 1))), 0, 255)
    row, column = 88 + 8 * now.integers(0, 2), 88 + 8 * now.integers(0, 2)
    pixels[row : row + 8, column : column + 8] = (255, 0, 0)
    return Image.fromarray(pixels)


def write_people(root: Path, people: int, shots: int = 4, *, variation: float = 6.0) -> Path:
    """A folder for each person, with photos of that one."""
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
    """A manifest whose detector finds the marks, with its model beside it."""
    tiny_models.write_scrfd(folder / "marks.onnx", _BOX, _POINTS)
    (folder / "marks.toml").write_text(DETECTOR_MANIFEST, encoding="utf-8")
    return folder / "marks.toml"
