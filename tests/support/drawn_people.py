"""Drawn people to train on: a latent identity decides the face, and each photo adds light, pose, expression and noise.

An identity is a vector of 20 numbers, each uniform in −1 to 1: colours of skin, hair, eyes and lips, and the geometry
of the face. Its photos vary so much that a network with random weights hardly tells people apart, and a small network
learns to.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from faceclust.training.data.face_set import FaceSet
from faceclust.types import UInt8

IDENTITY_SIZE = 20
_CANVAS = 96  # px; photos are cut from it by an affine map


@dataclass(frozen=True)
class DrawnChips:
    """Chips in memory."""

    pixels: UInt8

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, indices: NDArray[np.int64]) -> UInt8:
        return self.pixels[indices]


@functools.cache
def draw_people(people: int, photos: int = 6, *, side: int = 64, first: int = 0, width: int | None = None) -> FaceSet:
    """Return `photos` chips (side, width or side) of each of the people `first`, `first` + 1, …; equal calls draw equal
    chips. A person's chips are the same in any set."""
    chips = np.concatenate([draw_photos(first + i, photos, (width or side, side)) for i in range(people)])
    names = tuple(f"person{first + i:05d}" for i in range(people))
    return FaceSet(
        DrawnChips(chips),
        np.arange(len(chips)),
        np.repeat(np.arange(people), photos),
        names,
        tuple(f"{name}/{k}.jpg" for name in names for k in range(photos)),
    )


def draw_photos(person: int, photos: int, size: tuple[int, int]) -> UInt8:
    """Return chips uint8 (photos, height, width, 3) of one person; `size` is (width, height)."""
    identity = np.random.default_rng([person, 1]).uniform(-1, 1, IDENTITY_SIZE)
    chance = np.random.default_rng([person, 2])
    chips = np.stack([_draw_photo(identity, chance, size) for _ in range(photos)]).astype(np.float32)
    # Light: brightness, contrast, the colour of the lamp and a shadow from one side.
    n, height, width = chips.shape[:3]
    lamp = chance.uniform(0.55, 1.15, (n, 1, 1, 1)) * chance.uniform(0.88, 1.12, (n, 1, 1, 3))
    slope = chance.uniform(-0.35, 0.35, (n, 1, 1, 2))
    shadow = 1 + slope[..., 0] * np.linspace(-1, 1, width) + slope[..., 1] * np.linspace(-1, 1, height)[:, None]
    chips = (chips - 128) * chance.uniform(0.7, 1.1, (n, 1, 1, 1)) + 128
    chips = chips * lamp * shadow[..., None] + chance.normal(0, 8, chips.shape)
    return chips.clip(0, 255).astype(np.uint8)


def _draw_photo(identity: NDArray[np.float64], chance: np.random.Generator, size: tuple[int, int]) -> UInt8:
    skin, red, hair_light, hair_red, iris, lips, face_width, jaw, forehead, eye_distance = identity[:10]
    eye_height, eye_size, slant, brow_height, brow_weight, nose_length, nose_width = identity[10:17]
    mouth_width, mouth_height, hairline = identity[17:]
    smile, opened, look = chance.uniform(-1, 1, 3)
    turn = chance.uniform(-1, 1) * 3  # px that inner parts move by when the head turns
    skin_colour = _mix((95, 60, 45), (245, 214, 190), (skin + 1) / 2) + np.array([14, -8, -8]) * red
    hair_colour = _mix((25, 20, 18), (205, 170, 110), (hair_light + 1) / 2) + np.array([35, -5, -15]) * max(hair_red, 0)
    iris_colour = _mix((60, 35, 20), (110, 160, 200), (iris + 1) / 2)
    lip_colour = skin_colour * 0.75 + np.array([40, -15, -5]) * (1.2 + lips) / 2
    background = chance.uniform(20, 235, 3)
    image = Image.new("RGB", (_CANVAS, _CANVAS), _rgb(background))
    draw = ImageDraw.Draw(image)

    def oval(x: float, y: float, w: float, h: float, colour: NDArray[np.float64]) -> None:
        draw.ellipse((x - w, y - h, x + w, y + h), fill=_rgb(colour))

    for _ in range(2):
        oval(*chance.uniform(0, _CANVAS, 2), *chance.uniform(8, 30, 2), chance.uniform(20, 235, 3))
    middle, w = 48.0, 25 + 3.5 * face_width
    oval(middle, 40 - 2 * forehead, w + 5, 31 + 2 * forehead, hair_colour)
    oval(middle, 46, w, 30 + 2 * forehead, skin_colour)
    oval(middle, 60, w * (0.74 + 0.14 * jaw), 21 + 2 * jaw, skin_colour)
    oval(middle, 17 - 2 * forehead + 4 * hairline, w * 0.9, 9 + 3 * hairline, hair_colour)
    x = middle + turn
    eye_x, eye_y, eye = 11.5 + 2 * eye_distance, 45 + 2 * eye_height, 4.4 + 1.1 * eye_size
    for side in (-1, 1):
        at = x + side * eye_x
        oval(at, eye_y, eye, eye * (0.52 + 0.12 * opened), np.array([235, 235, 230]))
        oval(at + 1.5 * look, eye_y, eye * 0.48, eye * 0.5, iris_colour)
        brow = eye_y - 7 - 2 * brow_height - opened
        ends = (at - side * 5, brow + 1.8 * slant, at + side * 5, brow - 1.8 * slant)
        draw.line(ends, fill=_rgb(hair_colour * 0.8), width=round(2.5 + 1.3 * brow_weight))
    nose = 56 + 2 * nose_length
    oval(x + turn / 2, nose, 4 + 1.5 * nose_width, 2.4, skin_colour * 0.8)
    mouth_y, mouth = 68 + 2 * mouth_height, 9 + 2 * mouth_width + smile
    oval(x, mouth_y, mouth, 2.6 + opened, lip_colour)
    oval(x, mouth_y - 2 * smile, mouth * 0.8, 1.4, skin_colour if smile > 0.3 else lip_colour * 0.7)
    return np.asarray(_cut(image, chance, size))


def _cut(image: Image.Image, chance: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Cut a chip with a small rotation, scale and shift, as faulty landmarks cause them."""
    angle, scale = chance.normal(0, 0.06), np.exp(chance.normal(0, 0.05))
    a, b = np.cos(angle) / scale, np.sin(angle) / scale
    sx, sy = 0.86 * _CANVAS / size[0], 0.86 * _CANVAS / size[1]
    cx, cy = _CANVAS / 2 + chance.normal(0, 1.5), _CANVAS / 2 + chance.normal(0, 1.5)
    affine = (
        *(a * sx, b * sy, cx - a * sx * size[0] / 2 - b * sy * size[1] / 2),
        *(-b * sx, a * sy, cy + b * sx * size[0] / 2 - a * sy * size[1] / 2),
    )
    return image.transform(size, Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)


def _mix(first: tuple[int, ...], second: tuple[int, ...], share: float) -> NDArray[np.float64]:
    return np.array(first) * (1 - share) + np.array(second) * share


def _rgb(colour: NDArray[np.float64]) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in colour.clip(0, 255))
    return red, green, blue
