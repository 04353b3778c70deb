"""Aligned faces of a RecordIO file as chips, decoded on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import CacheError, UsageError
from faceclust.evaluation.aligned_crops import decode_crop
from faceclust.evaluation.npz_files import read_npz
from faceclust.files.atomic import make_private_folder, write_private_atomically
from faceclust.files.user_folders import cache_folder
from faceclust.photos.errors import UndecodableError
from faceclust.progress import Progress
from faceclust.training.data.recordio import (
    INDEX_FILE,
    PROPERTY_FILE,
    RECORD_FILE,
    RecordFile,
    RecordTable,
    check_property,
    select_indexed,
)
from faceclust.types import UInt8
from faceclust.version import __version__
from faceclust.vision.align import cut_chips

DAMAGED = "damaged picture"
_KEY_SIZE = 16  # bytes
_PICTURES_AT_ONCE = 1024


class RecordChips:
    """The pictures of records, resized to `input_size` (width, height)."""

    def __init__(self, file: RecordFile, offsets: NDArray[np.uint64], input_size: tuple[int, int]) -> None:
        self._file, self._offsets, self._size = file, offsets, input_size

    def __len__(self) -> int:
        return len(self._offsets)

    def read(self, indices: NDArray[np.int64]) -> UInt8:
        """Return chips uint8 (n, h, w, 3) RGB. Raises UsageError if the file was changed since it was opened."""
        chips = np.empty((len(indices), self._size[1], self._size[0], 3), np.uint8)
        for chip, index in zip(chips, indices, strict=True):
            try:
                chip[:] = resize_aligned(decode_crop(self.read_picture(int(index))), self._size)
            except UndecodableError as error:
                raise UsageError(f"{self._file.path} was changed: {error}", hint="start again") from error
        return chips

    def read_picture(self, index: int) -> bytes:
        """Return the encoded picture."""
        return self._file.read_picture(int(self._offsets[index]))


class RecordNames(Sequence[str]):
    """The names of records for a user, made when they are needed."""

    def __init__(self, numbers: NDArray[np.uint32]) -> None:
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return RecordNames(self._numbers[index])
        return f"record {self._numbers[index]}"


def resize_aligned(pixels: UInt8, size: tuple[int, int]) -> UInt8:
    """Return an aligned face (H, W, 3) as a chip of another size (width, height): scaled by the height and centred, as
    alignment templates are; black beyond its edges."""
    if pixels.shape[1::-1] == size:
        return pixels
    scale = size[1] / pixels.shape[0]
    matrix = np.array([[scale, 0, (size[0] - pixels.shape[1] * scale) / 2], [0, scale, 0]])
    chip: UInt8 = cut_chips(pixels, [matrix], size)[0]
    return chip


@dataclass(frozen=True)
class Records:
    """The records of a file whose pictures can be decoded, and the digests uint8 (n, 16) of those pictures."""

    file: RecordFile
    table: RecordTable
    digests: NDArray[np.uint8]
    skipped: dict[str, int]


def read_records(folder: Path, progress: Progress) -> Records:
    """Read a folder with `train.rec`: all records are checked and all pictures decoded once.

    The result is cached for a file with the same path, size and time. Raises UsageError if a file is damaged.
    """
    file = RecordFile(folder / RECORD_FILE)
    path = cache_folder() / "training" / f"records-{_describe_files(folder)}.npz"
    if (cached := _read_cached(path, len(file))) is not None:
        return Records(file, *cached)
    table, digests = _check_records(file, folder, progress)
    has_picture = table.labels >= 0
    damaged = _find_damaged(file, table.offsets[has_picture], progress)
    kept = np.flatnonzero(has_picture)[~damaged]
    skipped = {DAMAGED: int(damaged.sum())} if damaged.any() else {}
    records = Records(file, table.take(kept), digests[kept], skipped)
    _write_cached(path, records)
    return records


def _check_records(file: RecordFile, folder: Path, progress: Progress) -> tuple[RecordTable, NDArray[np.uint8]]:
    digests = bytearray()

    def advance(size: int, picture: bytes) -> None:
        digests.extend(hashlib.blake2b(picture, digest_size=_KEY_SIZE).digest())
        progress.advance(size)

    progress.start("reading records", len(file), "bytes")
    try:
        everything = file.list_records(advance)
    finally:
        progress.finish()
    table = select_indexed(everything, folder / INDEX_FILE)
    check_property(table, folder / PROPERTY_FILE)
    rows = np.searchsorted(everything.offsets, table.offsets)
    return table, np.frombuffer(digests, np.uint8).reshape(-1, _KEY_SIZE)[rows]


def _find_damaged(file: RecordFile, offsets: NDArray[np.uint64], progress: Progress) -> NDArray[np.bool_]:
    """Decode the pictures at these offsets; return which cannot be decoded, (n,)."""

    def is_damaged(offset: int) -> bool:
        try:
            return decode_crop(file.read_picture(offset)).size == 0
        except UndecodableError:
            return True

    progress.start("checking pictures", len(offsets), "pictures")
    found: list[bool] = []
    try:
        with ThreadPoolExecutor() as threads:
            for start in range(0, len(offsets), _PICTURES_AT_ONCE):
                part = offsets[start : start + _PICTURES_AT_ONCE].tolist()
                found += threads.map(is_damaged, part)
                progress.advance(len(part))
    finally:
        progress.finish()
    return np.array(found, np.bool_)


def _describe_files(folder: Path) -> str:
    """Return a digest of the paths, sizes and times of the files."""
    digest = hashlib.blake2b(__version__.encode(), digest_size=_KEY_SIZE)
    for name in (RECORD_FILE, INDEX_FILE, PROPERTY_FILE):
        path = folder / name
        digest.update(f"\n{path.resolve()}".encode("utf-8", "surrogateescape"))
        if path.exists():
            status = path.stat()
            digest.update(f" {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()


def _read_cached(path: Path, size: int) -> tuple[RecordTable, NDArray[np.uint8], dict[str, int]] | None:
    try:
        found = read_npz(path, ["numbers", "offsets", "labels", "digests", "damaged"])
        table = RecordTable(*(found[name] for name in ("numbers", "offsets", "labels")))
        n = len(table.offsets)
        if table.labels.shape != (n,) or table.numbers.shape != (n,) or found["digests"].shape != (n, _KEY_SIZE):
            return None
        damaged = int(found["damaged"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return table, found["digests"], {DAMAGED: damaged} if damaged else {}


def _write_cached(path: Path, records: Records) -> None:
    arrays: dict[str, Any] = {
        "numbers": records.table.numbers,
        "offsets": records.table.offsets,
        "labels": records.table.labels,
    }
    arrays |= {"digests": records.digests, "damaged": np.array(records.skipped.get(DAMAGED, 0))}
    try:
        make_private_folder(path.parent)
        write_private_atomically(path, lambda stream: np.savez(stream, **arrays), durable=False)
    except CacheError:  # costs only another check
        return
