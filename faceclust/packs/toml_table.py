"""Reading a TOML table strictly: each value is of the kind and in the range that it has to be, and
nothing stands there that nobody reads. A manifest may come from anywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from faceclust.files.names import MANIFEST_NAME

_NOT_IN_NAMES = re.compile(r'[\x00-\x1f/\\:*?"<>|]')
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Table:
    """One table. `where` is how it is called in what is said of a wrong value. Every method takes a
    key, and raises ValueError for a value that is not there or not as it has to be."""

    def __init__(self, raw: Any, where: str) -> None:
        if not isinstance(raw, dict):
            raise ValueError(f"{where} is no table")
        self._raw, self.where, self._read = raw, where, set[str]()

    def has(self, key: str) -> bool:
        return key in self._raw

    def any(self, key: str) -> Any:
        """The value, whatever it is."""
        self._read.add(key)
        if key not in self._raw:
            raise ValueError(f"{self.where} says nothing of {key!r}")
        return self._raw[key]

    def text(self, key: str, longest: int = 300) -> str:
        """A line of text that can be printed."""
        value = self.any(key)
        if not isinstance(value, str) or not value.isprintable() or not 1 <= len(value) <= longest:
            raise self.wrong(key, f"a line of 1 to {longest} characters")
        return value

    def choice(self, key: str, known: Sequence[str]) -> str:
        value = self.any(key)
        if value not in known:
            raise self.wrong(key, f"one of {', '.join(known)}")
        return str(value)

    def flag(self, key: str) -> bool:
        value = self.any(key)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def number(self, key: str, low: float = -1e6, high: float = 1e6) -> float:
        value = self.any(key)
        if not is_number(value) or not low <= value <= high:
            raise self.wrong(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def whole(self, key: str, low: int, high: int) -> int:
        value = self.any(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(key, f"a whole number from {low:,} to {high:,}")
        return value

    def numbers(self, key: str, how_many: int) -> tuple[float, ...]:
        value = self.any(key)
        if not isinstance(value, list) or len(value) != how_many or not all(map(is_number, value)):
            raise self.wrong(key, f"a list of {how_many} numbers")
        return tuple(map(float, value))

    def file_name(self, key: str) -> str:
        return check_file_name(self.any(key), f"{self.where} {key}")

    def sha256(self, key: str) -> str:
        value = self.any(key)
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise self.wrong(key, "64 hex digits, in lower case")
        return value

    def tables(self, key: str, most: int) -> list[Table]:
        value = self.any(key)
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"{self.where}: [[{key}]] is to be a list of at most {most} tables")
        return [Table(raw, f"[[{key}]] {number}") for number, raw in enumerate(value, 1)]

    def rest(self, *, but: Sequence[str] = ()) -> dict[str, Any]:
        """What was not read yet."""
        rest = {key: value for key, value in self._raw.items() if key not in self._read and key not in but}
        self._read |= rest.keys()
        return rest

    def end(self, *, but: Sequence[str] = ()) -> None:
        """Raise ValueError where there is a key that nobody has read, other than `but`."""
        unknown = [ascii(key) for key in self.rest(but=but)]
        if unknown:
            raise ValueError(f"{self.where} knows no {', '.join(unknown[:5])}")

    def wrong(self, key: str, wanted: str) -> ValueError:
        return ValueError(f"{self.where} {key} = {self._raw[key]!r:.80}; {wanted} is wanted")


def is_number(value: Any) -> bool:
    """Whether this is a number one can reckon with."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e9


def check_file_name(value: Any, where: str) -> str:
    """A name that is a file's in the pack's own folder, on every system, and none that is kept for
    what the program itself puts there. Raises ValueError."""
    known = isinstance(value, str) and 1 <= len(value.encode("utf-8", "replace")) <= 150 and value.isprintable()
    if not known or _NOT_IN_NAMES.search(value) or value[0] in ". " or value[-1] in ". ":
        raise ValueError(f"{where} = {value!r:.80} is no name of a file")
    if value.lower() in KEPT_NAMES or value.lower().endswith((".part", ".tmp", ".part.json")):
        raise ValueError(f"{where} = {value!r:.80} is a name kept for faceclust's own files")
    return str(value)


def safe_file_name(name: str, otherwise: str) -> str:
    """The name, or `otherwise` where a file in a pack's folder cannot be called so."""
    try:
        return check_file_name(name, "name")
    except ValueError:
        return otherwise


#: The names of files that faceclust itself puts into a pack's folder.
AGREEMENT_NAME = "agreed-to.txt"
KEPT_NAMES = (MANIFEST_NAME, AGREEMENT_NAME)
