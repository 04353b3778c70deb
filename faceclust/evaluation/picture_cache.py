"""Measurements of pictures, cached in the user's cache folder."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import CacheError
from faceclust.evaluation.degradations import Degradation
from faceclust.evaluation.main_face_finder import Picture
from faceclust.evaluation.npz_files import read_npz
from faceclust.files.atomic import make_private_folder, write_private_atomically
from faceclust.files.user_folders import cache_folder

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

_PICTURES_PER_FILE = 256  # an interrupted run loses nothing; one that is killed loses at most so many
_KEY_SIZE = 16  # bytes


def picture_key(picture: Picture, degradation: Degradation | None) -> bytes:
    """Return a digest that identifies a picture and its degradation.

    A file counts by its path, size and time stamp, a picture held in memory by its bytes, and a
    degradation by its repr.
    """
    digest = hashlib.blake2b(repr(degradation).encode(), digest_size=_KEY_SIZE)
    if isinstance(picture, bytes):
        digest.update(b"\n" + picture)
        return digest.digest()
    with contextlib.suppress(OSError):
        status = picture.stat()
        digest.update(f"\n{status.st_size} {status.st_mtime_ns}".encode())
    digest.update(f"\n{picture.resolve()}".encode("utf-8", "surrogateescape"))
    return digest.digest()


class PictureCache(Generic[T]):
    """One value of the dataclass `kind` for each picture, measured with the same settings.

    The fields of `kind` are arrays of equal length, such as the faces of a picture. `settings` is
    everything else that the values depend on. A damaged file counts as missing, and a full disk
    costs only another measurement.
    """

    def __init__(self, kind: type[T], settings: str) -> None:
        digest = hashlib.blake2b(settings.encode(), digest_size=_KEY_SIZE).hexdigest()
        self._kind = kind
        self._names = [field.name for field in fields(kind)]
        self._folder = cache_folder() / "measured" / f"{kind.__name__.lower()}-{digest}"
        self._unwritten: dict[bytes, T] = {}

    def read(self, keys: Collection[bytes]) -> dict[bytes, T]:
        """Return the cached values of the pictures with these keys."""
        found: dict[bytes, T] = {}
        for path in sorted(self._folder.glob("*.npz")):
            if len(found) == len(keys):
                break
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                found |= self._parse_values(read_npz(path, ["keys", "ends", *self._names]), keys)
        return found

    def _parse_values(self, arrays: dict[str, NDArray[Any]], keys: Collection[bytes]) -> dict[bytes, T]:
        columns, ends = [arrays[name] for name in self._names], arrays["ends"].tolist()
        values = {}
        for row, start, end in zip(arrays["keys"], [0, *ends], ends, strict=False):
            if (key := row.tobytes()) in keys:
                values[key] = self._kind(*(column[start:end] for column in columns))
        return values

    def add(self, key: bytes, value: T) -> None:
        """Add the value of a picture. It is written with others; `flush` writes the last ones."""
        self._unwritten[key] = value
        if len(self._unwritten) == _PICTURES_PER_FILE:
            self.flush()

    def flush(self) -> None:
        """Write the values that are not written yet."""
        if not self._unwritten:
            return
        keys, values = b"".join(self._unwritten), list(self._unwritten.values())
        columns = {name: [getattr(value, name) for value in values] for name in self._names}
        arrays: dict[str, Any] = {name: np.concatenate(column) for name, column in columns.items()}
        arrays["keys"] = np.frombuffer(keys, np.uint8).reshape(-1, _KEY_SIZE)
        arrays["ends"] = np.cumsum([len(value) for value in columns[self._names[0]]])
        self._unwritten = {}
        path = self._folder / f"{hashlib.blake2b(keys, digest_size=_KEY_SIZE).hexdigest()}.npz"
        with contextlib.suppress(CacheError):
            make_private_folder(self._folder)
            write_private_atomically(path, lambda stream: np.savez(stream, **arrays), durable=False)
