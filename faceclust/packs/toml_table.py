"""Strict access to TOML tables: types, ranges and unknown keys are checked, because a manifest may
come from anywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from faceclust.files.names import MANIFEST_NAME

_FORBIDDEN_CHARACTERS = re.compile(r'[\x00-\x1f/\\:*?"<>|]')
_SHA256 = re.compile(r"[0-9a-f]{64}")


class TomlTable:
    """One TOML table; `location` names it in error messages. The methods read a key and raise
    ValueError if its value is missing or invalid."""

    def __init__(self, raw: Any, location: str) -> None:
        if not isinstance(raw, dict):
            raise ValueError(f"{location} is not a table")
        self._raw, self.location, self._keys_read = raw, location, set[str]()

    def has(self, key: str) -> bool:
        return key in self._raw

    def value(self, key: str) -> Any:
        """Return the value, of any type."""
        self._keys_read.add(key)
        if key not in self._raw:
            raise ValueError(f"{self.location} has no {key!r}")
        return self._raw[key]

    def text(self, key: str, max_length: int = 300) -> str:
        """Return a non-empty, printable line of text."""
        value = self.value(key)
        if not isinstance(value, str) or not value.isprintable() or not 1 <= len(value) <= max_length:
            raise self.invalid_value(key, f"one line of 1 to {max_length} characters")
        return value

    def choice(self, key: str, choices: Sequence[str]) -> str:
        value = self.value(key)
        if value not in choices:
            raise self.invalid_value(key, f"one of {', '.join(choices)}")
        return str(value)

    def flag(self, key: str) -> bool:
        value = self.value(key)
        if not isinstance(value, bool):
            raise self.invalid_value(key, "true or false")
        return value

    def number(self, key: str, low: float = -1e6, high: float = 1e6) -> float:
        value = self.value(key)
        if not is_number(value) or not low <= value <= high:
            raise self.invalid_value(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def integer(self, key: str, low: int, high: int) -> int:
        value = self.value(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.invalid_value(key, f"a whole number from {low:,} to {high:,}")
        return value

    def numbers(self, key: str, count: int) -> tuple[float, ...]:
        value = self.value(key)
        if not isinstance(value, list) or len(value) != count or not all(map(is_number, value)):
            raise self.invalid_value(key, f"a list of {count} numbers")
        return tuple(map(float, value))

    def file_name(self, key: str) -> str:
        return check_file_name(self.value(key), f"{self.location} {key}")

    def sha256(self, key: str) -> str:
        value = self.value(key)
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise self.invalid_value(key, "64 lowercase hex digits")
        return value

    def tables(self, key: str, max_count: int) -> list[TomlTable]:
        value = self.value(key)
        if not isinstance(value, list) or len(value) > max_count:
            raise ValueError(f"{self.location}: [[{key}]] must be a list of at most {max_count} tables")
        return [TomlTable(raw, f"[[{key}]] {number}") for number, raw in enumerate(value, 1)]

    def remaining(self, *, ignore: Sequence[str] = ()) -> dict[str, Any]:
        """Return the keys not read so far, except those in `ignore`, and mark them as read."""
        rest = {key: value for key, value in self._raw.items() if key not in self._keys_read and key not in ignore}
        self._keys_read |= rest.keys()
        return rest

    def reject_unknown_keys(self, *, ignore: Sequence[str] = ()) -> None:
        """Raise ValueError if a key has not been read and is not in `ignore`."""
        unknown = [ascii(key) for key in self.remaining(ignore=ignore)]
        if unknown:
            raise ValueError(f"{self.location} has unknown keys: {', '.join(unknown[:5])}")

    def invalid_value(self, key: str, expected: str) -> ValueError:
        return ValueError(f"{self.location} {key} must be {expected}, not {self._raw[key]!r:.80}")


def is_number(value: Any) -> bool:
    """Is this a number of a usable size? Excludes booleans, NaN and infinity."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e9


def check_file_name(value: Any, location: str) -> str:
    """Check a file name for a pack's folder and return it. It must be valid on every system and not
    reserved for faceclust's own files. Raises ValueError."""
    printable = isinstance(value, str) and 1 <= len(value.encode("utf-8", "replace")) <= 150 and value.isprintable()
    if not printable or _FORBIDDEN_CHARACTERS.search(value) or value[0] in ". " or value[-1] in ". ":
        raise ValueError(f"{location} = {value!r:.80} is not a valid file name")
    if value.lower() in RESERVED_NAMES or value.lower().endswith((".part", ".tmp", ".part.json")):
        raise ValueError(f"{location} = {value!r:.80} is reserved for faceclust's own files")
    return str(value)


def safe_file_name(name: str, fallback: str) -> str:
    """Return `name`, or `fallback` if it is not valid for a file in a pack's folder."""
    try:
        return check_file_name(name, "name")
    except ValueError:
        return fallback


#: Files that faceclust itself writes into a pack's folder.
AGREEMENT_FILE_NAME = "agreed-to.txt"
RESERVED_NAMES = (MANIFEST_NAME, AGREEMENT_FILE_NAME)
