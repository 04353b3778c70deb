"""Read names from a CSV table with the columns photo, left, top, right, bottom and name."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faceclust.errors import UsageError
from faceclust.importers.small_files import decode_text
from faceclust.text.csv_cells import unguard_cell
from faceclust.types import Box

SIDES = ("left", "top", "right", "bottom")
#: Maximum distance of a side from the photo's upper left corner, in widths or heights of the photo.
_MAX_DISTANCE = 10
_COLUMN_ALIASES = {"person": "name", "file": "photo", "path": "photo"}
_HINT = "its columns are photo, left, top, right, bottom, name"


@dataclass(frozen=True)
class TableRow:
    """One row of a table.

    `box` is (left, top, right, bottom) in the upright photo, in pixels, or in fractions if
    `is_fractional`. `confirmed` is from the column of that name, which our own tables have.
    """

    line: int
    photo: str
    name: str
    box: Box
    is_fractional: bool
    confirmed: bool = True


def read_table(data: bytes, where: str) -> Iterator[TableRow]:
    """Yield the rows of a table that have a name; error messages call the table `where`.

    Columns may have any order, and further columns are ignored. Without headings the columns are
    photo, left, top, right, bottom, name. Numbers are pixels, or fractions if none in the row exceeds 1.
    An apostrophe that keeps a spreadsheet from running a cell is removed.
    Raises UsageError with the line number for the first invalid row.
    """
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
    """Return the index of each column, and whether these cells are headings."""
    required = ("photo", *SIDES, "name")
    if len(cells) == 6 and all(_is_number(cell) for cell in cells[1:5]):
        return dict(zip(required, range(6), strict=True)), False
    index: dict[str, int] = {}
    for number, cell in enumerate(cells):
        index.setdefault(cell.strip().lower(), number)
    for alias, column in _COLUMN_ALIASES.items():
        if alias in index:
            index.setdefault(column, index[alias])
    if missing := [column for column in required if column not in index]:
        raise UsageError(f"{where}:1: there is no column {' or '.join(missing)}", hint=_HINT)
    return {column: index[column] for column in (*required, *({"confirmed"} & index.keys()))}, True


def _parse_row(cells: Sequence[str], columns: dict[str, int], where: str, line: int) -> TableRow | None:
    def cell(column: str) -> str:
        index = columns.get(column, len(cells))
        return unguard_cell(cells[index].strip()) if index < len(cells) else ""

    if not cell("name"):
        return None
    if not cell("photo"):
        raise UsageError(f"{where}:{line}: the row has no photo", hint=_HINT)
    sides = []
    for side in SIDES:
        if not _is_number(cell(side)):
            raise UsageError(f"{where}:{line}: {side} must be a number, not {cell(side)[:40]!r}", hint=_HINT)
        sides.append(float(cell(side)))
    left, top, right, bottom = sides
    if not (left < right and top < bottom and left + right >= 0 and top + bottom >= 0):
        raise UsageError(
            f"{where}:{line}: {left:g}, {top:g}, {right:g}, {bottom:g} is not a box in a picture",
            hint="left must be less than right, and top less than bottom, from the upper left corner",
        )
    confirmed = cell("confirmed").lower() not in ("false", "no", "0")
    return TableRow(line, cell("photo"), cell("name"), (left, top, right, bottom), max(sides) <= 1, confirmed)


def to_fractional_box(row: TableRow, size: tuple[int, int], where: str) -> Box:
    """Convert a row's box to fractions of its photo, which has `size` px.

    Raises UsageError if the box is far outside the photo.
    """
    width, height = (1, 1) if row.is_fractional else size
    left, top, right, bottom = row.box
    box = left / width, top / height, right / width, bottom / height
    if max(map(abs, box)) > _MAX_DISTANCE:
        numbers = ", ".join(f"{side:g}" for side in row.box)
        raise UsageError(
            f"{where}:{row.line}: {numbers} is not a box in {row.photo}",
            hint=f"the photo is {size[0]} pixels wide and {size[1]} high",
        )
    return box


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
