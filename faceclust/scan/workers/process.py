"""A worker process as its parent sees it, and what its death means."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from multiprocessing import resource_tracker
from typing import Any, Generic, TypeVar

from faceclust.scan.workers.worker import OUT_OF_MEMORY, Worker, serve

T = TypeVar("T")
R = TypeVar("R")

_CRASHES = {getattr(signal, name, None) for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGSYS")}
_SPAWN = multiprocessing.get_context("spawn")


class Cause(Enum):
    """Why a task was lost."""

    CRASHED = auto()
    KILLED = auto()
    SLOW_TO_PREPARE = auto()
    SLOW_TO_WORK = auto()


@dataclass(frozen=True)
class Lost:
    """Instead of a result. `detail`: how the process ended ("signal SIGSEGV"), or the seconds allowed."""

    cause: Cause
    detail: str


class Member(Generic[T, R]):
    """One process. `tasks`: the one in hand, the next. `spent`: seconds on the present step of
    the one in hand. `used`: it has done a task. `last_try`: the one in hand gets no other."""

    def __init__(self, open_worker: Callable[[], Worker[T, Any, R]], growth_limit: int) -> None:
        self.pipe, theirs = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=serve, args=(theirs, open_worker, growth_limit), daemon=True)
        with _interrupts_held():
            self.process.start()
        theirs.close()
        self.tasks: deque[T] = deque()
        self.ready = self.begun = self.used = self.last_try = False
        self.spent = 0.0

    @property
    def wants_one(self) -> bool:
        # Only one that has begun takes from its pipe: a long task cannot block the parent.
        return self.ready and (not self.tasks or (len(self.tasks) == 1 and self.begun and not self.last_try))

    def give(self, task: T) -> None:
        if not self.tasks:
            self.spent = 0.0
        self.tasks.append(task)
        with contextlib.suppress(OSError):  # it is dead, and is found so when next looked at
            self.pipe.send(task)

    def finish(self) -> T:
        self.begun = self.last_try = False
        self.used, self.spent = True, 0.0
        return self.tasks.popleft()

    def how_it_ended(self) -> Lost:
        """What the task in hand is lost to, now that the process is dead."""
        self.process.join(5)  # its pipe may close a little before it is gone
        return _how_it_ended(self.process.exitcode)


def _how_it_ended(exit_code: int | None) -> Lost:
    if exit_code is None or (exit_code >= 0 and exit_code != OUT_OF_MEMORY):
        return Lost(Cause.CRASHED, f"exit code {exit_code}")
    if exit_code == OUT_OF_MEMORY:
        return Lost(Cause.KILLED, "no memory left")
    try:
        number = signal.Signals(-exit_code)
    except ValueError:  # a real-time signal
        return Lost(Cause.KILLED, f"signal {-exit_code}")
    return Lost(Cause.CRASHED if number in _CRASHES else Cause.KILLED, f"signal {number.name}")


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """A worker started in here is born deaf to Ctrl-C, also while it still imports."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # to start it, as the first worker would, lets interrupts in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
