"""The table of `faceclust people`."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from faceclust.cli.terminal.printing import print_line, print_lines
from faceclust.cli.terminal.table import table_lines
from faceclust.text.visible import make_visible
from faceclust.types.face_numbers import format_face_address
from faceclust.types.frames import format_frame_time

_NUMBER_COLUMNS = ("faces", "confirmed", "suggested", "photos")
_DATE_COLUMNS = ("first", "last")
_DATE_WIDTH = len("2019-05-17")
_OTHER_COLUMNS_WIDTH = sum(2 + len(number) for number in _NUMBER_COLUMNS) + (2 + _DATE_WIDTH) * len(_DATE_COLUMNS)
_INDENT = "    "


def print_people_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print each row of `faceclust people --json` as a line of numbers and a line of details.

    A name that is too long for its column gets a line of its own. Paths are never broken.
    """
    columns = shutil.get_terminal_size().columns
    names = [_row_title(row) for row in rows]
    width = max(columns - _OTHER_COLUMNS_WIDTH, 12)
    cells = [
        ["" if cell_len(name) > width else name, *_number_cells(row), *(row[date] or "–" for date in _DATE_COLUMNS)]
        for name, row in zip(names, rows, strict=True)
    ]
    dates = range(len(_NUMBER_COLUMNS) + 1, len(_NUMBER_COLUMNS) + 1 + len(_DATE_COLUMNS))
    heading, *lines = table_lines(["name", *_NUMBER_COLUMNS, *_DATE_COLUMNS], cells, left=(0, *dates))
    print_line(heading, bold=True)
    for name, row, line in zip(names, rows, lines, strict=True):
        print_lines(([name] if cell_len(name) > width else []) + [line, *_detail_lines(row, columns)])


def _row_title(row: Mapping[str, Any]) -> str:
    if row["name"] is None:
        return f"group {row['groups'][0]}{' (ignored)' if row['ignored'] else ''}"
    return make_visible(f"{row['name']}{' (favourite)' if row['facts']['favourite'] else ''}")


def _number_cells(row: Mapping[str, Any]) -> list[str]:
    """The counts of a row. A group without a name has no confirmed or suggested faces."""
    return [
        "–" if row["name"] is None and key in ("confirmed", "suggested") else str(row[key]) for key in _NUMBER_COLUMNS
    ]


def _detail_lines(row: Mapping[str, Any], columns: int) -> Iterator[str]:
    best, groups = row["best"], row["groups"] if row["name"] else row["groups"][1:]
    where = f"{_INDENT}best face: {_describe_place(best)}" if best else ""
    numbers = f"group{'s' if len(groups) > 1 else ''} {', '.join(map(str, groups))}" if groups else ""
    if where and numbers and len(where) + 2 + len(numbers) <= columns:
        yield f"{where}, {numbers}"
    else:
        if where:
            yield where
        yield from textwrap.wrap(numbers, columns, initial_indent=_INDENT, subsequent_indent=_INDENT)
    facts = _describe_facts(row["facts"]) if row["facts"] else ""
    yield from textwrap.wrap(facts, columns, initial_indent=_INDENT, subsequent_indent=_INDENT)


def _describe_place(best: Mapping[str, Any]) -> str:
    time = "" if best["frame_time"] is None else f" at {format_frame_time(best['frame_time'])}"
    return f"{make_visible(format_face_address(best['photo'], best['number']))}{time}"


def _describe_facts(facts: Mapping[str, Any]) -> str:
    """Describe life, groups and aliases: "born 1987-05-03, 39 years; Family; also Anni"; "" without them."""
    born, died = facts["born"], facts["died"]
    life = [f"born {born}" if born else "", f"died {died}" if died else "", facts["age"] or ""]
    also = f"also {', '.join(facts['aliases'])}" if facts["aliases"] else ""
    return make_visible("; ".join(filter(None, (", ".join(filter(None, life)), ", ".join(facts["groups"]), also))))
