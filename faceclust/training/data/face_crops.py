"""Crops around faces of a library: a photo with several people does not show whose face is meant, a crop does."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from faceclust.photos.decode import decode_photo
from faceclust.progress import Progress
from faceclust.scan.examine_pool import PHOTO_TIME_LIMIT
from faceclust.scan.workers.pool import run_isolated
from faceclust.scan.workers.process import LostTask
from faceclust.training.data.chip_cutter import read_unchanged
from faceclust.training.data.chip_store import WantedFace
from faceclust.types import Box, PhotoRef
from faceclust.vision.align import cut_squares

#: The side of a crop: this many times the longer side of the box, and at most so many pixels.
_MARGIN, _MAX_SIDE = 2.5, 512


@dataclass(frozen=True)
class _CropTask:
    path: Path
    content: str
    faces: tuple[tuple[int, Box, int], ...]  # index, box, turn


class CropCutter:
    """Cuts JPEG crops around boxes on a photo."""

    def prepare(self, task: _CropTask) -> bytes:
        """Read the photo's bytes; none if they cannot be read."""
        try:
            return read_unchanged(task.path, task.content)
        except Exception:
            return b""

    def work(self, task: _CropTask, prepared: bytes) -> list[bytes]:
        """Return a JPEG for each box, upright; nothing in it if the photo cannot be decoded."""
        try:
            photo = decode_photo(prepared, PhotoRef(task.path.name, len(prepared), 0))
            scale = photo.pixels.shape[1] / photo.full_size[0]
            return [_crop(photo.pixels, box, turn, scale) for _, box, turn in task.faces]
        except Exception:
            return [b""] * len(task.faces)


def crop_faces(faces: Sequence[tuple[WantedFace, int]], workers: int | None, progress: Progress) -> tuple[bytes, ...]:
    """Return a JPEG crop around each face with a box, upright after `turn` quarter turns, with the face in its centre.

    A crop of a photo that cannot be read any more is empty.
    """
    by_photo: dict[str, list[int]] = {}
    for index, (face, _) in enumerate(faces):
        by_photo.setdefault(face.content, []).append(index)
    tasks = [
        _CropTask(
            faces[indices[0]][0].path,
            content,
            tuple((i, box, faces[i][1]) for i in indices if (box := faces[i][0].box) is not None),
        )
        for content, indices in by_photo.items()
    ]
    crops = [b""] * len(faces)
    if workers is None:
        workers = min(os.cpu_count() or 1, max(1, len(tasks) // 32))
    progress.start("cutting held-out faces", len(tasks), "photos")
    try:
        for task, outcome in run_isolated(CropCutter, tasks, workers, lambda: False, PHOTO_TIME_LIMIT):
            if not isinstance(outcome, LostTask):
                for (index, _, _), crop in zip(task.faces, outcome, strict=True):
                    crops[index] = crop
            progress.advance()
    finally:
        progress.finish()
    return tuple(crops)


def _crop(pixels: np.ndarray, box: Box, turn: int, scale: float) -> bytes:
    left, top, right, bottom = (side * scale for side in box)
    reach = max(right - left, bottom - top) * _MARGIN / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    square = np.array([[x - reach, y - reach, x + reach, y + reach]], np.float32)
    (crop,) = cut_squares(pixels, square, max(1, min(_MAX_SIDE, math.ceil(2 * reach))))
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(np.rot90(crop, turn))).save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()
