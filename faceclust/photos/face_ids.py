"""Identifiers of photos and faces that do not depend on file names."""

from __future__ import annotations

import hashlib

import numpy as np

from faceclust.types import Box, Float32
from faceclust.types.frames import to_milliseconds


def content_hash(data: bytes) -> str:
    """Return the BLAKE2b-128 of a photo file's bytes, in hex."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def face_id(photo_hash: str, box: Float32 | Box, frame_time: float | None = None) -> str:
    """Return 16 hex digits that identify a face wherever its photo is moved or copied.

    They are a BLAKE2b hash of the photo's content hash and the box (fractions of width and height,
    as float32, rounded to thousandths). In a video, the time of the frame is hashed as well, in milliseconds.
    """
    corners = ",".join(str(round(float(side) * 1000)) for side in np.asarray(box, np.float32))
    frame = "" if frame_time is None else f":{to_milliseconds(frame_time)}"
    return hashlib.blake2b(f"{photo_hash}:{corners}{frame}".encode(), digest_size=8).hexdigest()
