"""Thumbnails of faces and whole photos for the page, decoded in guarded worker processes."""

from __future__ import annotations

from pathlib import Path

from faceclust.store.thumbs import ThumbStore
from faceclust.types import FaceOccurrence, PhotoInfo


class PictureService:
    """Makes the pictures that the page asks for, newest request first, and keeps the latest ones in memory."""

    def __init__(self, root: Path, thumbs: ThumbStore, workers: int = 2) -> None:
        raise NotImplementedError

    async def face(self, occurrence: FaceOccurrence) -> bytes | None:
        """Return a face's thumbnail: a JPEG of THUMBNAIL_SIDE² pixels, None if its photo cannot be read."""
        raise NotImplementedError

    async def photo(self, photo: PhotoInfo) -> bytes | None:
        """Return a photo, upright, sRGB, without metadata: a JPEG of at most 2,000 px a side, None if it
        cannot be read."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the worker processes. Requests that wait return None."""
        raise NotImplementedError
