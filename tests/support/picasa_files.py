"""Write values in Picasa's formats."""

from __future__ import annotations


def format_rect64(box: tuple[float, float, float, float]) -> str:
    """Format a box in fractions as a rect64, rounded to 1/65535; the inverse of `picasa.parse_rect64`."""
    return "".join(f"{round(side * 65535):04x}" for side in box).lstrip("0") or "0"
