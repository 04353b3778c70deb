"""Draw faces from a few ellipses, and write a library with these drawings as thumbnails.

Pages can then be viewed and measured without photos of real people.
"""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFilter

from faceclust import Library
from faceclust.store.thumbs import ThumbStore
from tests.support.synthetic_library import write_caches

SIDE = 160
_SKIN = ["#f6d7c0", "#eec1a0", "#dba67c", "#b97f55", "#8c5a3a", "#5f3b27"]
_HAIR = ["#241a14", "#4a3020", "#7b4a23", "#b98a4a", "#d8c7a0", "#8f8c88", "#8a2f1a"]
_CLOTH = ["#2f5d62", "#a4502a", "#34495e", "#7a3b5e", "#4b6b3a", "#c28b2c", "#5c5470", "#b23a48"]
_WALL = ["#cfe0e6", "#e6dccb", "#d7e3d0", "#e3d3dd", "#f0e4c4", "#c9d3e6", "#dcd6cf"]


def draw_face(person: int, shot: int = 0, side: int = SIDE) -> bytes:
    """Draw a face and return it as a JPEG.

    The person decides skin, hair and glasses; the shot decides clothes, light, position and tilt.
    """
    by_person, by_shot = np.random.default_rng([person, 1]), np.random.default_rng([person, shot, 2])
    skin, hair, cloth = by_person.choice(_SKIN), by_person.choice(_HAIR), by_shot.choice(_CLOTH)
    long, fringe, beard = by_person.random() < 0.5, by_person.uniform(0.16, 0.34), by_person.random() < 0.25
    beard = beard and not long
    glasses, width = by_person.random() < 0.25, by_person.uniform(0.2, 0.24)
    eye = by_person.choice(["#3b2a1c", "#35526b", "#3f5a38"])
    dx, dy = by_shot.uniform(-0.025, 0.025, 2)
    image = Image.new("RGB", (480, 480), by_shot.choice(_WALL))
    draw = ImageDraw.Draw(image)

    def oval(x: float, y: float, w: float, h: float, fill: str | None, **options: object) -> None:
        box = [480 * value for value in (x - w + dx, y - h + dy, x + w + dx, y + h + dy)]
        draw.ellipse(box, fill=fill, **options)  # type: ignore[arg-type]

    spot = by_shot.uniform(0, 1)
    oval(spot, 0.25, 0.3, 0.3, by_shot.choice(_WALL))
    oval(0.5, 1.12, 0.46, 0.36, cloth)
    oval(0.5, 0.43 + (0.14 if long else 0), width + 0.07, 0.31 + (0.12 if long else 0), hair)
    draw.rectangle([480 * (0.42 + dx), 480 * 0.66, 480 * (0.58 + dx), 480 * 0.84], fill=skin)
    oval(0.5, 0.8, 0.08, 0.06, skin)
    oval(0.5, 0.5, width, 0.28, skin)
    if beard:
        oval(0.5, 0.64, width * 0.86, 0.15, hair)
        oval(0.5, 0.53, width * 0.8, 0.12, skin)
    oval(0.5, fringe, width * 0.98, 0.12, hair)
    for x in (0.5 - width * 0.45, 0.5 + width * 0.45):
        oval(x, 0.48, 0.034, 0.021, "#ffffff")
        oval(x + dx / 2, 0.48, 0.018, 0.02, eye)
        draw.line([480 * (x - 0.05 + dx), 480 * (0.43 + dy), 480 * (x + 0.05 + dx), 480 * (0.425 + dy)], hair, 6)
        if glasses:
            oval(x, 0.485, 0.065, 0.055, None, outline="#222222", width=5)
    smile = 480 * (0.5 - 0.09 + dx), 480 * (0.53 + dy), 480 * (0.5 + 0.09 + dx), 480 * (0.66 + dy)
    draw.arc(smile, 25, 155, "#8e3b34", 8)
    nose = 480 * (0.46 + dx), 480 * (0.5 + dy), 480 * (0.54 + dx), 480 * (0.57 + dy)
    draw.arc(nose, 20, 160, "#7a4a36", 4)
    image = image.rotate(by_shot.uniform(-7, 7), Image.Resampling.BICUBIC, fillcolor=image.getpixel((2, 2)))
    image = image.filter(ImageFilter.GaussianBlur(1.2)).resize((side, side), Image.Resampling.LANCZOS)
    image = image.point(lambda value: min(255, int(value * (0.9 + 0.15 * spot))))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=82)
    return out.getvalue()


def write_drawn_library(
    root: Path, embeddings: np.ndarray, person: np.ndarray, photo: np.ndarray, *, pool: int = 10**9
) -> Library:
    """Write a library of these faces (see `write_caches`) with drawn thumbnails, dates and places.

    `person` and `photo` give each face's person and photo number. A small `pool` lets people share
    drawings, which saves time in large libraries.
    """
    library = write_caches(root, embeddings, photo)
    cache = root / "photos/.faceclust.parquet"
    table = pq.read_table(cache)
    rng = np.random.default_rng(7)
    numbers = np.array([int(name[4:11]) for name in table["photo"].to_pylist()])
    count = int(numbers.max()) + 1
    homes = np.array([(48.137, 11.575), (45.438, 12.336), (59.913, 10.752), (-33.868, 151.209), (41.157, -8.629)])
    coordinates = homes[rng.choice(len(homes), count, p=[0.55, 0.15, 0.12, 0.06, 0.12])] + rng.normal(
        0, 0.01, (count, 2)
    )
    days = np.sort(rng.integers(0, 365 * 9, count))
    taken = [datetime(2015, 3, 1, 14) + timedelta(days=int(day)) for day in days]
    values = {
        "latitude": pa.array(coordinates[numbers, 0]),
        "longitude": pa.array(coordinates[numbers, 1]),
        "quality": pa.array(rng.uniform(0.4, 1, len(table))),
    }
    values["taken_at"] = pa.array([taken[number] if number % 40 else None for number in numbers])
    for name, value in values.items():
        field = table.schema.field(name)
        table = table.set_column(table.schema.get_field_index(name), field, value.cast(field.type))
    pq.write_table(table, cache)
    thumbs, drawn = ThumbStore(library.home.thumbs), {}
    order = np.argsort(photo, kind="stable")
    for face, who, number in zip(table["face_id"].to_pylist(), person[order].tolist(), range(len(table)), strict=True):
        key = (int(who) % pool, number % 8 if pool < 10**9 else number)
        if key not in drawn:
            drawn[key] = draw_face(*key)
        thumbs.put(face, drawn[key])
    return Library(root)
