"""Make a small photo library with known people from two public-domain portraits.

The portraits are Eileen Collins (`skimage.data.astronaut()`) and Grace Hopper (matplotlib's
`grace_hopper.jpg`). Both are part of the installed packages.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import matplotlib.cbook
import numpy as np
import pillow_heif
import skimage.data
from PIL import Image, ImageEnhance

COLLINS, HOPPER = "Eileen Collins", "Grace Hopper"
EXIF_IFD, DATE_TAKEN, MAKE, MODEL, ORIENTATION = 0x8769, 0x9003, 0x010F, 0x0110, 0x0112


@cache
def load_portrait(person: str) -> Image.Image:
    if person == COLLINS:
        return Image.fromarray(skimage.data.astronaut()).convert("RGB")
    with Image.open(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        return image.convert("RGB")


def make_variant(person: str, number: int) -> Image.Image:
    """Mirror, rotate, brighten and scale the portrait, as another photo of the same person."""
    image = load_portrait(person)
    if number % 2:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = image.rotate((number % 5 - 2) * 4, Image.Resampling.BICUBIC, fillcolor=(90, 100, 110))
    image = ImageEnhance.Brightness(image).enhance(0.8 + 0.1 * (number % 4))
    side = 360 + 40 * (number % 4)
    return image.resize((side, round(side * image.height / image.width)), Image.Resampling.LANCZOS)


def join_images(first: Image.Image, second: Image.Image) -> Image.Image:
    canvas = Image.new("RGB", (first.width + second.width, max(first.height, second.height)), (120, 130, 140))
    canvas.paste(first, (0, 0))
    canvas.paste(second, (first.width, 0))
    return canvas


def make_scenery(seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    rough = Image.fromarray(rng.integers(0, 255, (12, 16, 3), np.uint8))
    return rough.resize((640, 480), Image.Resampling.BICUBIC)


def save_photo(
    image: Image.Image, path: Path, *, taken: datetime | None = None, orientation: int | None = None
) -> Path:
    """Save with EXIF and a fixed modification time, so that libraries are reproducible."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[MAKE], exif[MODEL] = "Canon", "Canon EOS 80D"
    if orientation:
        exif[ORIENTATION] = orientation
    if taken:
        exif.get_ifd(EXIF_IFD)[DATE_TAKEN] = taken.strftime("%Y:%m:%d %H:%M:%S")
    if path.suffix in (".heic", ".heif"):
        pillow_heif.from_pillow(image).save(path, quality=90, exif=exif.tobytes())
    else:
        image.save(path, quality=92, exif=exif)
    os.utime(path, ns=(10**18, 10**18))
    return path


def make_library(root: Path, photos_each: int = 4) -> dict[str, list[str]]:
    """Write the library. Return photo → the people in it, from left to right."""
    truth: dict[str, list[str]] = {}
    day = datetime(2019, 5, 1, 12)
    for number in range(photos_each):
        for person, ending in ((COLLINS, "jpg"), (HOPPER, "png" if number % 2 else "webp")):
            name = f"{2019 + number % 3}/{person.split()[1].lower()}-{number}.{ending}"
            save_photo(
                make_variant(person, number), root / name, taken=day + timedelta(days=366 * (number % 3) + number)
            )
            truth[name] = [person]
    for number in range(2):
        name = f"together/both {number}.jpg"
        save_photo(
            join_images(make_variant(COLLINS, number + 1), make_variant(HOPPER, number + 2)), root / name, taken=day
        )
        truth[name] = [COLLINS, HOPPER]
    save_photo(make_scenery(), root / "together/nobody.jpg")
    truth["together/nobody.jpg"] = []
    return truth
