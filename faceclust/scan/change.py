"""Photos that other models know already: what it means to look at them anew, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from faceclust.conventions import pack_of
from faceclust.scan.folder import ScanFolder
from faceclust.store.home import LibraryHome

#: Photos by whose pace the time for all is told: told of twice as many at least.
FIRST = 50


class ModelChange:
    """Says what a change of models costs: at the start, and, once the first photos are done, how
    long it takes. Says nothing where no photo is known by others alone."""

    def __init__(
        self, home: LibraryHome, pack: str, folders: Sequence[ScanFolder], note: Callable[[str], None]
    ) -> None:
        self._note, self._done, self._began = note, 0, time.monotonic()
        self._waiting = sum(len(folder.waiting) for folder in folders)
        new = {folder.name: len(folder.waiting) for folder in folders if not folder.rows and folder.waiting}
        files = home.cache_files() if new else []
        others = {(folder, name) for path, folder in files if (name := pack_of(path.name)) not in (None, pack)}
        self._anew = sum(new[folder] for folder in {folder for folder, _ in others} if folder in new)
        if self._anew:
            known = ", ".join(sorted({name for folder, name in others if folder in new}))
            self._note(
                f"{self._anew:,} photos known by the models {known} are looked at anew by {pack}; names stay with "
                f"their faces, and what {known} found is kept"
            )

    def advance(self) -> None:
        """One more photo is done."""
        self._done += 1
        if self._done == FIRST and self._anew >= 2 * FIRST:
            seconds = (time.monotonic() - self._began) * self._waiting / FIRST
            self._note(f"all {self._waiting:,} take {in_words(seconds)}, at the pace of the first {FIRST}")


def in_words(seconds: float) -> str:
    """ "about 40 minutes"; no more exactly than a forecast can be."""
    if seconds < 55:
        return f"about {max(5, 5 * round(seconds / 5))} seconds"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} minute{'' if minutes == 1 else 's'}"
    return f"about {seconds / 3600:.0f} hours"
