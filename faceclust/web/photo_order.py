"""Photos and frames of videos, in the order in which the page goes through them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from faceclust.library.library import Library
from faceclust.types import FaceOccurrence, PhotoInfo
from faceclust.types.frames import split_picture_id


def list_pictures(library: Library) -> set[str]:
    """Return every photo of a library, and the frames with faces of its videos, as `types.frames.picture_id` does."""
    with_faces = {face.picture for faces in library.faces_on.values() for face in faces}
    return with_faces | {info.photo_hash for info in library.photos.values() if info.photo_hash not in library.faces_on}


def list_faces(library: Library, picture: str) -> list[FaceOccurrence]:
    """Return the faces of a photo, or of a frame of a video, from left to right."""
    on_photo = library.faces_on.get(split_picture_id(picture)[0], ())
    return [face for face in on_photo if face.picture == picture]


def sort_pictures(pictures: Iterable[str], photos: Mapping[str, PhotoInfo]) -> list[str]:
    """Sort pictures by date, then path, then the time in a video. `photos`: by content hash."""

    def place(picture: str) -> tuple[datetime, str, float]:
        content, frame_time = split_picture_id(picture)
        return photos[content].taken_at or datetime.max, photos[content].photo, frame_time or 0.0

    return sorted(pictures, key=place)
