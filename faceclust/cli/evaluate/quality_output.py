"""What `faceclust evaluate quality` says of its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from faceclust.cli.evaluate.formatting import NONE, distance, finite, percent, print_table
from faceclust.cli.terminal.text import count

if TYPE_CHECKING:
    from faceclust.evaluation.sensitivity import Level

_HEADINGS = ["VAL at FAR 1e-3", "threshold", "no face found"]


def tell_levels(levels: Sequence[Level], photos: int) -> None:
    """A table for JPEG and one for the faces' width, the photos as they are first in each."""
    plain = [level for level in levels if level.kind == "none"]
    jpeg = [level for level in levels if level.kind == "jpeg"]
    widths = [level for level in levels if level.kind == "width"]
    rows = [[_name(level), *_cells(level)] for level in plain + jpeg]
    print_table(["JPEG quality", *_HEADINGS], rows)
    click.echo()
    rows = [[_name(level), *_cells(level), f"{level.short:,}" if level.short else NONE] for level in plain + widths]
    print_table(["face width", *_HEADINGS, "narrower"], rows)
    if any(level.short for level in widths):
        click.echo(
            f"narrower: of {count(photos, 'photo')}, those whose face has not the width: they are taken as they are; "
            f"where they are most, nothing is measured ({NONE})"
        )


def _name(level: Level) -> str:
    if level.kind == "none":
        return "as they are"
    return f"{level.value} px" if level.kind == "width" else str(level.value)


def _cells(level: Level) -> list[str]:
    if level.rate is None:
        return [NONE] * 3
    return [percent(level.rate.val), distance(level.rate.threshold), f"{level.not_found:,}"]


def level_record(level: Level) -> dict[str, Any]:
    """A level as JSON has it."""
    rate = level.rate
    return {
        "kind": level.kind,
        "value": level.value or None,
        "val": finite(rate.val) if rate else None,
        "far": finite(rate.far) if rate else None,
        "threshold": finite(rate.threshold) if rate else None,
        "not_found": level.not_found if rate else None,
        "narrower": level.short,
    }


def draw(stream: BinaryIO, ending: str, levels: Sequence[Level]) -> None:
    """Both tables as curves."""
    from faceclust.outputs.plots import draw_levels

    panels = []
    for kind, x in (("jpeg", "JPEG quality"), ("width", "face width in pixels")):
        known = [(level.value, level.rate.val) for level in levels if level.kind == kind and level.rate]
        points = [(value, val) for value, val in known if val is not None]
        panels.append((x, [value for value, _ in points], [val for _, val in points]))
    (plain,) = (level.rate.val or 0.0 for level in levels if level.kind == "none" and level.rate)
    title = f"VAL at FAR 1e-3; photos as they are, dashed: {percent(plain)}"
    draw_levels(stream, ending, panels, base=plain, title=title, y="VAL: pairs of one person accepted")
