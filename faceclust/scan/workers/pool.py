"""A process pool that isolates tasks: a crash or hang loses only that task.

A worker has at most two tasks: the current one, and the next one, which it prepares meanwhile.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar

from faceclust.errors import FaceclustError
from faceclust.progress import ShouldStop
from faceclust.scan.workers.process import DEFAULT_GROWTH_LIMIT, LossCause, LostTask, WorkerProcess, startup_error
from faceclust.scan.workers.worker import TaskFinished, TaskStarted, Worker, WorkerFailed, WorkerReady

T = TypeVar("T")
R = TypeVar("R")

_POLL_INTERVAL = 0.2  # seconds between checks of `should_stop` and the clock
_MAX_CLOCK_STEP = 1.0  # seconds; longer steps mean that the machine, or the program, was suspended
_MAX_FAILED_STARTS = 3  # in a row, before the run is given up
_MAX_DEATHS_WITHOUT_RESULT = 20  # if no task has finished by then, the tasks are not the cause
_MAX_WORKERS = 30 if sys.platform == "win32" else 10_000  # Windows waits for at most 63 handles, two a worker


def run_isolated(
    create_worker: Callable[[], Worker[T, Any, R]],
    tasks: Iterable[T],
    workers: int,
    should_stop: ShouldStop,
    time_limit: float | Callable[[T], float],
    growth_limit: int = DEFAULT_GROWTH_LIMIT,
) -> Iterator[tuple[T, R | LostTask]]:
    """Do tasks in `workers` processes; yield each with its result, in any order.

    `create_worker` is called once in each process. It, the tasks and the results must be picklable, and
    nothing of the main module, which no process imports.
    If a process dies, its current task is retried at the end in a process of its own. If that dies
    too, the result is a `LostTask`. A task that takes longer than `time_limit` seconds to prepare,
    or to work on, is lost at once; the limit may depend on the task. Processes that have grown by
    `growth_limit` bytes are replaced.

    Once `should_stop()` is true, current tasks are finished and the rest is left. Closing the
    iterator kills all processes. `workers=0` works in this process, without any of that protection.
    Raises FaceclustError if processes cannot start, and exceptions of a worker.
    """
    if workers == 0:
        local = None
        for task in tasks:
            if should_stop():
                return
            local = local or create_worker()
            yield task, local.work(task, local.prepare(task))
        return
    pool: WorkerPool[T, R] = WorkerPool(create_worker, workers, time_limit, growth_limit)
    try:
        yield from pool.run(tasks, should_stop)
    finally:
        pool.shut_down()


class WorkerPool(Generic[T, R]):
    """The running processes, and the tasks not yet sent to them.

    `create_worker` and the limits: as for `run_isolated`. `lasting`: processes that are idle at the end of a run
    wait for the next one.
    """

    def __init__(
        self,
        create_worker: Callable[[], Worker[T, Any, R]],
        workers: int,
        time_limit: float | Callable[[T], float],
        growth_limit: int = DEFAULT_GROWTH_LIMIT,
        *,
        lasting: bool = False,
    ) -> None:
        self._create_worker, self._growth_limit, self._time_limit = create_worker, growth_limit, time_limit
        self._size, self._lasting = min(workers, _MAX_WORKERS), lasting
        self._tasks: Iterator[T] = iter(())
        self._should_stop: ShouldStop = lambda: False
        self._processes: list[WorkerProcess[T, R]] = []
        self._exiting: list[WorkerProcess[T, R]] = []
        self._queue: deque[T] = deque()
        self._suspects: deque[tuple[T, LostTask]] = deque()
        self._outcomes: deque[tuple[T, R | LostTask]] = deque()
        self._stopping = self._any_finished = False
        self._failed_starts = self._deaths = 0
        self._last_check = time.monotonic()

    def run(self, tasks: Iterable[T], should_stop: ShouldStop) -> Iterator[tuple[T, R | LostTask]]:
        """Do tasks as `run_isolated` does. One run at a time, and none after one that raised or was closed."""
        self._tasks, self._should_stop, self._stopping = iter(tasks), should_stop, False
        for worker in self._processes[:]:
            if worker.process.exitcode is not None:  # it died while idle, so the next task is not suspect
                self._kill(worker)
        self._queue.clear()  # left by a run that was stopped
        self._suspects.clear()
        self._assign_work()
        while self._is_busy():
            self._receive_messages()
            self._kill_slow_processes()
            self._assign_work()  # before yielding, so that no process is idle meanwhile
            while self._outcomes:
                yield self._outcomes.popleft()

    def shut_down(self) -> None:
        """Kill all processes."""
        for worker in self._processes[:]:
            self._kill(worker)
        patience = time.monotonic() + 2
        for worker in self._exiting:
            worker.reap(max(0.0, patience - time.monotonic()))

    def _is_busy(self) -> bool:
        if any(worker.tasks for worker in self._processes):
            return True
        return not self._stopping and bool(self._queue or self._suspects)

    # -- sending --------------------------------------------------------------

    def _assign_work(self) -> None:
        self._stopping = self._stopping or self._should_stop()
        if not self._stopping:
            self._adjust_processes()
            self._distribute_tasks()
            return
        for worker in self._processes[:]:
            if not worker.tasks:
                self._kill(worker)

    def _adjust_processes(self) -> None:
        """Run as many processes as there is work for; suspects wait until everything else is sent."""
        idle = [worker for worker in self._processes if not worker.tasks]
        wanted = self._count_waiting(self._size)
        if not wanted:
            wanted = len(self._retryable_suspects())
            for worker in idle[:]:
                if worker.has_finished_any if wanted else not self._lasting:
                    self._kill(worker)
                    idle.remove(worker)
        while len(self._processes) < self._size and len(idle) < wanted:
            started: WorkerProcess[T, R] = WorkerProcess(self._create_worker, self._growth_limit)
            self._processes.append(started)
            idle.append(started)

    def _distribute_tasks(self) -> None:
        ready_workers = [worker for worker in self._processes if worker.accepts_task]
        for worker in sorted(ready_workers, key=lambda worker: len(worker.tasks)):
            if self._count_waiting(1):
                worker.send_task(self._queue.popleft())
            elif not worker.tasks and not worker.has_finished_any and (suspects := self._retryable_suspects()):
                self._suspects.remove(suspects[0])
                worker.is_last_attempt = True
                worker.send_task(suspects[0][0])

    def _count_waiting(self, at_most: int) -> int:
        """Count the waiting tasks up to a limit, without the suspects."""
        self._queue.extend(itertools.islice(self._tasks, max(0, at_most - len(self._queue))))
        return min(len(self._queue), at_most)

    def _retryable_suspects(self) -> list[tuple[T, LostTask]]:
        """Return the suspects that may be retried now.

        A task whose process was killed, perhaps for lack of memory, is retried with nothing beside
        it.
        """
        crashed = [suspect for suspect in self._suspects if suspect[1].cause is LossCause.CRASHED]
        if crashed or any(worker.tasks for worker in self._processes):
            return crashed
        return list(self._suspects)[:1]

    # -- receiving ------------------------------------------------------------

    def _receive_messages(self) -> None:
        by_handle = {handle: worker for worker in self._processes for handle in (worker.pipe, worker.process.sentinel)}
        ready = dict.fromkeys(by_handle[handle] for handle in wait(list(by_handle), timeout=_POLL_INTERVAL))  # type: ignore[index]
        for worker in ready:
            died = worker.process.exitcode is not None  # checked before its last messages are read
            try:
                while worker in self._processes and worker.pipe.poll():
                    self._handle_message(worker, worker.pipe.recv())
            except (EOFError, OSError):
                died = True
            if died and worker in self._processes:
                self._handle_death(worker)

    def _handle_message(
        self, worker: WorkerProcess[T, R], message: WorkerReady | TaskStarted | TaskFinished[R] | WorkerFailed
    ) -> None:
        match message:
            case WorkerReady():
                worker.is_ready = True
            case TaskStarted():
                worker.has_begun, worker.elapsed = True, 0.0
            case TaskFinished(result, exceeds_memory):
                self._any_finished, self._failed_starts = True, 0
                self._outcomes.append((worker.finish_task(), result))
                if exceeds_memory or self._stopping:
                    self._kill(worker)
            case WorkerFailed(error, during_startup=True):
                if isinstance(error, FaceclustError):
                    raise error
                raise startup_error(f": {type(error).__name__}: {error}") from error
            case WorkerFailed(error):
                raise error

    def _handle_death(self, worker: WorkerProcess[T, R]) -> None:
        """Decide what the death of a process means for its task and for the run."""
        lost = worker.diagnose_exit()
        last_try = worker.is_last_attempt
        if not worker.tasks:
            self._failed_starts += 1
            if self._failed_starts >= _MAX_FAILED_STARTS:
                raise startup_error(f" ({lost.detail})")
            if not worker.is_ready:  # there may not be enough memory for as many processes
                self._size = max(1, self._size - 1)
        else:
            suspect = worker.finish_task()
            self._deaths += 1
            if not self._any_finished and self._deaths >= _MAX_DEATHS_WITHOUT_RESULT:
                raise FaceclustError(
                    f"worker processes die whatever they work on ({lost.detail})", hint="run `faceclust doctor`"
                )
            if last_try:
                self._outcomes.append((suspect, lost))
            else:
                self._suspects.append((suspect, lost))
        self._kill(worker)

    def _kill_slow_processes(self) -> None:
        now = time.monotonic()
        step, self._last_check = min(now - self._last_check, _MAX_CLOCK_STEP), now
        for worker in self._processes[:]:
            worker.elapsed += step
            limit = self._limit_of(worker.tasks[0]) if worker.tasks else math.inf
            if worker.elapsed > limit and not worker.pipe.poll():
                cause = LossCause.WORK_TIMEOUT if worker.has_begun else LossCause.PREPARE_TIMEOUT
                self._outcomes.append((worker.finish_task(), LostTask(cause, f"{limit:g} seconds")))
                self._kill(worker)

    def _limit_of(self, task: T) -> float:
        return self._time_limit(task) if callable(self._time_limit) else self._time_limit

    def _kill(self, worker: WorkerProcess[T, R]) -> None:
        """Kill a process, which holds nothing that could be harmed. Its tasks go back to the queue."""
        self._processes.remove(worker)
        self._queue.extendleft(reversed(worker.tasks))
        worker.tasks.clear()
        worker.process.kill()
        worker.pipe.close()
        self._exiting = [gone for gone in (*self._exiting, worker) if gone.process.exitcode is None]
