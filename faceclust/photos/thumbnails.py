"""Square face thumbnails, cropped from the photos."""

from __future__ import annotations

import io
import math
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from faceclust.files.library_roots import LibraryRoots, photo_path
from faceclust.photos.colour import convert_to_srgb
from faceclust.photos.errors import UndecodableError
from faceclust.photos.photo_of_face import decode_pictures_of
from faceclust.types import FaceOccurrence, Photo, UInt8

THUMBNAIL_SIDE = 160  # px
_MARGIN = 0.3  # of the face's longer side, on each side of it
_JPEG_QUALITY = 82
_BORDER = (128, 128, 128)  # beside a whole photo


def make_face_thumbnails(
    root: Path | LibraryRoots, places: Iterable[FaceOccurrence], on_note: Callable[[str], None] = lambda note: None
) -> Iterator[tuple[str, bytes]]:
    """Yield (face id, JPEG bytes of THUMBNAIL_SIDE² pixels) for each face whose photo can be read.

    `root`: the library's root, or its roots if it has several. The picture of a person without a face to be seen is
    the whole photo. Each photo is decoded once, several at a time; of a video, the frames with the faces. Faces that
    lie on their side or upside down are turned. The thumbnails hold no metadata. `on_note` receives a message for each
    photo that is there but cannot be opened.
    """
    by_photo: dict[str, list[FaceOccurrence]] = defaultdict(list)
    for place in places:
        by_photo[place.photo].append(place)
    with ThreadPoolExecutor(2) as threads:  # decoders release the GIL
        for cut in threads.map(lambda faces: _make_thumbnails_of_photo(root, faces), by_photo.values()):
            if isinstance(cut, OSError):
                on_note(f"{cut.filename} cannot be read: {cut.strerror}; its faces have no picture")
            else:
                yield from cut


def _make_thumbnails_of_photo(
    root: Path | LibraryRoots, places: list[FaceOccurrence]
) -> list[tuple[str, bytes]] | OSError:
    by_time: dict[float | None, list[FaceOccurrence]] = defaultdict(list)
    for place in places:
        by_time[place.frame_time].append(place)
    found = []
    try:
        path = photo_path(root, places[0].photo)
        min_long_sides = {time: _needed_long_side(faces) for time, faces in by_time.items()}
        for time, picture in decode_pictures_of(path, places[0].photo, min_long_sides):
            found += [(place.face_id, _crop_thumbnail(picture, place)) for place in by_time[time]]
    except (FileNotFoundError, UndecodableError):  # moved or damaged since the scan
        return found
    except OSError as error:
        return error
    return found


def _needed_long_side(places: list[FaceOccurrence]) -> int:
    """Return the pixels that the longer side of a picture needs for thumbnails of full size."""
    wanted = THUMBNAIL_SIDE / min(map(_crop_side, places))
    return math.ceil(max(places[0].photo_size) * min(1.0, wanted))


def _crop_side(place: FaceOccurrence) -> float:
    """Return the side of the square crop, in pixels of the full photo; at most that of its middle square."""
    width, height = place.photo_size
    left, top, right, bottom = place.box
    side = max((right - left) * width, (bottom - top) * height) * (1 + 2 * _MARGIN)
    return max(1.0, min(side, width, height))


def _crop_thumbnail(photo: Photo, place: FaceOccurrence) -> bytes:
    height, width = photo.pixels.shape[:2]
    if place.is_whole_photo:
        fitted = ImageOps.pad(Image.fromarray(photo.pixels), (THUMBNAIL_SIDE, THUMBNAIL_SIDE), color=_BORDER)
        return _encode_jpeg(np.asarray(fitted), photo)
    side = min(_crop_side(place) * width / place.photo_size[0], width, height)
    left, top, right, bottom = place.box
    x = min(max((left + right) / 2 * width - side / 2, 0), width - side)
    y = min(max((top + bottom) / 2 * height - side / 2, 0), height - side)
    # Convert only this part of the picture, which may be large.
    i, j = int(x), int(y)
    part = Image.fromarray(photo.pixels[j : math.ceil(y + side), i : math.ceil(x + side)])
    box = (x - i, y - j, x - i + side, y - j + side)
    crop = part.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS, box=box)
    return _encode_jpeg(np.rot90(np.asarray(crop), place.turn), photo)


def _encode_jpeg(pixels: UInt8, photo: Photo) -> bytes:
    out = io.BytesIO()
    Image.fromarray(convert_to_srgb(pixels, photo.icc_profile)).save(out, "JPEG", quality=_JPEG_QUALITY)
    return out.getvalue()


def is_thumbnail(content: bytes) -> bool:
    """Is this a thumbnail as `make_face_thumbnails` makes them? For files that may be damaged or hostile."""
    try:
        with (
            warnings.catch_warnings(action="ignore"),  # Pillow warns about large pictures
            Image.open(io.BytesIO(content), formats=("JPEG",)) as image,  # reads the header alone
        ):
            if image.size != (THUMBNAIL_SIDE, THUMBNAIL_SIDE) or image.mode != "RGB":
                return False
            image.load()
    except Exception:  # damaged files make Pillow raise exceptions of any type
        return False
    return True


def shrink_thumbnail(thumbnail: bytes, side: int = 56) -> bytes:
    """Scale a thumbnail down to side×side pixels, as an icon beside a name."""
    with Image.open(io.BytesIO(thumbnail), formats=("JPEG",)) as image:
        out = io.BytesIO()
        image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS).save(out, "JPEG", quality=75)
    return out.getvalue()


def strip_metadata(thumbnail: bytes) -> bytes:
    """Return a thumbnail with its pixels alone: one from a library of somebody else may hold anything beside them."""
    with Image.open(io.BytesIO(thumbnail), formats=("JPEG",)) as image:
        out = io.BytesIO()
        Image.fromarray(np.asarray(image.convert("RGB"))).save(out, "JPEG", quality=_JPEG_QUALITY)
    return out.getvalue()
