"""One folder in a scan: what is known of its photos, and saving what is found."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from itertools import chain

from faceclust.errors import CacheError
from faceclust.scan.crawl import PhotoFolder
from faceclust.scan.examine import Look
from faceclust.scan.result import ScanResult
from faceclust.store.folder_cache import FolderCache
from faceclust.store.home import LibraryHome
from faceclust.store.scan_snapshot import SeenFolder, file_stamp
from faceclust.store.schema import KnownPhotoRow, stored_name
from faceclust.types import PASSING_REASONS, PhotoRef, ScannedPhoto, SkippedPhoto, SkipReason

#: Saving takes a part of the time at most: 1 in this many.
_SHARE = 5


class ScanFolder:
    """`known` photos are unchanged, `waiting` ones are to be looked at, `done` ones are not saved
    yet; `removed` are the rows of photos that are gone. `was`: the precision of the embeddings in the
    cache, where they are to get another one. `settled`: nothing is to be tried again."""

    def __init__(
        self,
        home: LibraryHome,
        found: PhotoFolder,
        cache: FolderCache,
        rows: dict[str, KnownPhotoRow],
        look: Look,
    ) -> None:
        """`rows`: what the cache has, by file name. Photos that were looked at less closely than by
        `look` are waiting too."""
        self.home, self.found, self.cache, self.rows = home, found, cache, rows
        self._look = look
        self.known = [ref for ref in found.photos if self._is_settled(ref)]
        self.waiting = set(found.photos).difference(self.known)
        self.removed = rows.keys() - {stored_name(ref) for ref in found.photos}
        self.done: dict[PhotoRef, ScannedPhoto | SkippedPhoto] = {}
        self.settled = not found.unread
        self.was = cache.precision if cache.is_converted else None
        self._next_save = 0.0

    @property
    def name(self) -> str:
        """POSIX path below the root, "" for the root."""
        return self.found.rel_path

    def add(self, listed: PhotoRef, photo: ScannedPhoto | SkippedPhoto) -> None:
        """Take what was found for the photo listed so."""
        self.waiting.discard(listed)
        if isinstance(photo, SkippedPhoto) and self._was_looked_at(listed):
            # What a closer look could not do takes nothing from what is known.
            self.known.append(listed)
            return
        if self._look.min_face and isinstance(photo, SkippedPhoto) and photo.reason is SkipReason.TOO_SLOW:
            self.settled = False  # without such small faces it may do
            return
        self.done[photo.ref] = photo
        if isinstance(photo, SkippedPhoto) and photo.reason in PASSING_REASONS:
            self.settled = False
        if photo.ref != listed:  # replaced since it was listed: so is what the listing says
            self.settled = False

    def as_seen(self) -> SeenFolder:
        """What the next scan may know it by, once all is saved."""
        path = self.cache.existing
        return SeenFolder(self.found.listing.digest, len(self.found.photos), file_stamp(path) if path else None)

    def save(self, result: ScanResult, note: Callable[[str], None], *, at_once: bool = True) -> None:
        """Write what is done. Not `at_once`: only where that is not too often for a large folder.
        Raises CacheError where the disk is full or gone; other trouble is noted."""
        if not (self.done or self.removed or self.was):
            return
        now = time.monotonic()
        if not at_once and now < self._next_save:
            return
        if self.done and not self._is_there():
            # Its disk was unmounted, say: a file left in the bare mount point would hide.
            if not os.path.isdir(self.home.home):
                raise CacheError(f"{self.home.root} is gone; what was saved is on it", hint="is its disk mounted?")
            note(f"{self.home.root / self.name}: its photos are gone, nothing is saved there")
            return
        began = time.process_time()
        try:
            self.cache.update(self.known, self.done)
        except CacheError as error:
            if getattr(error.__cause__, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise
            # One folder that cannot be written to is no reason to leave the others.
            note(str(error))
            return
        self.known += self.done
        self.done, self.removed = {}, set()
        result.converted += self.was is not None
        self.was = None
        result.add_seconds({"write": time.process_time() - began})
        self._next_save = time.monotonic() + _SHARE * (time.monotonic() - now)

    def _is_settled(self, ref: PhotoRef) -> bool:
        row = self.rows.get(stored_name(ref))
        if row is None or not _is_of(row, ref):
            return False
        return row.photo_hash is None or self._look.is_enough(row.min_face, row.long_side)

    def _was_looked_at(self, ref: PhotoRef) -> bool:
        row = self.rows.get(stored_name(ref))
        return row is not None and row.photo_hash is not None and _is_of(row, ref)

    def _is_there(self) -> bool:
        # Asked of the photos, since some network file systems give a folder a new number now and then.
        return any(os.path.lexists(self.home.root / ref.rel_path) for ref in chain(self.done, self.known))


def _is_of(row: KnownPhotoRow, ref: PhotoRef) -> bool:
    """Whether the row is of the photo as it is now, and not of a reason that may have passed."""
    return (row.size, row.mtime_ns) == (ref.size, ref.mtime_ns) and row.status not in PASSING_REASONS
