"""Tables of plain columns."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Wide enough that no cell is ever wrapped or cut off.
_UNLIMITED_WIDTH = 100_000


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left_columns: Sequence[int] = (0,)) -> None:
    """Print columns under headings, which are bold on a terminal.

    `left_columns`: indices of the columns aligned to the left; the others are aligned to the right.
    """
    heading, *lines = table_lines(headings, rows, left_columns=left_columns)
    click.echo("\n".join([click.style(heading, bold=True), *lines]))


def table_lines(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, left_columns: Sequence[int] = (0,), min_width: int = 0
) -> list[str]:
    """The lines of a table without colours: the headings, then one for each row.

    `min_width`: the least width of the first column, in terminal columns.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, heading in enumerate(headings):
        table.add_column(
            Text(heading),
            justify="left" if index in left_columns else "right",
            no_wrap=True,
            min_width=0 if index else min_width,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(width=_UNLIMITED_WIDTH, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]
