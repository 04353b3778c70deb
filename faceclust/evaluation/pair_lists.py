"""Reading which pairs are to be told apart: LFW's `pairs.txt`, and InsightFace's `.bin` files."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import UsageError
from faceclust.evaluation.safe_pickle import UnsafePickleError, read_pickle

_MAX_FILE_SIZE = 2_000_000_000  # bytes; the published files have up to 100 million
_FOLDS = 10  # of a `.bin` file, as InsightFace's own verification makes them
_HINT = "wanted: LFW's pairs.txt, or a .bin file of InsightFace's"


@dataclass(frozen=True)
class PairList:
    """Pairs of photos, (person, number) each: `folds` (n,) tells each pair's fold. Pair i stands on
    line i + 2 of the file."""

    left: tuple[tuple[str, int], ...]
    right: tuple[tuple[str, int], ...]
    same: NDArray[np.bool_]
    folds: NDArray[np.int32]


@dataclass(frozen=True)
class PicturePairs:
    """Pairs of pictures that a file holds itself: `pictures`, encoded, each once; `left` and `right`
    (n,) tell which of them a pair is; `same` and `folds` as above."""

    pictures: tuple[bytes, ...]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    same: NDArray[np.bool_]
    folds: NDArray[np.int32]


def holds_pictures(path: Path) -> bool:
    """Whether this is a `.bin` file, by its name or by its first byte. Raises UsageError where it
    cannot be read."""
    return path.suffix.lower() == ".bin" or _read_bytes(path, 1) == b"\x80"


def read_pair_list(path: Path) -> PairList:
    """Read a list in the layout of LFW's `pairs.txt`: "folds  pairs", then for each fold that
    many lines "name i j" (same) and as many "name i other j" (different), tab-separated. With a
    single number on its first line, as in `pairsDevTest.txt`, it is one fold.

    Raises UsageError that names the line.
    """
    try:
        lines = _read_bytes(path).decode("utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no list of pairs: it is no text", hint=_HINT) from error
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
            said = line if len(line) <= 80 else f"{line[:77]}…"
            raise UsageError(f"{path}:{number}: expected `name i j` or `name i other j`, found {said!r}") from None
    if len(left) != folds * pairs * 2:
        raise UsageError(f"{path}: {len(left)} pairs, its first line promises {folds * pairs * 2}")
    same = np.array([a[0] == b[0] for a, b in zip(left, right, strict=True)])
    return PairList(tuple(left), tuple(right), same, np.repeat(np.arange(folds, dtype=np.int32), pairs * 2))


def _parse_header(path: Path, lines: list[str]) -> tuple[int, int]:
    try:
        *folds, pairs = (int(part) for part in lines[0].split())
        (number,) = folds or [1]
    except (IndexError, ValueError):
        number = pairs = 0
    if number < 1 or pairs < 1:
        raise UsageError(
            f"{path}:1: expected two numbers, folds and pairs a fold, or one, the pairs", hint=_HINT
        ) from None
    return number, pairs


def read_picture_pairs(path: Path) -> PicturePairs:
    """Read a `.bin` file of InsightFace's (as of CFP-FP, AgeDB-30, CALFW and CPLFW): a pickle of a list
    of encoded pictures, two a pair, and a list that tells of each pair whether it is one person. Its
    ten folds are consecutive tenths of the pairs, the first ones larger by one where they must be.

    Nothing in the pickle is run. Raises UsageError that says what is wrong.
    """
    try:
        content = read_pickle(_read_bytes(path))
    except UnsafePickleError as error:
        raise UsageError(f"{path} is no file of pairs: {error}", hint=_HINT) from error
    wrong = _describe_problem(content)
    if wrong:
        raise UsageError(f"{path} is no file of pairs: {wrong}", hint=_HINT)
    pictures, said = content
    at: dict[bytes, int] = {}
    of = np.array([at.setdefault(picture, len(at)) for picture in pictures], dtype=np.intp)
    sizes = [len(part) for part in np.array_split(np.arange(len(said)), min(_FOLDS, len(said)))]
    folds = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    return PicturePairs(tuple(at), of[::2], of[1::2], np.array(said, dtype=np.bool_), folds)


def _describe_problem(content: object) -> str | None:
    """What is wrong with what a `.bin` file holds."""
    if not isinstance(content, list | tuple) or len(content) != 2 or not all(isinstance(p, list) for p in content):
        return "it should hold two lists, the pictures and which pairs are one person"
    pictures, said = content
    if not all(isinstance(picture, bytes) for picture in pictures):
        return "a picture in it is no bytes"
    if not all(isinstance(value, bool | int) and value in (0, 1) for value in said):
        return "whether a pair is one person is said by something else than yes or no"
    if not said or len(pictures) != 2 * len(said):
        return f"it holds {len(pictures)} pictures for {len(said)} pairs"
    return None


def _read_bytes(path: Path, most: int | None = None) -> bytes:
    """A file's bytes, or the first so many. Raises UsageError."""
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode) or (status.st_size > _MAX_FILE_SIZE and most is None):
                raise UsageError(f"{path} is no file of up to {_MAX_FILE_SIZE:,} bytes", hint=_HINT)
            return stream.read(-1 if most is None else most)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", hint=_HINT) from error
