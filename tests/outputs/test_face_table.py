from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.importers.csv_table import read_table
from faceclust.outputs.face_table import BINARY_FORMATS, FORMAT_BY_SUFFIX, FORMATS, SCHEMA, build_rows, write_rows
from faceclust.types import WHOLE_PHOTO, FaceOccurrence, PartialDate, Person, PersonFacts, PhotoInfo

TAKEN = datetime(2020, 6, 1, 12)
VECTOR = np.array([0.1, -1 / 3, 1e-9, 3.0], np.float32)


def make_row(**values: Any) -> dict[str, Any]:
    known = {
        "photo": "ä, b.jpg", "left": 400, "top": 600, "right": 1200, "bottom": 1200, "face_id": "1", "cluster": 1,
        "person": "Anna", "confirmed": True, "score": 0.5, "quality": 0.25, "taken_at": TAKEN, "camera": "Canon",
        "latitude": 48.5, "longitude": -11.25, "width": 4000, "height": 3000, "photo_hash": "h",
        "taken_at_source": "exif", "by_hand": False, "frame_time": None,
        "age": 33, "groups": "Family; Chess",
    }  # fmt: skip
    return known | values


def write_to_bytes(rows: list[dict[str, Any]], format: str, *, raw: bool = True) -> bytes:
    stream = io.BytesIO()
    write_rows(rows, format, stream, raw=raw)
    assert not stream.closed
    return stream.getvalue()


def read_back(content: bytes, format: str) -> list[dict[str, Any]]:
    """Read the rows back, with the types of the format."""
    if format == "parquet":
        return pq.read_table(io.BytesIO(content)).to_pylist()
    if format == "json":
        return json.loads(content)
    if format == "jsonl":
        return [json.loads(line) for line in content.decode().split("\n")[:-1]]
    if format == "csv":
        return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    connection = sqlite3.connect(":memory:")
    connection.deserialize(content)
    connection.row_factory = sqlite3.Row
    rows = [dict(found) for found in connection.execute("SELECT * FROM faces ORDER BY rowid")]
    connection.close()
    return rows


def convert_to_format(rows: list[dict[str, Any]], format: str) -> list[dict[str, Any]]:
    """Convert rows to the types of a format."""
    stored = [dict(row) for row in rows]
    for each in stored:
        if format != "parquet":
            each["taken_at"] = each["taken_at"].isoformat() if each["taken_at"] else None
        if format == "sqlite":
            each |= {name: int(each[name]) for name in ("confirmed", "by_hand")}
        if format == "csv":
            each |= {name: str(each[name]).lower() for name in ("confirmed", "by_hand")}
            each.update({name: "" if value is None else str(value) for name, value in each.items()})
    return stored


def test_rows_have_person_box_and_photo() -> None:
    place = FaceOccurrence("1", "ä, b.jpg", "h", (0.1, 0.2, 0.3, 0.4), (4000, 3000), 0.25, 0.5, TAKEN)
    facts = PhotoInfo("ä, b.jpg", "h", (4000, 3000), 6, TAKEN, "Canon", 48.5, -11.25, "exif")
    known = PersonFacts(PartialDate(1987), groups=("Family", "Chess"))
    anna = Person("p", "Anna", ("1", "2"), frozenset("1"), (1,), facts=known)
    (with_embedding,) = build_rows([place], [anna], {"1": 1}, [facts], {"1": VECTOR})
    assert with_embedding["embedding"] is VECTOR and list(with_embedding) == [*SCHEMA.names, "embedding"]
    unnamed = Person("group-1", None, ("1",), frozenset(), (1,))
    other = replace(facts, photo="a.jpg")
    assert list(build_rows([place, place], [anna], {"1": 1}, [other, facts])) == [make_row(), make_row()]
    by_hand = replace(place, box=WHOLE_PHOTO, by_hand=True, quality=0.0, has_embedding=False)
    (whole,) = build_rows([by_hand], [anna], {}, [facts], {})
    assert [whole[side] for side in ("left", "top", "right", "bottom")] == [0, 0, 4000, 3000]
    assert whole["by_hand"] and whole["embedding"] is None and whole["person"] == "Anna" and whole["quality"] == 0
    nobody = make_row(person=None, confirmed=False, cluster=None, age=None, groups=None)
    assert list(build_rows([place], [unnamed], {}, [facts])) == [nobody]
    with pytest.raises(ValueError, match="no photo of the library"):
        list(build_rows([place], [], {}, [other]))
    assert list(make_row()) == SCHEMA.names


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_holds_embeddings(format: str) -> None:
    stream = io.BytesIO()
    rows = [make_row(embedding=VECTOR), make_row(embedding=-VECTOR, person="=1"), make_row(embedding=None)]
    assert write_rows(rows, format, stream, dimension=4) == 3
    for found, row in zip(read_back(stream.getvalue(), format), rows, strict=True):
        value = found.pop("embedding")
        assert list(found) == SCHEMA.names
        if row["embedding"] is None:
            assert value == ("" if format == "csv" else None)
            continue
        numbers = json.loads(value) if format in ("csv", "sqlite") else value
        assert np.abs(np.array(numbers) - row["embedding"]).max() <= (0 if format == "parquet" else 1e-7)


# Other control characters are not portable in CSV.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t\r\"',;"))
ROWS = st.lists(
    st.builds(
        make_row,
        photo=TEXT,
        person=TEXT.filter(bool) | st.none(),
        cluster=st.integers(1, 2**31 - 1) | st.none(),
        confirmed=st.booleans(),
        by_hand=st.booleans(),
        taken_at=st.datetimes(datetime(1826, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.replace(microsecond=0))
        | st.none(),
        latitude=st.floats(-90, 90) | st.none(),
    ),
    max_size=5,
)


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@settings(deadline=None)
@given(rows=ROWS)
def test_every_format_round_trips(format: str, rows: list[dict[str, Any]]) -> None:
    content = write_to_bytes(rows, format)
    assert read_back(content, format) == convert_to_format(rows, format)
    assert write_to_bytes(rows, format) == content  # the same library, the same bytes


@pytest.mark.parametrize("first", "=+-@\t\r\n＝＋－＠")
def test_csv_text_that_a_spreadsheet_would_run_gets_an_apostrophe(first: str) -> None:
    formula = f"{first}cmd|' /C calc'!A0"
    row = make_row(photo=formula, person=formula, camera=formula, latitude=-48.5, score=-0.0)
    (found,) = read_back(write_to_bytes([row], "csv", raw=False), "csv")
    assert {found["photo"], found["person"], found["camera"]} == {f"'{formula}"}
    assert (found["latitude"], found["longitude"], found["score"]) == ("-48.5", "-11.25", "-0.0")
    (found,) = read_back(write_to_bytes([row], "csv", raw=True), "csv")
    assert found["photo"] == formula


@pytest.mark.parametrize("format", sorted(FORMATS.keys() - {"csv"}))
def test_formulas_in_other_formats_stay_the_same(format: str) -> None:
    row = make_row(photo="=1", person="+1", camera="@x")
    content = write_to_bytes([row], format, raw=False)
    assert read_back(content, format) == convert_to_format([row], format)


@settings(deadline=None)
@given(names=st.lists(st.text("=+-@;'\t ab＝").filter(str.strip), min_size=1, max_size=5))
def test_names_and_photos_that_start_like_formulas_can_be_imported_again(names: list[str]) -> None:
    rows = [make_row(photo=f"{name.strip()}.jpg", person=name.strip()) for name in names]
    found = list(read_table(write_to_bytes(rows, "csv", raw=False), "faces.csv"))
    assert [(row.photo, row.name) for row in found] == [(row["photo"], row["person"]) for row in rows]


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_json_is_strict_and_holds_no_control_characters(format: str) -> None:
    row = make_row(photo="a\x1b\x7f\x9b\u202e.jpg", latitude=float("nan"))
    content = write_to_bytes([row], format).decode()
    assert content.replace("\n", "").isprintable() and "NaN" not in content
    (found,) = read_back(content.encode(), format)
    assert found["photo"] == row["photo"] and found["latitude"] is None


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_library_still_has_its_columns(format: str) -> None:
    content = write_to_bytes([], format)
    assert read_back(content, format) == []
    if format == "csv":
        assert content.decode() == ",".join(SCHEMA.names) + "\n"
    if format == "parquet":
        assert pq.read_table(io.BytesIO(content)).schema.names == SCHEMA.names


def test_format_tables_are_consistent() -> None:
    assert FORMATS.keys() > BINARY_FORMATS and set(FORMAT_BY_SUFFIX.values()) < FORMATS.keys()
    for format in FORMATS.keys() - BINARY_FORMATS:
        write_to_bytes([make_row()], format).decode()


def test_the_columns_are_in_the_manual() -> None:
    chapter = Path(__file__).parents[2] / "faceclust" / "manual" / "albums-and-tables.md"
    table = chapter.read_text(encoding="utf-8").partition("Columns of `export`:\n\n")[2].partition("\n\n")[0]
    assert table.count("\n| ") > 5
    for name in SCHEMA.names:
        assert f"`{name}`" in table, name


class CountedRows:
    """Rows that are made when they are read, and their number so far."""

    def __init__(self, count: int) -> None:
        self.made = 0
        self._count = count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number in range(self._count):
            self.made += 1
            yield make_row(face_id=f"{number:016x}")


@pytest.mark.parametrize("format", ["csv", "json", "jsonl", "parquet"])
def test_rows_are_written_while_they_are_made(format: str) -> None:
    rows = CountedRows(50_000)
    first_write_after: list[int] = []

    class Stream(io.BytesIO):
        def write(self, content: Any, /) -> int:
            first_write_after.append(rows.made)
            return super().write(content)

    stream = Stream()
    assert write_rows(rows, format, stream) == 50_000
    steps = [after - before for before, after in zip([0, *first_write_after], first_write_after, strict=False)]
    assert max(steps) <= 20_000
    assert len(read_back(stream.getvalue(), format)) == 50_000


@pytest.mark.parametrize("format", FORMATS)
def test_the_number_of_rows_is_returned(format: str) -> None:
    assert [write_rows(iter(rows), format, io.BytesIO()) for rows in ([], [make_row(), make_row(face_id="2")])] == [
        0,
        2,
    ]
