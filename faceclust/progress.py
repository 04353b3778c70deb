"""Progress of long runs: the library reports it, the command line shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """An observer of a long run. All methods are called from the main thread."""

    def start(self, stage: str, total: int | None, unit: str = "") -> None:
        """Start a stage, named in words for a user.

        `total`: number of steps, None if unknown. `unit`: plural noun of a step, if its rate is worth
        showing.
        """

    def advance(self, steps: int = 1, **counts: int | str) -> None:
        """Finish `steps` more steps. `counts`: running figures worth showing, e.g. faces=12 or loss="3.21"."""

    def note(self, message: str) -> None:
        """Pass on a message for the user, such as a cache that had to be set aside."""

    def finish(self) -> None:
        """End the stage."""


class SilentProgress:
    """Ignores all progress. The default."""

    def start(self, stage: str, total: int | None, unit: str = "") -> None: ...

    def advance(self, steps: int = 1, **counts: int | str) -> None: ...

    def note(self, message: str) -> None: ...

    def finish(self) -> None: ...


#: Called between photos. True ends a scan once the photos in progress are finished.
ShouldStop = Callable[[], bool]
