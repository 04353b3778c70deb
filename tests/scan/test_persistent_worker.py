"""A worker process that is kept between tasks, with processes that really die and hang."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from faceclust.errors import FaceclustError
from faceclust.scan.workers.persistent_worker import PersistentWorker
from faceclust.scan.workers.process import LossCause, LostTask
from tests.support.scripted_worker import ScriptedWorker, has_exited, wait_for

pytestmark = pytest.mark.process

POSIX_ONLY = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
CLOSED = LostTask(LossCause.KILLED, "closed")
Scripted = PersistentWorker[str, tuple[str, int]]


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Scripted]:
    scripted: Scripted = PersistentWorker(partial(ScriptedWorker, tmp_path), 60.0, growth_limit=100_000_000)
    yield scripted
    scripted.close()


def finish(worker: Scripted, task: str) -> int:
    """Do a task that can be finished; return the id of the process that did it."""
    outcome = worker.run(task)
    assert not isinstance(outcome, LostTask) and outcome[0] == task.upper()
    return outcome[1]


def test_one_process_does_all_tasks_and_none_starts_without_a_task(worker: Scripted) -> None:
    assert multiprocessing.active_children() == []
    processes = {finish(worker, f"task {number}") for number in range(5)}
    assert processes == {child.pid for child in multiprocessing.active_children()} and os.getpid() not in processes


@POSIX_ONLY
@pytest.mark.parametrize(
    ("deadly", "loss"),
    [
        ("segfault", LostTask(LossCause.CRASHED, "signal SIGSEGV")),
        ("no memory", LostTask(LossCause.KILLED, "no memory left")),
    ],
)
def test_a_deadly_task_loses_no_other(worker: Scripted, deadly: str, loss: LostTask) -> None:
    before = finish(worker, "task 1")
    assert worker.run(deadly) == loss
    assert finish(worker, "task 2") != before and has_exited(before)


@POSIX_ONLY
def test_a_task_that_crashes_only_once_is_done(worker: Scripted) -> None:
    finish(worker, "once segfault")


@POSIX_ONLY
def test_a_process_that_was_killed_while_idle_is_replaced(worker: Scripted) -> None:
    before = finish(worker, "task 1")
    (child,) = multiprocessing.active_children()
    child.kill()
    child.join()
    assert finish(worker, "task 2") != before


@pytest.mark.parametrize(
    ("slow", "cause"), [("work slowly", LossCause.WORK_TIMEOUT), ("prepare slowly", LossCause.PREPARE_TIMEOUT)]
)
def test_a_task_that_hangs_is_lost(worker: Scripted, slow: str, cause: LossCause) -> None:
    finish(worker, "task 1")  # now the time limit does not concern the start
    worker._time_limit = 0.3
    assert worker.run(slow) == LostTask(cause, "0.3 seconds")
    worker._time_limit = 60.0
    finish(worker, "task 2")


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory use from /proc")
def test_a_process_that_has_grown_is_replaced(worker: Scripted) -> None:
    before = finish(worker, "large")
    assert finish(worker, "task") != before


def test_an_exception_of_the_worker_is_raised_and_the_next_task_done(worker: Scripted) -> None:
    with pytest.raises(ValueError, match="a bug"):
        worker.run("raise")
    finish(worker, "task")


@pytest.mark.parametrize("task", ["work slowly", "wait for signal"])
def test_closing_ends_a_task_in_progress(worker: Scripted, tmp_path: Path, task: str) -> None:
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(worker.run, "task")
        running.result()
        (child,) = multiprocessing.active_children()
        running = thread.submit(worker.run, task)
        if task == "wait for signal":
            wait_for((tmp_path / "started").exists)
        worker.close()
        assert running.result() == CLOSED
    assert has_exited(child.pid or 0) and worker.run("task") == CLOSED


def test_closing_while_the_process_starts_leaves_none(worker: Scripted) -> None:
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(worker.run("task")))
    thread.start()
    wait_for(multiprocessing.active_children)
    worker.close()
    thread.join()
    assert outcomes == [CLOSED]


def test_processes_that_start_in_several_threads_leave_the_main_module_alone(tmp_path: Path) -> None:
    main, workers = (
        sys.modules["__main__"],
        [PersistentWorker(partial(ScriptedWorker, tmp_path), 60.0) for _ in range(4)],
    )
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda worker: worker.run("task"), workers))
    for worker in workers:
        worker.close()
    assert sys.modules["__main__"] is main
    assert len({outcome[1] for outcome in outcomes if not isinstance(outcome, LostTask)}) == 4


def _fail_to_open() -> ScriptedWorker:
    raise OSError("no models here")


def _die() -> ScriptedWorker:
    os._exit(7)


@pytest.mark.parametrize(
    ("create_worker", "message"),
    [(_fail_to_open, "cannot start: OSError: no models here"), (_die, r"cannot start \(exit code 7\)")],
)
def test_a_process_that_cannot_start_raises(create_worker: Any, message: str) -> None:
    with pytest.raises(FaceclustError, match=message):
        PersistentWorker(create_worker, 60.0).run("task")
