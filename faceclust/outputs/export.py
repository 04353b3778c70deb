"""One row a face, as CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from faceclust.types import FacePlace, Person

FORMATS = ("csv", "json", "parquet")
_SCHEMA = pa.schema(
    [
        pa.field("photo", pa.string()),
        *(pa.field(side, pa.int32()) for side in ("left", "top", "right", "bottom")),
        pa.field("face_id", pa.string()),
        pa.field("cluster", pa.int32()),
        pa.field("person", pa.string()),
        pa.field("confirmed", pa.bool_()),
        pa.field("score", pa.float32()),
        pa.field("quality", pa.float32()),
        pa.field("taken_at", pa.timestamp("s")),
    ]
)


def export_rows(
    places: Iterable[FacePlace], persons: Iterable[Person], cluster_of: Mapping[str, int]
) -> list[dict[str, Any]]:
    """A row for each face on each photo: path below the library, box in pixels of the upright
    photo, group number (None: alone) and person (None: not named)."""
    person_of = {face: person for person in persons if person.name for face in person.face_ids}
    rows = []
    for place in places:
        person = person_of.get(place.face_id)
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
            }
        )
    return rows


def write_rows(rows: list[dict[str, Any]], format: str, stream: BinaryIO) -> None:
    """Write the rows; `format` is one of FORMATS."""
    if format == "parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), sink, compression="zstd")
        stream.write(memoryview(sink.getvalue()))
        return
    timed = [row | {"taken_at": row["taken_at"].isoformat() if row["taken_at"] else None} for row in rows]
    if format == "json":
        stream.write((json.dumps(timed, ensure_ascii=False, indent=1) + "\n").encode())
        return
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _SCHEMA.names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"confirmed": str(row["confirmed"]).lower()} for row in timed)
    stream.write(text.getvalue().encode())
