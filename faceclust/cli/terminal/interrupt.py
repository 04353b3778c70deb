"""Stop work on Ctrl-C: the first press asks for a clean stop, the second forces it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from faceclust.cli.terminal.printing import print_line


@contextmanager
def stop_on_interrupt(message: str) -> Iterator[Callable[[], bool]]:
    """Yield a function that returns true once Ctrl-C or SIGTERM has asked for a stop.

    `message` is printed at the first signal. The second one raises KeyboardInterrupt, except in a process of torchrun,
    which passes on the Ctrl-C that the process itself has received, and which ends its processes if it is asked twice.
    """
    stop_requested = False
    counts_twice = "TORCHELASTIC_RUN_ID" in os.environ

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal stop_requested
        if stop_requested:
            if counts_twice:
                return
            raise KeyboardInterrupt
        stop_requested = True
        print_line(message, err=True)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: stop_requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
