"""Collect changed folders until no more changes come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

#: A folder in which changes never end is taken after this many times the settling time.
MAX_WAIT_RATIO = 6


@dataclass
class _Pending:
    first_change: float
    last_change: float


class SettlingFolders:
    """Folders that have changed, until they have settled: nothing has changed in them for `settle` seconds.

    Times are those of a monotonic clock, in seconds.
    """

    def __init__(self, settle: float) -> None:
        self._settle, self._max_wait = settle, MAX_WAIT_RATIO * settle
        self._pending: dict[str, _Pending] = {}

    def __bool__(self) -> bool:
        return bool(self._pending)

    def add(self, folders: Iterable[str], now: float) -> None:
        """Record that something has changed in these folders."""
        for folder in folders:
            self._pending.setdefault(folder, _Pending(now, now)).last_change = now

    def take(self, now: float, recheck: Callable[[set[str]], set[str]]) -> set[str]:
        """Return and remove the folders to process now; none while changes go on elsewhere, within limits.

        Folders wait for each other, so that a copy of many folders is one batch. `recheck` lists folders again and
        returns those that changed nevertheless, as a disk may not report each change.
        """
        self.add(recheck({name for name, one in self._pending.items() if self._is_quiet(one, now)}), now)
        settled = {name for name, one in self._pending.items() if self._is_quiet(one, now)}
        overdue = {name for name, one in self._pending.items() if now - one.first_change >= self._max_wait}
        if not overdue and len(settled) < len(self._pending):
            return set()
        due = settled | overdue
        for name in due:
            del self._pending[name]
        return due

    def _is_quiet(self, one: _Pending, now: float) -> bool:
        return now - one.last_change >= self._settle
