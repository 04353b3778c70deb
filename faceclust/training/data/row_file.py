"""A growing file of rows of equal size in the user's cache folder, each found by its key."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import CacheError
from faceclust.files.atomic import make_private_folder
from faceclust.files.lock import acquire_if_supported, open_lock_file
from faceclust.files.own_files import open_own, stat_own, translate_os_errors
from faceclust.files.user_folders import cache_folder
from faceclust.progress import Progress

KEY_SIZE = 16  # bytes
_FULL_HINT = "free space on that disk, delete that folder, or set XDG_CACHE_HOME to a folder on a larger one"


class RowFile:
    """Rows of the type `row`, measured with the same settings, in two files: their keys and the rows themselves.

    A row counts once its key is written, after the row: what an interrupted run leaves half-written is overwritten by
    the next one. Rows are never changed. `settings` is everything besides the key that rows depend on.
    """

    def __init__(self, name: str, settings: str, row: np.dtype[Any]) -> None:
        digest = hashlib.blake2b(f"{settings} {row!r}".encode(), digest_size=KEY_SIZE).hexdigest()
        self.folder = cache_folder() / "training" / f"{name}-{digest}"
        self._row, self._keys_path, self._rows_path = row, self.folder / "keys", self.folder / "rows"

    def _count(self) -> int:
        with translate_os_errors():
            sizes = [0 if (status := stat_own(path)) is None else status.st_size for path in self._paths]
        return min(sizes[0] // KEY_SIZE, sizes[1] // self._row.itemsize)

    @property
    def _paths(self) -> tuple[Any, ...]:
        return self._keys_path, self._rows_path

    def find(self, keys: Collection[bytes]) -> dict[bytes, int]:
        """Return the position of the row of each key that has one."""
        count = self._count()
        if not count:
            return {}
        with translate_os_errors(), os.fdopen(open_own(self._keys_path), "rb") as stream:
            content = stream.read(count * KEY_SIZE)
        found = {}
        for place in range(len(content) // KEY_SIZE):
            key = content[place * KEY_SIZE : (place + 1) * KEY_SIZE]
            if key in keys:
                found[key] = place
        return found

    def rows(self) -> NDArray[Any]:
        """Return all rows (n,), mapped from the file."""
        count = self._count()
        if not count:
            return np.empty(0, self._row)
        with translate_os_errors(), os.fdopen(open_own(self._rows_path), "rb") as stream:
            return np.memmap(stream, self._row, "r", shape=(count,))

    def append(self, rows: Mapping[bytes, NDArray[Any]]) -> None:
        """Add rows of new keys; the lock is held. Raises CacheError if they cannot be written."""
        count = self._count()
        contents = b"".join(np.asarray(row, self._row.base).tobytes() for row in rows.values()), b"".join(rows)
        make_private_folder(self.folder)
        for path, content, size in zip(reversed(self._paths), contents, (self._row.itemsize, KEY_SIZE), strict=True):
            try:
                with os.fdopen(open_own(path, os.O_RDWR | os.O_CREAT, single_link=True), "r+b") as stream:
                    stream.seek(count * size)
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
            except OSError as error:
                raise CacheError(f"{path} cannot be written: {error.strerror or error}", hint=_FULL_HINT) from error

    def require_space(self, count: int) -> None:
        """Raise CacheError if the disk has no space for `count` more rows."""
        needed = count * (self._row.itemsize + KEY_SIZE)
        free = shutil.disk_usage(make_private_folder(self.folder)).free
        if needed > free:
            raise CacheError(
                f"the chips need {needed / 1e6:,.1f} MB in {self.folder}, where {free / 1e6:,.1f} MB are free",
                hint=_FULL_HINT,
            )

    @contextmanager
    def lock(self, progress: Progress) -> Iterator[None]:
        """Keep other runs from adding rows; wait while one does."""
        path = make_private_folder(self.folder) / "lock"
        try:
            descriptor = open_lock_file(path)
        except OSError as error:
            raise CacheError(f"{path} cannot be opened: {error.strerror or error}", hint=_FULL_HINT) from error
        try:
            try:
                acquire_if_supported(descriptor)
            except TimeoutError:
                progress.note("another run prepares the same kind of chips: waiting until it is done")
                acquire_if_supported(descriptor, math.inf)
            yield
        finally:
            os.close(descriptor)
