"""One row a face, as a table for other programs: CSV, JSON, JSON lines, Parquet, SQLite."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from faceclust.types import FaceOccurrence, Person, PhotoInfo

#: The columns, in their order. New ones come at the end; none is renamed or taken away.
SCHEMA = pa.schema(
    [
        pa.field("photo", pa.string(), nullable=False),
        *(pa.field(side, pa.int32(), nullable=False) for side in ("left", "top", "right", "bottom")),
        pa.field("face_id", pa.string(), nullable=False),
        pa.field("cluster", pa.int32()),
        pa.field("person", pa.string()),
        pa.field("confirmed", pa.bool_(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
        pa.field("quality", pa.float32(), nullable=False),
        pa.field("taken_at", pa.timestamp("s")),
        pa.field("camera", pa.string()),
        pa.field("latitude", pa.float64()),
        pa.field("longitude", pa.float64()),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("photo_hash", pa.string(), nullable=False),
    ]
)
_SQLITE_TYPES = {"string": "TEXT", "timestamp[s]": "TEXT", "float": "REAL", "double": "REAL"}

Row = dict[str, Any]


def build_rows(
    occurrences: Iterable[FaceOccurrence],
    persons: Iterable[Person],
    cluster_of: Mapping[str, int],
    photos: Mapping[str, PhotoInfo],
) -> list[Row]:
    """A row for each face on each photo, with a value for each column of SCHEMA: path below the
    library, box in pixels of the upright photo, group number (None: alone), person (None: not
    named). `photos`: what is known of each photo, by its path."""
    person_of = {face: person for person in persons if person.name for face in person.face_ids}
    rows = []
    for place in occurrences:
        person, facts = person_of.get(place.face_id), photos[place.photo]
        left, top, right, bottom = place.pixel_box
        rows.append(
            {
                "photo": place.photo,
                "left": left,
                "top": top,
                "right": right,
                "bottom": bottom,
                "face_id": place.face_id,
                "cluster": cluster_of.get(place.face_id),
                "person": person.name if person else None,
                "confirmed": bool(person and place.face_id in person.confirmed),
                "score": round(place.score, 4),
                "quality": round(place.quality, 4),
                "taken_at": place.taken_at,
                "camera": facts.camera,
                "latitude": facts.latitude,
                "longitude": facts.longitude,
                "width": facts.size[0],
                "height": facts.size[1],
                "photo_hash": place.photo_hash,
            }
        )
    return rows


def write_rows(rows: list[Row], format: str, stream: BinaryIO) -> None:
    """Write the rows; `format` is one of FORMATS."""
    FORMATS[format](rows, stream)


def _write_parquet(rows: list[Row], stream: BinaryIO) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), sink, compression="zstd")
    stream.write(memoryview(sink.getvalue()))


def _write_json(rows: list[Row], stream: BinaryIO) -> None:
    lines = (json.dumps(row, ensure_ascii=False) for row in _with_text_dates(rows))
    stream.write(b"[")
    for number, line in enumerate(lines):
        stream.write(f"{',' if number else ''}\n {line}".encode())
    stream.write(b"\n]\n")


def _write_jsonl(rows: list[Row], stream: BinaryIO) -> None:
    for row in _with_text_dates(rows):
        stream.write(f"{json.dumps(row, ensure_ascii=False)}\n".encode())


def _write_csv(rows: list[Row], stream: BinaryIO) -> None:
    line = io.StringIO(newline="")
    # It puts quotes around what its line ends are made of: so both kinds are safe inside a value.
    writer = csv.DictWriter(line, SCHEMA.names, lineterminator="\r\n")

    def put() -> None:
        stream.write(line.getvalue().removesuffix("\r\n").encode() + b"\n")
        line.seek(0)
        line.truncate()

    writer.writeheader()
    put()
    for row in _with_text_dates(rows):
        writer.writerow(row | {"confirmed": str(row["confirmed"]).lower()})
        put()


def _write_sqlite(rows: list[Row], stream: BinaryIO) -> None:
    """A database with one table, `faces`; booleans are 0 and 1, dates are text."""
    columns = ", ".join(
        f'"{field.name}" {_SQLITE_TYPES.get(str(field.type), "INTEGER")}{"" if field.nullable else " NOT NULL"}'
        for field in SCHEMA
    )
    connection = sqlite3.connect(":memory:")
    try:
        with connection:
            connection.execute(f"CREATE TABLE faces ({columns})")
            values = ", ".join(f":{name}" for name in SCHEMA.names)
            connection.executemany(f"INSERT INTO faces VALUES ({values})", _with_text_dates(rows))
            for name in ("photo", "face_id", "person"):
                connection.execute(f"CREATE INDEX faces_by_{name} ON faces ({name})")
        stream.write(connection.serialize())
    finally:
        connection.close()


def _with_text_dates(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        yield row | {"taken_at": row["taken_at"].isoformat() if row["taken_at"] else None}


#: What writes each format.
FORMATS: dict[str, Callable[[list[Row], BinaryIO], None]] = {
    "csv": _write_csv,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
    "sqlite": _write_sqlite,
}
#: The format that a file's ending means, where it is not the ending itself.
FORMAT_BY_SUFFIX = {"db": "sqlite", "sqlite3": "sqlite", "ndjson": "jsonl"}
#: Formats that are not text.
BINARY_FORMATS = frozenset({"parquet", "sqlite"})
