"""Give tasks to a Dask cluster and take each answer once, although workers and connections get lost."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from distributed import CancelledError, Client, Future, KilledWorker, as_completed

from faceclust.engines.dask.tasks import TaskError, describe_error, task_failure
from faceclust.errors import FaceclustError

_IN_FLIGHT = 2  # tasks given out for each worker, so that it need not wait for the next one
_MAX_DEATHS = 3  # workers that a task may end, each time given out alone, before the run fails
_MIN_LATE, _LATE_WITHOUT_MEASURE = 10.0, 60.0  # seconds after which a task is given out once more
_TIMES_LATE = 5  # or this many times the mean time of an answer
_WORKERS_EVERY = 1.0  # seconds between two looks at the workers
_MAX_WAIT = 0.2  # seconds without an answer until the connection and the workers are looked at
_NO_ANSWER_LIMIT = 600.0  # seconds without any answer, although there are workers, before the run fails

_Job = TypeVar("_Job")


class Cluster(Protocol):
    """The part of a Dask cluster that tasks need."""

    @property
    def client(self) -> Client:
        """The connection."""

    def workers(self) -> dict[str, str]:
        """Return the workers that may be given work: address → name. Empty while the connection is lost.

        Raises FaceclustError if there is no scheduler or no worker for a while.
        """

    def submit(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Future:
        """Submit a call to these workers."""


@dataclass
class _Try:
    """A task on its way: the number of its job, and to which workers and when it was given out."""

    number: int
    workers: set[str]
    given: float = field(default_factory=time.monotonic)


class _Table:
    """Which jobs wait, which are given out, and which are answered."""

    def __init__(self, count: int) -> None:
        self.waiting = deque(range(count))
        self.alone: deque[int] = deque()  # jobs that were on a worker that ended several times
        self.deaths = [0] * count
        self.answered = [False] * count
        self.unanswered = count
        self.tries: dict[Future, _Try] = {}
        self.durations = 0.0
        self.finished = 0

    def next_job(self, room: int) -> int | None:
        """Return a job to give out, None if none may be now."""
        while self.waiting and self.answered[self.waiting[0]]:
            self.waiting.popleft()
        if self.waiting:
            return self.waiting.popleft() if len(self.tries) < room else None
        while self.alone and self.answered[self.alone[0]]:
            self.alone.popleft()
        if self.alone:
            return self.alone.popleft() if not self.tries else None
        return self._late_job() if len(self.tries) < 2 * room else None

    def _late_job(self) -> int | None:
        """Return a job whose answer is late: its worker may hang or be slow. The first answer counts."""
        limit = _LATE_WITHOUT_MEASURE
        if self.finished:
            limit = max(_MIN_LATE, _TIMES_LATE * self.durations / self.finished)
        last_given: dict[int, float] = {}
        for given in self.tries.values():
            last_given[given.number] = max(given.given, last_given.get(given.number, 0.0))
        late = [number for number, given in last_given.items() if time.monotonic() - given > limit]
        return min(late, default=None)

    def tries_without(self, alive: set[str]) -> list[Future]:
        """Return the tasks that were given to workers of which none is alive."""
        return [future for future, given in self.tries.items() if given.workers.isdisjoint(alive)]

    def take(self, number: int, given: _Try) -> bool:
        """Note an answer; return false if the job was answered before."""
        if self.answered[number]:
            return False
        self.answered[number] = True
        self.unanswered -= 1
        self.durations += time.monotonic() - given.given
        self.finished += 1
        return True


def collect_answers(
    cluster: Cluster, jobs: Sequence[_Job], submit: Callable[[_Job], Future]
) -> Iterator[tuple[_Job, Any]]:
    """Yield each job with its answer, as they arrive; `submit` gives a job to the cluster.

    A job is given out again if its worker is lost, if what it needs is lost, or if it is late. A job that
    several workers did not survive is given out alone. Raises FaceclustError if a task raises an error, if a job ends
    every worker, if no worker answers, or if the connection or all workers are lost for good.
    """
    table, workers, last_answer = _Table(len(jobs)), _Workers(cluster), time.monotonic()
    completed = as_completed(loop=cluster.client.loop, with_results=True, raise_errors=False)
    try:
        while table.unanswered:
            room = workers.room
            if room:
                workers.cancel(table.tries_without(set(workers.alive)))
            else:
                last_answer = time.monotonic()
            if time.monotonic() - last_answer > _NO_ANSWER_LIMIT:
                raise FaceclustError(f"no Dask worker has answered for {_NO_ANSWER_LIMIT / 60:.0f} minutes")
            while room and (number := table.next_job(room)) is not None:
                future = workers.attempt(lambda number=number: submit(jobs[number]))  # type: ignore[misc]
                if future is None:
                    table.waiting.appendleft(number)
                    break
                table.tries[future] = _Try(number, set(workers.alive))
                completed.add(future)
            with completed.thread_condition:
                if not completed.has_ready():
                    completed.thread_condition.wait(_MAX_WAIT)
            for future, answer in completed.next_batch(block=False):
                given = table.tries.pop(future)
                status, last_answer = future.status, time.monotonic()
                if status == "finished":
                    future.release()
                    if isinstance(answer, TaskError):
                        raise task_failure(answer.text)
                    if table.take(given.number, given):
                        workers.cancel([other for other, its in table.tries.items() if its.number == given.number])
                        yield jobs[given.number], answer
                elif not table.answered[given.number]:
                    _give_again(table, given.number, status, answer)
    finally:
        workers.cancel(list(table.tries))


def _give_again(table: _Table, number: int, status: str | None, answer: Any) -> None:
    if status != "error":  # the worker or what the task needs was lost, or the connection
        table.waiting.appendleft(number)
        return
    error = answer[1] if isinstance(answer, tuple) else answer
    if not isinstance(error, KilledWorker):
        raise task_failure(describe_error(error)) from error
    table.deaths[number] += 1
    if table.deaths[number] > _MAX_DEATHS:
        raise FaceclustError(
            f"a comparison of faces ended every Dask worker that it ran on (the last one: {error.last_worker.address})",
            hint="give the workers more memory (dask worker --memory-limit)",
        ) from error
    table.alone.append(number)


class _Workers:
    """The workers that are alive, as of a moment ago."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._looked = cluster, -_WORKERS_EVERY
        self.alive: dict[str, str] = {}

    @property
    def room(self) -> int:
        """The number of tasks that may be on their way; 0 without workers or connection."""
        if time.monotonic() - self._looked >= _WORKERS_EVERY:
            self._looked, self.alive = time.monotonic(), self._cluster.workers()
        return _IN_FLIGHT * len(self.alive)

    def attempt(self, call: Callable[[], Any]) -> Any:
        """Return what a call to the scheduler returns, None if the connection or the workers are lost."""
        try:
            return call()
        except (OSError, TimeoutError, CancelledError):
            self._looked, self.alive = time.monotonic(), {}
            return None

    def cancel(self, futures: list[Future]) -> None:
        """Give up tasks that are on their way."""
        if futures and self._cluster.client.status == "running":
            self.attempt(lambda: self._cluster.client.cancel(futures))
