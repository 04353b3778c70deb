"""The JSON bodies of requests, checked strictly: a reader for each kind of field."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request

from faceclust.types import Box
from faceclust.types.frames import PICTURE_PATTERN

MAX_BODY_BYTES = 64 * 1024
#: Ids in one list, and characters of a name as it is typed.
_MAX_IDS, _MAX_NAME = 5_000, 1_000


class InvalidBodyError(Exception):
    """The body of a request is not what the address takes; `status` is the HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


#: Stands for a field that is missing.
_MISSING = object()
Reader = Callable[[str, object], Any]


def _pattern(pattern: str) -> Reader:
    def read(field: str, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise InvalidBodyError(f"{field} is missing or invalid")
        return value

    return read


def read_faces(field: str, value: object) -> tuple[str, ...]:
    """Return face ids, each once. Raises InvalidBodyError."""
    values = [] if value is _MISSING else value
    if not isinstance(values, list) or len(values) > _MAX_IDS:
        raise InvalidBodyError(f"{field} must be a list of at most {_MAX_IDS:,} faces")
    return tuple(dict.fromkeys(read_face(field, face) for face in values))


def read_groups(field: str, value: object) -> tuple[int, ...]:
    """Return numbers of groups, each once. Raises InvalidBodyError."""
    values = [] if value is _MISSING else value
    if not isinstance(values, list) or len(values) > _MAX_IDS:
        raise InvalidBodyError(f"{field} must be a list of at most {_MAX_IDS:,} numbers")
    if not all(type(number) is int and 0 <= number < 2**31 for number in values):
        raise InvalidBodyError(f"{field} must be numbers of groups")
    return tuple(dict.fromkeys(values))


def read_name(field: str, value: object) -> str:
    """Return a name as it was typed. Raises InvalidBodyError."""
    if not isinstance(value, str) or len(value) > _MAX_NAME:
        raise InvalidBodyError(f"{field} must be text of at most {_MAX_NAME:,} characters")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise InvalidBodyError(f"{field} is not valid Unicode") from None
    return value


def read_optional_name(field: str, value: object) -> str | None:
    """Return a name; None if it is missing. Raises InvalidBodyError."""
    return None if value is _MISSING or value is None else read_name(field, value)


def read_verdict(field: str, value: object) -> bool | None:
    """Return whether the answer is yes; None if it is missing. Raises InvalidBodyError."""
    if value is _MISSING or value is None:
        return None
    if value not in ("yes", "no"):
        raise InvalidBodyError(f'{field} must be "yes", "no" or null')
    return value == "yes"


def read_flag(field: str, value: object) -> bool:
    """Return true or false; false if it is missing. Raises InvalidBodyError."""
    if value is _MISSING:
        return False
    if not isinstance(value, bool):
        raise InvalidBodyError(f"{field} must be true or false")
    return value


def read_box(field: str, value: object) -> Box:
    """Return a box in fractions of the photo. Raises InvalidBodyError."""
    if not isinstance(value, list) or len(value) != 4 or not {type(side) for side in value} <= {int, float}:
        raise InvalidBodyError(f"{field} must be four numbers")
    left, top, right, bottom = (float(side) if abs(side) < 10 else math.inf for side in value)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise InvalidBodyError(f"{field} must be left, top, right and bottom as fractions of the photo")
    return left, top, right, bottom


def read_min_face(field: str, value: object) -> int:
    """Return a width in pixels. Raises InvalidBodyError."""
    if type(value) is not int or not 8 <= value <= 10_000:
        raise InvalidBodyError(f"{field} must be a width in pixels")
    return value


def read_object(field: str, value: object) -> Mapping[str, object]:
    """Return an object. Raises InvalidBodyError."""
    if not isinstance(value, dict):
        raise InvalidBodyError(f"{field} must be an object")
    return value


def read_optional_object(field: str, value: object) -> Mapping[str, object]:
    """Return an object; an empty one if it is missing. Raises InvalidBodyError."""
    return {} if value is _MISSING or value is None else read_object(field, value)


def read_optional_event(field: str, value: object) -> str | None:
    """Return the id of an event; None if it is missing. Raises InvalidBodyError."""
    return None if value is _MISSING or value is None else read_event(field, value)


read_face, read_photo, read_event = _pattern("[0-9a-f]{16}"), _pattern(PICTURE_PATTERN), _pattern("[!-~]{1,100}")
read_question, read_position, read_kind = _pattern("[0-9a-f]{16}"), _pattern("[0-9a-f]{16}"), _pattern("[a-z_]{1,20}")


def read_fields(record: Mapping[str, object], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the fields of a JSON object. Raises InvalidBodyError for missing, invalid and unknown ones."""
    if unknown := sorted(record.keys() - readers.keys()):
        raise InvalidBodyError(f"unknown field {unknown[0][:40]}")
    return {field: read(field, record.get(field, _MISSING)) for field, read in readers.items()}


async def read_body(request: Request, **readers: Reader) -> dict[str, Any]:
    """Return the fields of a request's JSON body. Raises InvalidBodyError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidBodyError("the body must be application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise InvalidBodyError("the body is too long", 413)
    try:
        record = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_unique_fields)
    except (ValueError, RecursionError):
        raise InvalidBodyError("the body is not valid JSON") from None
    return read_fields(read_object("the body", record), readers)


def _refuse_constant(text: str) -> float:
    raise ValueError(text)


def _unique_fields(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a field is given twice")
    return record
