"""The output of `faceclust evaluate quality`: tables, JSON and curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

from faceclust.cli.evaluate.formatting import NO_VALUE, finite_or_none, format_percent, format_threshold
from faceclust.cli.terminal.printing import print_line
from faceclust.cli.terminal.table import print_table
from faceclust.evaluation.sensitivity import DegradationResult
from faceclust.outputs.plots import draw_degradations
from faceclust.text.plural import format_count

_HEADINGS = ["VAL at FAR 1e-3", "threshold", "no face found"]


def print_levels(levels: Sequence[DegradationResult], photo_count: int) -> None:
    """Print a table for JPEG and one for face widths, each with the unchanged photos first."""
    plain, jpeg, widths = ([level for level in levels if level.kind == kind] for kind in ("none", "jpeg", "width"))
    print_table(["JPEG quality", *_HEADINGS], [[_level_title(level), *_level_cells(level)] for level in plain + jpeg])
    print_line()
    rows = [
        [_level_title(level), *_level_cells(level), f"{level.narrower:,}" if level.narrower else NO_VALUE]
        for level in plain + widths
    ]
    print_table(["face width", *_HEADINGS, "narrower"], rows)
    if any(level.narrower for level in widths):
        print_line(
            f"narrower: the number of {format_count(photo_count, 'photo')} with a narrower face, which stay unchanged; "
            f"a width is not measured ({NO_VALUE}) if they are the majority"
        )


def _level_title(level: DegradationResult) -> str:
    if level.kind == "none":
        return "unchanged"
    return f"{level.value} px" if level.kind == "width" else str(level.value)


def _level_cells(level: DegradationResult) -> list[str]:
    if level.rate is None:
        return [NO_VALUE] * len(_HEADINGS)
    return [format_percent(level.rate.val), format_threshold(level.rate.threshold), f"{level.not_found:,}"]


def level_record(level: DegradationResult) -> dict[str, Any]:
    """A level for `--json`."""
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
    """Draw both tables as curves."""
    panels = []
    for kind, x_label in (("jpeg", "JPEG quality"), ("width", "face width in pixels")):
        measured = [(level.value, level.rate.val) for level in levels if level.kind == kind and level.rate]
        points = [(value, val) for value, val in measured if val is not None]
        panels.append((x_label, [value for value, _ in points], [val for _, val in points]))
    (baseline,) = (level.rate.val or 0.0 for level in levels if level.kind == "none" and level.rate)
    draw_degradations(
        stream,
        suffix,
        panels,
        baseline=baseline,
        title=f"VAL at FAR 1e-3; dashed: unchanged photos, {format_percent(baseline)}",
        y_label="VAL: pairs of one person accepted",
    )
