"""Parse the boxes of regions, for both reading and editing packets."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from faceclust.types import Box

#: Returns the text of a field by its name.
FieldReader = Callable[[str], str | None]


def parse_number(text: str | None) -> float:
    """Parse a number, NaN if invalid. Some programs write a decimal comma, as their locale does."""
    try:
        value = float((text or "").strip().replace(",", "."))
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def read_dimensions(field: FieldReader) -> tuple[int, int] | None:
    """Return width and height in px of an AppliedToDimensions, None if invalid."""
    width, height = (parse_number(field(f"stDim:{side}")) for side in "wh")
    if 1 <= width < 10**7 and 1 <= height < 10**7:  # false for NaN
        return round(width), round(height)
    return None


def uses_pixels(field: FieldReader) -> bool:
    """Is an Area in pixels instead of fractions?"""
    return (field("stArea:unit") or "").strip().lower() == "pixel"


def parse_mwg_box(field: FieldReader, applied_to: tuple[int, int] | None) -> Box | None:
    """Parse an MWG Area into a box in fractions of the picture, which has the size `applied_to`.

    The box may extend beyond the picture. Return None if it is invalid, or if it is in pixels and the
    size is unknown.
    """
    x, y, width, height = (parse_number(field(f"stArea:{side}")) for side in "xywh")
    if uses_pixels(field):
        across, down = applied_to or (math.nan, math.nan)
        x, y, width, height = x / across, y / down, width / across, height / down
    return _make_box(x - width / 2, y - height / 2, width, height)


def parse_microsoft_box(rectangle: str | None) -> Box | None:
    """Parse a Microsoft Rectangle: left, top, width and height in fractions, in one text."""
    text = rectangle or ""
    parts = re.split(r"[,;]\s+|;", text)  # a comma without space may be a decimal comma
    sides = [parse_number(side) for side in (parts if len(parts) == 4 else text.split(","))]
    return _make_box(*sides) if len(sides) == 4 else None


def _make_box(left: float, top: float, width: float, height: float) -> Box | None:
    box = (left, top, left + width, top + height)
    return box if max(map(abs, box)) < 1e6 and width > 0 and height > 0 else None  # None for NaN
