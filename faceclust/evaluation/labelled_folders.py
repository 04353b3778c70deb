"""Photos whose person is known: <folder>/<person>/<photo>, as Labeled Faces in the Wild has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import UsageError
from faceclust.files.names import PHOTO_EXTENSIONS


@dataclass(frozen=True)
class LabelledPhotos:
    """`photos` are POSIX paths below `folder`, sorted; `persons` (n,) the folders they lie in."""

    folder: Path
    photos: tuple[str, ...]

    @property
    def persons(self) -> NDArray[np.str_]:
        return np.array([photo.partition("/")[0] for photo in self.photos], dtype=np.str_)

    @property
    def paths(self) -> list[Path]:
        return [self.folder / photo for photo in self.photos]


def find_labelled_photos(folder: Path) -> LabelledPhotos:
    """The photos in the folders of a folder, each named after the person its photos show. Raises
    UsageError where there is no such."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    found = [
        path.relative_to(folder).as_posix()
        for path in folder.glob("*/*")
        if path.suffix.lower() in PHOTO_EXTENSIONS and not path.name.startswith(".") and path.is_file()
    ]
    if not found:
        raise UsageError(f"{folder} holds no labelled photos", hint="it should hold <person>/<photo>, as LFW does")
    return LabelledPhotos(folder, tuple(sorted(found)))
