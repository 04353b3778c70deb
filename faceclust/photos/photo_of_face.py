"""Decode the pictures that faces are on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from faceclust.photos.decode import decode_photo
from faceclust.photos.reading import read_photo
from faceclust.photos.videos import read_frames
from faceclust.types import Metadata, Photo, PhotoRef


def decode_pictures_of(
    path: Path, photo: str, min_long_sides: Mapping[float | None, int]
) -> Iterator[tuple[float | None, Photo]]:
    """Yield (frame time, picture) for each wanted picture of a file, which is opened once.

    `path`: the file. `photo`: its path in the library. `min_long_sides`: by frame time, the pixels along the longer
    side that a picture has at least, if it has as many; the only time of a photo is None. Frames that are missing or
    damaged are left out. The colours are not converted: see `photos.colour.convert_to_srgb`. Raises OSError if the file
    cannot be read, UndecodableError if it has no usable picture.
    """
    if times := sorted(time for time in min_long_sides if time is not None):
        for time, pixels in read_frames(path, times):
            size = (pixels.shape[1], pixels.shape[0])
            yield time, Photo(PhotoRef(photo, 0, 0), "", pixels, size, Metadata())
    if None in min_long_sides:
        data, ref = read_photo(path, PhotoRef(photo, 0, 0))
        yield None, decode_photo(data, ref, min_long_side=min_long_sides[None], convert_colours=False)
