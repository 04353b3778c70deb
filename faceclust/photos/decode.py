"""Decode file bytes of any supported format to upright RGB pixels."""

from __future__ import annotations

from dataclasses import replace

from faceclust.photos.decoders import decode_picture
from faceclust.photos.embedded_metadata import find_metadata
from faceclust.photos.errors import UndecodableError
from faceclust.photos.exif_orientation import apply_orientation, upright_size
from faceclust.photos.face_ids import content_hash
from faceclust.photos.formats import FORMATS_TURNED_BY_METADATA, HEAD_BYTES, Format, detect_format, is_raw_tiff
from faceclust.photos.jxl import decode_jxl
from faceclust.photos.metadata import read_metadata
from faceclust.photos.raw import decode_raw
from faceclust.photos.turbojpeg import PixelBuffer
from faceclust.types import Photo, PhotoRef, SkipReason


def decode_photo(
    data: bytes,
    ref: PhotoRef,
    min_long_side: int | None = None,
    *,
    buffer: PixelBuffer | None = None,
    convert_colours: bool = True,
) -> Photo:
    """Decode a photo file's bytes.

    `min_long_side`: pixels needed along the longer side. It allows smaller results: a JPEG at 1/2,
    1/4 or 1/8 of its size (DCT scaling), a reduced huge picture, or a RAW file's preview. The
    result has at least that many pixels, if the photo does. None: full size (half size for RAW
    files).

    `buffer`: memory for the pixels of most JPEGs, which must no longer be used at the next decoding.
    `convert_colours`: false to keep pixels in a colour space whose tones are near those of sRGB, such as
    Display P3. The photo then has an `icc_profile`. Converting 12 megapixels takes 40 to 150 ms, so it
    is better done for the faces alone. Raises UndecodableError.
    """
    format = detect_format(data[:HEAD_BYTES])
    try:
        if format is Format.JXL:
            stored = decode_jxl(data, min_long_side)
        elif format is Format.RAW or (format is Format.TIFF and is_raw_tiff(data)):
            stored = decode_raw(data, min_long_side)
        else:
            stored = decode_picture(data, format, min_long_side, buffer=buffer, convert_colours=convert_colours)
    except UndecodableError:
        raise
    except MemoryError:
        raise UndecodableError(SkipReason.OUT_OF_MEMORY, "decoding needs more memory than there is") from None
    except Exception as error:  # decoders raise exceptions of any type; one photo must not stop the scan
        raise UndecodableError(SkipReason.TRUNCATED, f"{type(error).__name__}: {error}") from error
    embedded = find_metadata(data)
    orientation = embedded.orientation if format in FORMATS_TURNED_BY_METADATA else stored.orientation
    metadata = read_metadata(*(embedded.exif or stored.metadata_sources))
    return Photo(
        ref=ref,
        content_hash=content_hash(data),
        pixels=apply_orientation(stored.pixels, orientation),
        full_size=upright_size(stored.size, orientation),
        metadata=replace(metadata, orientation=stored.applied if stored.applied != 1 else orientation),
        icc_profile=stored.icc_profile,
    )
