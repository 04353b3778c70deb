"""One folder in a scan: what is known of its photos, and saving what is found."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from itertools import chain

from faceclust.errors import CacheError
from faceclust.scan.crawl import PhotoFolder
from faceclust.scan.examine import ScanSettings
from faceclust.scan.result import ScanResult
from faceclust.store.folder_cache import FolderCache
from faceclust.store.home import LibraryHome
from faceclust.store.scan_snapshot import FolderSnapshot, file_stamp
from faceclust.store.schema import CachedPhoto, stored_name
from faceclust.types import TRANSIENT_REASONS, PhotoRef, ScannedPhoto, SkippedPhoto, SkipReason

#: Saving takes a part of the time at most: 1 in this many.
_SAVE_TIME_RATIO = 5


class ScanFolder:
    """`known` photos are unchanged, `waiting` ones are to be looked at, `done` ones are not saved
    yet; `removed` are the rows of photos that are gone. `was`: the precision of the embeddings in the
    cache, where they are to get another one. `settled`: nothing is to be tried again."""

    def __init__(
        self,
        home: LibraryHome,
        photo_folder: PhotoFolder,
        cache: FolderCache,
        rows: dict[str, CachedPhoto],
        settings: ScanSettings,
    ) -> None:
        """`rows`: what the cache has, by file name. Photos that were looked at less closely than by
        `look` are waiting too."""
        self.home, self.photo_folder, self.cache, self.cached_rows = home, photo_folder, cache, rows
        self._settings = settings
        self.unchanged = [ref for ref in photo_folder.photos if self._is_up_to_date(ref)]
        self.pending = set(photo_folder.photos).difference(self.unchanged)
        self.removed = rows.keys() - {stored_name(ref) for ref in photo_folder.photos}
        self.unsaved: dict[PhotoRef, ScannedPhoto | SkippedPhoto] = {}
        self.is_complete = not photo_folder.has_unreadable_files
        self.previous_precision = cache.stored_precision if cache.changes_precision else None
        self._next_save = 0.0

    @property
    def name(self) -> str:
        """POSIX path below the root, "" for the root."""
        return self.photo_folder.rel_path

    def add(self, listed: PhotoRef, photo: ScannedPhoto | SkippedPhoto) -> None:
        """Take what was found for the photo listed so."""
        self.pending.discard(listed)
        if isinstance(photo, SkippedPhoto) and self._was_scanned(listed):
            # What a closer look could not do takes nothing from what is known.
            self.unchanged.append(listed)
            return
        if self._settings.min_face and isinstance(photo, SkippedPhoto) and photo.reason is SkipReason.TOO_SLOW:
            self.is_complete = False  # without such small faces it may do
            return
        self.unsaved[photo.ref] = photo
        if isinstance(photo, SkippedPhoto) and photo.reason in TRANSIENT_REASONS:
            self.is_complete = False
        if photo.ref != listed:  # replaced since it was listed: so is what the listing says
            self.is_complete = False

    def to_snapshot(self) -> FolderSnapshot:
        """What the next scan may know it by, once all is saved."""
        path = self.cache.existing_path
        return FolderSnapshot(
            self.photo_folder.listing.digest, len(self.photo_folder.photos), file_stamp(path) if path else None
        )

    def save(self, result: ScanResult, note: Callable[[str], None], *, force: bool = True) -> None:
        """Write what is done. Not `at_once`: only where that is not too often for a large folder.
        Raises CacheError where the disk is full or gone; other trouble is noted."""
        if not (self.unsaved or self.removed or self.previous_precision):
            return
        now = time.monotonic()
        if not force and now < self._next_save:
            return
        if self.unsaved and not self._photos_exist():
            # Its disk was unmounted, say: a file left in the bare mount point would hide.
            if not os.path.isdir(self.home.home):
                raise CacheError(f"{self.home.root} is gone; what was saved is on it", hint="is its disk mounted?")
            note(f"{self.home.root / self.name}: its photos are gone, nothing is saved there")
            return
        began = time.process_time()
        try:
            self.cache.update(self.unchanged, self.unsaved)
        except CacheError as error:
            if getattr(error.__cause__, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise
            # One folder that cannot be written to is no reason to leave the others.
            note(str(error))
            return
        self.unchanged += self.unsaved
        self.unsaved, self.removed = {}, set()
        result.converted += self.previous_precision is not None
        self.previous_precision = None
        result.add_stage_seconds({"write": time.process_time() - began})
        self._next_save = time.monotonic() + _SAVE_TIME_RATIO * (time.monotonic() - now)

    def _is_up_to_date(self, ref: PhotoRef) -> bool:
        row = self.cached_rows.get(stored_name(ref))
        if row is None or not _matches_photo(row, ref):
            return False
        return row.photo_hash is None or self._settings.is_satisfied_by(row.min_face, row.long_side)

    def _was_scanned(self, ref: PhotoRef) -> bool:
        row = self.cached_rows.get(stored_name(ref))
        return row is not None and row.photo_hash is not None and _matches_photo(row, ref)

    def _photos_exist(self) -> bool:
        # Asked of the photos, since some network file systems give a folder a new number now and then.
        return any(os.path.lexists(self.home.root / ref.rel_path) for ref in chain(self.unsaved, self.unchanged))


def _matches_photo(row: CachedPhoto, ref: PhotoRef) -> bool:
    """Whether the row is of the photo as it is now, and not of a reason that may have passed."""
    return (row.size, row.mtime_ns) == (ref.size, ref.mtime_ns) and row.status not in TRANSIENT_REASONS
