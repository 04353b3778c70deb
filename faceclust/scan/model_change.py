"""Rescans after a change of models: their extent and duration."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

from faceclust.files.names import pack_of_cache_file
from faceclust.scan.folder import ScanFolder
from faceclust.store.folder_cache import UnusableCacheError, read_photo_names
from faceclust.store.home import LibraryHome
from faceclust.store.schema import stored_name
from faceclust.text.plural import format_count

#: The total time is estimated after this many photos or seconds, if at least as many are left.
ESTIMATE_AFTER_PHOTOS = 50
ESTIMATE_AFTER_SECONDS = 30.0


class ModelChangeReporter:
    """Notes what a change of models costs, if photos were scanned with other models only.

    One note at the start has their number. Another, after the first photos, estimates the time.
    """

    def __init__(
        self, home: LibraryHome, pack: str, folders: Sequence[ScanFolder], note: Callable[[str], None]
    ) -> None:
        self._note, self._done, self._has_reported, self._began = note, 0, False, time.monotonic()
        self._pending = sum(len(folder.pending) for folder in folders)
        scanned = _find_photos_of_other_packs(home, pack, folders)
        self._rescan_count = len(set[str]().union(*scanned.values()))
        if self._rescan_count:
            names = ", ".join(sorted(scanned))
            self._note(
                f"{self._rescan_count:,} photos scanned with {names} will be rescanned with {pack}; names stay with "
                f"their faces, and the results of {names} are kept"
            )

    def advance(self) -> None:
        """Count one more photo, and note the estimate when enough are done."""
        self._done += 1
        if self._has_reported or not self._rescan_count:
            return
        spent = time.monotonic() - self._began
        if self._done < ESTIMATE_AFTER_PHOTOS and spent < ESTIMATE_AFTER_SECONDS:
            return
        self._has_reported = True
        if self._rescan_count >= 2 * self._done:
            seconds = spent * self._pending / self._done
            self._note(
                f"all {self._pending:,} take {format_duration(seconds)}, at the pace of the first {self._done:,}"
            )


def _find_photos_of_other_packs(home: LibraryHome, pack: str, folders: Sequence[ScanFolder]) -> dict[str, set[str]]:
    """Return {pack name: pending photos in its caches} for photos that `pack` never scanned."""
    new = {folder.name: {stored_name(ref) for ref in folder.pending} - folder.cached_rows.keys() for folder in folders}
    scanned: dict[str, set[str]] = {}
    if not any(new.values()):
        return scanned
    for path, folder in home.cache_files():
        other = pack_of_cache_file(path.name)
        if not new.get(folder) or other is None or other == pack:
            continue
        with contextlib.suppress(UnusableCacheError):  # reported when that pack is used again
            if photos := {f"{folder}/{photo}" for photo in new[folder] & read_photo_names(path)}:
                scanned.setdefault(other, set()).update(photos)
    return scanned


def format_duration(seconds: float) -> str:
    """Format an estimate, e.g. "about 40 minutes", no more precise than an estimate can be."""
    if seconds < 55:
        return f"about {max(5, 5 * round(seconds / 5))} seconds"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {format_count(minutes, 'minute')}"
    return f"about {seconds / 3600:.0f} hours"
