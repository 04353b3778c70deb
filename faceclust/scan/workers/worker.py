"""The inside of a worker process: it takes tasks from a pipe and sends back results."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from faceclust.errors import is_out_of_memory

#: Exit code after a MemoryError; the same as a shell's for SIGKILL.
OUT_OF_MEMORY_EXIT_CODE = 137

T_contra = TypeVar("T_contra", contravariant=True)
P = TypeVar("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Worker(Protocol[T_contra, P, R_co]):
    """Does tasks in two steps.

    An exception in either step is a bug and ends the run; expected failures are results.
    """

    def prepare(self, task: T_contra) -> P:
        """Do what can overlap with another task's work, such as reading files. Runs in a thread."""

    def work(self, task: T_contra, prepared: P) -> R_co:
        """Do the rest. Runs in the main thread of the process."""


@dataclass(frozen=True)
class WorkerReady:
    """The worker is created and waits for its first task."""


@dataclass(frozen=True)
class TaskStarted:
    """The current task is prepared and being worked on; the next may be sent."""


@dataclass(frozen=True)
class TaskFinished(Generic[R]):
    """The current task is finished. `exceeds_memory`: the process has grown beyond its limit."""

    result: R
    exceeds_memory: bool


@dataclass(frozen=True)
class WorkerFailed:
    """The worker could not be created, or a step of a task raised."""

    error: Exception
    during_startup: bool


def run_worker(
    pipe: Connection[Any, Any], create_worker: Callable[[], Worker[Any, Any, Any]], growth_limit: int
) -> None:
    """Work until the process is killed or its parent exits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    opened = False
    try:
        worker = create_worker()
        opened = True
        _silence_stderr()
        pipe.send(WorkerReady())
        _run_tasks(pipe, worker, _memory_in_use() + growth_limit)
    except (EOFError, BrokenPipeError):
        os._exit(1)  # the parent is gone
    except Exception as error:
        if is_out_of_memory(error):
            os._exit(OUT_OF_MEMORY_EXIT_CODE)
        pipe.send(WorkerFailed(_make_picklable(error), during_startup=not opened))


def _run_tasks(pipe: Connection[Any, Any], worker: Worker[Any, Any, Any], memory_limit: int) -> None:
    def receive() -> tuple[Any, Any]:
        task = pipe.recv()
        return task, worker.prepare(task)

    thread = ThreadPoolExecutor(1)
    upcoming = thread.submit(receive)
    while True:
        task, prepared = upcoming.result()
        upcoming = thread.submit(receive)
        pipe.send(TaskStarted())
        result = worker.work(task, prepared)
        pipe.send(TaskFinished(result, _memory_in_use() > memory_limit))


def _silence_stderr() -> None:
    """Discard stderr, where C decoders write warnings that would garble the progress display.

    Everything that matters comes through the pipe.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _memory_in_use() -> int:
    """Return the bytes of memory this process holds, 0 if the system has no simple way to tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _make_picklable(error: Exception) -> Exception:
    """Add the traceback to an exception, and replace it if it cannot be pickled."""
    where = "in a worker process:\n" + "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # some exceptions cannot be pickled, others cannot be unpickled
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(where)
    return error


def _exit_with_parent() -> None:
    """Exit with the parent: a killed parent cannot end its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
