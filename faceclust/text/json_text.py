"""JSON that is valid for every reader and can be shown on a terminal."""

from __future__ import annotations

import json
import math
from typing import Any

from faceclust.text.visible import escape_character, escape_invisible


def to_json(value: Any, *, indent: int | None = None) -> str:
    r"""Format a value as JSON. Values that JSON does not know become their text.

    Characters that cannot be seen are written as \uXXXX, which is the same value. Two things are not
    Unicode, so that not every reader accepts their escapes: bytes of file names that are not UTF-8
    become the text \xNN, as in the caches, and other lone surrogates the text \uXXXX. Infinite
    numbers and NaN become null.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, indent=indent, default=str, allow_nan=False)
    except ValueError:
        text = json.dumps(_replace_infinite(value), ensure_ascii=False, indent=indent, default=str, allow_nan=False)
    return "\n".join(escape_invisible(line, _escape_json) for line in text.split("\n"))


def _escape_json(character: str) -> str:
    if "\ud800" <= character <= "\udfff":
        return "\\" + escape_character(character)
    return json.dumps(character)[1:-1]


def _replace_infinite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _replace_infinite(item) for key, item in value.items()}
    return [_replace_infinite(item) for item in value] if isinstance(value, list | tuple) else value
