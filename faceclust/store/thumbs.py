"""The thumbnails of faces below `.faceclust/thumbs/`. Derived data; they may be deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faceclust.files.atomic import make_private_folder, write_private_atomically
from faceclust.files.own_files import path_below, read_own, walk_own

#: A thumbnail of pure noise takes a third of it.
_MAX_BYTES = 100_000


class ThumbStore:
    """JPEG files by face id, in 256 subfolders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, face_id: str) -> Path:
        """Return the path of a face's thumbnail. Raises UnsafeFileError if the id would lead out of the folder."""
        return path_below(self._folder, f"{face_id[:2]}/{face_id}.jpg")

    def get(self, face_id: str) -> bytes | None:
        """Return the content of a face's thumbnail, which need not be a picture; None if it is missing or
        cannot be read: it can be cut out again."""
        try:
            return read_own(self.path(face_id), _MAX_BYTES)
        except OSError:
            return None

    def face_ids(self) -> Iterator[str]:
        """Yield the ids of the faces that have a thumbnail. Raises OSError."""
        for _, _, files in walk_own(self._folder):
            yield from (name.removesuffix(".jpg") for name in files if name.endswith(".jpg"))

    def put(self, face_id: str, jpeg: bytes) -> None:
        """Write a face's thumbnail. Raises CacheError."""
        path = self.path(face_id)
        make_private_folder(path.parent)
        write_private_atomically(path, lambda stream: stream.write(jpeg), durable=False)
