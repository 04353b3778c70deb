"""Decode the picture that a face is on."""

from __future__ import annotations

from pathlib import Path

from faceclust.photos.decode import decode_photo
from faceclust.photos.reading import read_photo
from faceclust.types import FaceOccurrence, Photo, PhotoRef


def decode_photo_of(path: Path, place: FaceOccurrence, min_long_side: int) -> Photo:
    """Decode the picture of a face, with at least `min_long_side` pixels along its longer side if it has as many.

    `path`: the file. Its colours are not converted: see `photos.colour.convert_to_srgb`. Raises OSError if it cannot
    be read, UndecodableError if it has no usable picture.
    """
    data, ref = read_photo(path, PhotoRef(place.photo, 0, 0))
    return decode_photo(data, ref, min_long_side=min_long_side, convert_colours=False)
