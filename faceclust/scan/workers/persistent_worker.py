"""A worker process that is kept between tasks which come one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar

from faceclust.errors import FaceclustError
from faceclust.scan.workers.process import DEFAULT_GROWTH_LIMIT, LossCause, LostTask, WorkerProcess, startup_error
from faceclust.scan.workers.worker import TaskFinished, TaskStarted, Worker, WorkerFailed, WorkerReady

T = TypeVar("T")
R = TypeVar("R")

_PATIENCE = 2.0  # seconds until a killed process is left to itself


class PersistentWorker(Generic[T, R]):
    """Does one task at a time in a process, which starts with the first task and is replaced if it dies.

    `create_worker`, tasks and results: as for `run_isolated`. A task that takes longer than
    `time_limit` seconds to prepare, or to work on, is lost. `close` may be called in any thread.
    """

    def __init__(
        self,
        create_worker: Callable[[], Worker[T, Any, R]],
        time_limit: float,
        growth_limit: int = DEFAULT_GROWTH_LIMIT,
    ) -> None:
        self._create_worker, self._time_limit, self._growth_limit = create_worker, time_limit, growth_limit
        self._process: WorkerProcess[T, R] | None = None
        self._closed = False
        self._running, self._starting = threading.Lock(), threading.Lock()

    def run(self, task: T) -> R | LostTask:
        """Do a task. If its process dies, it is retried once, since the process may have died for another reason.

        After `close`, every task is lost. Raises FaceclustError if the process cannot start, and exceptions
        of the worker.
        """
        with self._running:
            outcome = self._attempt(task)
            if isinstance(outcome, LostTask) and outcome.cause in (LossCause.CRASHED, LossCause.KILLED):
                outcome = self._attempt(task)
            return outcome

    def close(self) -> None:
        """Kill the process and wait for its end. A task in progress is lost."""
        with self._starting:
            self._closed = True
            if self._process is not None:
                self._process.process.kill()
        with self._running:
            self._end_process()

    def _attempt(self, task: T) -> R | LostTask:
        with self._starting:
            if self._closed:
                return LostTask(LossCause.KILLED, "closed")
            process = self._process = self._process or WorkerProcess(self._create_worker, self._growth_limit)
        if process.is_ready:
            process.send_task(task)
        while True:
            match message := self._receive(process):
                case WorkerReady():
                    process.is_ready = True
                    process.send_task(task)
                case TaskStarted():
                    process.has_begun = True
                case TaskFinished(result, exceeds_memory):
                    process.finish_task()
                    if exceeds_memory:
                        self._end_process()
                    return result
                case WorkerFailed(error, during_startup):
                    self._end_process()
                    if during_startup and not isinstance(error, FaceclustError):
                        raise startup_error(f": {type(error).__name__}: {error}") from error
                    raise error
                case LostTask():
                    self._end_process()
                    if not process.is_ready and not self._closed:
                        raise startup_error(f" ({message.detail})")
                    return message

    def _receive(
        self, process: WorkerProcess[T, R]
    ) -> WorkerReady | TaskStarted | TaskFinished[R] | WorkerFailed | LostTask:
        if not wait([process.pipe, process.process.sentinel], self._time_limit):
            cause = LossCause.WORK_TIMEOUT if process.has_begun else LossCause.PREPARE_TIMEOUT
            return LostTask(cause, f"{self._time_limit:g} seconds")
        try:
            if process.pipe.poll():
                message: WorkerReady | TaskStarted | TaskFinished[R] | WorkerFailed = process.pipe.recv()
                return message
        except (EOFError, OSError):
            pass
        return process.diagnose_exit()

    def _end_process(self) -> None:
        """End the process, which holds nothing that could be harmed. The next task starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.process.kill()
            process.reap(_PATIENCE)
            process.pipe.close()
