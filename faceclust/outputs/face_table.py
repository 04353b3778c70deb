"""The faces as a table for other programs, one row each: CSV, JSON, JSON Lines, Parquet, SQLite."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count, islice
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faceclust.outputs.ages import find_age
from faceclust.text.csv_cells import guard_cell
from faceclust.text.json_text import to_json
from faceclust.types import FaceOccurrence, Float32, Person, PhotoInfo

#: The columns in order. New ones are added at the end; none is ever renamed or removed. A table with
#: embeddings has one more, `embedding`.
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
        pa.field("taken_at_source", pa.string()),
        pa.field("by_hand", pa.bool_(), nullable=False),
        pa.field("frame_time", pa.float32()),
        pa.field("age", pa.int32()),
        pa.field("groups", pa.string()),
    ]
)
_PARQUET_ROW_GROUP = 20_000  # rows; they are held in memory together
_EMBEDDING_DECIMALS = 7  # in text; float32 has about as many
_SQLITE_TYPES = {"string": "TEXT", "timestamp[s]": "TEXT", "float": "REAL", "double": "REAL"}

Row = dict[str, Any]


def build_rows(
    occurrences: Iterable[FaceOccurrence],
    persons: Iterable[Person],
    cluster_of: Mapping[str, int],
    photos: Iterable[PhotoInfo],
    embeddings: Mapping[str, Float32] | None = None,
) -> Iterator[Row]:
    """Build a row for each face on each photo, with a value for each column of SCHEMA.

    Photo paths are relative to the library. Boxes are in pixels of the upright photo. The cluster is
    None for a face that is alone, the person None for an unnamed face. A person without a face to be seen
    has the box of the whole photo, drawn by hand. The age is in completed years, the higher one of two; the groups are
    those that the person is in, with "; " between them. Only a face of a video has a frame time, in seconds. `photos`
    are those of the occurrences, in the same order, with others between them. `embeddings`: float32 (d,) by face id,
    for one more column, in which a face that cannot be compared has None. Only one row is held in memory.
    """
    person_of = {face: person for person in persons if person.name for face in person.face_ids}
    for face, photo in _pair_with_photos(occurrences, photos):
        person = person_of.get(face.face_id)
        left, top, right, bottom = face.pixel_box
        row = {
            "photo": face.photo,
            "left": left,
            "top": top,
            "right": right,
            "bottom": bottom,
            "face_id": face.face_id,
            "cluster": cluster_of.get(face.face_id),
            "person": person.name if person else None,
            "confirmed": bool(person and face.face_id in person.confirmed),
            "score": round(face.score, 4),
            "quality": round(face.quality, 4),
            "taken_at": face.taken_at,
            "camera": photo.camera,
            "latitude": photo.latitude,
            "longitude": photo.longitude,
            "width": photo.size[0],
            "height": photo.size[1],
            "photo_hash": face.photo_hash,
            "taken_at_source": photo.taken_at_source,
            "by_hand": face.by_hand,
            "frame_time": None if face.frame_time is None else round(face.frame_time, 3),
            "age": find_age(person.facts, face.taken_at.date()) if person and face.taken_at else None,
            "groups": "; ".join(person.facts.groups) or None if person else None,
        }
        yield row if embeddings is None else row | {"embedding": embeddings.get(face.face_id)}


def _pair_with_photos(
    occurrences: Iterable[FaceOccurrence], photos: Iterable[PhotoInfo]
) -> Iterator[tuple[FaceOccurrence, PhotoInfo]]:
    """Yield each occurrence with its photo. Both are in the order of photos."""
    following, photo = iter(photos), None
    for face in occurrences:
        while photo is None or photo.photo != face.photo:
            photo = next(following, None)
            if photo is None:
                raise ValueError(f"{face.photo} has a face but is no photo of the library")
        yield face, photo


def write_rows(
    rows: Iterable[Row], format: str, stream: BinaryIO, *, raw: bool = False, dimension: int | None = None
) -> int:
    """Write the rows in a format of FORMATS; return their number. They are read one by one.

    `dimension`: length of the rows' embeddings, None if they have none. Parquet has them as float32;
    the other formats have lists of decimal numbers, which in CSV and SQLite are JSON text. In CSV an
    apostrophe keeps text that starts like a formula from being run by a spreadsheet, except with
    `raw`. Other numbers and the other formats are exact.
    """
    counter = count()
    counted = (row for row, _ in zip(rows, counter, strict=False))
    schema = SCHEMA if dimension is None else SCHEMA.append(_embedding_field(dimension))
    if format == "csv":
        _write_csv(counted, stream, schema, raw=raw)
    else:
        FORMATS[format](counted, stream, schema)
    return next(counter)


def _embedding_field(dimension: int) -> pa.Field:
    return pa.field("embedding", pa.list_(pa.float32(), dimension))


def _write_parquet(rows: Iterable[Row], stream: BinaryIO, schema: pa.Schema) -> None:
    following = iter(rows)
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        while group := list(islice(following, _PARQUET_ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _write_json(rows: Iterable[Row], stream: BinaryIO, schema: pa.Schema) -> None:
    lines = map(to_json, _with_plain_values(rows))
    stream.write(b"[")
    for number, line in enumerate(lines):
        stream.write(f"{',' if number else ''}\n {line}".encode())
    stream.write(b"\n]\n")


def _write_jsonl(rows: Iterable[Row], stream: BinaryIO, schema: pa.Schema) -> None:
    for row in _with_plain_values(rows):
        stream.write(f"{to_json(row)}\n".encode())


def _write_csv(rows: Iterable[Row], stream: BinaryIO, schema: pa.Schema, *, raw: bool = False) -> None:
    line = io.StringIO(newline="")
    # csv quotes values that contain a character of the line terminator. "\r\n" makes it quote both \r
    # and \n; the output itself ends lines with \n.
    writer = csv.DictWriter(line, schema.names, lineterminator="\r\n")

    def write_line() -> None:
        stream.write(line.getvalue().removesuffix("\r\n").encode() + b"\n")
        line.seek(0)
        line.truncate()

    writer.writeheader()
    write_line()
    for row in _with_text_embeddings(rows):
        cells = row | {name: str(row[name]).lower() for name in ("confirmed", "by_hand")}
        writer.writerow(cells if raw else {name: _guard(cell) for name, cell in cells.items()})
        write_line()


def _guard(cell: Any) -> Any:
    return guard_cell(cell) if isinstance(cell, str) else cell


def _write_sqlite(rows: Iterable[Row], stream: BinaryIO, schema: pa.Schema) -> None:
    """Write a database with one table, `faces`; booleans are 0 and 1, dates and embeddings are text."""
    columns = ", ".join(
        f'"{field.name}" {_sqlite_type(field)}{"" if field.nullable else " NOT NULL"}' for field in schema
    )
    connection = sqlite3.connect(":memory:")
    try:
        with connection:
            connection.execute(f"CREATE TABLE faces ({columns})")
            values = ", ".join(f":{name}" for name in schema.names)
            connection.executemany(f"INSERT INTO faces VALUES ({values})", _with_text_embeddings(rows))
            for name in ("photo", "face_id", "person"):
                connection.execute(f"CREATE INDEX faces_by_{name} ON faces ({name})")
        stream.write(connection.serialize())
    finally:
        connection.close()


def _sqlite_type(field: pa.Field) -> str:
    return "TEXT" if pa.types.is_fixed_size_list(field.type) else _SQLITE_TYPES.get(str(field.type), "INTEGER")


def _with_plain_values(rows: Iterable[Row]) -> Iterator[Row]:
    """Replace dates by text and embeddings by lists of numbers."""
    for row in rows:
        plain = row | {"taken_at": row["taken_at"].isoformat() if row["taken_at"] else None}
        if plain.get("embedding") is not None:
            plain["embedding"] = plain["embedding"].astype(np.float64).round(_EMBEDDING_DECIMALS).tolist()
        yield plain


def _with_text_embeddings(rows: Iterable[Row]) -> Iterator[Row]:
    for row in _with_plain_values(rows):
        yield row | {"embedding": json.dumps(row["embedding"])} if row.get("embedding") is not None else row


#: The writer of each format.
FORMATS: dict[str, Callable[[Iterable[Row], BinaryIO, pa.Schema], None]] = {
    "csv": _write_csv,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
    "sqlite": _write_sqlite,
}
#: File name suffixes that differ from the name of their format.
FORMAT_BY_SUFFIX = {"db": "sqlite", "sqlite3": "sqlite", "ndjson": "jsonl"}
#: Formats that are not text.
BINARY_FORMATS = frozenset({"parquet", "sqlite"})
