"""Tables as text: headings, aligned columns, no lines."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

_MAX_WIDTH = 1000  # columns; a terminal wraps longer lines itself


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table with the first column aligned to the left and the others to the right."""
    for line in table_lines(headings, rows):
        click.echo(line)


def table_lines(headings: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """The lines of a table, one for the headings and one for each row.

    The columns in `left` are aligned to the left, the others to the right. Headings are bold on a
    terminal.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for number in range(len(headings)):
        table.add_column(justify="left" if number in left else "right", no_wrap=True)
    for cells in (headings, *rows):
        table.add_row(*map(Text, cells))
    console = Console(width=_MAX_WIDTH, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    heading, *lines = (line.rstrip() for line in capture.get().splitlines())
    return [click.style(heading, bold=True), *lines]
