"""Photos that other models know already: what it means to look at them anew, and how long it takes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

from faceclust.files.names import pack_of_cache_file
from faceclust.scan.folder import ScanFolder
from faceclust.store.folder_cache import UnusableCacheError, read_photo_names
from faceclust.store.home import LibraryHome
from faceclust.store.schema import stored_name

#: Photos, or seconds, by whose pace the time for all is told: where as much again is left at least.
ESTIMATE_AFTER_PHOTOS = 50
ESTIMATE_AFTER_SECONDS = 30.0


class ModelChangeReporter:
    """Says what a change of models costs: at the start, and, once the first photos are done, how
    long it takes. Says nothing where no photo is known by others alone."""

    def __init__(
        self, home: LibraryHome, pack: str, folders: Sequence[ScanFolder], note: Callable[[str], None]
    ) -> None:
        self._note, self._done, self._has_reported, self._began = note, 0, False, time.monotonic()
        self._waiting = sum(len(folder.pending) for folder in folders)
        new = {one.name: {stored_name(ref) for ref in one.pending} - one.cached_rows.keys() for one in folders}
        known: dict[str, set[str]] = {}
        for path, folder in home.cache_files() if any(new.values()) else []:
            if new.get(folder) and (name := pack_of_cache_file(path.name)) not in (None, pack):
                with contextlib.suppress(UnusableCacheError):  # for a scan with these models to tell
                    found = {f"{folder}/{photo}" for photo in new[folder] & read_photo_names(path)}
                    known.setdefault(str(name), set()).update(found)
        self._rescan_count = len(set[str]().union(*known.values()))
        if self._rescan_count:
            names = ", ".join(sorted(name for name, photos in known.items() if photos))
            self._note(
                f"{self._rescan_count:,} photos known by the models {names} are looked at anew by {pack}; names "
                f"stay with "
                f"their faces, and what {names} found is kept"
            )

    def advance(self) -> None:
        """One more photo is done."""
        self._done += 1
        spent = time.monotonic() - self._began
        if (
            self._has_reported
            or not self._rescan_count
            or (self._done < ESTIMATE_AFTER_PHOTOS and spent < ESTIMATE_AFTER_SECONDS)
        ):
            return
        self._has_reported = True
        if self._rescan_count >= 2 * self._done:
            seconds = spent * self._waiting / self._done
            self._note(
                f"all {self._waiting:,} take {format_duration(seconds)}, at the pace of the first {self._done:,}"
            )


def format_duration(seconds: float) -> str:
    """ "about 40 minutes"; no more exactly than a forecast can be."""
    if seconds < 55:
        return f"about {max(5, 5 * round(seconds / 5))} seconds"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} minute{'' if minutes == 1 else 's'}"
    return f"about {seconds / 3600:.0f} hours"
