"""Decode the picture that a face is on."""

from __future__ import annotations

from pathlib import Path

from faceclust.photos.decode import decode_photo
from faceclust.photos.errors import UndecodableError
from faceclust.photos.reading import read_photo
from faceclust.photos.videos import read_frames
from faceclust.types import FaceOccurrence, Metadata, Photo, PhotoRef, SkipReason


def decode_photo_of(path: Path, place: FaceOccurrence, min_long_side: int) -> Photo:
    """Decode the picture of a face, with at least `min_long_side` pixels along its longer side if it has as many;
    of a video, the frame with the face.

    `path`: the file. Its colours are not converted: see `photos.colour.convert_to_srgb`. Raises OSError if it cannot
    be read, UndecodableError if it has no usable picture.
    """
    if place.frame_time is not None:
        pixels = read_frames(path, [place.frame_time]).get(place.frame_time)
        if pixels is None:
            raise UndecodableError(SkipReason.TRUNCATED, "the frame is missing")
        return Photo(PhotoRef(place.photo, 0, 0), "", pixels, (pixels.shape[1], pixels.shape[0]), Metadata())
    data, ref = read_photo(path, PhotoRef(place.photo, 0, 0))
    return decode_photo(data, ref, min_long_side=min_long_side, convert_colours=False)
