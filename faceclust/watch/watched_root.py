"""Watch one root: change events or polling, until what has changed has settled."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from faceclust.progress import ShouldStop
from faceclust.text.plural import format_count
from faceclust.watch.folder_listings import FolderListings
from faceclust.watch.network_disks import find_network_disk
from faceclust.watch.settling import SettlingFolders

if TYPE_CHECKING:
    from faceclust.watch.change_events import ChangeEvents

#: Listing all folders takes at most one part in this many of the time.
_LISTING_TIME_RATIO = 20


class WatchedRoot:
    """Notices folders of a root whose photos have changed.

    `included` returns the folders of other programs (POSIX paths below the root) that scans visit, and `videos` whether
    scans look at videos. `settle`: seconds
    without a change. `intervals`: seconds between two looks at all folders, with events and without.
    `note` receives what is worth telling the user. `poll`: use no events.
    """

    def __init__(
        self,
        root: Path,
        included: Callable[[], Collection[str]],
        videos: Callable[[], bool],
        settle: float,
        intervals: tuple[float, float],
        note: Callable[[str], None],
        should_stop: ShouldStop,
        *,
        poll: bool,
    ) -> None:
        self._root, self._intervals, self._note, self._should_stop = root, intervals, note, should_stop
        self._listings, self._settling = FolderListings(root, included, videos), SettlingFolders(settle)
        self._events: ChangeEvents | None = None
        disk = None if poll else find_network_disk(root)
        self._uses_events = not poll and disk is None
        self._refresh()  # what a scan after this finds
        folders = format_count(len(self._listings.folders), "folder")
        self._note(f"watching {folders} of {root}")
        if disk:
            self._note(f"the disk is a network disk ({disk}): {self._describe_polling()}")
        self._open_events()
        self._next_refresh = 0.0  # finds what happened before the folders were watched

    def wait(self, seconds: float) -> set[str]:
        """Wait at most `seconds` for changes. Return the folders (POSIX paths below the root) that have settled."""
        if self._uses_events:
            self._open_events()
        hints = self._wait_for_hints(seconds)
        changed = self._listings.look_at(hints) if hints else set()
        if time.monotonic() >= self._next_refresh:
            changed |= self._refresh()
        if not hints and self._events is not None and not self._events.covers(self._listings.folders):
            self.close()
            self._open_events()
            changed |= self._refresh()  # what happened meanwhile, and before the new folders were watched
        now = time.monotonic()
        self._settling.add(changed, now)
        return self._settling.take(now, self._listings.check) if self._settling else set()

    def close(self) -> None:
        """Stop watching."""
        if self._events is not None:
            self._events.close()
            self._events = None

    def _refresh(self) -> set[str]:
        began = time.monotonic()
        changed = self._listings.refresh()
        now = time.monotonic()
        self._next_refresh = now + max(self._intervals[not self._uses_events], _LISTING_TIME_RATIO * (now - began))
        return changed

    def _open_events(self) -> None:
        if not self._uses_events or self._events is not None:
            return
        from faceclust.watch.change_events import ChangeEvents, NoEventsError  # loads watchfiles, and asyncio with it

        try:
            self._events = ChangeEvents(self._root, self._listings.folders)
        except FileNotFoundError:  # deleted since it was listed
            self._next_refresh = 0.0
        except NoEventsError as error:
            self._give_up_events(error)

    def _wait_for_hints(self, seconds: float) -> set[str]:
        if self._events is None:
            time.sleep(seconds)
            return set()
        from faceclust.watch.change_events import NoEventsError

        try:
            return self._events.wait(seconds, self._should_stop)
        except NoEventsError as error:
            self._give_up_events(error)
            return set()

    def _give_up_events(self, error: Exception) -> None:
        self.close()
        self._uses_events, self._next_refresh = False, 0.0
        self._note(f"no change events: {error}; {self._describe_polling()}")

    def _describe_polling(self) -> str:
        return f"looking for changes every {self._intervals[1]:g} s"
