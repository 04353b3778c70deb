"""The people as a table."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from rich.cells import cell_len

from faceclust.cli.terminal.text import printable

_NUMBER_COLUMNS = ("faces", "confirmed", "suggested", "photos")
_DATE_COLUMNS = ("first", "last")
_DATE_WIDTH = len("2019-05-17")
_OTHER_COLUMNS_WIDTH = sum(2 + len(number) for number in _NUMBER_COLUMNS) + (2 + _DATE_WIDTH) * len(_DATE_COLUMNS)
_INDENT = "    "


def print_people_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """A line of numbers for each row of `faceclust people --json`, and one saying where the best
    face is. A name too long for its column has a line of its own; paths are never broken."""
    columns = shutil.get_terminal_size().columns
    names = [_row_title(row) for row in rows]
    width = min(max(map(cell_len, ["name", *names])), max(columns - _OTHER_COLUMNS_WIDTH, 12))
    lines = [click.style(f"{'name':{width}}" + _format_cells(_NUMBER_COLUMNS, _DATE_COLUMNS), bold=True)]
    for name, row in zip(names, rows, strict=True):
        cells = _format_cells(_number_cells(row), [row[date] or "–" for date in _DATE_COLUMNS])
        room = width - cell_len(name)
        lines += [name + " " * room + cells] if room >= 0 else [name, " " * width + cells]
        lines += _detail_lines(row, columns)
    click.echo("\n".join(lines))


def _row_title(row: Mapping[str, Any]) -> str:
    return row["name"] or f"group {row['groups'][0]}{' (ignored)' if row['ignored'] else ''}"


def _number_cells(row: Mapping[str, Any]) -> list[str]:
    """Nobody is suggested in a group without a name."""
    return [
        "–" if row["name"] is None and key in ("confirmed", "suggested") else str(row[key]) for key in _NUMBER_COLUMNS
    ]


def _format_cells(numbers: Sequence[str], dates: Sequence[str]) -> str:
    ended = [f"  {number:>{len(heading)}}" for number, heading in zip(numbers, _NUMBER_COLUMNS, strict=True)]
    return ("".join(ended) + "".join(f"  {date:{_DATE_WIDTH}}" for date in dates)).rstrip()


def _detail_lines(row: Mapping[str, Any], columns: int) -> Iterator[str]:
    best, groups = row["best"], row["groups"] if row["name"] else row["groups"][1:]
    where = f"{_INDENT}best face on {printable(best['photo'])}" if best else ""
    numbers = f"group{'s' if len(groups) > 1 else ''} {', '.join(map(str, groups))}" if groups else ""
    if where and numbers and len(where) + 2 + len(numbers) <= columns:
        yield f"{where}, {numbers}"
        return
    if where:
        yield where
    yield from textwrap.wrap(numbers, columns, initial_indent=_INDENT, subsequent_indent=_INDENT)
