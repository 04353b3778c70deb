"""Names in a table: a CSV with the columns photo, left, top, right, bottom and name."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faceclust.errors import UsageError
from faceclust.importers.small_files import decode_text
from faceclust.importers.values import Box

SIDES = ("left", "top", "right", "bottom")
#: How far from its photo's upper left corner a box may reach, in widths and heights of it.
_MAX_DISTANCE = 10
_COLUMN_ALIASES = {"person": "name", "file": "photo", "path": "photo"}
_HINT = "its columns are photo, left, top, right, bottom, name"


@dataclass(frozen=True)
class TableRow:
    """One line. `box`: left, top, right, bottom of the upright photo, in pixels, or as `fractions`; not
    `sure`: a column `confirmed`, such as our own tables have, says so."""

    line: int
    photo: str
    name: str
    box: Box
    is_fractional: bool
    confirmed: bool = True


def read_table(data: bytes, where: str) -> Iterator[TableRow]:
    """The rows of a table, called `where` to the user; those without a name are passed by. Columns
    may come in any order and others beside them; without a line of headings they come in this one.
    Numbers are pixels, or fractions in a row where none is above 1. Raises UsageError with the line
    for the first row that cannot be meant so."""
    text = decode_text(data).replace("\0", "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=guess_separator(text))
    columns: dict[str, int] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns, is_heading = _locate_columns(cells, where)
                if is_heading:
                    continue
            if row := _parse_row(cells, columns, where, reader.line_num):
                yield row
    except csv.Error as error:
        raise UsageError(f"{where}:{reader.line_num}: {error}", hint=_HINT) from error
    if columns is None:
        raise UsageError(f"{where} is empty", hint=_HINT)


def guess_separator(text: str) -> str:
    """The comma, semicolon or tab that is most frequent in the first line; a comma on a tie."""
    first = text.partition("\n")[0]
    return max(",;\t", key=lambda mark: (first.count(mark), mark == ","))


def _locate_columns(cells: Sequence[str], where: str) -> tuple[dict[str, int], bool]:
    """Where each column stands, and whether these cells are headings."""
    headings = [cell.strip().lower() for cell in cells]
    known: dict[str, int] = {}
    for at, heading in enumerate(headings):
        known.setdefault(heading, at)
    for other, name in _COLUMN_ALIASES.items():
        if other in known:
            known.setdefault(name, known[other])
    wanted = ("photo", *SIDES, "name")
    if len(cells) == 6 and all(_is_number(cell) for cell in cells[1:5]):
        return dict(zip(wanted, range(6), strict=True)), False
    if missing := [column for column in wanted if column not in known]:
        raise UsageError(f"{where}:1: there is no column {' or '.join(missing)}", hint=_HINT)
    return {column: known[column] for column in (*wanted, *({"confirmed"} & known.keys()))}, True


def _parse_row(cells: Sequence[str], columns: dict[str, int], where: str, line: int) -> TableRow | None:
    def cell(column: str) -> str:
        at = columns.get(column, len(cells))
        return cells[at].strip() if at < len(cells) else ""

    if not cell("name"):
        return None
    if not cell("photo"):
        raise UsageError(f"{where}:{line}: there is no photo in this row", hint=_HINT)
    sides = []
    for side in SIDES:
        if not _is_number(cell(side)):
            raise UsageError(f"{where}:{line}: {side} is no number: {cell(side)[:40]!r}", hint=_HINT)
        sides.append(float(cell(side)))
    left, top, right, bottom = sides
    if not (left < right and top < bottom and left + right >= 0 and top + bottom >= 0):
        raise UsageError(
            f"{where}:{line}: {left:g}, {top:g}, {right:g}, {bottom:g} is no box in a picture",
            hint="left and top are less than right and bottom, counted from the upper left corner",
        )
    sure = cell("confirmed").lower() not in ("false", "no", "0")
    return TableRow(line, cell("photo"), cell("name"), (left, top, right, bottom), max(sides) <= 1, sure)


def to_fractional_box(row: TableRow, size: tuple[int, int], where: str) -> Box:
    """A row's box as fractions of its photo, whose width and height are `read_dimensions`. Raises UsageError for
    one that lies far outside of it."""
    width, height = (1, 1) if row.is_fractional else size
    left, top, right, bottom = row.box
    box = left / width, top / height, right / width, bottom / height
    if max(map(abs, box)) > _MAX_DISTANCE:
        numbers = ", ".join(f"{side:g}" for side in row.box)
        raise UsageError(
            f"{where}:{row.line}: {numbers} is no box in {row.photo}",
            hint=f"the photo is {size[0]} pixels wide and {size[1]} high",
        )
    return box


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
