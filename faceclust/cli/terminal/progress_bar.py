"""The progress bar on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class ProgressBar:
    """A bar on stderr, from its creation until `stop`."""

    def __init__(self, stage: str, total: int | None, *, in_bytes: bool) -> None:
        amounts: list[ProgressColumn] = (
            [DownloadColumn(), TransferSpeedColumn()]
            if in_bytes
            else [MofNCompleteColumn(), TextColumn("{task.fields[extra]}", markup=False)]
        )
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            *amounts,
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._progress.start()
        self._task = self._progress.add_task(stage, total=total, extra="")

    def advance(self, steps: int, counts: str) -> None:
        """Move on by `steps`, and show `counts` beside the bar."""
        self._progress.update(self._task, advance=steps, extra=counts)

    def print_above(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def stop(self) -> None:
        """Remove the bar."""
        self._progress.stop()
