"""How long work tells where it is; the command line draws it, the library only calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Told of each step of a long run. Every method may be called from the main thread only."""

    def start(self, stage: str, total: int | None, unit: str = "") -> None:
        """A stage begins: `what` in words for a user, `total` steps where that is known, and
        what a step is, in the plural, where the rate is worth telling."""

    def advance(self, steps: int = 1, **counts: int) -> None:
        """`steps` more are done; `counts` are running totals worth showing, e.g. faces=12."""

    def note(self, message: str) -> None:
        """Something the user should read, such as a cache that had to be set aside."""

    def finish(self) -> None:
        """The stage is over."""


class SilentProgress:
    """The default: says nothing."""

    def start(self, stage: str, total: int | None, unit: str = "") -> None: ...

    def advance(self, steps: int = 1, **counts: int) -> None: ...

    def note(self, message: str) -> None: ...

    def finish(self) -> None: ...


#: Asked between photos: True ends a scan after the photos in hand.
ShouldStop = Callable[[], bool]
