"""A worker process as seen by its parent, and the diagnosis of its death."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import threading
import types
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from multiprocessing import resource_tracker
from typing import Any, Generic, TypeVar

from faceclust.errors import FaceclustError
from faceclust.scan.workers.worker import OUT_OF_MEMORY_EXIT_CODE, Worker, run_worker

T = TypeVar("T")
R = TypeVar("R")

#: Bytes that a process may grow by before it is replaced.
DEFAULT_GROWTH_LIMIT = 1 << 30
_CRASH_SIGNALS = {
    getattr(signal, name, None) for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGSYS")
}
_SPAWN_CONTEXT = multiprocessing.get_context("spawn")
_STARTING = threading.Lock()  # a second thread would take the hidden main module for the real one


class LossCause(Enum):
    """The reason why a task was lost."""

    CRASHED = auto()
    KILLED = auto()
    PREPARE_TIMEOUT = auto()
    WORK_TIMEOUT = auto()


@dataclass(frozen=True)
class LostTask:
    """Takes the place of a result.

    `detail`: the cause of death ("signal SIGSEGV"), or the time limit ("120 seconds").
    """

    cause: LossCause
    detail: str


class WorkerProcess(Generic[T, R]):
    """One process.

    `tasks`: the current task, then the next one. `elapsed`: seconds spent on the current step of
    the current task. `has_begun`: the current task is prepared. `is_last_attempt`: the current task
    is not retried.
    """

    def __init__(self, create_worker: Callable[[], Worker[T, Any, R]], growth_limit: int) -> None:
        self.pipe, child_pipe = _SPAWN_CONTEXT.Pipe()
        self.process = _SPAWN_CONTEXT.Process(
            target=run_worker, args=(child_pipe, create_worker, growth_limit), daemon=True
        )
        with _STARTING, block_interrupts(), hide_main_module():
            self.process.start()
        child_pipe.close()
        self.tasks: deque[T] = deque()
        self.is_ready = self.has_begun = self.has_finished_any = self.is_last_attempt = False
        self.elapsed = 0.0

    @property
    def accepts_task(self) -> bool:
        # Before it has begun, it may not read its pipe, and sending a large task would block the parent.
        return self.is_ready and (
            not self.tasks or (len(self.tasks) == 1 and self.has_begun and not self.is_last_attempt)
        )

    def send_task(self, task: T) -> None:
        if not self.tasks:
            self.elapsed = 0.0
        self.tasks.append(task)
        with contextlib.suppress(OSError):  # the process died, which the pool is about to notice
            self.pipe.send(task)

    def finish_task(self) -> T:
        self.has_begun = self.is_last_attempt = False
        self.has_finished_any, self.elapsed = True, 0.0
        return self.tasks.popleft()

    def diagnose_exit(self) -> LostTask:
        """Return the loss of the current task, after the process has died."""
        self.process.join(5)  # the pipe may close shortly before the process exits
        return _diagnose_exit_code(self.process.exitcode)

    def reap(self, patience: float) -> None:
        """Wait `patience` seconds for a process that was killed, so that it leaves no zombie."""
        self.process.join(patience)
        if self.process.exitcode is None:
            # It hangs in the kernel, perhaps on a dead disk, and our own exit would wait for it.
            getattr(multiprocessing.process, "_children", set()).discard(self.process)


def startup_error(why: str) -> FaceclustError:
    """Return the error for processes that cannot start; `why` continues the sentence."""
    return FaceclustError(f"worker processes cannot start{why}", hint="run `faceclust doctor`")


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
def hide_main_module() -> Iterator[None]:
    """Start processes that do not import the main module.

    It may be a user's script without `if __name__ == "__main__":`, which would run again in each process.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def block_interrupts() -> Iterator[None]:
    """Block SIGINT in the processes and threads started here, even while they still import."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # starting it later, with the first worker, would unblock SIGINT
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
