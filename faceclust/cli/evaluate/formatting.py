"""Figures and tables as the commands of `evaluate` show them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import click

NO_VALUE = "–"


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns under headings, the first to the left, the others to the right; headings bold on a
    terminal."""
    from rich.cells import cell_len

    def line(cells: Sequence[str]) -> str:
        room = [" " * (width - cell_len(cell)) for width, cell in zip(widths, cells, strict=True)]
        first, *others = zip(cells, room, strict=True)
        return "  ".join(["".join(first), *(space + cell for cell, space in others)]).rstrip()

    widths = [max(map(cell_len, column)) for column in zip(headings, *rows, strict=True)]
    click.echo(click.style(line(headings), bold=True))
    for row in rows:
        click.echo(line(row))


def format_percent(value: float | None, standard_error: float | None = None) -> str:
    """ "98.88 ± 0.13 %"; a dash for what is not known."""
    if value is None or value != value:
        return NO_VALUE
    return f"{100 * value:.2f} %" if standard_error is None else f"{100 * value:.2f} ± {100 * standard_error:.2f} %"


def format_far(far: float) -> str:
    """A false accept rate: "1e-3"."""
    return f"{far:.0e}".replace("e-0", "e-")


def finite_or_none(value: float | None) -> float | None:
    """As JSON can say it: None for what is infinite or not a number."""
    return value if value is not None and math.isfinite(value) else None


def format_threshold(threshold: float | None) -> str:
    """A threshold; a dash for what is not known."""
    return NO_VALUE if threshold is None else f"{threshold:.3f}"
