"""Where a region is, from the texts that programs write, alike for who reads and who adds regions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from faceclust.types import Box

#: The text of a field, by its name.
FieldReader = Callable[[str], str | None]


def parse_number(text: str | None) -> float:
    """NaN for what is no number. Some programs write a decimal comma where their user would."""
    try:
        value = float((text or "").strip().replace(",", "."))
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def read_dimensions(field: FieldReader) -> tuple[int, int] | None:
    """Width and height, px, from the fields of an AppliedToDimensions."""
    width, height = (parse_number(field(f"stDim:{side}")) for side in "wh")
    if 1 <= width < 10**7 and 1 <= height < 10**7:  # neither is NaN
        return round(width), round(height)
    return None


def uses_pixels(field: FieldReader) -> bool:
    """Does an Area count in pixels, not in fractions?"""
    return (field("stArea:unit") or "").strip().lower() == "pixel"


def parse_mwg_box(field: FieldReader, applied_to: tuple[int, int] | None) -> Box | None:
    """The box of an Area of the MWG, as fractions of the picture of the size `applied_to`; None for
    what is no box, or one in pixels of a picture of unknown size. It may reach out of the picture."""
    x, y, width, height = (parse_number(field(f"stArea:{side}")) for side in "xywh")
    if uses_pixels(field):
        across, down = applied_to or (math.nan, math.nan)
        x, y, width, height = x / across, y / down, width / across, height / down
    return _make_box(x - width / 2, y - height / 2, width, height)


def parse_microsoft_box(rectangle: str | None) -> Box | None:
    """The box of a Rectangle of Microsoft's: left, top, width and height as fractions, in one text."""
    text = rectangle or ""
    parts = re.split(r"[,;]\s+|;", text)  # a comma alone may be a decimal one
    sides = [parse_number(side) for side in (parts if len(parts) == 4 else text.split(","))]
    return _make_box(*sides) if len(sides) == 4 else None


def _make_box(left: float, top: float, width: float, height: float) -> Box | None:
    box = (left, top, left + width, top + height)
    return box if max(map(abs, box)) < 1e6 and width > 0 and height > 0 else None  # nor NaN
