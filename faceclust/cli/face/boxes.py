"""Boxes as they are typed: LEFT,TOP,RIGHT,BOTTOM in pixels of the upright photo."""

from __future__ import annotations

from faceclust.errors import UsageError
from faceclust.types import Box


def parse_box(text: str, size: tuple[int, int]) -> Box:
    """Return a typed box as fractions of a photo of this size (px). Raises UsageError for any other text."""
    width, height = size
    try:
        left, top, right, bottom = (float(side) for side in text.split(",", 4))
    except ValueError as error:
        raise UsageError(
            f"{text[:100]!r} is not a box",
            hint=f"LEFT,TOP,RIGHT,BOTTOM in pixels of the upright photo, which has {width} x {height}: 310,120,390,220",
        ) from error
    return left / width, top / height, right / width, bottom / height
