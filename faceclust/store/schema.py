"""The schema of the folder cache: one row per face, and one per photo without faces.

Flat columns of plain types, so that DuckDB, pandas and polars can read the files directly.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from faceclust.errors import NewerCacheError
from faceclust.files.names import DEFAULT_PRECISION, PACK_NAME_PATTERN, PRECISIONS
from faceclust.store import precision as precisions
from faceclust.types import FaceFrame, Float32, Metadata, PhotoRef, ScannedPhoto, SkippedPhoto

#: 2 added `min_face`; 3 precisions other than float16; 4 `taken_at_source`; 5 `by_hand`; 6 the frames of videos.
SCHEMA_VERSION = 6
_DATES_SCHEMA = 4
#: Columns that files of an older schema lack.
_ADDED_COLUMNS = ("min_face", "taken_at_source", "by_hand", "frame_time", "frames_seen")
#: The `status` of a photo that was read; other values are those of `SkipReason`.
STATUS_OK = "ok"
#: Columns that could identify a person; null for a forgotten face.
BIOMETRIC_COLUMNS = ("landmarks", "quality", "embedding")
#: Columns that only rows with a face have.
FACE_COLUMNS = (
    *("face", "face_id", "by_hand", "frame_time", "frames_seen", "left", "top", "right", "bottom", "score"),
    *BIOMETRIC_COLUMNS,
)
#: Columns of text. Parquet files are read with these as dictionaries.
TEXT_COLUMNS = ("photo", "photo_hash", "detail", "face_id")
#: Characters that are kept of a camera's name and of the detail of a skipped photo.
MAX_CAMERA_LENGTH, MAX_DETAIL_LENGTH = 200, 500
_METADATA_KEY = b"faceclust"
#: Key in the metadata of rows of older schemas that were rewritten before their dates were searched for.
_DATES_NOTE = "dates"
_MAX_FINGERPRINT_LENGTH = 10_000
_MIN_RADIUS, _MAX_RADIUS = 1e-3, 1e3  # as in a pack's manifest
_CHUNK = 1 << 16  # texts at a time: objects take much memory
_METADATA_FIELDS = [field.name for field in fields(Metadata)]


@dataclass(frozen=True)
class CacheInfo:
    """The pack that made a cache file, and the precision of its embeddings (one of PRECISIONS).
    Stored in the Parquet file's metadata; the field names are its keys."""

    pack: str
    fingerprint: str
    dimension: int
    radius: float
    precision: str = DEFAULT_PRECISION

    @property
    def encoded_metadata(self) -> bytes:
        """The JSON stored in the metadata."""
        notes: dict[str, Any] = asdict(self) | {"schema": SCHEMA_VERSION}
        if self.precision == DEFAULT_PRECISION:
            del notes["precision"]
        return json.dumps(notes).encode()


@lru_cache
def folder_schema(info: CacheInfo) -> pa.Schema:
    """Return the Arrow schema of a folder cache for the dimension and precision of `info`."""
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
        pa.field("taken_at_source", words),  # one of DATE_SOURCES; null: no date, or an older row
        pa.field("camera", words),
        pa.field("latitude", pa.float64()),
        pa.field("longitude", pa.float64()),
        pa.field("min_face", pa.int16()),  # width of the smallest face searched for, px; null: unknown
        pa.field("status", words, nullable=False),
        pa.field("detail", text),
        pa.field("face", pa.int16()),  # index within the photo, from 0
        pa.field("face_id", text),
        pa.field("by_hand", pa.bool_()),  # the user drew the box; null: no face, or an older row
        pa.field("frame_time", pa.float32()),  # s from the start of the video; null: a photo
        pa.field("frames_seen", pa.int16()),  # sampled frames of the video with this person; null: a photo
        pa.field("left", pa.float32()),  # fractions of the upright photo
        pa.field("top", pa.float32()),
        pa.field("right", pa.float32()),
        pa.field("bottom", pa.float32()),
        pa.field("landmarks", pa.list_(pa.float32(), 10)),  # five (x, y) pairs, fractions
        pa.field("score", pa.float32()),
        pa.field("quality", pa.float32()),
        pa.field("embedding", precisions.embedding_type(info.precision, info.dimension)),
    ]
    return pa.schema(fields, metadata={_METADATA_KEY: info.encoded_metadata})


def parse_cache_info(schema: pa.Schema) -> CacheInfo:
    """Read the metadata of a cache file. Raises ValueError if it is not a cache, NewerCacheError if
    a newer faceclust wrote it."""
    raw = (schema.metadata or {}).get(_METADATA_KEY)
    if raw is None:
        raise ValueError("it has no faceclust metadata")
    try:
        found = json.loads(raw)
        version = found.pop("schema")
        found.pop(_DATES_NOTE, None)
        if type(version) is int and version > SCHEMA_VERSION:
            raise NewerCacheError(
                f"it was made by a newer faceclust (schema {version}, this one reads {SCHEMA_VERSION})",
                hint="update faceclust",
            )
        info = CacheInfo(**found)
        if type(version) is not int or version < 1 or not _is_valid(info):
            raise ValueError(f"schema {version!r:.20}, {found!s:.200}")
        return info
    except (AttributeError, TypeError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"its metadata cannot be read ({error})") from error


def _is_valid(info: CacheInfo) -> bool:
    """Check types and ranges: the file may come from anywhere."""
    valid_dimension = type(info.dimension) is int and 1 <= info.dimension <= 65_536
    valid_radius = type(info.radius) in (int, float) and _MIN_RADIUS <= info.radius <= _MAX_RADIUS
    valid_pack = type(info.pack) is str and PACK_NAME_PATTERN.fullmatch(info.pack) is not None
    valid_fingerprint = type(info.fingerprint) is str and len(info.fingerprint) <= _MAX_FINGERPRINT_LENGTH
    return valid_dimension and valid_radius and valid_pack and valid_fingerprint and info.precision in PRECISIONS


def file_schema(found: pa.Schema, info: CacheInfo) -> pa.Schema:
    """Return the schema that a cache file must have, given the one it has: an older one lacks columns."""
    missing = set(_ADDED_COLUMNS).difference(found.names)
    return pa.schema([field for field in folder_schema(info) if field.name not in missing])


def migrate_table(table: pa.Table, info: CacheInfo) -> pa.Table:
    """Add the columns that rows of an older schema lack."""
    current = folder_schema(info)
    for name in [name for name in current.names if name not in table.column_names]:
        field = current.field(name)
        table = table.add_column(current.names.index(name), field, pa.nulls(len(table), field.type))
    return table


def list_undated_photos(table: pa.Table) -> frozenset[str]:
    """Return the names of the scanned photos without a date, if dates outside of EXIF have not been searched
    for. `table` has the metadata of the file."""
    notes = json.loads(table.schema.metadata[_METADATA_KEY])
    if notes["schema"] >= _DATES_SCHEMA and _DATES_NOTE not in notes:
        return frozenset()
    is_undated = pc.and_(pc.is_null(table["taken_at"]), pc.is_valid(table["photo_hash"]))
    return frozenset(table["photo"].filter(is_undated).to_pylist())


def mark_dates_missing(table: pa.Table) -> pa.Table:
    """Note in the metadata that dates outside of EXIF have not been searched for."""
    notes = json.loads(table.schema.metadata[_METADATA_KEY]) | {_DATES_NOTE: "exif"}
    return table.replace_schema_metadata({_METADATA_KEY: json.dumps(notes).encode()})


def with_dates(table: pa.Table, dates: Mapping[str, Metadata]) -> pa.Table:
    """Set the dates of photos and their sources, by file name."""
    for name in ("taken_at", "taken_at_source"):
        index, field = table.schema.get_field_index(name), table.schema.field(name)
        values = [
            getattr(dates[photo], name) if photo in dates else old
            for photo, old in zip(table["photo"].to_pylist(), table[name].to_pylist(), strict=True)
        ]
        table = table.set_column(index, field, pa.array(values, field.type))
    return table


def convert_table(table: pa.Table, info: CacheInfo, *, rescale: bool = False) -> pa.Table:
    """Convert embeddings to the precision of `info`, and with `rescale` to its radius as well."""
    index = table.schema.get_field_index("embedding")
    if not rescale and table_precision(table) == info.precision:
        return table.replace_schema_metadata({_METADATA_KEY: info.encoded_metadata})
    column = precisions.convert_precision(table["embedding"], info.precision, info.dimension, info.radius)
    changed = table.set_column(index, pa.field("embedding", column.type), column)
    return changed.replace_schema_metadata({_METADATA_KEY: info.encoded_metadata})


def table_precision(table: pa.Table) -> str:
    """Return the precision of the embeddings of these rows. Raises ValueError for other types."""
    return precisions.precision_of(table.schema.field("embedding").type)


def photos_to_table(photos: Iterable[ScannedPhoto | SkippedPhoto], info: CacheInfo) -> pa.Table:
    """Convert photos to rows, in the order given."""
    schema = folder_schema(info)
    rows = [row for photo in photos for row in _photo_to_rows(photo, info.precision)]
    columns = [pa.array([row.get(field.name) for row in rows], type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _photo_to_rows(photo: ScannedPhoto | SkippedPhoto, precision: str) -> Iterator[dict[str, Any]]:
    base = {
        "photo": stored_name(photo.ref),
        "photo_size": photo.ref.size,
        "photo_mtime_ns": photo.ref.mtime_ns,
    }
    if isinstance(photo, SkippedPhoto):
        yield base | {"status": photo.reason.value, "detail": _shorten(photo.detail, MAX_DETAIL_LENGTH)}
        return
    base |= asdict(photo.metadata) | {
        "photo_hash": photo.content_hash,
        "width": photo.full_size[0],
        "height": photo.full_size[1],
        "camera": _shorten(photo.metadata.camera, MAX_CAMERA_LENGTH),
        "min_face": photo.min_face,
        "status": STATUS_OK,
    }
    if not photo.face_ids:
        yield base
    for i, face_id in enumerate(photo.face_ids):
        left, top, right, bottom = photo.boxes[i].tolist()
        location = {
            "face": i,
            "face_id": face_id,
            "by_hand": face_id in photo.by_hand,
            "left": left,
            "top": top,
            "right": right,
            "bottom": bottom,
            "score": float(photo.scores[i]),
        }
        biometrics: dict[str, Any] = {"quality": 0.0}
        if face_id not in photo.uncompared:
            biometrics = {
                "landmarks": photo.landmarks[i].ravel(),
                "quality": float(photo.quality[i]),
                "embedding": precisions.encode_embeddings(photo.embeddings[i], precision),
            }
        if (frame := photo.frames.get(face_id)) is not None:
            location |= {"frame_time": frame.time, "frames_seen": frame.frames_seen}
        yield base | location | ({} if face_id in photo.forgotten else biometrics)


def _shorten(text: str | None, length: int) -> str | None:
    """Cut off a text. Bytes of file names that are not UTF-8, in error messages, become \\xNN."""
    return text and text.encode("utf-8", "backslashreplace").decode()[:length]


class CachedPhoto(NamedTuple):
    """A photo in a cache, without its faces."""

    size: int
    mtime_ns: int
    photo_hash: str | None
    status: str
    min_face: int | None
    width: int | None
    height: int | None

    @property
    def full_size(self) -> tuple[int, int]:
        """Width and height of the upright photo, px; 0 if unknown."""
        return self.width or 0, self.height or 0


#: Placeholder for a photo that needs a rescan.
UNKNOWN_PHOTO = CachedPhoto(-1, -1, None, "", None, None, None)


def read_cached_photos(table: pa.Table) -> dict[str, CachedPhoto]:
    """Return the photos of a cache by file name."""
    names = ("photo", "photo_size", "photo_mtime_ns", "photo_hash", "status", "min_face", "width", "height")
    return {name: CachedPhoto(*rest) for name, *rest in zip(*(table[name].to_pylist() for name in names), strict=True)}


def read_scanned_photos(table: pa.Table, names: Iterable[str] | None, info: CacheInfo) -> Iterator[ScannedPhoto]:
    """Yield the successfully scanned photos of a cache with these file names (None: all)."""
    table = table.filter(pc.equal(table["status"].cast(pa.string()), STATUS_OK))
    if names is not None:
        table = table.filter(pc.is_in(table["photo"], value_set=pa.array(list(names), pa.string())))
    if info.precision == "int8":  # it stores directions only
        table = convert_table(table, replace(info, precision="float32"))
    for _, rows in itertools.groupby(table.to_pylist(), key=lambda row: row["photo"]):
        yield _rows_to_photo(list(rows), info.dimension)


def _rows_to_photo(rows: list[dict[str, Any]], dimension: int) -> ScannedPhoto:
    first = rows[0]
    faces = [row for row in rows if row["face_id"] is not None]
    frames = {row["face_id"]: FaceFrame(row["frame_time"], row["frames_seen"]) for row in faces if row["frames_seen"]}
    by_hand = [row for row in faces if row["by_hand"]]

    def column(values: Iterable[Any], *shape: int) -> Float32:
        return np.array(list(values), np.float32).reshape(len(faces), *shape)

    return ScannedPhoto(
        ref=PhotoRef(first["photo"], first["photo_size"], first["photo_mtime_ns"]),
        content_hash=first["photo_hash"],
        full_size=(first["width"], first["height"]),
        metadata=Metadata(**{name: first[name] for name in _METADATA_FIELDS}),
        face_ids=tuple(row["face_id"] for row in faces),
        boxes=column(([row[side] for side in ("left", "top", "right", "bottom")] for row in faces), 4),
        landmarks=column((row["landmarks"] or [0.0] * 10 for row in faces), 5, 2),
        scores=column(row["score"] for row in faces),
        quality=column(row["quality"] or 0.0 for row in faces),
        embeddings=column((row["embedding"] or [0.0] * dimension for row in faces), dimension),
        forgotten=frozenset(row["face_id"] for row in faces if row["quality"] is None),
        min_face=first["min_face"],
        by_hand=frozenset(row["face_id"] for row in by_hand),
        frames=frames,
        uncompared=frozenset(
            row["face_id"] for row in by_hand if row["quality"] is not None and row["embedding"] is None
        ),
    )


def without_biometrics(table: pa.Table, face_ids: Iterable[str]) -> pa.Table:
    """Blank all but the boxes of these faces, which makes them forgotten."""
    chosen = pc.fill_null(pc.is_in(table["face_id"], value_set=pa.array(list(face_ids), pa.string())), False)
    rest, forgotten = table.filter(pc.invert(chosen)), table.filter(chosen)
    for name in BIOMETRIC_COLUMNS:
        column = table.schema.get_field_index(name)
        field = table.schema.field(column)
        forgotten = forgotten.set_column(column, field, pa.nulls(len(forgotten), field.type))
    return concatenate([rest, forgotten])


def without_faces(table: pa.Table, face_ids: Iterable[str]) -> pa.Table:
    """Turn the rows of these faces into rows of their photos without a face, at the end."""
    chosen = pc.fill_null(pc.is_in(table["face_id"], value_set=pa.array(list(face_ids), pa.string())), False)
    if not pc.any(chosen).as_py():
        return table
    rest, hidden = table.filter(pc.invert(chosen)), table.filter(chosen)
    for name in FACE_COLUMNS:
        column = table.schema.get_field_index(name)
        field = table.schema.field(column)
        hidden = hidden.set_column(column, field, pa.nulls(len(hidden), field.type))
    return concatenate([rest, hidden])


def without_photos(table: pa.Table, names: Iterable[str]) -> pa.Table:
    """Remove the rows of the photos with these names."""
    chosen = pc.is_in(table["photo"], value_set=pa.array(list(names), pa.string()))
    return table.filter(pc.invert(chosen))


def stored_name(ref: PhotoRef) -> str:
    """Return the file name as stored in the cache, with bytes that are not UTF-8 as \\xNN."""
    return ref.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def encode_parquet(table: pa.Table) -> memoryview:
    """Encode a table as a Parquet file with a checksum per page. Equal rows give equal bytes.

    Written to Arrow's own memory: an Arrow thread that releases a Python object while the
    interpreter shuts down crashes the program.
    """
    table, sink = _sort_dictionaries(table), pa.BufferOutputStream()
    names: list[str] | bool = True
    if "embedding" in table.column_names and table_precision(table) == "float32":
        # Float32 components rarely repeat, so a dictionary would cost more than it saves.
        names = [name for name in table.column_names if name != "embedding"]
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True, use_dictionary=names)
    return memoryview(sink.getvalue())


def _sort_dictionaries(table: pa.Table) -> pa.Table:
    """Order the words of each dictionary by their first row, instead of by when their rows were added."""
    for number, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            words = table.column(number).cast(field.type.value_type).combine_chunks().dictionary_encode()
            table = table.set_column(number, field, words)
    return table


def texts_to_array(column: pa.ChunkedArray, length: int) -> NDArray[np.str_]:
    """Convert texts without nulls to an array of texts of at most `length` letters."""
    texts = np.empty(len(column), f"U{length}")
    for start in range(0, len(column), _CHUNK):
        texts[start : start + _CHUNK] = column.slice(start, _CHUNK).to_pylist()
    return texts


def release_memory() -> None:
    """Return Arrow's unused memory to the system."""
    pa.default_memory_pool().release_unused()


def concatenate(tables: Sequence[pa.Table]) -> pa.Table:
    """Concatenate tables of one schema and unify their dictionaries."""
    return pa.concat_tables(tables).unify_dictionaries()
