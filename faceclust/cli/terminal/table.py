"""Tables as text: headings, aligned columns, no lines."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from faceclust.cli.terminal.printing import print_line, print_lines
from faceclust.text.visible import make_visible

_MAX_WIDTH = 1000  # columns; a terminal wraps longer lines itself


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> None:
    """Print a table with bold headings. The columns in `left` are aligned to the left, the others to the right."""
    heading, *lines = table_lines(headings, rows, left)
    print_line(heading, bold=True)
    print_lines(lines)


def table_lines(headings: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """The lines of a table, one for the headings and one for each row.

    The columns in `left` are aligned to the left, the others to the right.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for number in range(len(headings)):
        table.add_column(justify="left" if number in left else "right", no_wrap=True)
    for cells in (headings, *rows):
        table.add_row(*(Text(make_visible(cell)) for cell in cells))
    console = Console(width=_MAX_WIDTH, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]
