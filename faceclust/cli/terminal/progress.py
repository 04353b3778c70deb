"""Progress on stderr: a bar on a terminal, otherwise a plain line every ten seconds."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from faceclust.cli.terminal.printing import print_line
from faceclust.cli.terminal.quiet import hides_notes
from faceclust.progress import Progress, SilentProgress
from faceclust.text.visible import make_visible

if TYPE_CHECKING:
    from faceclust.cli.terminal.progress_bar import ProgressBar

_LINE_INTERVAL = 10.0  # seconds
_BYTE_UNIT = "bytes"  # amounts of this unit are printed in MB


class TerminalProgress:
    """Shows the progress of the library's work."""

    def __init__(self) -> None:
        self._bar: ProgressBar | None = None
        self._stage, self._unit, self._total, self._done = "", "", 0, 0
        self._started = self._last_line = 0.0
        self._counts: dict[str, int | str] = {}

    def start(self, what: str, total: int | None, unit: str = "") -> None:
        self.finish()
        self._unit = unit
        self._stage, self._total, self._done, self._counts = what, total or 0, 0, {}
        self._started = self._last_line = time.monotonic()
        if total != 0 and _can_show_bar():
            from faceclust.cli.terminal.progress_bar import ProgressBar  # loads rich, which a script does not need

            self._bar = ProgressBar(make_visible(what), total, in_bytes=unit == _BYTE_UNIT)

    def advance(self, steps: int = 1, **counts: int | str) -> None:
        self._done += steps
        self._counts = counts
        if self._bar:
            self._bar.advance(steps, self._format_counts())
        elif self._total and time.monotonic() - self._last_line >= _LINE_INTERVAL:
            self._last_line = time.monotonic()
            left = (self._total - self._done) / max(self._rate(), 1e-9)
            done = f"{self._format_amount(self._done)} of {self._format_amount(self._total)}"
            parts = [f"{self._stage}: {done}", self._format_counts(), f"{_format_clock(left)} left"]
            self._print_line(", ".join(part for part in parts if part))

    def note(self, message: str) -> None:
        self._print_line(f"note: {message}")

    def finish(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None

    def _format_amount(self, number: float, digits: int = 0) -> str:
        return f"{number / 1e6:.1f} MB" if self._unit == _BYTE_UNIT else f"{number:.{digits}f}"

    def _rate(self) -> float:
        return self._done / max(time.monotonic() - self._started, 1e-9)

    def _format_counts(self) -> str:
        counts = [
            f"{what} {value}" if isinstance(value, str) else f"{value} {what}"  # "loss 3.21", but "12 faces"
            for what, value in self._counts.items()
            if value
        ]
        rate = [f"{self._format_amount(self._rate(), 1)} {self._unit}/s".replace(" bytes/", "/")] if self._unit else []
        return ", ".join(counts + rate)

    def _print_line(self, text: str) -> None:
        if self._bar:
            self._bar.print_above(make_visible(text))
        else:
            print_line(text, err=True)


class NotesOnly(SilentProgress):
    """Prints notes alone, each once: for a program that runs for days, whose output is a log."""

    def __init__(self) -> None:
        self._noted: set[str] = set()

    def note(self, message: str) -> None:
        if message not in self._noted:
            self._noted.add(message)
            print_line(f"note: {message}", err=True)


def progress_in_background() -> Progress:
    """Return the progress of a program that runs for days: bars on a terminal, otherwise notes alone."""
    return TerminalProgress() if _can_show_bar() else NotesOnly()


def _can_show_bar() -> bool:
    """Whether stderr is a terminal that can move its cursor, and progress is wanted."""
    return (
        not hides_notes()
        and bool(sys.stderr and sys.stderr.isatty())
        and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
    )


def _format_clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
