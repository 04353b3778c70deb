"""Whole photos as small pictures to look at."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from faceclust.files.own_files import path_below
from faceclust.photos.decode import decode_photo
from faceclust.photos.errors import UndecodableError
from faceclust.photos.reading import read_photo
from faceclust.types import PhotoRef

PREVIEW_SIDE = 2000  # px
_JPEG_QUALITY = 85


def make_preview(root: Path, photo: str) -> bytes | None:
    """Return the photo at a POSIX path below `root` as a JPEG: upright, sRGB, without metadata.

    Its longer side has at most PREVIEW_SIDE pixels. None if the photo is missing or cannot be decoded, or
    the path leads out of `root`, even through a symlink.
    """
    try:
        data, ref = read_photo(path_below(root, photo), PhotoRef(photo, 0, 0))
        pixels = decode_photo(data, ref, min_long_side=PREVIEW_SIDE).pixels
    except (OSError, UndecodableError):
        return None
    picture, out = Image.fromarray(pixels), io.BytesIO()
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
    picture.save(out, "JPEG", quality=_JPEG_QUALITY)
    return out.getvalue()
