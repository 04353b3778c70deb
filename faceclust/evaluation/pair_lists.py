"""Readers for lists of pairs: LFW's `pairs.txt` and InsightFace's `.bin` files."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import UsageError
from faceclust.evaluation.safe_pickle import UnsafePickleError, read_pickle

_MAX_FILE_SIZE = 2_000_000_000  # bytes; published files have up to 100 million
_FOLDS = 10  # of a `.bin` file, the number InsightFace's own verification uses
_HINT = "expected LFW's pairs.txt or a .bin file from InsightFace"


@dataclass(frozen=True)
class PairList:
    """Pairs of photos as (person, number): pair i stands on line i + 2 of the file.

    `same` (n,) is true for pairs of one person, `folds` (n,) is each pair's fold.
    """

    left: tuple[tuple[str, int], ...]
    right: tuple[tuple[str, int], ...]
    same: NDArray[np.bool_]
    folds: NDArray[np.int32]


@dataclass(frozen=True)
class PicturePairs:
    """Pairs of pictures that the file itself holds.

    `pictures` are encoded and distinct; `left` and `right` (n,) index them. `same` and `folds` (n,) are
    those of `PairList`.
    """

    pictures: tuple[bytes, ...]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    same: NDArray[np.bool_]
    folds: NDArray[np.int32]


def holds_pictures(path: Path) -> bool:
    """Tell whether this is a `.bin` file, by its suffix or its first byte.

    Raises UsageError if it cannot be read.
    """
    return path.suffix.lower() == ".bin" or _read_bytes(path, 1) == b"\x80"


def read_pair_list(path: Path) -> PairList:
    """Read a list in the layout of LFW's `pairs.txt`.

    The first line holds the number of folds and of pairs, a tab between. Each fold has that many lines
    "name i j" (same person), then as many "name i other j" (different). A first line with one number
    means a single fold, as in `pairsDevTest.txt`. Raises UsageError that names the line.
    """
    try:
        lines = _read_bytes(path).decode("utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a list of pairs: it is not text", hint=_HINT) from error
    folds, pairs = _parse_header(path, lines)
    left, right = [], []
    for number, line in enumerate(lines[1:], start=2):
        parts = line.split("\t") if "\t" in line else line.split()
        try:
            if len(parts) == 3:
                parts.insert(2, parts[0])
            name, i, other, j = parts
            left.append((name, int(i)))
            right.append((other, int(j)))
        except ValueError:
            quoted = line if len(line) <= 80 else f"{line[:77]}…"
            raise UsageError(f"{path}:{number}: expected `name i j` or `name i other j`, not {quoted!r}") from None
    if len(left) != folds * pairs * 2:
        raise UsageError(f"{path}: {len(left)} pairs, but the first line announces {folds * pairs * 2}")
    same = np.array([a[0] == b[0] for a, b in zip(left, right, strict=True)])
    return PairList(tuple(left), tuple(right), same, np.repeat(np.arange(folds, dtype=np.int32), pairs * 2))


def _parse_header(path: Path, lines: list[str]) -> tuple[int, int]:
    try:
        *folds, pairs = (int(part) for part in lines[0].split())
        (number,) = folds or [1]
    except (IndexError, ValueError):
        number = pairs = 0
    if number < 1 or pairs < 1:
        raise UsageError(f"{path}:1: expected one number (pairs) or two (folds, pairs a fold)", hint=_HINT) from None
    return number, pairs


def read_picture_pairs(path: Path) -> PicturePairs:
    """Read a `.bin` file from InsightFace, such as CFP-FP, AgeDB-30, CALFW or CPLFW.

    It is a pickle of two lists: encoded pictures, two for each pair, and booleans, true for pairs of
    one person. The ten folds are consecutive tenths of the pairs; if they differ in size, the
    first ones are larger by one. Nothing in the pickle is executed. Raises UsageError that says what is wrong.
    """
    try:
        content = read_pickle(_read_bytes(path))
    except UnsafePickleError as error:
        raise UsageError(f"{path} is not a file of pairs: {error}", hint=_HINT) from error
    if problem := _find_problem(content):
        raise UsageError(f"{path} is not a file of pairs: {problem}", hint=_HINT)
    pictures, same = content
    index_of: dict[bytes, int] = {}
    indices = np.array([index_of.setdefault(picture, len(index_of)) for picture in pictures], dtype=np.intp)
    sizes = [len(part) for part in np.array_split(np.arange(len(same)), min(_FOLDS, len(same)))]
    folds = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    return PicturePairs(tuple(index_of), indices[::2], indices[1::2], np.array(same, dtype=np.bool_), folds)


def _find_problem(content: object) -> str | None:
    """The first problem with the content of a `.bin` file; None if it is valid."""
    if not isinstance(content, list | tuple) or len(content) != 2 or not all(isinstance(p, list) for p in content):
        return "expected two lists, of pictures and of booleans"
    pictures, same = content
    if not all(isinstance(picture, bytes) for picture in pictures):
        return "a picture is not bytes"
    if not all(isinstance(value, bool | int) and value in (0, 1) for value in same):
        return "a value of the second list is not a boolean"
    if not same or len(pictures) != 2 * len(same):
        return f"{len(pictures)} pictures for {len(same)} pairs"
    return None


def _read_bytes(path: Path, size: int | None = None) -> bytes:
    """Read a file, or its first `size` bytes. Raises UsageError if it cannot be read or is too large."""
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode) or (status.st_size > _MAX_FILE_SIZE and size is None):
                raise UsageError(f"{path} is not a regular file of at most {_MAX_FILE_SIZE:,} bytes", hint=_HINT)
            return stream.read(-1 if size is None else size)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", hint=_HINT) from error
