"""Faces in a file: embeddings with labels, from here or from another program."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from faceclust.errors import FaceclustError, UsageError
from faceclust.evaluation.ground_truth import FOLDERS, read_persons_by_face_id
from faceclust.evaluation.thresholds import LabelledFaces
from faceclust.store.schema import parse_cache_info
from faceclust.types import FaceTable, Float32

_LABEL_COLUMNS = ("label", "labels", "person", "name")
_PHOTO_COLUMNS = ("photo_hash", "photo", "photos", "file", "path")
_HINT = "an .npz holds embeddings (n, d) and labels (n); a .parquet a column embedding and one of " + ", ".join(
    _LABEL_COLUMNS
)
#: How far norms may be from their mean and still count as all the same.
_COMMON_NORM_TOLERANCE = 0.01


@dataclass(frozen=True)
class SavedFaces:
    """The faces of a file, and its labels, "" where it has none of a face; `labels` None where it
    has none at all. `norm`: what all embeddings had, None where they differ; `radius`: what they
    have now. `photos_known`: whether the file tells which faces are on one photo."""

    faces: FaceTable
    labels: NDArray[np.str_] | None
    norm: float | None
    radius: float
    photos_known: bool = True


def read_embedding_file(file: Path, radius: float | None, pack_radius: float) -> SavedFaces:
    """The faces of an .npz or a .parquet file.

    All embeddings get one norm: `radius`; by default the one they were saved with, but unit vectors
    and vectors of many lengths get `installed_files`, that of the models in use, on whose scale 1.1 is the
    operating point. Raises UsageError for a file that holds no embeddings.
    """
    read = {".npz": _read_npz, ".parquet": _read_parquet}.get(file.suffix.lower())
    if read is None:
        raise UsageError(f"{file} is neither an .npz nor a .parquet", hint=_HINT)
    try:
        columns = read(file.expanduser())
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, pa.ArrowException) as error:
        raise UsageError(f"{file} cannot be read: {error}", hint=_HINT) from error
    embeddings, norm = _validate_embeddings(columns.embeddings, file)
    kept = norm if norm is not None and abs(norm - 1) > _COMMON_NORM_TOLERANCE else None
    radius = radius or columns.radius or kept or pack_radius
    ids, first, times = np.unique(columns.ids, return_index=True, return_counts=True)
    if columns.radius is None and len(ids) < len(columns.ids):  # in a cache of ours copies share an id
        again = str(ids[times > 1][0])
        raise UsageError(
            f"{file}: {len(columns.ids) - len(ids)} rows have a face id of others; the first is {again!r}",
            hint="give every face an id of its own, or leave out face_ids",
        )
    scaled = embeddings * (radius / np.linalg.norm(embeddings, axis=1, keepdims=True))
    n = len(first)
    faces = FaceTable(
        face_ids=ids,
        photo_ids=(np.char.mod("%09d", np.arange(len(columns.ids))) if columns.photos is None else columns.photos)[
            first
        ],
        embeddings=np.ascontiguousarray(scaled[first], np.float32),
        quality=np.ones(n, np.float32) if columns.quality is None else columns.quality[first],
        taken_at=np.full(n, np.datetime64("NaT", "s")),
        boxes=np.zeros((n, 4), np.float32),
        shots=np.full((n, 2), -1, np.int64),
    )
    return SavedFaces(
        faces, None if columns.labels is None else columns.labels[first], norm, radius, columns.photos is not None
    )


def label_saved_faces(saved: SavedFaces, truth: str | Path | None) -> LabelledFaces:
    """The faces with the file's own labels, or, by face id, those of a CSV with the columns face_id and
    person. Raises UsageError where there are neither."""
    if truth is None:
        if saved.labels is None:
            raise UsageError("the file does not say who the faces are", hint=f"name a --truth; or: {_HINT}")
        return LabelledFaces(saved.faces, saved.labels, photos_known=saved.photos_known)
    names = None if str(truth) == FOLDERS else read_persons_by_face_id(Path(truth))
    if names is None:
        raise UsageError(
            f"{truth} does not tell of faces by their ids, and of a saved file no more is known than these",
            hint="write a CSV with the columns face_id and person",
        )
    here = saved.faces.face_ids.tolist()
    persons = np.array([names.get(face, "") for face in here], dtype=np.str_)
    return LabelledFaces(saved.faces, persons, missed=len(names.keys() - set(here)), photos_known=saved.photos_known)


@dataclass(frozen=True)
class _Columns:
    embeddings: NDArray[np.float64]
    labels: NDArray[np.str_] | None
    photos: NDArray[np.str_] | None
    ids: NDArray[np.str_]
    radius: float | None = None
    quality: Float32 | None = None


def _read_npz(file: Path) -> _Columns:
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
        if "embeddings" not in content:
            raise ValueError(f"it has no array embeddings (but {', '.join(content) or 'none'})")
        embeddings = content["embeddings"]
        labels = content.get("labels", None)
        photos = content.get("photos", None)
        ids = content.get("face_ids", None)
    return _validate_columns(embeddings, labels, photos, ids)


def _read_parquet(file: Path) -> _Columns:
    schema = pq.read_schema(file)
    if "embedding" not in schema.names:
        raise ValueError("it has no column embedding")
    names = {
        name: next((column for column in some if column in schema.names), None)
        for name, some in _COLUMN_CANDIDATES.items()
    }
    table = pq.read_table(
        file, columns=["embedding", *dict.fromkeys(filter(None, names.values())), *_quality_columns(schema)]
    )
    table = table.filter(table["embedding"].is_valid())
    lists = table["embedding"].combine_chunks()
    if not (
        pa.types.is_list(lists.type) or pa.types.is_fixed_size_list(lists.type) or pa.types.is_large_list(lists.type)
    ):
        raise ValueError(f"its column embedding holds {lists.type}, no lists of numbers")
    sizes = lists.value_lengths().to_numpy(zero_copy_only=False)
    if len(sizes) and sizes.min() != sizes.max():
        raise ValueError("its embeddings are not all of one dimension")
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    quality = None
    if _quality_columns(schema):  # null, as not a number, is the worst
        quality = np.nan_to_num(np.asarray(table["quality"].to_numpy(), np.float32), nan=0.0)
    found = {name: _column_to_text(table[column]) if column else None for name, column in names.items()}
    return _validate_columns(
        flat.reshape(len(table), -1) if len(table) else flat.reshape(0, 0),
        **found,
        radius=_read_radius(schema),
        quality=quality,
    )


_COLUMN_CANDIDATES = {"labels": _LABEL_COLUMNS, "photos": _PHOTO_COLUMNS, "ids": ("face_id",)}


def _quality_columns(schema: pa.Schema) -> list[str]:
    return ["quality"] if "quality" in schema.names and pa.types.is_floating(schema.field("quality").type) else []


def _column_to_text(column: pa.ChunkedArray) -> NDArray[np.str_]:
    return np.array(["" if value is None else str(value) for value in column.to_pylist()], dtype=np.str_)


def _read_radius(schema: pa.Schema) -> float | None:
    """That of a cache of faceclust; None for another file."""
    try:
        return parse_cache_info(schema).radius
    except (ValueError, FaceclustError):
        return None


def _validate_columns(
    embeddings: NDArray[Any],
    labels: NDArray[Any] | None,
    photos: NDArray[Any] | None,
    ids: NDArray[Any] | None,
    radius: float | None = None,
    quality: Float32 | None = None,
) -> _Columns:
    if embeddings.ndim != 2 or not embeddings.size or embeddings.dtype.kind not in "fiu":
        raise ValueError(f"its embeddings are {embeddings.dtype} of shape {embeddings.shape}, not numbers (n, d)")
    n = len(embeddings)
    for name, column in (("labels", labels), ("photos", photos), ("face ids", ids)):
        if column is not None and column.shape != (n,):
            raise ValueError(f"it has {n} embeddings and {name} of shape {column.shape}")
    numbers = np.char.mod("%09d", np.arange(n))
    text = {
        name: None if column is None else _array_to_text(column)
        for name, column in (("l", labels), ("p", photos), ("i", ids))
    }
    return _Columns(
        embeddings.astype(np.float64),
        text["l"],
        text["p"],
        numbers if text["i"] is None else text["i"],
        radius,
        quality,
    )


def _array_to_text(column: NDArray[Any]) -> NDArray[np.str_]:
    """As text; "" for what is not a number, or no time."""
    nothing = column != column if column.dtype.kind in "fcmM" else np.zeros(len(column), np.bool_)
    return np.asarray(np.where(nothing, "", column.astype(np.str_)), np.str_)


def _validate_embeddings(embeddings: NDArray[np.float64], file: Path) -> tuple[NDArray[np.float64], float | None]:
    """The embeddings, and the norm that all of them have, if they do."""
    with np.errstate(over="ignore", invalid="ignore"):  # infinite, and told below
        norms = np.linalg.norm(embeddings, axis=1)
    bad = np.flatnonzero(~np.isfinite(norms) | (norms < 1e-9))
    if len(bad):
        raise UsageError(
            f"{file}: row {bad[0]} is no embedding: its length is {norms[bad[0]]:g}", hint="leave such rows out"
        )
    mean = float(norms.mean())
    return embeddings, mean if bool((np.abs(norms - mean) <= _COMMON_NORM_TOLERANCE * mean).all()) else None
