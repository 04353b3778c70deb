"""Sprite sheets: small pictures of faces, eight by eight in one JPEG."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence

from PIL import Image, UnidentifiedImageError

from faceclust.types import FaceOccurrence

CELLS_PER_ROW = 8  # a sheet has as many rows
#: (maximum number of pictures, side in px). Sides are multiples of 16, or JPEG blocks would mix
#: neighbours. 20,000 pictures make a page of about 25 MB.
_SIDE_BY_COUNT = ((1_500, 128), (5_000, 96), (20_000, 64))
_MIN_SIDE = 48
_SPRITE_QUALITY = 70


def choose_side(count: int) -> int:
    """Return the side of each of `count` pictures, px."""
    return next((side for most, side in _SIDE_BY_COUNT if count <= most), _MIN_SIDE)


def choose_map_pictures(faces: Sequence[FaceOccurrence], persons: Sequence[int], count: int) -> set[str]:
    """Choose the `count` faces to picture: everybody's best first, then everybody's second best.

    `persons` has a number for each face, negative for a face that is alone. Return face ids.
    """
    by_person: dict[int, list[FaceOccurrence]] = {}
    for face, person in zip(faces, persons, strict=True):
        by_person.setdefault(person if person >= 0 else -1, []).append(face)
    ranked: list[tuple[float, float, str]] = []
    for own_faces in by_person.values():
        own_faces.sort(key=lambda face: (-face.quality, face.face_id))
        ranked += [(rank, -face.quality, face.face_id) for rank, face in enumerate(own_faces)]
    return {face_id for *_, face_id in sorted(ranked)[:count]}


def make_sheets(
    face_ids: Iterable[str], pictures: Mapping[str, bytes], side: int, on_picture: Callable[[], None] = lambda: None
) -> tuple[list[bytes], set[str]]:
    """Draw pictures (JPEG by face id) into sheets in the order of `face_ids`.

    A sheet is a JPEG of CELLS_PER_ROW × CELLS_PER_ROW cells of `side` px, filled row by row. Return the
    sheets and the ids of the faces in them. Faces without a readable picture are left out.
    """
    sheets: list[bytes] = []
    shown: list[str] = []
    sheet = Image.new("RGB", (CELLS_PER_ROW * side, CELLS_PER_ROW * side))
    for face in face_ids:
        if face not in pictures or (small := _shrink(pictures[face], side)) is None:
            continue
        cell = len(shown) % CELLS_PER_ROW**2
        if shown and cell == 0:
            sheets.append(_encode_sheet(sheet))
            sheet = Image.new("RGB", sheet.size)
        sheet.paste(small, (cell % CELLS_PER_ROW * side, cell // CELLS_PER_ROW * side))
        shown.append(face)
        on_picture()
    if shown:
        sheets.append(_encode_sheet(sheet))
    return sheets, set(shown)


def _shrink(jpeg: bytes, side: int) -> Image.Image | None:
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
            picture.draft("RGB", (side, side))
            return picture.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
        return None


def _encode_sheet(sheet: Image.Image) -> bytes:
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=_SPRITE_QUALITY)
    return out.getvalue()
