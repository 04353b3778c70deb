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
from faceclust.progress import StopAsked
from faceclust.scan.workers.process import Cause, Lost, Member
from faceclust.scan.workers.worker import Begun, Done, Failed, Ready, Worker

T = TypeVar("T")
R = TypeVar("R")

_LOOK = 0.2  # seconds between looks at `stop_asked` and the clock
_STEP = 1.0  # seconds a look counts at most: the machine, or all of us, may have been asleep
_GROWTH = 1 << 30  # bytes
_FALSE_STARTS = 3  # in a row: then a worker never begins
_DEADLY_TASKS = 20  # with none done at all: then it is not the tasks
_MOST = 30 if sys.platform == "win32" else 10_000  # Windows waits for 63 handles, two a worker


def run_apart(
    open_worker: Callable[[], Worker[T, Any, R]],
    tasks: Iterable[T],
    workers: int,
    stop_asked: StopAsked,
    time_limit: float,
    growth_limit: int = _GROWTH,
) -> Iterator[tuple[T, R | Lost]]:
    """Do tasks in `workers` processes; each comes with its result as it is done, in any order.

    `open_worker` is called once in each process; it, the tasks and the results are pickled.
    Where a process dies, the task in hand is tried once more in a process of its own, at the
    end, and is `Lost` if that dies too. A task that takes longer than `time_limit` seconds to
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
            worker = worker or open_worker()
            yield task, worker.work(task, worker.prepare(task))
        return
    team: _Team[T, R] = _Team(
        lambda: Member(open_worker, growth_limit), iter(tasks), min(workers, _MOST), stop_asked, time_limit
    )
    try:
        yield from team.run()
    finally:
        team.end()


class _Team(Generic[T, R]):
    """The members at work, and the tasks they have not been given yet."""

    def __init__(
        self,
        start: Callable[[], Member[T, R]],
        tasks: Iterator[T],
        size: int,
        stop_asked: StopAsked,
        time_limit: float,
    ) -> None:
        self._start, self._tasks, self._size = start, tasks, size
        self._stop_asked, self._time_limit = stop_asked, time_limit
        self._members: list[Member[T, R]] = []
        self._leaving: list[Member[T, R]] = []
        self._queue: deque[T] = deque()
        self._suspects: deque[tuple[T, Lost]] = deque()
        self._outcomes: deque[tuple[T, R | Lost]] = deque()
        self._stopping = self._any_done = False
        self._false_starts = self._deaths = 0
        self._looked = time.monotonic()

    def run(self) -> Iterator[tuple[T, R | Lost]]:
        self._direct()
        while self._members:
            self._listen()
            self._end_slow_ones()
            self._direct()  # before the results are looked at: nobody is idle meanwhile
            while self._outcomes:
                yield self._outcomes.popleft()

    def end(self) -> None:
        for member in self._members[:]:
            self._dismiss(member)
        patience = time.monotonic() + 2
        for member in self._leaving:
            member.process.join(max(0.0, patience - time.monotonic()))
            if member.process.exitcode is None:
                # It hangs in the kernel, say on a dead disk: else our own exit would wait for it.
                getattr(multiprocessing.process, "_children", set()).discard(member.process)

    # -- giving ---------------------------------------------------------------

    def _direct(self) -> None:
        self._stopping = self._stopping or self._stop_asked()
        if not self._stopping:
            self._staff()
            self._hand_out()
            return
        for member in self._members[:]:
            if not member.tasks:
                self._dismiss(member)

    def _staff(self) -> None:
        """As many members as there is work for; suspects only when all else is given out."""
        idle = [member for member in self._members if not member.tasks]
        wanted = self._waiting(self._size)
        if not wanted:
            wanted = len(self._open_suspects())
            for member in idle[:]:
                if member.used or not wanted:
                    self._dismiss(member)
                    idle.remove(member)
        while len(self._members) < self._size and len(idle) < wanted:
            member = self._start()
            self._members.append(member)
            idle.append(member)

    def _hand_out(self) -> None:
        takers = [member for member in self._members if member.wants_one]
        for member in sorted(takers, key=lambda member: len(member.tasks)):
            if self._waiting(1):
                member.give(self._queue.popleft())
            elif not member.tasks and not member.used and (suspects := self._open_suspects()):
                self._suspects.remove(suspects[0])
                member.last_try = True
                member.give(suspects[0][0])

    def _waiting(self, at_most: int) -> int:
        """How many tasks wait, beside suspects."""
        self._queue.extend(itertools.islice(self._tasks, max(0, at_most - len(self._queue))))
        return min(len(self._queue), at_most)

    def _open_suspects(self) -> list[tuple[T, Lost]]:
        """Those that may be tried now: what was killed, maybe for want of memory, has it all alone."""
        crashed = [suspect for suspect in self._suspects if suspect[1].cause is Cause.CRASHED]
        if crashed or any(member.tasks for member in self._members):
            return crashed
        return list(self._suspects)[:1]

    # -- taking ---------------------------------------------------------------

    def _listen(self) -> None:
        by_handle = {handle: member for member in self._members for handle in (member.pipe, member.process.sentinel)}
        ready = dict.fromkeys(by_handle[handle] for handle in wait(list(by_handle), timeout=_LOOK))  # type: ignore[index]
        for member in ready:
            died = member.process.exitcode is not None  # asked first: what it still sent is read below
            try:
                while member in self._members and member.pipe.poll():
                    self._take(member, member.pipe.recv())
            except (EOFError, OSError):
                died = True
            if died and member in self._members:
                self._bury(member)

    def _take(self, member: Member[T, R], message: Ready | Begun | Done[R] | Failed) -> None:
        match message:
            case Ready():
                member.ready = True
            case Begun():
                member.begun, member.spent = True, 0.0
            case Done(result, grown):
                self._any_done, self._false_starts = True, 0
                self._outcomes.append((member.finish(), result))
                if grown or self._stopping:
                    self._dismiss(member)
            case Failed(error, opening=True):
                if isinstance(error, FaceclustError):
                    raise error
                raise _never_begins(f": {type(error).__name__}: {error}") from error
            case Failed(error):
                raise error

    def _bury(self, member: Member[T, R]) -> None:
        """Work out what the death of this process means."""
        lost = member.how_it_ended()
        last_try = member.last_try
        if not member.tasks:
            self._false_starts += 1
            if self._false_starts >= _FALSE_STARTS:
                raise _never_begins(f" ({lost.detail})")
            if not member.ready:  # maybe there is no memory for as many
                self._size = max(1, self._size - 1)
        else:
            suspect = member.finish()
            self._deaths += 1
            if not self._any_done and self._deaths >= _DEADLY_TASKS:
                raise FaceclustError(
                    f"the worker processes end whatever they work on ({lost.detail})", hint="run `faceclust doctor`"
                )
            if last_try:
                self._outcomes.append((suspect, lost))
            else:
                self._suspects.append((suspect, lost))
        self._dismiss(member)

    def _end_slow_ones(self) -> None:
        now = time.monotonic()
        step, self._looked = min(now - self._looked, _STEP), now
        for member in self._members[:]:
            member.spent += step
            if member.tasks and member.spent > self._time_limit and not member.pipe.poll():
                cause = Cause.SLOW_TO_WORK if member.begun else Cause.SLOW_TO_PREPARE
                self._outcomes.append((member.finish(), Lost(cause, f"{self._time_limit:g} seconds")))
                self._dismiss(member)

    def _dismiss(self, member: Member[T, R]) -> None:
        """End a process at once: it holds nothing that killing it could harm. Its tasks wait again."""
        self._members.remove(member)
        self._queue.extendleft(reversed(member.tasks))
        member.tasks.clear()
        member.process.kill()
        member.pipe.close()
        self._leaving = [gone for gone in (*self._leaving, member) if gone.process.exitcode is None]


def _never_begins(why: str) -> FaceclustError:
    return FaceclustError(
        f"the worker processes end before they begin{why}",
        hint="run `faceclust doctor`; from a script, call scan() under `if __name__ == '__main__':`",
    )
