"""Read the faces of one photo, from a library's cache or with the models."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow.compute as pc

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import UsageError
from faceclust.files.own_files import read_own
from faceclust.files.user_folders import existing_form, expand_user
from faceclust.packs.pack import Pack
from faceclust.packs.verify import require_files
from faceclust.people.date_evidence import find_latest_day
from faceclust.photos.face_ids import content_hash
from faceclust.types import (
    Box,
    FaceOccurrence,
    Float32,
    PhotoRef,
    ScannedPhoto,
    SkippedPhoto,
    UInt8,
    check_array,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from faceclust.scan.examine import PhotoExaminer

StrPath = str | os.PathLike[str]
#: A photo file, an array (RGB, grey or RGBA; uint8), or a Pillow image. See `photos.pixels`.
Picture: TypeAlias = "StrPath | NDArray[np.uint8] | Image.Image"


#: Larger files are not hashed to find out whether they are copies of a photo in the library.
_MAX_HASHED_BYTES = 200_000_000


class UnreadablePhotoError(Exception):
    """The file cannot be read as a photo; the message gives the reason."""


@dataclass(frozen=True)
class PhotoFaces:
    """The faces of a photo from left to right.

    `photo_id`: hash of the file's content. `full_size`: width and height of the upright photo.
    `boxes`: left, top, right, bottom as fractions of the upright photo. `embeddings`: (n, d), of which
    those of the faces in `uncompared` (ids) mean nothing: they cannot be compared. The user drew the faces in
    `by_hand` (ids), to which those belong. `latest_day`: the last day on which the photo can have been taken, None if
    unknown (see `people.date_evidence`). `pictures`: the frame of each face of a video, as `types.frames.picture_id`
    names it; may be empty for a photo.
    """

    photo_id: str
    full_size: tuple[int, int]
    face_ids: tuple[str, ...]
    boxes: tuple[Box, ...]
    embeddings: Float32
    by_hand: frozenset[str] = frozenset()
    uncompared: frozenset[str] = frozenset()
    latest_day: date | None = None
    pictures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_array("embeddings", self.embeddings, (len(self.face_ids), None), np.float32)

    @property
    def largest_index(self) -> int:
        """The index of the face with the largest box; one that can be compared is preferred."""
        width, height = self.full_size
        areas = [(right - left) * width * (bottom - top) * height for left, top, right, bottom in self.boxes]
        order = [(face not in self.uncompared, area) for face, area in zip(self.face_ids, areas, strict=True)]
        return order.index(max(order))


class FaceReader:
    """Finds the faces on pictures: files anywhere, arrays, Pillow images.

    The pack's models are loaded on a device (see `packs.session`) when first needed. `min_face`: see
    `ScanSettings`.
    """

    def __init__(self, pack: Pack, device: str = "cpu", min_face: int | None = None) -> None:
        self._pack, self._device, self._min_face = pack, device, min_face

    def read(self, picture: Picture) -> PhotoFaces:
        """Decode a picture, detect its faces and embed them; a symlink is not followed.

        Raises UnreadablePhotoError if a file is not a readable photo, UsageError for what is no
        picture, PackError if the models cannot be used.
        """
        photo, _ = self.examine(picture)
        boxes: list[Box] = [tuple(box) for box in photo.boxes.tolist()]
        order = sorted(range(len(boxes)), key=lambda i: boxes[i])
        return PhotoFaces(
            photo_id=photo.content_hash,
            full_size=photo.full_size,
            face_ids=tuple(photo.face_ids[i] for i in order),
            boxes=tuple(boxes[i] for i in order),
            embeddings=photo.embeddings[order],
            latest_day=find_latest_day(photo.metadata.taken_at, photo.metadata.taken_at_source),
        )

    def examine(self, picture: Picture) -> tuple[ScannedPhoto, UInt8]:
        """Return a picture's faces and their chips (n, h, w, 3), as `read` does."""
        from faceclust.photos.pixels import to_upright_pixels  # loads the decoders

        source: PhotoRef | UInt8
        if isinstance(picture, str | os.PathLike):
            path = Path(picture)
            status = stat_regular_file(path)
            source = PhotoRef(str(path.absolute()), status.st_size, status.st_mtime_ns)
        else:
            source = to_upright_pixels(picture)
        found = self._examiner(source)
        if isinstance(found, SkippedPhoto):
            raise UnreadablePhotoError(f"{found.reason.value}: {found.detail}")
        return found

    @cached_property
    def _examiner(self) -> PhotoExaminer:
        from faceclust.packs.session import choose_device  # loads the model runtime, as the next line does
        from faceclust.scan.examine import PhotoExaminer, ScanSettings

        require_files(self._pack)
        # The paths are absolute.
        return PhotoExaminer(Path(), ScanSettings(self._pack, choose_device(self._device), self._min_face))


def expand_photo_path(path: StrPath) -> Path:
    """Return a typed path with "~" expanded, unless a file has that very name, in its Unicode form on the disk.

    Raises UsageError for what is no path.
    """
    if not isinstance(path, str | os.PathLike):
        raise UsageError(f"a photo is given by its path, not by {type(path).__name__}")
    return existing_form(Path(path) if os.path.lexists(path) else expand_user(path))


def resolve_typed_photo(path: Path) -> Path:
    """Resolve a path that the user typed, in which a symlink is meant. Raises UnreadablePhotoError."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:
        raise UnreadablePhotoError(str(error)) from error


def stat_regular_file(path: Path) -> os.stat_result:
    """Return the status of a regular file.

    Raises UnreadablePhotoError for anything else: reading a pipe could block for ever.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise UnreadablePhotoError("there is no such file") from None
    except (OSError, RuntimeError, ValueError) as error:  # no permission, a symlink loop, a NUL in the name
        raise UnreadablePhotoError(getattr(error, "strerror", None) or str(error)) from error
    if stat.S_ISDIR(status.st_mode):
        raise UnreadablePhotoError("it is a folder; name the photos in it")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadablePhotoError("it is not a regular file")
    return status


class CachedPhotos:
    """Looks up photos in a library's cache, by path and by content."""

    def __init__(self, library: Catalogue) -> None:
        self._library = library

    def find(self, path: Path) -> PhotoFaces | None:
        """Return the faces of a photo scanned before, or of a copy of one outside the library.

        None if the photo is new or has changed since. Raises UnreadablePhotoError.
        """
        roots = self._library.roots
        if roots.is_away(Path(os.path.abspath(path)).as_posix()):  # noqa: PTH100 - "resolve" would follow links
            raise UnreadablePhotoError("it is on a disk that is away")
        status = stat_regular_file(path)
        resolved = Path(os.path.realpath(path))
        folder = roots.path_in_library(resolved.parent)
        if folder is not None:
            row = self._find_row(
                folder=folder,
                photo=resolved.name,
                photo_size=status.st_size,
                photo_mtime_ns=status.st_mtime_ns,
            )
            if row is not None:
                return self._load_faces(row)
        if status.st_size > _MAX_HASHED_BYTES:
            return None
        try:
            digest = content_hash(read_own(resolved, _MAX_HASHED_BYTES))
        except OSError as error:
            raise UnreadablePhotoError(error.strerror or str(error)) from error
        row = self._find_row(photo_hash=digest)
        return self._load_faces(row) if row is not None else None

    def find_by_face(self, occurrence: FaceOccurrence) -> PhotoFaces:
        """Return the faces of the photo that shows this face of the library."""
        return self._load_faces(_PhotoRow(occurrence.photo_hash, occurrence.photo_size))

    def _find_row(self, **wanted: str | int) -> _PhotoRow | None:
        """The readable photo with these column values, None if it is missing."""
        condition = pc.is_valid(pc.field("photo_hash"))
        try:
            for column, value in wanted.items():
                condition &= pc.field(column) == value
        except UnicodeEncodeError:  # caches hold valid Unicode only
            return None
        found = self._library.table.rows.filter(condition).slice(0, 1)
        row = found.select(["photo_hash", "width", "height"]).to_pylist()
        return _PhotoRow(row[0]["photo_hash"], (row[0]["width"], row[0]["height"])) if row else None

    def _load_faces(self, row: _PhotoRow) -> PhotoFaces:
        occurrences = self._library.faces_on.get(row.photo_id, ())
        faces = self._library.faces_of([occurrence.face_id for occurrence in occurrences])
        vectors = np.zeros((len(occurrences), self._library.cache_info.dimension), np.float32)
        position = {occurrence.face_id: i for i, occurrence in enumerate(occurrences)}
        vectors[[position[face] for face in faces.face_ids.tolist()]] = faces.embeddings
        return PhotoFaces(
            photo_id=row.photo_id,
            full_size=row.full_size,
            face_ids=tuple(occurrence.face_id for occurrence in occurrences),
            boxes=tuple(occurrence.box for occurrence in occurrences),
            embeddings=vectors,
            by_hand=frozenset(occurrence.face_id for occurrence in occurrences if occurrence.by_hand),
            uncompared=frozenset(face for face in position if face not in faces.face_ids),
            latest_day=self._library.latest_day_of(occurrences[0].face_id) if occurrences else None,
            pictures=tuple(occurrence.picture for occurrence in occurrences),
        )


@dataclass(frozen=True)
class _PhotoRow:
    photo_id: str
    full_size: tuple[int, int]
