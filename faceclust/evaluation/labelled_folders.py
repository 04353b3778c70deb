"""Labelled photos as <folder>/<person>/<photo>, the layout of Labeled Faces in the Wild."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import UsageError
from faceclust.files.names import PHOTO_EXTENSIONS


@dataclass(frozen=True)
class LabelledPhotos:
    """Sorted POSIX paths of photos below `folder`; the first part of each is its person."""

    folder: Path
    photos: tuple[str, ...]

    @property
    def persons(self) -> NDArray[np.str_]:
        """The person of each photo, (n,)."""
        return np.array([photo.partition("/")[0] for photo in self.photos], dtype=np.str_)

    @property
    def paths(self) -> list[Path]:
        """The path of each photo."""
        return [self.folder / photo for photo in self.photos]


def find_labelled_photos(folder: Path) -> LabelledPhotos:
    """Find the photos in a folder of person folders. Raises UsageError if there are none."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    found = [
        path.relative_to(folder).as_posix()
        for path in folder.glob("*/*")
        if path.suffix.lower() in PHOTO_EXTENSIONS and not path.name.startswith(".") and path.is_file()
    ]
    if not found:
        raise UsageError(f"{folder} holds no labelled photos", hint="expected <person>/<photo>, as in LFW")
    return LabelledPhotos(folder, tuple(sorted(found)))
