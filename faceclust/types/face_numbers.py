"""The number of a face on its photo: PHOTO#2 is the second face from the left. In a video, time comes first."""

from __future__ import annotations

import re
from collections.abc import Iterable

from faceclust.types.boxes import Box
from faceclust.types.people import FaceOccurrence

_NUMBERED = re.compile("(.+)#([0-9]{1,6})", re.DOTALL)


def sort_faces_from_left(occurrences: Iterable[FaceOccurrence]) -> dict[str, tuple[FaceOccurrence, ...]]:
    """Map the content hash of each photo to its faces, each once, from left to right: number 1 comes first.

    Those of a video are in the order of their frames. People without a face to be seen come last.
    """
    found: dict[str, dict[str, FaceOccurrence]] = {}
    for occurrence in occurrences:
        found.setdefault(occurrence.photo_hash, {})[occurrence.face_id] = occurrence
    return {photo: tuple(sorted(faces.values(), key=_place_from_left)) for photo, faces in found.items()}


def _place_from_left(face: FaceOccurrence) -> tuple[bool, float, Box, str]:
    return face.is_whole_photo, face.frame_time or 0.0, face.box, face.face_id if face.is_whole_photo else ""


def number_faces(occurrences: Iterable[FaceOccurrence]) -> dict[str, int]:
    """Map face ids to their numbers on the photo, from 1 at the left. `occurrences`: all faces of these photos."""
    by_photo = sort_faces_from_left(occurrences)
    return {face.face_id: number for faces in by_photo.values() for number, face in enumerate(faces, start=1)}


def format_face_address(photo: str, number: int) -> str:
    """Return PHOTO#N, as every command that takes a face accepts it."""
    return f"{photo}#{number}"


def split_face_address(text: str) -> tuple[str, int | None]:
    """Split "party.jpg#2" into photo and number; without a number, return the text and None."""
    numbered = _NUMBERED.fullmatch(text)
    return (numbered[1], int(numbered[2])) if numbered else (text, None)
