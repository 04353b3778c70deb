"""The thumbnails of faces below `.faceclust/thumbs/`. Derived data; they may be deleted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from faceclust.files.atomic import make_private_folder, write_private_atomically


class ThumbStore:
    """JPEG files by face id, in 256 subfolders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, face_id: str) -> Path:
        return self._folder / face_id[:2] / f"{face_id}.jpg"

    def get(self, face_id: str) -> bytes | None:
        try:
            return self.path(face_id).read_bytes() or None  # a crash may leave an empty file
        except OSError:
            return None

    def face_ids(self) -> Iterator[str]:
        """Yield the ids of the faces that have a thumbnail."""
        for _, _, files in os.walk(self._folder):
            yield from (name.removesuffix(".jpg") for name in files if name.endswith(".jpg"))

    def put(self, face_id: str, jpeg: bytes) -> None:
        make_private_folder(self._folder)
        make_private_folder(self.path(face_id).parent)
        write_private_atomically(self.path(face_id), lambda stream: stream.write(jpeg), durable=False)
