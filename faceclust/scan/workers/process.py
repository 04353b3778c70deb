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

from faceclust.scan.workers.worker import OUT_OF_MEMORY_EXIT_CODE, Worker, run_worker

T = TypeVar("T")
R = TypeVar("R")

_CRASH_SIGNALS = {
    getattr(signal, name, None) for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGSYS")
}
_SPAWN_CONTEXT = multiprocessing.get_context("spawn")


class LossCause(Enum):
    """Why a task was lost."""

    CRASHED = auto()
    KILLED = auto()
    PREPARE_TIMEOUT = auto()
    WORK_TIMEOUT = auto()


@dataclass(frozen=True)
class LostTask:
    """Instead of a result. `detail`: how the process ended ("signal SIGSEGV"), or the seconds allowed."""

    cause: LossCause
    detail: str


class WorkerProcess(Generic[T, R]):
    """One process. `tasks`: the one in hand, the next. `spent`: seconds on the present step of
    the one in hand. `used`: it has done a task. `last_try`: the one in hand gets no other."""

    def __init__(self, create_worker: Callable[[], Worker[T, Any, R]], growth_limit: int) -> None:
        self.pipe, theirs = _SPAWN_CONTEXT.Pipe()
        self.process = _SPAWN_CONTEXT.Process(
            target=run_worker, args=(theirs, create_worker, growth_limit), daemon=True
        )
        with _block_interrupts():
            self.process.start()
        theirs.close()
        self.tasks: deque[T] = deque()
        self.is_ready = self.has_begun = self.has_finished_any = self.is_last_attempt = False
        self.elapsed = 0.0

    @property
    def accepts_task(self) -> bool:
        # Only one that has begun takes from its pipe: a long task cannot block the parent.
        return self.is_ready and (
            not self.tasks or (len(self.tasks) == 1 and self.has_begun and not self.is_last_attempt)
        )

    def send_task(self, task: T) -> None:
        if not self.tasks:
            self.elapsed = 0.0
        self.tasks.append(task)
        with contextlib.suppress(OSError):  # it is dead, and is found so when next looked at
            self.pipe.send(task)

    def finish_task(self) -> T:
        self.has_begun = self.is_last_attempt = False
        self.has_finished_any, self.elapsed = True, 0.0
        return self.tasks.popleft()

    def diagnose_exit(self) -> LostTask:
        """What the task in hand is lost to, now that the process is dead."""
        self.process.join(5)  # its pipe may close a little before it is gone
        return _diagnose_exit_code(self.process.exitcode)


def _diagnose_exit_code(exit_code: int | None) -> LostTask:
    if exit_code is None or (exit_code >= 0 and exit_code != OUT_OF_MEMORY_EXIT_CODE):
        return LostTask(LossCause.CRASHED, f"exit code {exit_code}")
    if exit_code == OUT_OF_MEMORY_EXIT_CODE:
        return LostTask(LossCause.KILLED, "no memory left")
    try:
        number = signal.Signals(-exit_code)
    except ValueError:  # a real-time signal
        return LostTask(LossCause.KILLED, f"signal {-exit_code}")
    return LostTask(LossCause.CRASHED if number in _CRASH_SIGNALS else LossCause.KILLED, f"signal {number.name}")


@contextlib.contextmanager
def _block_interrupts() -> Iterator[None]:
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
