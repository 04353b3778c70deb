"""Tasks done in worker processes, each kept apart: one that kills or hangs its process costs no other.

A worker has at most two tasks: the one in hand, and the next, which it prepares meanwhile.
"""

from __future__ import annotations

import itertools
import multiprocessing
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar

from faceclust.errors import FaceclustError
from faceclust.progress import ShouldStop
from faceclust.scan.workers.process import LossCause, LostTask, WorkerProcess
from faceclust.scan.workers.worker import TaskFinished, TaskStarted, Worker, WorkerFailed, WorkerReady

T = TypeVar("T")
R = TypeVar("R")

_POLL_INTERVAL = 0.2  # seconds between looks at `stop_asked` and the clock
_MAX_CLOCK_STEP = 1.0  # seconds a look counts at most: the machine, or all of us, may have been asleep
_DEFAULT_GROWTH_LIMIT = 1 << 30  # bytes
_MAX_FAILED_STARTS = 3  # in a row: then a worker never begins
_MAX_DEATHS_WITHOUT_RESULT = 20  # with none done at all: then it is not the tasks
_MAX_WORKERS = 30 if sys.platform == "win32" else 10_000  # Windows waits for 63 handles, two a worker


def run_isolated(
    create_worker: Callable[[], Worker[T, Any, R]],
    tasks: Iterable[T],
    workers: int,
    stop_asked: ShouldStop,
    time_limit: float,
    growth_limit: int = _DEFAULT_GROWTH_LIMIT,
) -> Iterator[tuple[T, R | LostTask]]:
    """Do tasks in `workers` processes; each comes with its result as it is done, in any order.

    `open_worker` is called once in each process; it, the tasks and the results are pickled.
    Where a process dies, the task in hand is tried once more in a process of its own, at the
    end, and is `LostTask` if that dies too. A task that takes longer than `time_limit` seconds to
    prepare, or to work on, is lost at once. Processes that have grown by `growth_limit` bytes
    are replaced. Once `stop_asked()` is true the tasks in hand are finished and the rest left;
    closing the iterator ends all at once. `workers=0` works in this process, without any of
    that protection. Raises FaceclustError where processes cannot begin, and what a worker raises.
    """
    if workers == 0:
        worker = None
        for task in tasks:
            if stop_asked():
                return
            worker = worker or create_worker()
            yield task, worker.work(task, worker.prepare(task))
        return
    team: _Pool[T, R] = _Pool(
        lambda: WorkerProcess(create_worker, growth_limit),
        iter(tasks),
        min(workers, _MAX_WORKERS),
        stop_asked,
        time_limit,
    )
    try:
        yield from team.run()
    finally:
        team.shut_down()


class _Pool(Generic[T, R]):
    """The members at work, and the tasks they have not been given yet."""

    def __init__(
        self,
        start: Callable[[], WorkerProcess[T, R]],
        tasks: Iterator[T],
        size: int,
        stop_asked: ShouldStop,
        time_limit: float,
    ) -> None:
        self._start_process, self._tasks, self._size = start, tasks, size
        self._stop_asked, self._time_limit = stop_asked, time_limit
        self._processes: list[WorkerProcess[T, R]] = []
        self._exiting: list[WorkerProcess[T, R]] = []
        self._queue: deque[T] = deque()
        self._suspects: deque[tuple[T, LostTask]] = deque()
        self._outcomes: deque[tuple[T, R | LostTask]] = deque()
        self._stopping = self._any_finished = False
        self._failed_starts = self._deaths = 0
        self._last_check = time.monotonic()

    def run(self) -> Iterator[tuple[T, R | LostTask]]:
        self._assign_work()
        while self._processes:
            self._receive_messages()
            self._kill_slow_processes()
            self._assign_work()  # before the results are looked at: nobody is idle meanwhile
            while self._outcomes:
                yield self._outcomes.popleft()

    def shut_down(self) -> None:
        for member in self._processes[:]:
            self._kill(member)
        patience = time.monotonic() + 2
        for member in self._exiting:
            member.process.join(max(0.0, patience - time.monotonic()))
            if member.process.exitcode is None:
                # It hangs in the kernel, say on a dead disk: else our own exit would wait for it.
                getattr(multiprocessing.process, "_children", set()).discard(member.process)

    # -- giving ---------------------------------------------------------------

    def _assign_work(self) -> None:
        self._stopping = self._stopping or self._stop_asked()
        if not self._stopping:
            self._adjust_processes()
            self._distribute_tasks()
            return
        for member in self._processes[:]:
            if not member.tasks:
                self._kill(member)

    def _adjust_processes(self) -> None:
        """As many members as there is work for; suspects only when all else is given out."""
        idle = [member for member in self._processes if not member.tasks]
        wanted = self._count_waiting(self._size)
        if not wanted:
            wanted = len(self._retryable_suspects())
            for member in idle[:]:
                if member.has_finished_any or not wanted:
                    self._kill(member)
                    idle.remove(member)
        while len(self._processes) < self._size and len(idle) < wanted:
            member = self._start_process()
            self._processes.append(member)
            idle.append(member)

    def _distribute_tasks(self) -> None:
        takers = [member for member in self._processes if member.accepts_task]
        for member in sorted(takers, key=lambda member: len(member.tasks)):
            if self._count_waiting(1):
                member.send_task(self._queue.popleft())
            elif not member.tasks and not member.has_finished_any and (suspects := self._retryable_suspects()):
                self._suspects.remove(suspects[0])
                member.is_last_attempt = True
                member.send_task(suspects[0][0])

    def _count_waiting(self, at_most: int) -> int:
        """How many tasks wait, beside suspects."""
        self._queue.extend(itertools.islice(self._tasks, max(0, at_most - len(self._queue))))
        return min(len(self._queue), at_most)

    def _retryable_suspects(self) -> list[tuple[T, LostTask]]:
        """Those that may be tried now: what was killed, maybe for want of memory, has it all alone."""
        crashed = [suspect for suspect in self._suspects if suspect[1].cause is LossCause.CRASHED]
        if crashed or any(member.tasks for member in self._processes):
            return crashed
        return list(self._suspects)[:1]

    # -- taking ---------------------------------------------------------------

    def _receive_messages(self) -> None:
        by_handle = {handle: member for member in self._processes for handle in (member.pipe, member.process.sentinel)}
        ready = dict.fromkeys(by_handle[handle] for handle in wait(list(by_handle), timeout=_POLL_INTERVAL))  # type: ignore[index]
        for member in ready:
            died = member.process.exitcode is not None  # asked first: what it still sent is read below
            try:
                while member in self._processes and member.pipe.poll():
                    self._handle_message(member, member.pipe.recv())
            except (EOFError, OSError):
                died = True
            if died and member in self._processes:
                self._handle_death(member)

    def _handle_message(
        self, member: WorkerProcess[T, R], message: WorkerReady | TaskStarted | TaskFinished[R] | WorkerFailed
    ) -> None:
        match message:
            case WorkerReady():
                member.is_ready = True
            case TaskStarted():
                member.has_begun, member.elapsed = True, 0.0
            case TaskFinished(result, grown):
                self._any_finished, self._failed_starts = True, 0
                self._outcomes.append((member.finish_task(), result))
                if grown or self._stopping:
                    self._kill(member)
            case WorkerFailed(error, during_startup=True):
                if isinstance(error, FaceclustError):
                    raise error
                raise _startup_error(f": {type(error).__name__}: {error}") from error
            case WorkerFailed(error):
                raise error

    def _handle_death(self, member: WorkerProcess[T, R]) -> None:
        """Work out what the death of this process means."""
        lost = member.diagnose_exit()
        last_try = member.is_last_attempt
        if not member.tasks:
            self._failed_starts += 1
            if self._failed_starts >= _MAX_FAILED_STARTS:
                raise _startup_error(f" ({lost.detail})")
            if not member.is_ready:  # maybe there is no memory for as many
                self._size = max(1, self._size - 1)
        else:
            suspect = member.finish_task()
            self._deaths += 1
            if not self._any_finished and self._deaths >= _MAX_DEATHS_WITHOUT_RESULT:
                raise FaceclustError(
                    f"the worker processes end whatever they work on ({lost.detail})", hint="run `faceclust doctor`"
                )
            if last_try:
                self._outcomes.append((suspect, lost))
            else:
                self._suspects.append((suspect, lost))
        self._kill(member)

    def _kill_slow_processes(self) -> None:
        now = time.monotonic()
        step, self._last_check = min(now - self._last_check, _MAX_CLOCK_STEP), now
        for member in self._processes[:]:
            member.elapsed += step
            if member.tasks and member.elapsed > self._time_limit and not member.pipe.poll():
                cause = LossCause.WORK_TIMEOUT if member.has_begun else LossCause.PREPARE_TIMEOUT
                self._outcomes.append((member.finish_task(), LostTask(cause, f"{self._time_limit:g} seconds")))
                self._kill(member)

    def _kill(self, member: WorkerProcess[T, R]) -> None:
        """End a process at once: it holds nothing that killing it could harm. Its tasks wait again."""
        self._processes.remove(member)
        self._queue.extendleft(reversed(member.tasks))
        member.tasks.clear()
        member.process.kill()
        member.pipe.close()
        self._exiting = [gone for gone in (*self._exiting, member) if gone.process.exitcode is None]


def _startup_error(why: str) -> FaceclustError:
    return FaceclustError(
        f"the worker processes end before they begin{why}",
        hint="run `faceclust doctor`; in a script, start the work under `if __name__ == '__main__':`",
    )
