"""Orientation of stored pictures, read without decoding them.

Other programs give positions in the picture as stored, and turn what they display. For most formats
the EXIF orientation defines the turn, or that in XMP if EXIF has none. In HEIC, AVIF and JPEG XL the
container or the codestream does, and EXIF must be ignored (ISO/IEC 23008-12, annex A; ISO/IEC 18181-1,
annex D). In both cases the stored picture is the one before turning, whose size exiftool reports as
ImageSize.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faceclust.photos.decoders import read_orientation_and_size
from faceclust.photos.embedded_metadata import read_embedded_metadata
from faceclust.photos.exif_orientation import upright_size
from faceclust.photos.formats import FORMATS_TURNED_BY_METADATA, HEAD_BYTES, Format, detect_format, is_raw_tiff
from faceclust.photos.heif import read_heif_orientation
from faceclust.photos.jxl import read_jxl_orientation
from faceclust.photos.raw import read_raw_orientation
from faceclust.photos.reading import open_photo

_JXL_HEADER_BYTES = _TIFF_TAGS_BYTES = 1 << 22  # enough to reach the headers


@dataclass(frozen=True)
class Orientation:
    """The turn from the stored to the upright picture.

    `orientation`: EXIF orientation, 1 to 8. `size`: width and height of the upright picture in
    pixels, None if only decoding would show it.
    """

    orientation: int
    size: tuple[int, int] | None = None


def read_orientation(path: Path) -> Orientation | None:
    """Return the orientation found in the beginning of a photo's file, None if it cannot be read.

    Raises OSError if the file cannot be opened, UnsafeFileError for anything but a regular file.
    """
    with open_photo(path) as file:
        head = file.read(HEAD_BYTES)
        file.seek(0)
        try:
            format = detect_format(head)
            if format in (Format.HEIF, Format.AVIF):
                return Orientation(read_heif_orientation(file))
            if format is Format.JXL:
                return Orientation(read_jxl_orientation(file.read(_JXL_HEADER_BYTES)))
            if format is Format.RAW or (format is Format.TIFF and is_raw_tiff(file.read(_TIFF_TAGS_BYTES))):
                return Orientation(read_raw_orientation(path))  # LibRaw reads less of a path than of a stream
            file.seek(0)
            orientation, size = read_orientation_and_size(file, format)
            if format in FORMATS_TURNED_BY_METADATA:
                stored_size = upright_size(size, orientation)  # swapping twice restores it
                orientation = read_embedded_metadata(path).orientation
                size = upright_size(stored_size, orientation)
        except Exception:  # damaged since its scan, whose result is still known
            return None
    return Orientation(orientation, size)
