"""A grouping on a Dask cluster whose processes die, hang or leave gives the same groups to the byte, or ends clearly.

Each test ends the cluster and checks that no process is left.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from faceclust import Library
from tests.support.dask_processes import descendants_of, kill, listening_sockets, paused, slowed_down, worker_below
from tests.support.dask_runs import DaskRun, started
from tests.support.named_library import make_synthetic_library

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.linux]
#: Small comparisons go to the workers, in small blocks.
_SMALL = {"start.MIN_FACES": 100, "pairs._MIN_SIDE": 100, "pairs._MAX_SIDE": 300}


@pytest.fixture(scope="module")
def scanned_and_groups(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A scanned library, and its groups as saved by a run in this process."""
    root = tmp_path_factory.mktemp("scanned") / "photos"
    make_synthetic_library(root, 2500)
    copy = Library(shutil.copytree(root, tmp_path_factory.mktemp("grouped") / "photos"))
    copy.cluster()
    return root, copy.home.clusters.read_bytes()


class DaskGrouping(DaskRun):
    """A grouping of a copy of a scanned library. `groups` is the file that it must save."""

    def __init__(self, scanned: Path, groups: bytes, folder: Path, host: str = "127.0.0.1") -> None:
        self.library, self._groups = Library(shutil.copytree(scanned, folder / "photos")), groups
        super().__init__(["cluster", "--library", self.library.root], folder, host, _SMALL)

    def start_workers(self, *names: str) -> list[subprocess.Popen[bytes]]:
        """Start workers whose blocks wait at the gate, and wait until they are connected."""
        return self.dask.start_workers(*names, options=["--preload", str(self.gate.preload)])

    def start_worker(self, name: str) -> subprocess.Popen[bytes]:
        """Start such a worker, without waiting for it."""
        return self.dask.start_worker(name, "--preload", str(self.gate.preload))

    def check_groups(self) -> None:
        assert self.library.home.clusters.read_bytes() == self._groups


@pytest.fixture
def grouping(scanned_and_groups: tuple[Path, bytes], tmp_path: Path) -> Iterator[DaskGrouping]:
    yield from started(DaskGrouping(*scanned_and_groups, tmp_path))


def test_nothing_happens_and_nothing_listens_to_other_machines(grouping: DaskGrouping) -> None:
    (nanny,) = grouping.start_workers("a")
    grouping.start()
    grouping.wait_for_work_on(nanny)
    assert {address for address, _ in listening_sockets(grouping.dask.find_all())} == {"127.0.0.1"}
    grouping.gate.open()
    grouping.finish()
    assert grouping.gate.seen().total() > 40
    grouping.check_groups()


@pytest.mark.parametrize("which", ["worker", "nanny"])
def test_a_worker_or_its_nanny_is_killed(grouping: DaskGrouping, which: str) -> None:
    nanny, _ = grouping.start_workers("a", "b")
    grouping.start()
    worker = grouping.wait_for_work_on(nanny)
    kill(worker if which == "worker" else nanny.pid)
    grouping.gate.open()
    grouping.finish()
    grouping.check_groups()


def test_all_workers_are_killed_and_none_comes(grouping: DaskGrouping) -> None:
    nannies = grouping.start_workers("a", "b")
    grouping.start(constants={"connection._ALONE": 2.0})
    for nanny in nannies:
        grouping.wait_for_work_on(nanny)
    kill(*(nanny.pid for nanny in nannies))
    assert "has had no worker" in grouping.finish(1)
    assert not grouping.library.home.clusters.exists()
    grouping.gate.open()
    grouping.start_workers("c")
    grouping.start()
    grouping.finish()
    grouping.check_groups()


def test_all_workers_are_killed_and_others_join(grouping: DaskGrouping) -> None:
    """What was sent to the workers is lost with them, and is sent again."""
    (nanny,) = grouping.start_workers("a")
    grouping.start()
    grouping.wait_for_work_on(nanny)
    kill(nanny.pid)
    grouping.wait_for_output("is gone; 0 left")
    grouping.gate.open()
    grouping.start_worker("b")
    grouping.finish()
    grouping.check_groups()


def test_the_scheduler_is_killed(grouping: DaskGrouping) -> None:
    (nanny,) = grouping.start_workers("a")
    grouping.start(constants={"connection._RECONNECT": 2.0})
    grouping.wait_for_work_on(nanny)
    grouping.dask.kill_scheduler()
    assert "lost the connection" in grouping.finish(1)
    assert not grouping.library.home.clusters.exists()


def test_the_scheduler_is_started_again(grouping: DaskGrouping) -> None:
    (nanny,) = grouping.start_workers("a")
    grouping.start()
    grouping.wait_for_work_on(nanny)
    grouping.dask.kill_scheduler()
    grouping.wait_for_output("connecting again")
    grouping.gate.open()
    grouping.dask.start_scheduler(grouping.dask.port)
    grouping.start_worker("b")
    grouping.finish()
    grouping.check_groups()


def test_the_client_is_killed(grouping: DaskGrouping) -> None:
    (nanny,) = grouping.start_workers("a")
    client = grouping.start()
    grouping.wait_for_work_on(nanny)
    kill(client.pid)
    client.wait()
    grouping.gate.open()
    grouping.start()
    grouping.finish()
    grouping.check_groups()


def test_the_user_stops(grouping: DaskGrouping) -> None:
    (nanny,) = grouping.start_workers("a")
    client = grouping.start()
    grouping.wait_for_work_on(nanny)
    client.send_signal(signal.SIGINT)
    grouping.finish(130)
    assert not grouping.library.home.clusters.exists()


def test_a_worker_hangs(grouping: DaskGrouping) -> None:
    nanny, _ = grouping.start_workers("a", "b")
    grouping.start(constants={"connection._SILENT": 4.0, "uploads._SEND_LIMIT": 3.0})
    worker = grouping.wait_for_work_on(nanny)
    with paused([worker, *descendants_of(worker)]):
        grouping.gate.open()
        assert "does not answer" in grouping.finish()
        grouping.check_groups()


def test_a_slow_worker_gets_few_blocks(grouping: DaskGrouping) -> None:
    grouping.gate.set_work(0.05)
    slow, fast = grouping.start_workers("a", "b")
    pids = [worker_below(nanny.pid) for nanny in (slow, fast)]
    grouping.gate.open()
    with slowed_down(slow.pid, 20):
        grouping.start(constants={"answers._MIN_LATE": 1.0})
        grouping.finish()
    shares = [grouping.gate.seen()[pid] for pid in pids]
    assert shares[0] < shares[1] / 2
    grouping.check_groups()


def test_workers_join_and_leave(grouping: DaskGrouping) -> None:
    (first,) = grouping.start_workers("a")
    grouping.start()
    grouping.wait_for_work_on(first)
    others = [grouping.start_worker(name) for name in "bcde"]
    grouping.wait_for_output("joined; 5 now")
    for process in (first, others[0], others[1]):
        process.send_signal(signal.SIGINT)
    grouping.gate.open()
    grouping.finish()
    grouping.check_groups()
