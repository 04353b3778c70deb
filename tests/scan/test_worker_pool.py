"""The worker pool, with processes that really die, hang, grow and raise."""

from __future__ import annotations

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
from faceclust.scan.workers.pool import WorkerPool, run_isolated
from faceclust.scan.workers.process import LossCause, LostTask
from tests.support.scan_builders import make_faceless_photo, write_photo
from tests.support.scripted_worker import ScriptedWorker, has_exited, wait_for

pytestmark = pytest.mark.process

POSIX_ONLY = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def run(folder: Path, tasks: list[str], workers: int = 2, **more: Any) -> Iterator[tuple[str, Any]]:
    more = {"should_stop": lambda: False, "time_limit": 60.0} | more
    return run_isolated(partial(ScriptedWorker, folder), tasks, workers, **more)


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_each_task_is_done_once(tmp_path: Path, workers: int) -> None:
    tasks = [f"task {number}" for number in range(40)]
    outcomes = list(run(tmp_path, tasks, workers))
    assert sorted((task, done[0]) for task, done in outcomes) == sorted((task, task.upper()) for task in tasks)
    assert ({done[1] for _, done in outcomes} == {os.getpid()}) is (workers == 0)


def test_without_tasks_no_process_starts(tmp_path: Path) -> None:
    assert list(run(tmp_path, [])) == []


def test_tasks_are_taken_lazily(tmp_path: Path) -> None:
    taken: list[int] = []

    def endless() -> Iterator[str]:
        while True:
            taken.append(1)
            yield "task"

    outcomes = run_isolated(partial(ScriptedWorker, tmp_path), endless(), 2, lambda: False, 60.0)
    for number in range(1, 30):
        next(outcomes)
        assert len(taken) <= number + 8  # two per worker, a result of each, one waiting per worker
    outcomes.close()  # type: ignore[attr-defined]


@pytest.mark.slow
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
def test_a_deadly_task_loses_no_other(tmp_path: Path, deadly: str, cause: LossCause, detail: str) -> None:
    tasks = [f"task {number}" for number in range(12)]
    outcomes = dict(run(tmp_path, [*tasks[:5], deadly, *tasks[5:]]))
    assert outcomes.pop(deadly) == LostTask(cause, detail)
    assert {task: done[0] for task, done in outcomes.items()} == {task: task.upper() for task in tasks}


@pytest.mark.slow
@POSIX_ONLY
@pytest.mark.parametrize("deadly", ["segfault", "killed"])
def test_a_task_that_crashes_only_once_is_done(tmp_path: Path, deadly: str) -> None:
    outcomes = dict(run(tmp_path, ["task 1", f"once {deadly}", "task 2"]))
    assert sorted(done[0] for done in outcomes.values()) == sorted(["TASK 1", f"ONCE {deadly.upper()}", "TASK 2"])


@POSIX_ONLY
def test_a_killed_task_is_retried_alone(tmp_path: Path) -> None:
    tasks = ["once killed", *(f"task {number}" for number in range(9))]
    assert [task for task, _ in run(tmp_path, tasks)][-1] == "once killed"


@pytest.mark.slow
@POSIX_ONLY
def test_many_deadly_tasks_lose_no_others(tmp_path: Path) -> None:
    tasks = [f"{'segfault' if number % 3 else 'task'} {number}" for number in range(9)]
    outcomes = dict(run(tmp_path, tasks, 3))
    assert {task for task, done in outcomes.items() if isinstance(done, LostTask)} == {
        task for task in tasks if task.startswith("segfault")
    }
    assert outcomes.keys() == set(tasks)


@POSIX_ONLY
def test_a_worker_killed_from_outside_loses_no_task(tmp_path: Path) -> None:
    def should_stop() -> bool:  # called while the worker is busy
        if (tmp_path / "started").exists() and not (tmp_path / "signal").exists():
            (process,) = multiprocessing.active_children()
            (tmp_path / "signal").touch()
            process.kill()
        return False

    outcomes = run(tmp_path, ["wait for signal", "second"], 1, should_stop=should_stop)
    assert sorted(done[0] for _, done in outcomes) == ["SECOND", "WAIT FOR SIGNAL"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slow", "cause"), [("work slowly", LossCause.WORK_TIMEOUT), ("prepare slowly", LossCause.PREPARE_TIMEOUT)]
)
def test_a_task_that_hangs_is_lost(tmp_path: Path, slow: str, cause: LossCause) -> None:
    outcomes = dict(run(tmp_path, [slow, "task 1", "task 2"], 1, time_limit=0.5))
    assert outcomes.pop(slow) == LostTask(cause, "0.5 seconds")
    assert sorted(outcomes) == ["task 1", "task 2"]


def test_time_while_suspended_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_MAX_CLOCK_STEP", 0.01)
    outcomes = run(tmp_path, ["task", "wait for signal"], 1, time_limit=0.5)
    next(outcomes)
    wait_for((tmp_path / "started").exists)
    time.sleep(0.6)  # as if the machine had been suspended
    (tmp_path / "signal").touch()
    assert [done[0] for _, done in outcomes] == ["WAIT FOR SIGNAL"]


def test_large_tasks_and_results_do_not_block_each_other(tmp_path: Path) -> None:
    tasks = [f"{number}" * 5_000_000 for number in range(5)]
    assert sorted(done[0] for _, done in run(tmp_path, tasks, 1)) == tasks


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory use from /proc")
def test_a_worker_that_has_grown_is_replaced(tmp_path: Path) -> None:
    tasks = ["task 1", "large", "task 2", "task 3"]
    outcomes = dict(run(tmp_path, tasks, 1, growth_limit=100_000_000))
    assert outcomes["task 1"][1] == outcomes["large"][1]
    assert outcomes["task 2"][1] == outcomes["task 3"][1] != outcomes["large"][1]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("task", ["raise", "unpreparable"])
def test_an_exception_in_a_worker_ends_the_run(tmp_path: Path, workers: int, task: str) -> None:
    with pytest.raises(ValueError, match=r"a bug|not prepared") as caught:
        list(run(tmp_path, [task], workers))
    if workers:
        assert "in work" in caught.value.__notes__[0] or "in prepare" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("task", "message"), [("raise unpicklable", "UnpicklableError: a b"), ("unpicklable", "pickle")]
)
def test_exceptions_and_results_that_cannot_be_pickled_end_the_run(tmp_path: Path, task: str, message: str) -> None:
    with pytest.raises(Exception, match=message):
        list(run(tmp_path, [task], 1))


def test_the_next_task_is_prepared_while_one_is_worked_on(tmp_path: Path) -> None:
    # The first task ends only when the second is prepared, by the same worker.
    assert [done[0] for _, done in run(tmp_path, ["first", "second"], 1)] == ["FIRST", "SECOND"]


def test_a_stop_finishes_current_tasks_and_leaves_the_rest(tmp_path: Path) -> None:
    def should_stop() -> bool:
        if not (tmp_path / "started").exists():
            return False
        (tmp_path / "signal").touch()
        return True

    outcomes = run(tmp_path, ["wait for signal", "second", "third"], 1, should_stop=should_stop)
    assert [task for task, _ in outcomes] == ["wait for signal"]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_immediate_stop_does_nothing(tmp_path: Path, workers: int) -> None:
    assert list(run(tmp_path, ["task"], workers, should_stop=lambda: True)) == []


@POSIX_ONLY
def test_closing_the_iterator_kills_the_workers(tmp_path: Path) -> None:
    outcomes = run(tmp_path, ["task 1", "work slowly", "task 2", "work slowly 2"], 2)
    next(outcomes)
    processes = [process.pid for process in multiprocessing.active_children()]
    assert processes
    outcomes.close()  # type: ignore[attr-defined]
    assert all(has_exited(pid) for pid in processes if pid)


@POSIX_ONLY
def test_workers_ignore_ctrl_c(tmp_path: Path) -> None:
    def should_stop() -> bool:
        if (tmp_path / "started").exists():
            for process in multiprocessing.active_children():
                os.kill(process.pid or 0, signal.SIGINT)
            (tmp_path / "signal").touch()
        return False

    outcomes = dict(run(tmp_path, ["wait for signal", "second"], 1, should_stop=should_stop))
    assert len({pid for _, pid in outcomes.values()}) == 1


@pytest.mark.slow
@POSIX_ONLY
def test_the_first_worker_ignores_ctrl_c_from_its_start(tmp_path: Path) -> None:
    # In a fresh process, where multiprocessing has not started its resource tracker yet.
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


@pytest.fixture
def lasting_pool(tmp_path: Path) -> Iterator[WorkerPool[str, Any]]:
    pool: WorkerPool[str, Any] = WorkerPool(partial(ScriptedWorker, tmp_path), 1, 60.0, 100_000_000, lasting=True)
    yield pool
    pool.shut_down()


@POSIX_ONLY
def test_a_lasting_pool_keeps_its_processes_and_replaces_those_that_die(lasting_pool: WorkerPool[str, Any]) -> None:
    def run_again(*tasks: str) -> dict[str, Any]:
        return dict(lasting_pool.run(tasks, lambda: False))

    first = run_again("task 1", "task 2")["task 1"][1]
    assert run_again() == {}
    outcomes = run_again("task 3", "segfault", "task 4")
    assert outcomes["task 3"] == ("TASK 3", first)
    assert outcomes["segfault"] == LostTask(LossCause.CRASHED, "signal SIGSEGV")
    assert run_again("task 5")["task 5"][0] == "TASK 5"


@POSIX_ONLY
def test_a_process_of_a_lasting_pool_that_died_while_idle_costs_no_task(lasting_pool: WorkerPool[str, Any]) -> None:
    first = dict(lasting_pool.run(["task"], lambda: False))["task"][1]
    (process,) = multiprocessing.active_children()
    process.kill()
    process.join()
    ((_, outcome),) = lasting_pool.run(["once segfault"], lambda: False)  # its one death is not the second
    assert outcome[0] == "ONCE SEGFAULT" and outcome[1] != first


def test_a_lasting_pool_forgets_the_tasks_of_a_run_that_was_stopped(lasting_pool: WorkerPool[str, Any]) -> None:
    done: list[str] = []
    for task, _ in lasting_pool.run((f"task {number}" for number in range(100)), lambda: bool(done)):
        done.append(task)
    assert 1 <= len(done) < 10
    assert [task for task, _ in lasting_pool.run(["another"], lambda: False)] == ["another"]


def _fail_to_open() -> ScriptedWorker:
    raise OSError("no models here")


def _fail_with_hint() -> ScriptedWorker:
    raise FaceclustError("a file is missing", hint="install again")


def _die() -> ScriptedWorker:
    os._exit(7)


@pytest.mark.parametrize(
    ("create_worker", "message"),
    [
        (_fail_to_open, "cannot start: OSError: no models here"),
        (_fail_with_hint, "a file is missing"),
        (_die, r"cannot start \(exit code 7\)"),
    ],
)
def test_workers_that_cannot_start_end_the_run(create_worker: Callable[[], ScriptedWorker], message: str) -> None:
    with pytest.raises(FaceclustError, match=message):
        list(run_isolated(create_worker, ["task"], 2, lambda: False, 60.0))


@pytest.mark.slow
@POSIX_ONLY
def test_workers_that_always_die_end_the_run(tmp_path: Path) -> None:
    outcomes = run(tmp_path, [f"segfault {number}" for number in range(10**6)], 4)
    with pytest.raises(FaceclustError, match="whatever they work on"):
        next(outcomes)


def test_decoder_warnings_on_stderr_are_discarded(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert len(list(run(tmp_path, ["warning 1", "warning 2"]))) == 2
    assert capfd.readouterr().err == ""


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    """Workers do not import the script, which would scan again in each of them."""
    photos, script = tmp_path / "photos", tmp_path / "script.py"
    photos.mkdir()
    write_photo(photos / "nobody.bmp", make_faceless_photo(0))
    script.write_text(
        f"import faceclust\nprint('started')\nprint(faceclust.Library({str(photos)!r}).scan(workers=1).scanned)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("started\n1\n", "", 0)
