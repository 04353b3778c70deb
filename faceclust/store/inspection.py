"""Check the consistency of a cache file row by row, and optionally against the photos' contents."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from faceclust.errors import NewerCacheError
from faceclust.files.names import pack_of_cache_file
from faceclust.files.safe_paths import is_photo_folder
from faceclust.store.folder_cache import UnusableCacheError, read_cache, read_cache_info
from faceclust.store.precision import INT8_PEAK
from faceclust.store.schema import BIOMETRIC_COLUMNS, STATUS_OK, CacheInfo, stored_name
from faceclust.types import Float32, PhotoRef

#: Relative change of a norm by rounding to 16 bits, with a margin.
_NORM_TOLERANCE = 2e-3
_SIDES = ("left", "top", "right", "bottom")
_PER_PHOTO_COLUMNS = "photo_size photo_mtime_ns photo_hash width height orientation taken_at min_face status".split()
_RESCAN_HINT = "delete the file, then faceclust scan"
_NUMBERING_FAULT = "the faces of a photo are not numbered from 0"

#: Computes a face id from the photo's content hash and the face's box.
FaceIdFunction = Callable[[str, Float32], str]


@dataclass(frozen=True)
class Problem:
    """A defect of a file: the file, a description, and what the user can do about it."""

    where: str
    what: str
    todo: str


@dataclass
class InspectionResult:
    """Counts and problems of a cache. `missing` photos no longer exist. `changed` ones have another
    size or modification time than in the cache. `hashed` ones were compared by content."""

    photos: int = 0
    faces: int = 0
    missing: int = 0
    changed: int = 0
    hashed: int = 0
    problems: list[Problem] = field(default_factory=list)


def inspect_cache(path: Path, folder: Path, make_face_id: FaceIdFunction, *, hash_photos: bool) -> InspectionResult:
    """Check the cache file of a folder. With `hash_photos`, compare the contents of seemingly
    unchanged photos with their hashes."""
    found = InspectionResult()
    try:
        info = read_cache_info(path)
        rows = read_cache(path, info)
    except NewerCacheError as error:
        found.problems.append(Problem(str(path), _strip_path(path, error), "update faceclust"))
        return found
    except UnusableCacheError as error:
        found.problems.append(Problem(str(path), _strip_path(path, error), "to recreate it: faceclust scan"))
        return found
    if info.pack != pack_of_cache_file(path.name):
        found.problems.append(Problem(str(path), f"it holds faces of the pack {info.pack}", _RESCAN_HINT))
    photos = _group_rows_by_photo(rows)
    found.photos, found.faces = len(photos), len(rows) - rows["face_id"].null_count
    for what, names in _find_row_faults(photos, make_face_id).items():
        found.problems.append(Problem(str(path), f"{what}: {_abbreviate_names(names)}", _RESCAN_HINT))
    found.problems += [Problem(str(path), what, _RESCAN_HINT) for what in _check_embeddings(rows, info)]
    _check_photos(found, photos, folder, hash_photos)
    return found


def stat_files(folder: Path) -> Mapping[str, os.stat_result]:
    """Stat the files of a folder, by their names as stored in caches; none if it is missing or a symlink.
    Raises OSError."""
    if not is_photo_folder(folder):
        return {}
    with os.scandir(folder) as entries:
        return {
            stored_name(PhotoRef(entry.name, 0, 0)): entry.stat(follow_symlinks=False)
            for entry in entries
            if entry.is_file(follow_symlinks=False)
        }


def _group_rows_by_photo(rows: pa.Table) -> dict[str, list[dict[str, Any]]]:
    columns = rows.select(["photo", *_PER_PHOTO_COLUMNS, "face", "face_id", *_SIDES, "score"])
    for name in BIOMETRIC_COLUMNS:
        columns = columns.append_column(f"has {name}", pc.is_valid(rows[name]))
    photos: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for batch in columns.to_batches(max_chunksize=8192):
        for row in batch.to_pylist():
            photos[row["photo"]].append(row)
    return photos


def _find_row_faults(photos: Mapping[str, list[dict[str, Any]]], make_face_id: FaceIdFunction) -> dict[str, list[str]]:
    """Map each fault to the photos that have it."""
    found: dict[str, list[str]] = defaultdict(list)
    for photo, rows in photos.items():
        faces = [row for row in rows if row["face_id"] is not None or row["face"] is not None]
        faults = {*_check_photo_rows(rows, len(faces)), *_check_faces(faces, make_face_id)}
        for fault in faults:
            found[fault].append(photo)
    return dict(sorted(found.items()))


def _check_photo_rows(rows: list[dict[str, Any]], face_count: int) -> Iterator[str]:
    first = rows[0]
    scanned = first["status"] == STATUS_OK
    if any(row[name] != first[name] for row in rows for name in _PER_PHOTO_COLUMNS):
        yield "the rows of a photo contradict each other"
    if scanned and None in (first["photo_hash"], first["width"], first["height"]):
        yield "the content hash or the size of a photo is missing"
    if not scanned and face_count:
        yield "a photo that could not be read has faces"
    if not face_count and len(rows) > 1:
        yield "a photo without faces has several rows"
    if face_count not in (0, len(rows)):
        yield _NUMBERING_FAULT


def _check_faces(faces: list[dict[str, Any]], make_face_id: FaceIdFunction) -> Iterator[str]:
    if [row["face"] for row in faces] != list(range(len(faces))):
        yield _NUMBERING_FAULT
    for row in faces:
        box = [row[side] for side in _SIDES]
        if None in (row["face_id"], row["photo_hash"], row["score"], *box):
            yield "a face has no id or no box"
        elif row["face_id"] != make_face_id(row["photo_hash"], np.array(box, np.float32)):
            yield "a face id does not match the photo and box"
        if len({row[f"has {name}"] for name in BIOMETRIC_COLUMNS}) > 1:
            yield "a face lacks some of landmarks, quality and embedding"


def _check_embeddings(rows: pa.Table, info: CacheInfo) -> Iterator[str]:
    flat = rows["embedding"].drop_null().combine_chunks().flatten().to_numpy(zero_copy_only=False)
    flat = flat.reshape(-1, info.dimension)
    if info.precision == "int8":
        if wrong := np.count_nonzero(np.abs(flat.astype(np.int16)).max(axis=1, initial=0) != INT8_PEAK):
            yield f"embeddings whose largest component is not ±{INT8_PEAK}: {wrong:,}"
        return
    norms = np.linalg.norm(flat.astype(np.float32), axis=1)
    finite = np.isfinite(norms)
    if not finite.all():
        yield f"embeddings that are not finite: {np.count_nonzero(~finite):,}"
    if wrong := np.count_nonzero(np.abs(norms[finite] - info.radius) > _NORM_TOLERANCE * info.radius):
        yield f"embeddings whose norm is not {info.radius:g}: {wrong:,}"


def _check_photos(
    found: InspectionResult, photos: Mapping[str, list[dict[str, Any]]], folder: Path, hash_photos: bool
) -> None:
    try:
        present = stat_files(folder)
    except OSError as error:
        found.problems.append(Problem(str(folder), f"it cannot be read: {error.strerror}", "check its permissions"))
        return
    for photo, rows in photos.items():
        status = present.get(photo)
        if status is None:
            found.missing += 1
        elif (status.st_size, status.st_mtime_ns) != (rows[0]["photo_size"], rows[0]["photo_mtime_ns"]):
            found.changed += 1
        elif hash_photos and rows[0]["photo_hash"] is not None:
            found.hashed += 1
            found.problems += _check_content_hash(folder / photo, rows[0]["photo_hash"])


def _check_content_hash(photo: Path, content_hash: str) -> Iterator[Problem]:
    try:
        with photo.open("rb") as stream:
            digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        yield Problem(str(photo), f"it cannot be read: {error.strerror or error}", "check the disk")
        return
    if digest != content_hash:
        what = "its content has changed since it was scanned, but its size and time have not"
        yield Problem(str(photo), what, "compare it with a backup; to have it rescanned, touch the file")


def _strip_path(path: Path, error: Exception) -> str:
    return str(error).removeprefix(f"{path}: ")


def _abbreviate_names(names: list[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
