"""Cut faces out of photos, upright and aligned by the eyes."""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from faceclust.photos.colour import convert_to_srgb
from faceclust.photos.errors import UndecodableError
from faceclust.photos.photo_of_face import decode_pictures_of
from faceclust.types import FaceOccurrence, Float32, Float64, Photo
from faceclust.types.transforms import invert_transform, similarity_transform, transform_points, transform_scale

#: The five landmarks (see `types.Detections`) in fractions of a face's square: those of ArcFace (Deng et al. 2019),
#: made symmetric.
FACE_TEMPLATE = np.array([[0.3427, 0.4607], [0.6573, 0.4607], [0.5, 0.6405], [0.3697, 0.8240], [0.6303, 0.8240]])
#: Degrees. If the line of the eyes is tilted by more against all landmarks, the face is in profile or an eye is wrong.
_MAX_EYE_TILT = 15.0
_JPEG_QUALITY = 92
_BORDER = (128, 128, 128)  # beyond the edge of the photo
#: Pixels around the part of a photo that is resized.
_PADDING = 4
_PHOTOS_AT_ONCE = 16


@dataclass(frozen=True)
class CropOptions:
    """The form of crops. `size`: the longest side in px. `margin`: added on each side, as a fraction of the face.
    `format`: "JPEG" or "PNG"."""

    size: int = 256
    margin: float = 0.3
    format: str = "JPEG"


@dataclass(frozen=True)
class WantedCrop:
    """A face to cut out. `landmarks` (5, 2) are fractions of the upright photo, None for a face drawn by hand."""

    place: FaceOccurrence
    landmarks: Float32 | None


@dataclass(frozen=True)
class FailedCrop:
    """A face that could not be cut out of its photo, and the reason."""

    place: FaceOccurrence
    reason: str


@dataclass(frozen=True)
class FaceCrop:
    """A face that was cut out: a square picture of `side` px, as a file's content without metadata, in sRGB."""

    place: FaceOccurrence
    content: bytes
    side: int


def cut_faces(
    path_of: Callable[[str], Path], wanted: Iterable[WantedCrop], options: CropOptions
) -> Iterator[FaceCrop | FailedCrop]:
    """Yield the picture of each face, or the reason why it cannot be cut out.

    Each photo is decoded once, two at a time. `path_of`: photo → its file.
    """
    by_photo: dict[str, list[WantedCrop]] = defaultdict(list)
    for one in wanted:
        by_photo[one.place.photo].append(one)
    photos = list(by_photo.values())
    with ThreadPoolExecutor(2) as threads:  # decoders release the GIL
        for start in range(0, len(photos), _PHOTOS_AT_ONCE):  # bounds the memory, and the time that an interrupt takes
            batch = photos[start : start + _PHOTOS_AT_ONCE]
            for cut in threads.map(lambda faces: _cut_faces_of_photo(path_of, faces, options), batch):
                yield from cut


def align_face(place: FaceOccurrence, landmarks: Float32 | None, margin: float) -> Float64:
    """Return the 2×3 matrix from pixels of the full photo to a square crop with the corners (0, 0) and (1, 1).

    By the landmarks, it maps them onto FACE_TEMPLATE by least squares, with the eyes exactly level. Without landmarks,
    or if they are all the same point, the square surrounds the box.
    """
    inner = 1 / (1 + 2 * margin)
    if landmarks is not None:
        points = landmarks.astype(np.float64) * place.photo_size
        target = 0.5 + (FACE_TEMPLATE - 0.5) * inner
        if np.isfinite(points).all() and np.ptp(points, axis=0).max() >= 1:
            return _level_eyes(points, target, similarity_transform(points, target))
    width, height = place.photo_size
    left, top, right, bottom = place.box
    scale = inner / max((right - left) * width, (bottom - top) * height, 1.0)
    x, y = (left + right) / 2 * width, (top + bottom) / 2 * height
    return np.array([[scale, 0, 0.5 - scale * x], [0, scale, 0.5 - scale * y]])


def _level_eyes(points: Float64, target: Float64, best: Float64) -> Float64:
    """Return the least-squares transform whose rotation makes the eyes level; `best` if that is another rotation.

    With the rotation given, scale and shift that minimise the squared error follow as in Umeyama 1991, eq. 41-43.
    """
    (x, y), length = points[1] - points[0], math.dist(points[0], points[1])
    if not length > 0:
        return best
    rotation = np.array([[x, y], [-y, x]]) / length
    if np.trace(rotation @ best[:, :2].T) / (2 * transform_scale(best)) < math.cos(math.radians(_MAX_EYE_TILT)):
        return best
    turned = points @ rotation.T
    spread, aim = turned - turned.mean(axis=0), target - target.mean(axis=0)
    linear = rotation * ((spread * aim).sum() / (spread**2).sum())
    return np.column_stack([linear, target.mean(axis=0) - linear @ points.mean(axis=0)])


def _cut_faces_of_photo(
    path_of: Callable[[str], Path], wanted: Sequence[WantedCrop], options: CropOptions
) -> list[FaceCrop | FailedCrop]:
    frames = [align_face(one.place, one.landmarks, options.margin) for one in wanted]
    by_time: dict[float | None, list[int]] = defaultdict(list)
    for index, one in enumerate(wanted):
        by_time[one.place.frame_time].append(index)
    size = wanted[0].place.photo_size
    min_long_sides = {
        time: _needed_long_side(size, options.size, [frames[index] for index in indices])
        for time, indices in by_time.items()
    }
    cut: dict[int, FaceCrop | FailedCrop] = {}
    photo, reason = wanted[0].place.photo, "the frame is missing"
    try:
        for time, picture in decode_pictures_of(path_of(photo), photo, min_long_sides):
            for index in by_time[time]:
                place = wanted[index].place
                cut[index] = (
                    FaceCrop(place, *_cut_square(picture, frames[index], options))
                    if picture.full_size == size
                    else FailedCrop(place, "it has changed since the scan")
                )
    except UndecodableError as error:
        reason = str(error) or error.reason.value
    except OSError as error:
        reason = error.strerror or str(error)
    return [cut.get(index) or FailedCrop(one.place, reason) for index, one in enumerate(wanted)]


def _needed_long_side(photo_size: tuple[int, int], size: int, frames: Sequence[Float64]) -> int:
    """Return the pixels that the longer side of a picture needs for crops of `size` px."""
    needed = size * max(map(transform_scale, frames))  # pixels per pixel of the full photo
    return math.ceil(max(photo_size) * min(1.0, needed))


def _cut_square(photo: Photo, frame: Float64, options: CropOptions) -> tuple[bytes, int]:
    """Return the file and the side of a crop. It has no more pixels than that part of the photo."""
    height, width = photo.pixels.shape[:2]
    to_photo = invert_transform(frame) * (np.array([[width], [height]]) / np.array([photo.full_size]).T)
    native = transform_scale(to_photo)
    side = max(1, min(options.size, round(native)))
    corners = transform_points(to_photo, np.array([(0, 0), (1, 0), (0, 1), (1, 1)]))
    shrink = min(1.0, side / native)
    padding = math.ceil(_PADDING / shrink)
    left, top = np.clip(np.floor(corners.min(axis=0)) - padding, 0, (width, height)).astype(int).tolist()
    right, bottom = np.clip(np.ceil(corners.max(axis=0)) + padding, 0, (width, height)).astype(int).tolist()
    if right <= left or bottom <= top:
        return _encode(Image.new("RGB", (side, side), _BORDER), options.format), side
    region = Image.fromarray(convert_to_srgb(photo.pixels[top:bottom, left:right], photo.icc_profile))
    if shrink < 1:  # Pillow's transform samples single points, so the region is scaled before
        region = region.resize(
            (math.ceil(region.width * shrink), math.ceil(region.height * shrink)), Image.Resampling.LANCZOS
        )
    to_region = np.column_stack([to_photo[:, :2] / side, to_photo[:, 2] - (left, top)])
    to_region *= np.array([[region.width / (right - left)], [region.height / (bottom - top)]])
    crop = region.transform(
        (side, side), Image.Transform.AFFINE, to_region.ravel().tolist(), Image.Resampling.BICUBIC, fillcolor=_BORDER
    )
    return _encode(crop, options.format), side


def _encode(image: Image.Image, format: str) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **({"quality": _JPEG_QUALITY} if format == "JPEG" else {}))
    return out.getvalue()
