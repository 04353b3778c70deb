"""How a photo's file has its picture: turned or not, by what is told outside the pixels.

Other programs count in the picture as the file holds it, and turn what they show. For most formats
the EXIF orientation says how; in HEIC, AVIF and JPEG XL the container or the codestream does, and
EXIF is to be passed by (ISO/IEC 23008-12, annex A; ISO/IEC 18181-1, annex D). Either way the stored
picture is the one before turning, whose size exiftool gives as ImageSize.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faceclust.photos.decoders import opened_picture
from faceclust.photos.formats import HEAD, Format, is_raw_tiff, recognise
from faceclust.photos.heif import heif_orientation
from faceclust.photos.jxl import jxl_orientation
from faceclust.photos.raw import raw_orientation

_JXL_HEADER = _TIFF_TAGS = 1 << 22  # bytes they begin within


@dataclass(frozen=True)
class Laid:
    """`orientation`: the EXIF orientation (1 to 8) by which the stored picture becomes upright;
    `size`: width and height of the upright picture, px, None where that would take decoding."""

    orientation: int
    size: tuple[int, int] | None = None


def how_laid(path: Path) -> Laid | None:
    """By the beginning of a photo's file; None where it does not tell. Raises OSError where it
    cannot be opened."""
    with path.open("rb") as file:
        head = file.read(HEAD)
        file.seek(0)
        try:
            format = recognise(head)
            if format in (Format.HEIF, Format.AVIF):
                return Laid(heif_orientation(file))
            if format is Format.JXL:
                return Laid(jxl_orientation(file.read(_JXL_HEADER)))
            if format is Format.RAW or (format is Format.TIFF and is_raw_tiff(file.read(_TIFF_TAGS))):
                return Laid(raw_orientation(path))
            file.seek(0)
            orientation, size = opened_picture(file, format)
        except Exception:  # what cannot be read now could be when it was scanned: that is still known
            return None
    return Laid(orientation, size)
