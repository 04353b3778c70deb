"""Cells of CSV tables that a spreadsheet would run."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.text.csv_cells import guard_cell, unguard_cell

CELLS = st.text(st.sampled_from("=+-@\t\r\n;'ab1\uff1d\0,\" ") | st.characters())


@pytest.mark.parametrize("first", "=+-@\t\r\n\0＝＋－＠")
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(first: str) -> None:
    assert guard_cell(f"{first}cmd|' /C calc'!A0") == f"'{first}cmd|' /C calc'!A0"


def test_a_formula_after_a_semicolon_gets_one_too() -> None:
    """Spreadsheets set to German, French and other languages split a row at semicolons."""
    assert guard_cell("a;=1+1;b") == "a;'=1+1;b"


@pytest.mark.parametrize("cell", ["", "Anna", "Anna-Lena", "O'Neil", "'t Hooft", "a=b", "2019/a.jpg", "a; b", "5"])
def test_other_cells_stay_the_same(cell: str) -> None:
    assert guard_cell(cell) == cell == unguard_cell(cell)


@given(CELLS)
def test_the_apostrophe_is_removed_exactly(cell: str) -> None:
    guarded = guard_cell(cell)
    assert unguard_cell(guarded) == cell
    assert not re.search("(^|[;\t\r\n])[=+\\-@\uff1d\uff0b\uff0d\uff20]", guarded)
