"""Read names from a CSV table with the columns photo, left, top, right, bottom and name."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from faceclust.errors import UsageError
from faceclust.importers.small_files import decode_text
from faceclust.text.csv_cells import unguard_cell
from faceclust.types import Box

SIDES = ("left", "top", "right", "bottom")
#: Maximum distance of a side from the photo's upper left corner, in widths or heights of the photo.
_MAX_DISTANCE = 10
#: Between thousands, besides the mark that is not the decimal one: spaces of some widths, and apostrophes.
_SPACES = " \u00a0\u2009\u202f'\u2019"
#: A number by its decimal mark.
_NUMBERS = {
    mark: re.compile(
        rf"[-+]?(?:[1-9][0-9]{{0,2}}(?:[{other}{_SPACES}][0-9]{{3}})+|[0-9]*)(?:[{mark}][0-9]*)?(?:[eE][-+]?[0-9]+)?"
    )
    for mark, other in (".,", ",.")
}
_SEPARATOR_LINE = re.compile(r"sep=([,;\t])\s*")
_MAX_FIRST_LINE = 1 << 16  # characters that the separator is looked for in
_COLUMN_ALIASES = {"person": "name", "file": "photo", "path": "photo"}
_HINT = "its columns are photo, left, top, right, bottom, name"


@dataclass(frozen=True)
class TableRow:
    """One row of a table.

    `box` is (left, top, right, bottom) in the upright photo, in pixels, or in fractions if
    `is_fractional`. `confirmed` and `by_hand` are from the columns of these names, which our own tables have.
    """

    line: int
    photo: str
    name: str
    box: Box
    is_fractional: bool
    confirmed: bool = True
    by_hand: bool = False


def read_table(data: bytes, where: str) -> Iterator[TableRow]:
    """Yield the rows of a table that have a name; error messages call the table `where`.

    Columns may have any order, and further columns are ignored. Without headings the columns are
    photo, left, top, right, bottom, name. Numbers are pixels, or fractions if none in the row exceeds 1.
    Their decimal mark may be a comma if no number could mean something else. An apostrophe that keeps a
    spreadsheet from running a cell is removed.
    Raises UsageError with the line number for the first invalid row.
    """
    text = decode_text(data).replace("\0", "")
    columns: dict[str, int] | None = None
    mark = ""
    for line, cells in _read_cells(text, where):
        if columns is None:
            columns, is_heading = _locate_columns(cells, where)
            mark = _find_decimal_mark(text, columns, where)
            if is_heading:
                continue
        if row := _parse_row(cells, columns, mark, where, line):
            yield row
    if columns is None:
        raise UsageError(f"{where} is empty", hint=_HINT)


def guess_separator(text: str) -> str:
    """Return the separator of a table: a comma, semicolon or tab.

    A first line `sep=;`, which Excel reads, decides. Else it is the mark that separates the first line into a
    row, then the most frequent one in that line, then a comma.
    """
    first = re.split("[\r\n]", text[:_MAX_FIRST_LINE], maxsplit=1)[0]
    if named := _SEPARATOR_LINE.fullmatch(first):
        return named[1]
    cells = {mark: next(csv.reader([first], delimiter=mark), []) for mark in ",;\t"}
    return max(cells, key=lambda mark: (_is_plain_row(cells[mark]), first.count(mark), mark == ","))


def _read_cells(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of each row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=guess_separator(text))
    try:
        for cells in reader:
            is_separator_line = reader.line_num == 1 and _SEPARATOR_LINE.match(text)
            if any(cell.strip() for cell in cells) and not is_separator_line:
                yield reader.line_num, cells
    except csv.Error as error:
        raise UsageError(f"{where}:{reader.line_num}: {error}", hint=_HINT) from error


def _is_plain_row(cells: Sequence[str]) -> bool:
    """Are these the cells of a row without headings?"""
    return len(cells) == 6 and all(
        any(_parse_number(cell, mark) is not None for mark in _NUMBERS) for cell in cells[1:5]
    )


def _find_decimal_mark(text: str, columns: Mapping[str, int], where: str) -> str:
    """Return the decimal mark of a table, "." or ",": the first number that can have only one of them decides.

    Raises UsageError if none decides and a comma may separate thousands, as in 1,234.
    """
    doubtful: tuple[int, str] | None = None
    for line, cells in _read_cells(text, where):
        for number in (cells[columns[side]] for side in SIDES if columns[side] < len(cells)):
            marks = [mark for mark in _NUMBERS if _parse_number(number, mark) is not None]
            if len(marks) == 1:
                return marks[0]
            if marks and "," in number:
                doubtful = doubtful or (line, number.strip())
    if doubtful is None:
        return "."
    line, number = doubtful
    raise UsageError(
        f"{where}:{line}: {number} may have a decimal comma or separate thousands",
        hint="write the numbers of the table without marks between thousands, and with a decimal point",
    )


def _locate_columns(cells: Sequence[str], where: str) -> tuple[dict[str, int], bool]:
    """Return the index of each column, and whether these cells are headings."""
    required = ("photo", *SIDES, "name")
    if _is_plain_row(cells):
        return dict(zip(required, range(6), strict=True)), False
    index: dict[str, int] = {}
    for number, cell in enumerate(cells):
        index.setdefault(cell.strip().lower(), number)
    for alias, column in _COLUMN_ALIASES.items():
        if alias in index:
            index.setdefault(column, index[alias])
    if missing := [column for column in required if column not in index]:
        raise UsageError(f"{where}:1: there is no column {' or '.join(missing)}", hint=_HINT)
    return {column: index[column] for column in (*required, *({"confirmed", "by_hand"} & index.keys()))}, True


def _parse_row(cells: Sequence[str], columns: Mapping[str, int], mark: str, where: str, line: int) -> TableRow | None:
    def cell(column: str) -> str:
        index = columns.get(column, len(cells))
        return unguard_cell(cells[index].strip()) if index < len(cells) else ""

    if not cell("name"):
        return None
    if not cell("photo"):
        raise UsageError(f"{where}:{line}: the row has no photo", hint=_HINT)
    sides = []
    for side in SIDES:
        if (number := _parse_number(cell(side), mark)) is None:
            raise UsageError(f"{where}:{line}: {side} must be a number, not {cell(side)[:40]!r}", hint=_HINT)
        sides.append(number)
    left, top, right, bottom = sides
    if not (left < right and top < bottom and left + right >= 0 and top + bottom >= 0):
        raise UsageError(
            f"{where}:{line}: {left:g}, {top:g}, {right:g}, {bottom:g} is not a box in a picture",
            hint="left must be less than right, and top less than bottom, from the upper left corner",
        )
    confirmed = cell("confirmed").lower() not in ("false", "no", "0")
    by_hand = cell("by_hand").lower() in ("true", "yes", "1")
    return TableRow(line, cell("photo"), cell("name"), (left, top, right, bottom), max(sides) <= 1, confirmed, by_hand)


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


def _parse_number(cell: str, mark: str) -> float | None:
    """Parse a finite number with this decimal mark; None if it is none."""
    text = unguard_cell(cell.strip())
    if not _NUMBERS[mark].fullmatch(text):
        return None
    other = ",." if mark == "," else ".,"
    try:
        number = float(text.translate(str.maketrans(other[0], ".", other[1] + _SPACES)))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
