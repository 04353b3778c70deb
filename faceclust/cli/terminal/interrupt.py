"""Stop work on Ctrl-C: the first press asks for a clean stop, the second forces it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from faceclust.cli.terminal.printing import print_line


class StopRequest:
    """Return true once a signal has requested a stop. `signal`: the number of the first one, None before."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        return self.signal is not None


@contextmanager
def stop_on_interrupt(message: str, *, on_hangup: bool = False) -> Iterator[StopRequest]:
    """Yield a function that returns true once Ctrl-C or SIGTERM has asked for a stop.

    `message` is printed at the first signal. The second one raises KeyboardInterrupt, except in a process of torchrun,
    which passes on the Ctrl-C that the process itself has received, and which ends its processes if it is asked twice.
    `on_hangup`: the end of the terminal or session (SIGHUP) asks for a stop too, unless nohup has it ignored.
    """
    request = StopRequest()
    counts_twice = "TORCHELASTIC_RUN_ID" in os.environ
    hangup = getattr(signal, "SIGHUP", None) if on_hangup else None
    if hangup is not None and signal.getsignal(hangup) is signal.SIG_IGN:
        hangup = None

    def handle(number: int, frame: FrameType | None) -> None:
        if request():
            if counts_twice or number == hangup or request.signal == hangup:  # a logout sends several signals
                return
            raise KeyboardInterrupt
        request.signal = number
        if number != hangup:
            with contextlib.suppress(OSError):  # the terminal is gone
                print_line(message, err=True)

    numbers = (signal.SIGINT, signal.SIGTERM) if hangup is None else (signal.SIGINT, signal.SIGTERM, hangup)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
