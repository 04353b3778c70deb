"""The state of one folder during a scan, and saving its results."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Collection, Mapping
from itertools import chain

from faceclust.errors import CacheError
from faceclust.files.safe_paths import is_absolute_posix, lstat_if_present
from faceclust.scan.crawl import PhotoFolder
from faceclust.scan.earlier_faces import keep_earlier_faces
from faceclust.scan.examine import ScanSettings
from faceclust.scan.result import ScanResult
from faceclust.store.folder_cache import FolderCache, UnusableCacheError
from faceclust.store.home import LibraryHome
from faceclust.store.scan_snapshot import FolderSnapshot, file_stamp
from faceclust.store.schema import CachedPhoto, stored_name
from faceclust.types import TRANSIENT_REASONS, Metadata, PhotoRef, ScannedPhoto, SkippedPhoto, SkipReason

#: Saving takes at most one part in this many of the time.
_SAVE_TIME_RATIO = 5


class ScanFolder:
    """One folder's photos by state: unchanged, pending, examined but unsaved, removed.

    `removed` has the cache rows of missing photos. `previous_precision`: precision of the cached
    embeddings if it is to change. `is_complete`: the next scan need not try anything again. `save_failed`:
    the cache could not be written.
    """

    def __init__(
        self,
        home: LibraryHome,
        photo_folder: PhotoFolder,
        cache: FolderCache,
        rows: dict[str, CachedPhoto],
        settings: ScanSettings,
    ) -> None:
        """`rows`: the cached rows by file name. Photos that were examined less closely than
        `settings` ask for are pending, too."""
        self.home, self.photo_folder, self.cache, self.cached_rows = home, photo_folder, cache, rows
        self._settings = settings
        self.unchanged = [ref for ref in photo_folder.photos if self._is_up_to_date(ref)]
        self.pending = set(photo_folder.photos).difference(self.unchanged)
        self.removed = rows.keys() - {stored_name(ref) for ref in photo_folder.photos}
        self.unsaved: dict[PhotoRef, ScannedPhoto | SkippedPhoto] = {}
        self._new_hashes: dict[PhotoRef, str] = {}
        self.is_complete = True
        self.previous_precision = cache.stored_precision if cache.changes_precision else None
        #: The cache lies beside photos on another disk: once it is copied to the home, the faces stay known without
        #: that disk.
        self._has_cache_elsewhere = is_absolute_posix(self.name) and cache.existing_path in cache.paths.protected_paths
        self.save_failed = False
        self._next_save = 0.0

    @property
    def name(self) -> str:
        """POSIX path below the root, "" for the root."""
        return self.photo_folder.rel_path

    def add(self, listed: PhotoRef, photo: ScannedPhoto | SkippedPhoto) -> None:
        """Take the result of the photo that was listed as `listed`."""
        self.pending.discard(listed)
        if isinstance(photo, SkippedPhoto) and self._was_scanned(listed):
            # A failed closer look must not replace an earlier result.
            self.unchanged.append(listed)
            return
        if self._settings.min_face and isinstance(photo, SkippedPhoto) and photo.reason is SkipReason.TOO_SLOW:
            self.is_complete = False  # it may be fast enough without such small faces
            return
        self.unsaved[photo.ref] = photo
        if isinstance(photo, ScannedPhoto):
            self._new_hashes[photo.ref] = photo.content_hash
        if isinstance(photo, SkippedPhoto) and photo.reason in TRANSIENT_REASONS:
            self.is_complete = False
        if photo.ref != listed:  # the file was replaced after it was listed
            self.is_complete = False

    def hash_of(self, ref: PhotoRef) -> str | None:
        """Return the content hash of an unchanged or examined photo, None if it was skipped."""
        row = self.cached_rows.get(stored_name(ref))
        return self._new_hashes.get(ref) or (row.photo_hash if row else None)

    def to_snapshot(self) -> FolderSnapshot:
        """Return the snapshot by which the next scan recognises the folder, once everything is saved."""
        path = self.cache.existing_path
        return FolderSnapshot(
            self.photo_folder.listing.digest, len(self.photo_folder.photos), file_stamp(path) if path else None
        )

    def save(self, result: ScanResult, note: Callable[[str], None], *, force: bool = True) -> None:
        """Write the examined photos to the cache.

        Without `force`, a large folder is not written too often. Raises CacheError if the disk is
        full or gone; other failures are noted.
        """
        if not (self.unsaved or self.removed or self.previous_precision or self._has_cache_elsewhere):
            return
        now = time.monotonic()
        if not force and now < self._next_save:
            return
        if self.unsaved and not self._photos_exist():
            self._report_missing_photos(note)
            return
        began = time.process_time()
        self.save_failed = not self._update_cache(note)
        if self.save_failed:
            return
        self.unchanged += self.unsaved
        self.unsaved, self.removed, self._has_cache_elsewhere = {}, set(), False
        result.converted += self.previous_precision is not None
        self.previous_precision = None
        result.add_stage_seconds({"write": time.process_time() - began})
        self._next_save = time.monotonic() + _SAVE_TIME_RATIO * (time.monotonic() - now)

    def _report_missing_photos(self, note: Callable[[str], None]) -> None:
        # After an unmount, a file written to the bare mount point would be hidden by the next mount.
        if not self.home.exists():
            raise CacheError(f"{self.home.root} is gone, with the scan's results", hint="is its disk mounted?")
        note(f"{self.home.root / self.name}: its photos are gone, so nothing is saved there")

    def set_dates(self, dates: Mapping[str, Metadata], note: Callable[[str], None]) -> bool:
        """Write dates of unchanged photos, by name, as `save` does; return whether that worked."""
        return self._write_cache(lambda: self.cache.set_dates(dates), note)

    def _update_cache(self, note: Callable[[str], None]) -> bool:
        self._keep_earlier_faces()
        return self._write_cache(lambda: self.cache.update(self.unchanged, self.unsaved), note)

    def _keep_earlier_faces(self) -> None:
        """Add the faces that an earlier scan of the same contents found, or the user drew."""
        rescanned = {
            stored_name(ref): ref
            for ref, photo in self.unsaved.items()
            if isinstance(photo, ScannedPhoto)
            and (row := self.cached_rows.get(stored_name(ref)))
            and row.photo_hash == photo.content_hash
        }
        for before in self.cache.photos(rescanned) if rescanned else ():
            ref = rescanned[before.ref.name]
            photo = self.unsaved[ref]
            if isinstance(photo, ScannedPhoto) and photo.content_hash == before.content_hash:
                self.unsaved[ref] = keep_earlier_faces(photo, before)

    def add_faces(self, photos: Collection[ScannedPhoto], note: Callable[[str], None]) -> None:
        """Write faces that saved photos lack, as `save` does."""
        try:
            is_written = self._write_cache(lambda: self.cache.add_faces(photos), note)
        except UnusableCacheError as error:
            note(f"{error}; faces drawn by hand are left out")
            is_written = False
        self.is_complete &= is_written

    def _write_cache(self, write: Callable[[], None], note: Callable[[str], None]) -> bool:
        """Write the cache and return whether that worked. Raises CacheError if the disk is full."""
        try:
            write()
        except CacheError as error:
            if getattr(error.__cause__, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise
            note(str(error))  # other folders may still be writable
            return False
        return True

    def _is_up_to_date(self, ref: PhotoRef) -> bool:
        row = self.cached_rows.get(stored_name(ref))
        if row is None or not _matches_photo(row, ref):
            return False
        return row.photo_hash is None or self._settings.is_satisfied_by(row.min_face, row.full_size)

    def _was_scanned(self, ref: PhotoRef) -> bool:
        row = self.cached_rows.get(stored_name(ref))
        return row is not None and row.photo_hash is not None and _matches_photo(row, ref)

    def _photos_exist(self) -> bool:
        # Look for photos instead of comparing inodes, which some network file systems change.
        return any(lstat_if_present(str(self.home.root / ref.rel_path)) for ref in chain(self.unsaved, self.unchanged))


def _matches_photo(row: CachedPhoto, ref: PhotoRef) -> bool:
    """Return whether the row describes the file's present state, with a reason that is not transient."""
    return (row.size, row.mtime_ns) == (ref.size, ref.mtime_ns) and row.status not in TRANSIENT_REASONS
