from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.errors import UsageError
from faceclust.importers.csv_table import read_table

HEADINGS = "photo,left,top,right,bottom,name"
ROWS = "photo,left,top,right,bottom,name\na/1.jpg,10,20,30,40,Zoë\nb.jpg,0.1,0.2,0.3,1,Ben\nc.jpg,1,2,3,4,\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_in_any_encoding(encoding: str, separator: str, end: str) -> None:
    rows = list(read_table(ROWS.replace(",", separator).replace("\n", end).encode(encoding), "t.csv"))
    assert [(row.photo, row.name, row.box, row.is_fractional) for row in rows] == [
        ("a/1.jpg", "Zoë", (10, 20, 30, 40), False),
        ("b.jpg", "Ben", (0.1, 0.2, 0.3, 1), True),
    ]


def test_columns_may_be_reordered_extra_or_without_headings() -> None:
    other = "face_id,Person,photo,Top,left,bottom,right\nx,Anna,a.jpg,2,1,4,3\n"
    (row,) = read_table(other.encode(), "t.csv")
    assert (row.photo, row.name, row.box, row.line) == ("a.jpg", "Anna", (1, 2, 3, 4), 2)
    (row,) = read_table(b'"a, b.jpg",1,2,3,4,Anna', "t.csv")
    assert (row.photo, row.line) == ("a, b.jpg", 1)


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("photo;left;top;right;bottom;name\na.jpg;0,3660;0,2;0,5;1;Anna", (0.366, 0.2, 0.5, 1)),
        ("\ufeffsep=;\r\n Photo ;LEFT;Top;right; Bottom;NAME\r\na.jpg;1,5;2;3;4,25;Anna\r\n", (1.5, 2, 3, 4.25)),
        ('photo,left,top,right,bottom,name\na.jpg,"0,1","0,2","0,3","0,4",Anna', (0.1, 0.2, 0.3, 0.4)),
        ("photo\tleft\ttop\tright\tbottom\tname\na.jpg\t,5\t2\t3\t4\tAnna", (0.5, 2, 3, 4)),
        ("a.jpg;0,1;0,2;0,3;0,4;Anna", (0.1, 0.2, 0.3, 0.4)),
        ("a.jpg;1,234;0,5;3;4;Anna", (1.234, 0.5, 3, 4)),  # the second number decides
        ("a.jpg;1.234,5;2;3\u202f000;4;Anna", (1234.5, 2, 3000, 4)),
        ('a.jpg,"1,234.5",2,"3,000",4,Anna', (1234.5, 2, 3000, 4)),
        ("a.jpg;1.234;2.345;3.456;4.567;Anna", (1.234, 2.345, 3.456, 4.567)),
        ("a.jpg;'-0,5;2;3;4;Anna", (-0.5, 2, 3, 4)),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_numbers_with_a_decimal_comma(text: str, box: tuple[float, ...], encoding: str) -> None:
    (row,) = read_table(text.encode(encoding), "t.csv")
    assert (row.photo, row.name, row.box) == ("a.jpg", "Anna", box)


@pytest.mark.parametrize("name", ["M\u00fcller, Anna", "a, b, c, d, e, f"])
def test_commas_in_a_name_do_not_make_the_comma_the_separator(name: str) -> None:
    (row,) = read_table(f"a.jpg;1;2;3;4;{name}".encode(), "t.csv")
    assert row.name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.csv is empty"),
        ("photo,left,top,right,name\na.jpg,1,2,3,Anna", "t.csv:1: there is no column bottom"),
        ("who,where\nAnna,here", "t.csv:1: there is no column photo or left or top"),
        (
            f"{HEADINGS}\na.jpg,1,2,3,4,A\na.jpg,x,2,3,4,Anna",
            "t.csv:3: left must be a number, not 'x'",
        ),
        ("a.jpg;1,234;2;1,500;4;Anna", "t.csv:1: 1,234 may have a decimal comma or separate thousands"),
        ("a.jpg;0,5;2;0.7;4;Anna", "t.csv:1: right must be a number, not '0.7'"),
        ("a.jpg;0.5;2;3,0331;4;Anna", "t.csv:1: right must be a number, not '3,0331'"),
        pytest.param(f"{HEADINGS}\na.jpg,{'1' * 50_000}x,2,3,4,A", "t.csv:2: left must be a number", id="many digits"),
        (f"{HEADINGS}\na.jpg,nan,2,3,4,Anna", "t.csv:2: left must be a number, not 'nan'"),
        (f"{HEADINGS}\na.jpg,1,inf,3,4,Anna", "t.csv:2: top must be a number, not"),
        (f"{HEADINGS}\na.jpg,5,2,3,4,Anna", "t.csv:2: 5, 2, 3, 4 is not a box"),
        (f"{HEADINGS}\na.jpg,-9,2,3,4,Anna", "t.csv:2: -9, 2, 3, 4 is not a box"),
        (f"{HEADINGS}\n,1,2,3,4,Anna", "t.csv:2: the row has no photo"),
        (
            f"{HEADINGS}\na.jpg,1,2\n\nb.jpg,1,2,3,4,B\nc.jpg,1,,3,4,C",
            "t.csv:5: top must be a number",
        ),
    ],
)
def test_an_invalid_table_is_an_error_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        list(read_table(text.encode(), "t.csv"))
    assert str(refused.value).startswith(message) and refused.value.hint


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_a_usage_error(data: bytes) -> None:
    for start in (b"", b"photo,left,top,right,bottom,name\n"):
        try:
            list(read_table(start + data, "t.csv"))
        except UsageError as error:
            assert str(error).startswith("t.csv")
