"""How a photo's file has its picture: turned or not, by what is told outside the pixels.

Other programs count in the picture as the file holds it, and turn what they show. For most formats
the EXIF orientation says how; in HEIC, AVIF and JPEG XL the container or the codestream does, and
EXIF is to be passed by (ISO/IEC 23008-12, annex A; ISO/IEC 18181-1, annex D). Either way the stored
picture is the one before turning, whose size exiftool gives as ImageSize.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faceclust.photos.decoders import read_orientation_and_size
from faceclust.photos.formats import HEAD_BYTES, Format, detect_format, is_raw_tiff
from faceclust.photos.heif import read_heif_orientation
from faceclust.photos.jxl import read_jxl_orientation
from faceclust.photos.raw import read_raw_orientation

_JXL_HEADER_BYTES = _TIFF_TAGS_BYTES = 1 << 22  # bytes they begin within


@dataclass(frozen=True)
class Orientation:
    """`orientation`: the EXIF orientation (1 to 8) by which the stored picture becomes upright;
    `read_dimensions`: width and height of the upright picture, px, None where that would take decoding."""

    orientation: int
    size: tuple[int, int] | None = None


def read_orientation(path: Path) -> Orientation | None:
    """By the beginning of a photo's file; None where it does not tell. Raises OSError where it
    cannot be opened."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(0)
        try:
            format = detect_format(head)
            if format in (Format.HEIF, Format.AVIF):
                return Orientation(read_heif_orientation(file))
            if format is Format.JXL:
                return Orientation(read_jxl_orientation(file.read(_JXL_HEADER_BYTES)))
            if format is Format.RAW or (format is Format.TIFF and is_raw_tiff(file.read(_TIFF_TAGS_BYTES))):
                return Orientation(read_raw_orientation(path))
            file.seek(0)
            orientation, size = read_orientation_and_size(file, format)
        except Exception:  # what cannot be read now could be when it was scanned: that is still known
            return None
    return Orientation(orientation, size)
