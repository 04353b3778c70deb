"""Draw faces of unlike people: pictures to try an embedder on, without photos of anybody."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from faceclust.packs.pack import EmbedderSpec
from faceclust.types import UInt8


class _Person(NamedTuple):
    """Lengths are fractions of the chip's sides. `light` is the contrast between left and right,
    `turn` the shift of the head against the landmarks, as a head that looks aside has."""

    skin: str
    hair: str
    background: str
    width: float
    height: float
    light: float
    turn: float
    mouth: float
    features: str


_PEOPLE = (
    _Person("#f6d7c0", "#b98a4a", "#a4502a", 0.38, 0.50, 0.0, 0.0, 0.03, ""),
    _Person("#8c5a3a", "#241a14", "#2f5d62", 0.30, 0.46, 0.35, 0.06, 0.06, "beard"),
    _Person("#5f3b27", "#1a1412", "#d8d0bc", 0.34, 0.52, -0.35, -0.06, 0.04, "glasses"),
    _Person("#eec1a0", "#8f8c88", "#34495e", 0.42, 0.44, 0.2, -0.03, 0.07, "bald"),
    _Person("#dba67c", "#4a3020", "#cfe0e6", 0.33, 0.55, -0.2, 0.08, 0.03, "fringe"),
    _Person("#e8b48c", "#8a2f1a", "#4b6b3a", 0.36, 0.48, 0.5, -0.08, 0.09, "long"),
    _Person("#b97f55", "#241a14", "#7a3b5e", 0.40, 0.53, -0.5, 0.03, 0.05, "beard glasses"),
    _Person("#f3cdb4", "#d8c7a0", "#222222", 0.31, 0.49, 0.1, 0.0, 0.02, "long fringe"),
)


def draw_faces(spec: EmbedderSpec) -> UInt8:
    """Draw eight faces that differ in skin, hair, shape, light, pose and features, with their
    landmarks at the pack's template. Return chips uint8 (8, h, w, 3)."""
    return np.stack([_draw_face(spec, person) for person in _PEOPLE])


def disturb(chips: UInt8) -> UInt8:
    """Return copies of chips (n, h, w, 3) that are shifted by a pixel or two, paler and brighter."""
    shifted = np.roll(chips, (1, 2), axis=(1, 2)).astype(np.float32)
    return np.asarray(np.clip(shifted * 0.9 + 12, 0, 255), np.uint8)


def _draw_face(spec: EmbedderSpec, person: _Person) -> UInt8:
    (w, h), (left, right, nose, *mouth) = spec.chip_size, spec.template.tolist()
    image = Image.new("RGB", (w, h), person.background)
    draw = ImageDraw.Draw(image)
    turn = person.turn * w
    x, y = nose[0] - turn / 2, nose[1] - 0.05 * h

    def oval(
        x: float, y: float, x_radius: float, y_radius: float, fill: str | None, outline: str | None = None
    ) -> None:
        box = [x - x_radius * w, y - y_radius * h, x + x_radius * w, y + y_radius * h]
        draw.ellipse(box, fill, outline, max(2, w // 40))

    if "long" in person.features:
        oval(x, y + 0.2 * h, person.width + 0.12, person.height + 0.15, person.hair)
    if "bald" not in person.features:
        oval(x, y - 0.1 * h, person.width + 0.07, person.height + 0.06, person.hair)
    oval(x, y, person.width, person.height, person.skin)
    if "beard" in person.features:
        oval(x, y + 0.22 * h, person.width * 0.9, person.height * 0.6, person.hair)
        oval(x, y - 0.02 * h, person.width * 0.86, person.height * 0.62, person.skin)
    if "fringe" in person.features:
        oval(x, y - person.height * 0.85 * h, person.width * 0.95, person.height * 0.42, person.hair)
    for eye_x, eye_y in (left, right):
        oval(eye_x, eye_y, 0.07, 0.035, "#ffffff")
        oval(eye_x + turn / 5, eye_y, 0.03, 0.035, "#3b2a1c")
        draw.line(
            [eye_x - 0.09 * w, eye_y - 0.08 * h, eye_x + 0.09 * w, eye_y - 0.08 * h], person.hair, max(2, w // 30)
        )
        if "glasses" in person.features:
            oval(eye_x, eye_y, 0.12, 0.09, None, "#222222")
    draw.line([x, left[1] + 0.05 * h, *nose, nose[0] - 0.04 * w, nose[1]], "#7a4a36", max(2, w // 40))
    middle, half_width = (mouth[0][0] + mouth[1][0]) / 2, (mouth[1][0] - mouth[0][0]) / 2 / w
    oval(middle, (mouth[0][1] + mouth[1][1]) / 2, half_width + 0.02, person.mouth, "#8e3b34")
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(w / 112)), np.float32)
    light = 1 + person.light * np.linspace(-1, 1, w, dtype=np.float32)[:, None]
    return np.asarray(np.clip(pixels * light, 0, 255), np.uint8)
