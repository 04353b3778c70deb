"""What `faceclust evaluate quality` says of its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from faceclust.cli.evaluate.formatting import NO_VALUE, finite_or_none, format_percent, format_threshold, print_table
from faceclust.cli.terminal.text import format_count

if TYPE_CHECKING:
    from faceclust.evaluation.sensitivity import DegradationResult

_HEADINGS = ["VAL at FAR 1e-3", "threshold", "no face found"]


def print_levels(levels: Sequence[DegradationResult], photo_count: int) -> None:
    """A table for JPEG and one for the faces' width, the photos as they are first in each."""
    plain = [level for level in levels if level.kind == "none"]
    jpeg = [level for level in levels if level.kind == "jpeg"]
    widths = [level for level in levels if level.kind == "width"]
    rows = [[_level_title(level), *_level_cells(level)] for level in plain + jpeg]
    print_table(["JPEG quality", *_HEADINGS], rows)
    click.echo()
    rows = [
        [_level_title(level), *_level_cells(level), f"{level.narrower:,}" if level.narrower else NO_VALUE]
        for level in plain + widths
    ]
    print_table(["face width", *_HEADINGS, "narrower"], rows)
    if any(level.narrower for level in widths):
        click.echo(
            f"narrower: of {format_count(photo_count, 'photo')}, those whose face has not the width: they are "
            f"taken as they are; "
            f"where they are most, nothing is measured ({NO_VALUE})"
        )


def _level_title(level: DegradationResult) -> str:
    if level.kind == "none":
        return "as they are"
    return f"{level.value} px" if level.kind == "width" else str(level.value)


def _level_cells(level: DegradationResult) -> list[str]:
    if level.rate is None:
        return [NO_VALUE] * 3
    return [format_percent(level.rate.val), format_threshold(level.rate.threshold), f"{level.not_found:,}"]


def level_record(level: DegradationResult) -> dict[str, Any]:
    """A level as JSON has it."""
    rate = level.rate
    return {
        "kind": level.kind,
        "value": level.value or None,
        "val": finite_or_none(rate.val) if rate else None,
        "far": finite_or_none(rate.far) if rate else None,
        "threshold": finite_or_none(rate.threshold) if rate else None,
        "not_found": level.not_found if rate else None,
        "narrower": level.narrower,
    }


def draw_level_curves(stream: BinaryIO, suffix: str, levels: Sequence[DegradationResult]) -> None:
    """Both tables as curves."""
    from faceclust.outputs.plots import draw_degradations

    panels = []
    for kind, x in (("jpeg", "JPEG quality"), ("width", "face width in pixels")):
        known = [(level.value, level.rate.val) for level in levels if level.kind == kind and level.rate]
        points = [(value, val) for value, val in known if val is not None]
        panels.append((x, [value for value, _ in points], [val for _, val in points]))
    (plain,) = (level.rate.val or 0.0 for level in levels if level.kind == "none" and level.rate)
    title = f"VAL at FAR 1e-3; photos as they are, dashed: {format_percent(plain)}"
    draw_degradations(stream, suffix, panels, baseline=plain, title=title, y_label="VAL: pairs of one person accepted")
