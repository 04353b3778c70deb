"""Check a cache file: its rows, the ids of its faces, and optionally the photos' contents."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from faceclust.errors import CacheError
from faceclust.files.names import pack_of_cache_file
from faceclust.files.safe_paths import is_photo_folder
from faceclust.store.folder_cache import UnusableCacheError, read_any_cache
from faceclust.store.schema import stored_name
from faceclust.types import WHOLE_PHOTO, Float32, PhotoRef

_SIDES = ("left", "top", "right", "bottom")
_RESCAN_HINT = "delete the file, then faceclust scan"

#: Computes a face id from the photo's content hash and the face's box.
FaceIdFunction = Callable[[str, Float32, float | None], str]


@dataclass(frozen=True)
class Problem:
    """A defect of a file: the file, a description, and what the user can do about it."""

    where: str
    what: str
    todo: str


class _CachedFile(NamedTuple):
    size: int
    mtime_ns: int
    content_hash: str | None


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


def inspect_cache(
    path: Path, folder: Path | None, make_face_id: FaceIdFunction, *, hash_photos: bool
) -> InspectionResult:
    """Check the cache file of a folder; None if its photos are on a disk that is away. With `hash_photos`, compare
    the contents of seemingly unchanged photos with their hashes."""
    found = InspectionResult()
    try:
        info, rows = read_any_cache(path)
    except CacheError as error:
        found.problems.append(Problem(str(path), _strip_path(path, error), error.hint or _RESCAN_HINT))
        return found
    except UnusableCacheError as error:
        found.problems.append(Problem(str(path), _strip_path(path, error), "to recreate it: faceclust scan"))
        return found
    if info.pack != pack_of_cache_file(path.name):
        found.problems.append(Problem(str(path), f"it holds faces of the pack {info.pack}", _RESCAN_HINT))
    if wrong := _find_wrong_ids(rows, make_face_id):
        what = f"a face id does not match the photo and box: {_abbreviate_names(wrong)}"
        found.problems.append(Problem(str(path), what, _RESCAN_HINT))
    photos = _read_photos(rows)
    found.photos, found.faces = len(photos), len(rows) - rows["face_id"].null_count
    if folder is not None:
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


def _read_photos(rows: pa.Table) -> dict[str, _CachedFile]:
    columns = (rows[name].to_pylist() for name in ("photo", "photo_size", "photo_mtime_ns", "photo_hash"))
    return {name: _CachedFile(*values) for name, *values in zip(*columns, strict=True)}


def _find_wrong_ids(rows: pa.Table, make_face_id: FaceIdFunction) -> list[str]:
    """Return the names of the photos whose faces have other ids than their content and boxes give. The id of a
    person without a visible face is a random one."""
    faces = rows.filter(rows["face_id"].is_valid())
    boxes = np.stack([faces[side].to_numpy() for side in _SIDES], axis=1)
    columns = (faces[name].to_pylist() for name in ("photo", "face_id", "photo_hash", "frame_time"))
    found = (
        photo
        for photo, face, content, time, box in zip(*columns, boxes, strict=True)
        if face != make_face_id(content, box, time) and tuple(box.tolist()) != WHOLE_PHOTO
    )
    return sorted(set(found))


def _check_photos(found: InspectionResult, photos: Mapping[str, _CachedFile], folder: Path, hash_photos: bool) -> None:
    try:
        present = stat_files(folder)
    except OSError as error:
        found.problems.append(Problem(str(folder), f"it cannot be read: {error.strerror}", "check its permissions"))
        return
    for photo, cached in photos.items():
        status = present.get(photo)
        if status is None:
            found.missing += 1
        elif (status.st_size, status.st_mtime_ns) != (cached.size, cached.mtime_ns):
            found.changed += 1
        elif hash_photos and cached.content_hash is not None:
            found.hashed += 1
            found.problems += _check_content_hash(folder / photo, cached.content_hash)


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
    return str(error).removeprefix(str(path)).removeprefix(":").strip()


def _abbreviate_names(names: list[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
