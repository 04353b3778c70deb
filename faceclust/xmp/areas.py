"""Parse the boxes of regions, for both reading and editing packets."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

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


def read_dimensions(field: FieldReader, prefix: str = "stDim") -> tuple[int, int] | None:
    """Return width and height in px of an AppliedToDimensions, None if invalid."""
    width, height = (parse_number(field(f"{prefix}:{side}")) for side in "wh")
    if 1 <= width < 10**7 and 1 <= height < 10**7:  # false for NaN
        return round(width), round(height)
    return None


def uses_pixels(field: FieldReader) -> bool:
    """Is an Area in pixels instead of fractions?"""
    return (field("stArea:unit") or "").strip().lower() == "pixel"


def parse_mwg_box(field: FieldReader, applied_to: tuple[int, int] | None, prefix: str = "stArea") -> Box | None:
    """Parse an MWG Area into a box in fractions of the picture, which has the size `applied_to`.

    The box may extend beyond the picture. Return None if it is invalid, or if it is in pixels and the
    size is unknown. ACDSee has the same fields with another `prefix`.
    """
    x, y, width, height = (parse_number(field(f"{prefix}:{side}")) for side in "xywh")
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


def parse_iptc_box(field: FieldReader, vertices: Sequence[FieldReader], size: tuple[int, int] | None) -> Box | None:
    """Parse an IPTC RegionBoundary into its bounding box in fractions of the picture, which has `size` px.

    A rectangle has its top left corner, a circle its centre and horizontal radius, and a polygon its
    `vertices` (IPTC photo metadata standard 2023.2, "Region Boundary"). Return None if it is invalid,
    or if it is in pixels and the size is unknown.
    """
    across, down = size or (math.nan, math.nan)
    scale = (across, down) if (field("Iptc4xmpExt:rbUnit") or "").strip().lower() == "pixel" else (1, 1)
    names = ("rbX", "rbY", "rbW", "rbH", "rbRx")
    x, y, width, height, radius = (parse_number(field(f"Iptc4xmpExt:{name}")) for name in names)
    shape = (field("Iptc4xmpExt:rbShape") or "").strip().lower()
    if shape == "polygon":
        xs, ys = (
            [parse_number(vertex(f"Iptc4xmpExt:{name}")) for vertex in vertices] or [math.nan]
            for name in ("rbX", "rbY")
        )
        x, y, width, height = min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
        if any(map(math.isnan, (*xs, *ys))):
            return None
    elif shape == "circle":
        # A relative radius is a share of the width.
        radius_down = radius * across / down if scale == (1, 1) and size else radius
        x, y, width, height = x - radius, y - radius_down, 2 * radius, 2 * radius_down
    return _make_box(x / scale[0], y / scale[1], width / scale[0], height / scale[1])


def _make_box(left: float, top: float, width: float, height: float) -> Box | None:
    box = (left, top, left + width, top + height)
    return box if max(map(abs, box)) < 1e6 and width > 0 and height > 0 else None  # None for NaN
