"""Whole photos as small pictures to look at."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from faceclust.files.library_roots import LibraryRoots, photo_path
from faceclust.files.names import is_video_name
from faceclust.photos.decode import decode_photo
from faceclust.photos.errors import UndecodableError
from faceclust.photos.reading import read_photo
from faceclust.photos.videos import read_frames
from faceclust.types import PhotoRef

PREVIEW_SIDE = 2000  # px
_JPEG_QUALITY = 85


def make_preview(root: Path | LibraryRoots, photo: str, frame_time: float | None = None) -> bytes | None:
    """Return a photo of the library at `root`, or with these roots, as a JPEG: upright, sRGB, without metadata.

    Its longer side has at most PREVIEW_SIDE pixels. Of a video, it is the frame at a time in seconds, or the first one.
    None if the photo is missing or cannot be decoded, or the path leads out of the library, even through a symlink.
    """
    try:
        path = photo_path(root, photo)
        if is_video_name(photo):
            pixels = dict(read_frames(path, [frame_time]))[frame_time]
        else:
            data, ref = read_photo(path, PhotoRef(photo, 0, 0))
            pixels = decode_photo(data, ref, min_long_side=PREVIEW_SIDE).pixels
    except (OSError, UndecodableError, KeyError):
        return None
    picture, out = Image.fromarray(pixels), io.BytesIO()
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
    picture.save(out, "JPEG", quality=_JPEG_QUALITY)
    return out.getvalue()
