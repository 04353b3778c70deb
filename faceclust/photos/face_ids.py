"""What a photo and a face are known by, wherever they lie."""

from __future__ import annotations

import hashlib

from faceclust.types import Float32


def content_hash(data: bytes) -> str:
    """BLAKE2b-128 of a photo file's bytes, in hex."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def face_id(photo_hash: str, box: Float32) -> str:
    """16 hex digits that stay with a face wherever its photo goes: BLAKE2b of the photo's
    content hash and the box (fractions of width and height) in thousandths."""
    corners = ",".join(str(round(float(side) * 1000)) for side in box)
    return hashlib.blake2b(f"{photo_hash}:{corners}".encode(), digest_size=8).hexdigest()
