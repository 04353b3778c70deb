"""Contact sheets: pages with the crops of a person in rows, with dates and ages below."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from faceclust.outputs.crops.plan import PlannedCrop

#: A page of 6 columns and 8 rows is as wide as an A4 page at 200 dots per inch.
COLUMNS, ROWS = 6, 8
FACES_PER_SHEET = COLUMNS * ROWS
_TILE, _GAP, _CAPTION = 248, 24, 56  # px
_FONT_SIZE = 21
_BACKGROUND, _TEXT = "white", (40, 40, 40)
_JPEG_QUALITY = 90


def draw_sheet(crops: Sequence[PlannedCrop], pictures: Sequence[bytes], format: str) -> bytes:
    """Draw a page of at most FACES_PER_SHEET crops, with their dates, and ages if they are known.

    `pictures`: the content of their files. `format`: "JPEG" or "PNG".
    """
    columns = min(COLUMNS, len(crops))
    rows = -(-len(crops) // COLUMNS)
    size = (_GAP + columns * (_TILE + _GAP), _GAP + rows * (_TILE + _CAPTION + _GAP))
    page = Image.new("RGB", size, _BACKGROUND)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_FONT_SIZE)
    for number, (crop, picture) in enumerate(zip(crops, pictures, strict=True)):
        x = _GAP + number % COLUMNS * (_TILE + _GAP)
        y = _GAP + number // COLUMNS * (_TILE + _CAPTION + _GAP)
        page.paste(_load_tile(picture), (x, y))
        draw.multiline_text(
            (x + _TILE / 2, y + _TILE + 4), _caption(crop), _TEXT, font, anchor="ma", align="center", spacing=2
        )
    out = io.BytesIO()
    page.save(out, format, **({"quality": _JPEG_QUALITY} if format == "JPEG" else {}))
    return out.getvalue()


def format_ages(ages: tuple[int, int] | None) -> str:
    """Return an age as "age 3", or "age 3-4" if it is not known exactly; "" if it is unknown."""
    if ages is None:
        return ""
    return f"age {ages[0]}" if ages[0] == ages[1] else f"age {ages[0]}-{ages[1]}"


def _load_tile(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture), formats=("JPEG", "PNG")) as image:
        return image.convert("RGB").resize((_TILE, _TILE), Image.Resampling.LANCZOS)


def _caption(crop: PlannedCrop) -> str:
    date = crop.place.taken_at.date().isoformat() if crop.place.taken_at else "undated"
    return f"{date}\n{format_ages(crop.ages)}".strip()
