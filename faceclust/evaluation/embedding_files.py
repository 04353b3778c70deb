"""Labelled embeddings in an .npz or .parquet file, from faceclust or another program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from faceclust.errors import FaceclustError, UsageError
from faceclust.evaluation.ground_truth import FOLDERS, read_persons_by_face_id
from faceclust.evaluation.npz_files import read_npz
from faceclust.evaluation.thresholds import LabelledFaces
from faceclust.files.user_folders import expand_user
from faceclust.store.schema import parse_cache_info
from faceclust.types import FaceTable, Float32

_LABEL_COLUMNS = ("label", "labels", "person", "name")
_PHOTO_COLUMNS = ("photo_hash", "photo", "photos", "file", "path")
_COLUMN_CANDIDATES = {"labels": _LABEL_COLUMNS, "photos": _PHOTO_COLUMNS, "ids": ("face_id",)}
_HINT = (
    "expected an .npz with embeddings (n, d) and labels (n), or a .parquet with a column embedding and one of "
    + ", ".join(_LABEL_COLUMNS)
)
#: Norms this near to their mean, relative to it, count as equal.
_COMMON_NORM_TOLERANCE = 0.01


@dataclass(frozen=True)
class SavedFaces:
    """The faces of a file and their labels.

    `labels` (n,) is "" for a face without a label, and None if the file has no labels. `norm` is the
    norm of the embeddings in the file, None if they differ; `radius` is their norm now.
    `photos_known` is true if the file has a column of photos.
    """

    faces: FaceTable
    labels: NDArray[np.str_] | None
    norm: float | None
    radius: float
    photos_known: bool = True


def read_embedding_file(file: Path, radius: float | None, pack_radius: float) -> SavedFaces:
    """Read the faces of an .npz or .parquet file, and scale all embeddings to one norm.

    The norm is `radius`, by default the one in the file. Unit vectors and vectors of different
    norms get `pack_radius`, at which 1.1 is the operating point. Raises UsageError if the file
    holds no embeddings.
    """
    read = {".npz": _read_npz, ".parquet": _read_parquet}.get(file.suffix.lower())
    if read is None:
        raise UsageError(f"{file} must end in .npz or .parquet", hint=_HINT)
    try:
        columns = read(expand_user(file))
    except (OSError, ValueError, TypeError, LookupError, MemoryError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UsageError(f"{file} cannot be read: {reason or type(error).__name__}", hint=_HINT) from error
    embeddings, norm = _validate_embeddings(columns.embeddings, file)
    kept = norm if norm is not None and abs(norm - 1) > _COMMON_NORM_TOLERANCE else None
    radius = radius or columns.radius or kept or pack_radius
    ids, first, counts = np.unique(columns.ids, return_index=True, return_counts=True)
    if columns.radius is None and len(ids) < len(columns.ids):  # only in our own caches do copies share an id
        duplicate = str(ids[counts > 1][0])
        raise UsageError(
            f"{file}: {len(columns.ids) - len(ids)} rows repeat a face id; the first is {duplicate!r}",
            hint="give every face an id of its own, or leave out face_ids",
        )
    scaled = embeddings * (radius / np.linalg.norm(embeddings, axis=1, keepdims=True))
    n = len(first)
    photos = np.char.mod("%09d", np.arange(len(columns.ids))) if columns.photos is None else columns.photos
    faces = FaceTable(
        face_ids=ids,
        photo_ids=photos[first],
        embeddings=np.ascontiguousarray(scaled[first], np.float32),
        quality=np.ones(n, np.float32) if columns.quality is None else columns.quality[first],
        taken_at=np.full(n, np.datetime64("NaT", "s")),
        boxes=np.zeros((n, 4), np.float32),
        shots=np.full((n, 2), -1, np.int64),
    )
    labels = None if columns.labels is None else columns.labels[first]
    return SavedFaces(faces, labels, norm, radius, columns.photos is not None)


def label_saved_faces(saved: SavedFaces, truth: str | Path | None) -> LabelledFaces:
    """Label faces by the file's own labels or, if given, by a CSV with the columns face_id and person.

    Raises UsageError if there is neither.
    """
    if truth is None:
        if saved.labels is None:
            raise UsageError("the file holds no labels", hint=f"name a --truth; or: {_HINT}")
        return LabelledFaces(saved.faces, saved.labels, photos_known=saved.photos_known)
    names = None if str(truth) == FOLDERS else read_persons_by_face_id(Path(truth))
    if names is None:
        raise UsageError(
            f"{truth} does not name persons by face id, as a file of embeddings needs",
            hint="write a CSV with the columns face_id and person",
        )
    ids = saved.faces.face_ids.tolist()
    persons = np.array([names.get(face, "") for face in ids], dtype=np.str_)
    return LabelledFaces(saved.faces, persons, missed=len(names.keys() - set(ids)), photos_known=saved.photos_known)


@dataclass(frozen=True)
class _Columns:
    embeddings: NDArray[np.float64]
    labels: NDArray[np.str_] | None
    photos: NDArray[np.str_] | None
    ids: NDArray[np.str_]
    radius: float | None = None
    quality: Float32 | None = None


def _read_npz(file: Path) -> _Columns:
    arrays = read_npz(file, ("embeddings", "labels", "photos", "face_ids"))
    if "embeddings" not in arrays:
        raise ValueError("missing array: embeddings")
    return _validate_columns(arrays["embeddings"], arrays.get("labels"), arrays.get("photos"), arrays.get("face_ids"))


def _read_parquet(file: Path) -> _Columns:
    footer = pq.read_metadata(file)
    if footer.num_rows > file.stat().st_size:  # run lengths can declare millions of rows in a kilobyte
        raise ValueError(f"it declares {footer.num_rows:,} rows, more than it has bytes")
    schema = footer.schema.to_arrow_schema()
    if "embedding" not in schema.names:
        raise ValueError("missing column: embedding")
    names = {
        name: next((column for column in candidates if column in schema.names), None)
        for name, candidates in _COLUMN_CANDIDATES.items()
    }
    table = pq.read_table(
        file, columns=["embedding", *dict.fromkeys(filter(None, names.values())), *_quality_columns(schema)]
    )
    table = table.filter(table["embedding"].is_valid())
    lists = table["embedding"].combine_chunks()
    if not (
        pa.types.is_list(lists.type) or pa.types.is_fixed_size_list(lists.type) or pa.types.is_large_list(lists.type)
    ):
        raise ValueError(f"the column embedding holds {lists.type}, not lists of numbers")
    sizes = lists.value_lengths().to_numpy(zero_copy_only=False)
    if len(sizes) and sizes.min() != sizes.max():
        raise ValueError("the embeddings differ in dimension")
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    quality = None
    if _quality_columns(schema):  # null and nan count as the lowest quality
        quality = np.nan_to_num(np.asarray(table["quality"].to_numpy(), np.float32), nan=0.0)
    found = {name: _column_to_text(table[column]) if column else None for name, column in names.items()}
    return _validate_columns(
        flat.reshape(len(table), -1) if len(table) else flat.reshape(0, 0),
        **found,
        radius=_read_radius(schema),
        quality=quality,
    )


def _quality_columns(schema: pa.Schema) -> list[str]:
    return ["quality"] if "quality" in schema.names and pa.types.is_floating(schema.field("quality").type) else []


def _column_to_text(column: pa.ChunkedArray) -> NDArray[np.str_]:
    return np.array(["" if value is None else str(value) for value in column.to_pylist()], dtype=np.str_)


def _read_radius(schema: pa.Schema) -> float | None:
    """The radius of a faceclust cache; None for another file."""
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
        raise ValueError(f"embeddings: expected numbers (n, d), not {embeddings.dtype} of shape {embeddings.shape}")
    n = len(embeddings)
    for name, column in (("labels", labels), ("photos", photos), ("face ids", ids)):
        if column is not None and column.shape != (n,):
            raise ValueError(f"{name}: expected shape ({n},) for {n} embeddings, not {column.shape}")
    return _Columns(
        embeddings.astype(np.float64),
        None if labels is None else _array_to_text(labels),
        None if photos is None else _array_to_text(photos),
        np.char.mod("%09d", np.arange(n)) if ids is None else _array_to_text(ids),
        radius,
        quality,
    )


def _array_to_text(column: NDArray[Any]) -> NDArray[np.str_]:
    """The values as text; "" for nan and not-a-time."""
    missing = column != column if column.dtype.kind in "fcmM" else np.zeros(len(column), np.bool_)
    return np.asarray(np.where(missing, "", column.astype(np.str_)), np.str_)


def _validate_embeddings(embeddings: NDArray[np.float64], file: Path) -> tuple[NDArray[np.float64], float | None]:
    """The embeddings and their common norm, None if the norms differ. Raises UsageError for a bad row."""
    with np.errstate(over="ignore", invalid="ignore"):  # an infinite norm is refused below
        norms = np.linalg.norm(embeddings, axis=1)
    bad = np.flatnonzero(~np.isfinite(norms) | (norms < 1e-9))
    if len(bad):
        raise UsageError(
            f"{file}: row {bad[0]} is not an embedding: its norm is {norms[bad[0]]:g}", hint="leave out such rows"
        )
    mean = float(norms.mean())
    return embeddings, mean if bool((np.abs(norms - mean) <= _COMMON_NORM_TOLERANCE * mean).all()) else None
