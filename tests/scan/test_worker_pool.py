"""Work in processes of its own, with processes that really die, hang, grow and raise."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from faceclust.errors import FaceclustError
from faceclust.scan.workers import pool
from faceclust.scan.workers.pool import run_isolated
from faceclust.scan.workers.process import LossCause, LostTask

POSIX_ONLY = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


class Awkward(Exception):
    """One that pickles, but cannot be made again."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


class Doer:
    """Does what a task's text says. Its folder is how tasks tell of themselves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: list[bytes] = []

    def prepare(self, task: str) -> str:
        if task == "prepare slowly":
            time.sleep(600)
        if task.startswith("second"):
            (self.folder / "second prepared").touch()
        if task == "unpreparable":
            raise ValueError("not prepared")
        return task.upper()

    def work(self, task: str, prepared: str) -> tuple[str, int]:
        if task.startswith("once "):
            mark = self.folder / task
            task = "" if mark.exists() else task.removeprefix("once ")
            mark.touch()
        match task.rstrip("0123456789 "):
            case "segfault":
                ctypes.string_at(0)
            case "abort":
                os.abort()
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "leave":
                os._exit(3)
            case "no memory":
                raise MemoryError
            case "work slowly":
                time.sleep(600)
            case "raise":
                raise ValueError("a bug")
            case "raise awkwardly":
                raise Awkward("a", "b")
            case "unpicklable":
                return lambda: None  # type: ignore[return-value]
            case "remark":
                os.write(2, b"a remark of a decoder\n")
            case "large":
                self.kept.append(bytes(bytearray(os.urandom(1)) * 200_000_000))
            case "first":
                wait_for((self.folder / "second prepared").exists)
            case "until told":
                (self.folder / "in hand").touch()
                wait_for((self.folder / "told").exists)
        return prepared, os.getpid()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def run(folder: Path, tasks: list[str], workers: int = 2, **more: Any) -> Iterator[tuple[str, Any]]:
    more = {"stop_asked": lambda: False, "time_limit": 60.0} | more
    return run_isolated(partial(Doer, folder), tasks, workers, **more)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture(autouse=True)
def _nobody_stays() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_each_task_is_done_once_whatever_the_number_of_workers(tmp_path: Path, workers: int) -> None:
    tasks = [f"task {number}" for number in range(40)]
    outcomes = list(run(tmp_path, tasks, workers))
    assert sorted((task, done[0]) for task, done in outcomes) == sorted((task, task.upper()) for task in tasks)
    assert ({done[1] for _, done in outcomes} == {os.getpid()}) is (workers == 0)


def test_nothing_to_do_starts_nobody(tmp_path: Path) -> None:
    assert list(run(tmp_path, [])) == []


def test_tasks_are_taken_as_they_are_needed(tmp_path: Path) -> None:
    taken: list[int] = []

    def endless() -> Iterator[str]:
        while True:
            taken.append(1)
            yield "task"

    outcomes = run_isolated(partial(Doer, tmp_path), endless(), 2, lambda: False, 60.0)
    for number in range(1, 30):
        next(outcomes)
        assert len(taken) <= number + 8  # two a worker, a result of each, one a worker in waiting
    outcomes.close()  # type: ignore[attr-defined]


@POSIX_ONLY
@pytest.mark.parametrize(
    ("deadly", "cause", "detail"),
    [
        ("segfault", LossCause.CRASHED, "signal SIGSEGV"),
        ("abort", LossCause.CRASHED, "signal SIGABRT"),
        ("leave", LossCause.CRASHED, "exit code 3"),
        ("killed", LossCause.KILLED, "signal SIGKILL"),
        ("no memory", LossCause.KILLED, "no memory left"),
    ],
)
def test_a_deadly_task_costs_no_other(tmp_path: Path, deadly: str, cause: LossCause, detail: str) -> None:
    tasks = [f"task {number}" for number in range(12)]
    outcomes = dict(run(tmp_path, [*tasks[:5], deadly, *tasks[5:]]))
    assert outcomes.pop(deadly) == LostTask(cause, detail)
    assert {task: done[0] for task, done in outcomes.items()} == {task: task.upper() for task in tasks}


@POSIX_ONLY
@pytest.mark.parametrize("deadly", ["segfault", "killed"])
def test_a_task_that_kills_only_once_is_done(tmp_path: Path, deadly: str) -> None:
    outcomes = dict(run(tmp_path, ["task 1", f"once {deadly}", "task 2"]))
    assert sorted(done[0] for done in outcomes.values()) == sorted(["TASK 1", f"ONCE {deadly.upper()}", "TASK 2"])


@POSIX_ONLY
def test_what_was_killed_is_tried_again_when_nothing_else_is_in_hand(tmp_path: Path) -> None:
    tasks = ["once killed", *(f"task {number}" for number in range(9))]
    assert [task for task, _ in run(tmp_path, tasks)][-1] == "once killed"


@POSIX_ONLY
def test_many_deadly_tasks_among_good_ones(tmp_path: Path) -> None:
    tasks = [f"{'segfault' if number % 3 else 'task'} {number}" for number in range(9)]
    outcomes = dict(run(tmp_path, tasks, 3))
    assert {task for task, done in outcomes.items() if isinstance(done, LostTask)} == {
        task for task in tasks if task.startswith("segfault")
    }
    assert outcomes.keys() == set(tasks)


@POSIX_ONLY
def test_a_worker_killed_from_outside_costs_no_task(tmp_path: Path) -> None:
    def stop_asked() -> bool:  # looked at while the worker is at work
        if (tmp_path / "in hand").exists() and not (tmp_path / "told").exists():
            (process,) = multiprocessing.active_children()
            (tmp_path / "told").touch()
            process.kill()
        return False

    outcomes = run(tmp_path, ["until told", "second"], 1, stop_asked=stop_asked)
    assert sorted(done[0] for _, done in outcomes) == ["SECOND", "UNTIL TOLD"]


@pytest.mark.parametrize(
    ("slow", "cause"), [("work slowly", LossCause.WORK_TIMEOUT), ("prepare slowly", LossCause.PREPARE_TIMEOUT)]
)
def test_a_task_that_hangs_is_given_up(tmp_path: Path, slow: str, cause: LossCause) -> None:
    outcomes = dict(run(tmp_path, [slow, "task 1", "task 2"], 1, time_limit=0.5))
    assert outcomes.pop(slow) == LostTask(cause, "0.5 seconds")
    assert sorted(outcomes) == ["task 1", "task 2"]


def test_time_in_which_nobody_looked_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_MAX_CLOCK_STEP", 0.01)
    outcomes = run(tmp_path, ["task", "until told"], 1, time_limit=0.5)
    next(outcomes)
    wait_for((tmp_path / "in hand").exists)
    time.sleep(0.6)  # as if the machine had been asleep
    (tmp_path / "told").touch()
    assert [done[0] for _, done in outcomes] == ["UNTIL TOLD"]


def test_large_tasks_and_results_do_not_block_each_other(tmp_path: Path) -> None:
    tasks = [f"{number}" * 5_000_000 for number in range(5)]
    assert sorted(done[0] for _, done in run(tmp_path, tasks, 1)) == tasks


@pytest.mark.skipif(sys.platform != "linux", reason="memory is looked up in /proc")
def test_a_worker_that_has_grown_is_replaced(tmp_path: Path) -> None:
    tasks = ["task 1", "large", "task 2", "task 3"]
    outcomes = dict(run(tmp_path, tasks, 1, growth_limit=100_000_000))
    assert outcomes["task 1"][1] == outcomes["large"][1]
    assert outcomes["task 2"][1] == outcomes["task 3"][1] != outcomes["large"][1]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("task", ["raise", "unpreparable"])
def test_a_bug_is_loud(tmp_path: Path, workers: int, task: str) -> None:
    with pytest.raises(ValueError, match=r"a bug|not prepared") as caught:
        list(run(tmp_path, [task], workers))
    if workers:
        assert "in work" in caught.value.__notes__[0] or "in prepare" in caught.value.__notes__[0]


@pytest.mark.parametrize(("task", "message"), [("raise awkwardly", "Awkward: a b"), ("unpicklable", "pickle")])
def test_a_bug_that_does_not_get_through_a_pipe_is_loud_too(tmp_path: Path, task: str, message: str) -> None:
    with pytest.raises(Exception, match=message):
        list(run(tmp_path, [task], 1))


def test_the_next_task_is_prepared_while_one_is_worked_on(tmp_path: Path) -> None:
    # The first ends only once the second is prepared, by the only worker there is.
    assert [done[0] for _, done in run(tmp_path, ["first", "second"], 1)] == ["FIRST", "SECOND"]


def test_a_stop_finishes_what_is_in_hand_and_leaves_the_rest(tmp_path: Path) -> None:
    def stop_asked() -> bool:
        if not (tmp_path / "in hand").exists():
            return False
        (tmp_path / "told").touch()
        return True

    outcomes = run(tmp_path, ["until told", "second", "third"], 1, stop_asked=stop_asked)
    assert [task for task, _ in outcomes] == ["until told"]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stop_at_once_does_nothing(tmp_path: Path, workers: int) -> None:
    assert list(run(tmp_path, ["task"], workers, stop_asked=lambda: True)) == []


@POSIX_ONLY
def test_closing_early_ends_the_workers_at_once(tmp_path: Path) -> None:
    outcomes = run(tmp_path, ["task 1", "work slowly", "task 2", "work slowly 2"], 2)
    next(outcomes)
    processes = [process.pid for process in multiprocessing.active_children()]
    assert processes
    outcomes.close()  # type: ignore[attr-defined]
    assert all(gone(pid) for pid in processes if pid)


@POSIX_ONLY
def test_workers_are_deaf_to_ctrl_c(tmp_path: Path) -> None:
    def stop_asked() -> bool:
        if (tmp_path / "in hand").exists():
            for process in multiprocessing.active_children():
                os.kill(process.pid or 0, signal.SIGINT)
            (tmp_path / "told").touch()
        return False

    outcomes = dict(run(tmp_path, ["until told", "second"], 1, stop_asked=stop_asked))
    assert len({pid for _, pid in outcomes.values()}) == 1


@POSIX_ONLY
def test_the_first_worker_is_deaf_to_ctrl_c_from_its_birth(tmp_path: Path) -> None:
    # In a process of its own: what multiprocessing starts along with the first worker is there already in this one.
    (tmp_path / "slow.py").write_text(
        "import time\n"
        "time.sleep(1)\n"
        "class Worker:\n"
        "    def prepare(self, task): pass\n"
        "    def work(self, task, prepared): pass\n"
    )
    (tmp_path / "scan.py").write_text(
        "import os, signal\n"
        "from faceclust.scan.workers.process import WorkerProcess\n"
        "from slow import Worker\n"
        "if __name__ == '__main__':\n"
        "    worker = WorkerProcess(Worker, 1 << 40)\n"
        "    os.kill(worker.process.pid, signal.SIGINT)\n"
        "    print(type(worker.pipe.recv()).__name__)\n"
        "    worker.process.kill()\n"
    )
    done = subprocess.run([sys.executable, tmp_path / "scan.py"], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("WorkerReady\n", "")


def _cannot_open() -> Doer:
    raise OSError("no models here")


def _says_what_to_do() -> Doer:
    raise FaceclustError("a file is missing", hint="install again")


def _dies() -> Doer:
    os._exit(7)


@pytest.mark.parametrize(
    ("opener", "message"),
    [
        (_cannot_open, "cannot start: OSError: no models here"),
        (_says_what_to_do, "a file is missing"),
        (_dies, r"cannot start \(exit code 7\)"),
    ],
)
def test_workers_that_cannot_start_end_the_run(opener: Callable[[], Doer], message: str) -> None:
    with pytest.raises(FaceclustError, match=message):
        list(run_isolated(opener, ["task"], 2, lambda: False, 60.0))


@POSIX_ONLY
def test_workers_that_die_whatever_they_do_end_the_run(tmp_path: Path) -> None:
    outcomes = run(tmp_path, [f"segfault {number}" for number in range(10**6)], 4)
    with pytest.raises(FaceclustError, match="whatever they work on"):
        next(outcomes)


def test_what_decoders_remark_on_stderr_is_not_heard(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert len(list(run(tmp_path, ["remark 1", "remark 2"]))) == 2
    assert capfd.readouterr().err == ""
