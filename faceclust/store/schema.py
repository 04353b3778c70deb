"""The folder cache's columns: one row a face, and one for each photo without a face.

Flat and plainly typed, so that DuckDB, pandas and polars read it as it is.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faceclust.errors import NewerCacheError
from faceclust.types import Float32, Metadata, PhotoRef, ScannedPhoto, SkippedPhoto

_CHUNK = 1 << 16  # embeddings at a time: bounds the memory
#: 2 added `min_face`.
SCHEMA_VERSION = 2
#: `status` of a photo that was read; any other value is a `SkipReason`.
STATUS_OK = "ok"
#: Columns that a face is known by; null for a forgotten one.
LIKENESS = ("landmarks", "quality", "embedding")
_METADATA_KEY = b"faceclust"
_METADATA = [field.name for field in fields(Metadata)]


@dataclass(frozen=True)
class CacheInfo:
    """Who made a cache file: kept in the parquet file's own metadata."""

    pack: str
    fingerprint: str
    dimension: int
    radius: float
    schema: int = SCHEMA_VERSION


def folder_schema(info: CacheInfo) -> pa.Schema:
    """The Arrow schema of `.faceclust.parquet` for embeddings of `info.dimension`."""
    text, words = pa.string(), pa.dictionary(pa.int32(), pa.string())
    fields = [
        pa.field("photo", text, nullable=False),  # file name within the folder
        pa.field("photo_size", pa.int64(), nullable=False),
        pa.field("photo_mtime_ns", pa.int64(), nullable=False),
        pa.field("photo_hash", text),  # BLAKE2b-128 of the file's bytes
        pa.field("width", pa.int32()),  # of the upright photo, px
        pa.field("height", pa.int32()),
        pa.field("orientation", pa.int8()),
        pa.field("taken_at", pa.timestamp("s")),  # the camera's local time
        pa.field("camera", words),
        pa.field("latitude", pa.float64()),
        pa.field("longitude", pa.float64()),
        pa.field("min_face", pa.int16()),  # px of the photo's smallest face looked for; null: not known
        pa.field("status", words, nullable=False),
        pa.field("detail", text),
        pa.field("face", pa.int16()),  # number within the photo, from 0
        pa.field("face_id", text),
        pa.field("left", pa.float32()),  # fractions of the upright photo
        pa.field("top", pa.float32()),
        pa.field("right", pa.float32()),
        pa.field("bottom", pa.float32()),
        pa.field("landmarks", pa.list_(pa.float32(), 10)),  # x, y five times, fractions
        pa.field("score", pa.float32()),
        pa.field("quality", pa.float32()),
        pa.field("embedding", pa.list_(pa.float16(), info.dimension)),
    ]
    return pa.schema(fields, metadata={_METADATA_KEY: json.dumps(asdict(info)).encode()})


def read_info(schema: pa.Schema) -> CacheInfo:
    """Who made this file. Raises ValueError where it is no cache, NewerCacheError where it is one
    of a schema that only a newer faceclust knows."""
    raw = (schema.metadata or {}).get(_METADATA_KEY)
    if raw is None:
        raise ValueError("it holds no faceclust metadata")
    try:
        found = json.loads(raw)
        version = found["schema"]
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise NewerCacheError(
                f"it was made by a newer faceclust (schema {version}, this one reads {SCHEMA_VERSION})",
                hint="update faceclust",
            )
        return CacheInfo(**found)
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"its metadata cannot be read ({error})") from error


def migrated(table: pa.Table, info: CacheInfo) -> pa.Table:
    """Rows of any schema up to the present one, as the present one has them. Raises ValueError,
    ArrowException for other columns."""
    wanted = folder_schema(info)
    if "min_face" not in table.column_names:  # schema 1
        field = wanted.field("min_face")
        table = table.add_column(wanted.get_field_index("min_face"), field, pa.nulls(len(table), field.type))
    if table.column_names != wanted.names:
        raise ValueError("its columns are not the expected ones")
    # Parquet keeps some types a little differently, such as the names inside lists.
    return table.cast(wanted)


def rows_to_table(photos: Iterable[ScannedPhoto | SkippedPhoto], info: CacheInfo) -> pa.Table:
    """The photos' rows, in the order given."""
    schema = folder_schema(info)
    rows = [row for photo in photos for row in _rows(photo)]
    columns = [pa.array([row.get(field.name) for row in rows], type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _rows(photo: ScannedPhoto | SkippedPhoto) -> Iterator[dict[str, Any]]:
    base = {
        "photo": stored_name(photo.ref),
        "photo_size": photo.ref.size,
        "photo_mtime_ns": photo.ref.mtime_ns,
    }
    if isinstance(photo, SkippedPhoto):
        yield base | {"status": photo.reason.value, "detail": photo.detail}
        return
    base |= asdict(photo.metadata) | {
        "photo_hash": photo.content_hash,
        "width": photo.full_size[0],
        "height": photo.full_size[1],
        "min_face": photo.min_face,
        "status": STATUS_OK,
    }
    if not photo.face_ids:
        yield base
    for i, face_id in enumerate(photo.face_ids):
        left, top, right, bottom = photo.boxes[i].tolist()
        place = {
            "face": i,
            "face_id": face_id,
            "left": left,
            "top": top,
            "right": right,
            "bottom": bottom,
            "score": float(photo.scores[i]),
        }
        likeness = {
            "landmarks": photo.landmarks[i].ravel(),
            "quality": float(photo.quality[i]),
            "embedding": photo.embeddings[i].astype(np.float16),
        }
        yield base | place | ({} if face_id in photo.forgotten else likeness)


class KnownPhotoRow(NamedTuple):
    """What a cache knows of a photo without its faces."""

    size: int
    mtime_ns: int
    photo_hash: str | None
    status: str
    min_face: int | None
    width: int | None
    height: int | None

    @property
    def long_side(self) -> int:
        """Of the upright photo, px; 0 where that is not known."""
        return max(self.width or 0, self.height or 0)


#: A photo of which nothing is known but that there is one.
UNKNOWN = KnownPhotoRow(-1, -1, None, "", None, None, None)


def known_photos(table: pa.Table) -> dict[str, KnownPhotoRow]:
    """The photos of a cache by file name."""
    names = ("photo", "photo_size", "photo_mtime_ns", "photo_hash", "status", "min_face", "width", "height")
    return {
        name: KnownPhotoRow(*rest) for name, *rest in zip(*(table[name].to_pylist() for name in names), strict=True)
    }


def scanned_photos(table: pa.Table, names: Iterable[str] | None) -> Iterator[ScannedPhoto]:
    """The photos of a cache that were scanned, with these file names (None: all)."""
    table = table.filter(pc.equal(table["status"].cast(pa.string()), STATUS_OK))
    if names is not None:
        table = table.filter(pc.is_in(table["photo"], value_set=pa.array(list(names), pa.string())))
    for _, rows in itertools.groupby(table.to_pylist(), key=lambda row: row["photo"]):
        yield _photo(list(rows), table.schema.field("embedding").type.list_size)


def _photo(rows: list[dict[str, Any]], dimension: int) -> ScannedPhoto:
    first = rows[0]
    faces = [row for row in rows if row["face_id"] is not None]
    forgotten = frozenset(row["face_id"] for row in faces if row["quality"] is None)

    def column(values: Iterable[Any], *shape: int) -> Float32:
        return np.array(list(values), np.float32).reshape(len(faces), *shape)

    return ScannedPhoto(
        ref=PhotoRef(first["photo"], first["photo_size"], first["photo_mtime_ns"]),
        content_hash=first["photo_hash"],
        full_size=(first["width"], first["height"]),
        metadata=Metadata(**{name: first[name] for name in _METADATA}),
        face_ids=tuple(row["face_id"] for row in faces),
        boxes=column(([row[side] for side in ("left", "top", "right", "bottom")] for row in faces), 4),
        landmarks=column((row["landmarks"] or [0.0] * 10 for row in faces), 5, 2),
        scores=column(row["score"] for row in faces),
        quality=column(row["quality"] or 0.0 for row in faces),
        embeddings=column((row["embedding"] or [0.0] * dimension for row in faces), dimension),
        forgotten=forgotten,
        min_face=first["min_face"],
    )


def without_likeness(table: pa.Table, face_ids: Iterable[str]) -> pa.Table:
    """The rows with only the places kept of these faces: they are forgotten."""
    chosen = pc.fill_null(pc.is_in(table["face_id"], value_set=pa.array(list(face_ids), pa.string())), False)
    rest, places = table.filter(pc.invert(chosen)), table.filter(chosen)
    for name in LIKENESS:
        column = table.schema.get_field_index(name)
        field = table.schema.field(column)
        places = places.set_column(column, field, pa.nulls(len(places), field.type))
    return concatenate([rest, places])


def without_photos(table: pa.Table, photos: Iterable[str]) -> pa.Table:
    """The rows but those of the photos with these names."""
    chosen = pc.is_in(table["photo"], value_set=pa.array(list(photos), pa.string()))
    return table.filter(pc.invert(chosen))


def stored_name(ref: PhotoRef) -> str:
    """The file name as the cache holds it: bytes that are not UTF-8 written as \\xNN."""
    return ref.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def embedding_matrix(column: pa.ChunkedArray, info: CacheInfo) -> Float32:
    """The embeddings of rows that have one, float32 (n, d), brought back to the pack's radius
    exactly: rounding to 16 bits moves a norm by up to one part in a thousand."""
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, info.dimension)
    out = np.empty(flat.shape, np.float32)
    for start in range(0, len(flat), _CHUNK):
        matrix = flat[start : start + _CHUNK].astype(np.float64)
        norms = np.linalg.norm(matrix, axis=1, keepdims=True)
        out[start : start + _CHUNK] = matrix * (info.radius / np.maximum(norms, 1e-12))
    return out


def parquet_bytes(table: pa.Table) -> memoryview:
    """The table as a Parquet file, with a checksum for each page.

    Made in Arrow's own memory: its threads must hold nothing of Python's, for one that lets go
    of such a thing while the program ends takes the program down.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return memoryview(sink.getvalue())


def release_memory() -> None:
    """Give back to the system what Arrow holds and does not use."""
    pa.default_memory_pool().release_unused()


def concatenate(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of one schema as one, their dictionaries made one."""
    return pa.concat_tables(tables).unify_dictionaries()
