"""Recognise the movie beside a photo that is part of it: of a Live Photo, or of a motion photo."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from faceclust.photos.iso_boxes import Box, Reader, file_reader, iter_boxes
from faceclust.photos.reading import open_photo

#: Seconds. iPhones record 3 s around a Live Photo, and Android phones up to 3 s before a motion photo.
MAX_SECONDS = 4.0
_MAX_BOXES = 64
#: Bytes of a photo in which the identifier of its movie is looked for, and of the movie's metadata.
_MAX_PHOTO_BYTES, _MAX_METADATA_BYTES = 16_000_000, 1 << 16
_IDENTIFIER_KEY = b"com.apple.quicktime.content.identifier"
_UUID_LENGTH = 36


def is_movie_of_photo(movie: Path, photo: Path) -> bool:
    """Is this movie part of the photo beside it? Both have the same name without the extension.

    It is, if it has at most MAX_SECONDS, or the identifier of the photo's movie, which a longer Live Photo has.
    Never raises: a file that cannot be read is no movie of a photo.
    """
    try:
        with open_photo(movie) as stream:
            size = stream.seek(0, 2)
            read = file_reader(stream)
            header = _find_box(read, Box(b"", 0, size), b"moov")
            if header is None:
                return False
            seconds = _read_duration(read, header)
            if seconds is not None and seconds <= MAX_SECONDS:
                return True
            identifier = _read_identifier(read, header)
        if identifier is None:
            return False
        with open_photo(photo) as stream:
            return _contains_identifier(stream, identifier)
    except (OSError, ValueError, struct.error):
        return False


def _find_box(read: Reader, outer: Box, kind: bytes) -> Box | None:
    return next((box for box in iter_boxes(read, outer.start, outer.end, _MAX_BOXES) if box.kind == kind), None)


def _read_duration(read: Reader, header: Box) -> float | None:
    """Return the seconds in the movie header box (mvhd), None if it is missing."""
    box = _find_box(read, header, b"mvhd")
    if box is None:
        return None
    data = read(box.start, 32)
    scale, duration = (
        struct.unpack_from(">IQ", data, 20) if data[:1] == b"\x01" else struct.unpack_from(">II", data, 12)
    )
    return duration / scale if scale and duration else None


def _read_identifier(read: Reader, header: Box) -> bytes | None:
    """Return the content identifier of a Live Photo's movie, 36 characters; None without one."""
    box = _find_box(read, header, b"meta")
    if box is None:
        return None
    data = read(box.start, min(box.end - box.start, _MAX_METADATA_BYTES))
    if _IDENTIFIER_KEY not in data:
        return None
    values = data[data.find(b"ilst") :]
    for at in range(len(values) - _UUID_LENGTH + 1):
        text = values[at : at + _UUID_LENGTH]
        if text[8:9] == text[13:14] == text[18:19] == text[23:24] == b"-" and text.replace(b"-", b"").isalnum():
            return text
    return None


def _contains_identifier(stream: BinaryIO, identifier: bytes) -> bool:
    return identifier in stream.read(_MAX_PHOTO_BYTES)
