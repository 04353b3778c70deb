"""Read people and faces from saved answers of Immich's API.

`GET /api/assets/{id}` answers with one asset, `POST /api/search/metadata` (`withPeople`) with several: each
has `originalPath`, `originalFileName` and `people`, and each of these a `name` and its `faces`. Boxes are in
pixels of a preview of the upright photo.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from faceclust.errors import UsageError
from faceclust.importers.catalogue import CataloguePhoto
from faceclust.importers.values import Region
from faceclust.types import Box

IMMICH = "Immich"
_MAX_DEPTH, _MAX_PIXELS = 6, 1_000_000
_SIDES = ("boundingBoxX1", "boundingBoxY1", "boundingBoxX2", "boundingBoxY2")
#: Faces that a person or another program marked; the others were recognised.
_CONFIRMED_SOURCES = ("manual", "exif")
_HINT = "save the answers of GET /api/assets/ID for each photo, or of POST /api/search/metadata with withPeople"


def read_immich(data: bytes, where: str) -> list[CataloguePhoto]:
    """Read the assets with people in an answer, or in several, one after the other or in an array.

    A name counts as confirmed if the face was marked by hand. Raises UsageError if `where`, the file, has none.
    """
    try:
        assets = [asset for answer in _decode_all(data.decode()) for asset in _find_assets(answer, _MAX_DEPTH)]
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not JSON: {str(error)[:200]}", hint=_HINT) from error
    if not assets:
        raise UsageError(f"{where} has neither photos of Immich nor of Google Takeout", hint=_HINT)
    return [photo for photo in map(_read_asset, assets) if photo.regions or photo.people]


def _decode_all(text: str) -> Iterator[Any]:
    """Yield the values in a text that has one JSON value after the other. Raises ValueError."""
    decoder, at = json.JSONDecoder(), 0
    text = text.removeprefix("\ufeff").strip()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        yield value
        while at < len(text) and text[at].isspace():
            at += 1


def _find_assets(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Yield the assets in an answer, at any place: arrays and pages contain them."""
    if isinstance(value, dict) and isinstance(value.get("originalFileName", value.get("originalPath")), str):
        yield value
    elif depth and isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _find_assets(item, depth - 1)


def _read_asset(asset: dict[str, Any]) -> CataloguePhoto:
    regions, people = list[Region](), list[str]()
    size: tuple[int, int] | None = None
    for person in _dicts_in(asset.get("people")):
        name = person.get("name")
        if not isinstance(name, str) or not name.strip():
            continue
        found = [face for face in map(_read_face, _dicts_in(person.get("faces"))) if face is not None]
        if not found:
            people.append(name)
        for box, face_size, is_confirmed in found:
            size = face_size
            regions.append(Region(name, box, is_confirmed))
    folder, _, file_name = _text_of(asset, "originalPath").replace("\\", "/").rpartition("/")
    return CataloguePhoto(
        root=folder,
        below=_text_of(asset, "originalFileName") or file_name,
        regions=tuple(regions),
        people=tuple(people),
        size=size,
        is_fractional=True,
        taken_at=_read_time(_text_of(asset, "localDateTime")),
        is_moved=True,
    )


def _read_face(face: dict[str, Any]) -> tuple[Box, tuple[int, int], bool] | None:
    """Return the box of a face in fractions, the size of its picture, and whether it was marked by hand."""
    numbers = [face.get(key) for key in (*_SIDES, "imageWidth", "imageHeight")]
    if not all(isinstance(number, int | float) and abs(number) <= _MAX_PIXELS for number in numbers):
        return None
    left, top, right, bottom, width, height = (float(number) for number in numbers if number is not None)
    if not (left < right and top < bottom and width >= 1 and height >= 1):
        return None
    box = (left / width, top / height, right / width, bottom / height)
    return box, (int(width), int(height)), face.get("sourceType") in _CONFIRMED_SOURCES


def _read_time(text: str) -> datetime | None:
    """Read the local time of a photo, which Immich writes as if it were UTC."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def _text_of(asset: dict[str, Any], key: str) -> str:
    value = asset.get(key)
    return value if isinstance(value, str) else ""


def _dicts_in(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
