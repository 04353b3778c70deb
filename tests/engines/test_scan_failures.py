"""A scan on a Dask cluster whose processes die, hang or leave finds the same faces, or goes on later.

Each test ends the cluster and checks that no process is left.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from faceclust import Library
from tests.support.command import wait_for
from tests.support.dask_processes import descendants_of, is_running, kill, paused, slowed_down, worker_below
from tests.support.dask_runs import DaskScan, Rows, started
from tests.support.gated_photos import COUNTED, DEADLY, NO_MEMORY, write_gated_photos
from tests.support.scan_builders import read_cached_rows

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.linux]


@pytest.fixture(scope="module")
def photos_and_rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    """A folder of photos, and the rows of a scan in this process."""
    root = tmp_path_factory.mktemp("expected") / "photos"
    write_gated_photos(root, 12)
    library = Library(root, cache_dir=tmp_path_factory.mktemp("caches"))
    library.scan(workers=0)
    return root, read_cached_rows(library)


@pytest.fixture
def scan(photos_and_rows: tuple[Path, Rows], tmp_path: Path) -> Iterator[DaskScan]:
    yield from started(DaskScan(*photos_and_rows, tmp_path))


def test_a_worker_is_killed(scan: DaskScan) -> None:
    nanny, _ = scan.dask.start_workers("a", "b")
    scan.start()
    worker = scan.wait_for_work_on(nanny)
    below = descendants_of(worker)
    assert below
    kill(worker)
    wait_for(lambda: not any(map(is_running, below)))
    scan.gate.open()
    assert "worker a" in scan.finish()
    scan.check_rows()


def test_a_nanny_is_killed(scan: DaskScan) -> None:
    nanny, _ = scan.dask.start_workers("a", "b")
    scan.start()
    worker = scan.wait_for_work_on(nanny)
    below = [worker, *descendants_of(worker)]
    kill(nanny.pid)
    wait_for(lambda: not any(map(is_running, below)))
    scan.gate.open()
    assert "worker a" in scan.finish()
    scan.check_rows()


def test_all_workers_are_killed_and_none_comes(scan: DaskScan) -> None:
    nannies = scan.dask.start_workers("a", "b")
    scan.start(constants={"connection._ALONE": 2.0})
    for nanny in nannies:
        scan.wait_for_work_on(nanny)
    kill(*(nanny.pid for nanny in nannies))
    assert "has had no worker" in scan.finish(1)
    scan.gate.open()
    scan.dask.start_workers("c")
    scan.start()
    scan.finish()
    scan.check_rows()


def test_all_workers_are_killed_and_others_join(scan: DaskScan) -> None:
    (nanny,) = scan.dask.start_workers("a")
    scan.start()
    scan.wait_for_work_on(nanny)
    kill(nanny.pid)
    scan.wait_for_output("is gone; 0 left")
    scan.gate.open()
    scan.dask.start_worker("b")
    output = scan.finish()
    assert "worker b" in output and "joined; 1 now" in output
    scan.check_rows()


def test_the_scheduler_is_killed(scan: DaskScan) -> None:
    (nanny,) = scan.dask.start_workers("a")
    scan.start(constants={"connection._RECONNECT": 2.0})
    scan.wait_for_work_on(nanny)
    scan.dask.kill_scheduler()
    assert "lost the connection" in scan.finish(1)
    scan.gate.open()
    nanny.wait(30)
    scan.dask.start_scheduler()
    scan.dask.start_workers("b")
    scan.start()
    scan.finish()
    scan.check_rows()


def test_the_scheduler_is_started_again(scan: DaskScan) -> None:
    (nanny,) = scan.dask.start_workers("a")
    scan.start()
    scan.wait_for_work_on(nanny)
    scan.dask.kill_scheduler()
    scan.wait_for_output("connecting again")
    scan.gate.open()
    scan.dask.start_scheduler(scan.dask.port)
    scan.dask.start_worker("b")
    scan.finish()
    scan.check_rows()


def test_the_client_is_killed(scan: DaskScan) -> None:
    (nanny,) = scan.dask.start_workers("a")
    client = scan.start()
    scan.wait_for_work_on(nanny)
    kill(client.pid)
    client.wait()
    scan.gate.open()
    scan.start()
    scan.finish()
    scan.check_rows()


def test_the_user_stops(scan: DaskScan) -> None:
    """Photos in progress are finished and saved, the others are left."""
    nannies = scan.dask.start_workers("a", "b")
    client = scan.start()
    for nanny in nannies:
        scan.wait_for_work_on(nanny)
    client.send_signal(signal.SIGINT)
    scan.wait_for_output("finishing the photos already started")
    scan.gate.open()
    assert "To continue: faceclust scan" in scan.finish(130)
    saved = read_cached_rows(Library(scan.root, cache_dir=scan.caches))
    assert 1 <= sum(map(len, saved.values())) < sum(map(len, scan.rows.values()))
    scan.start()
    scan.finish()
    scan.check_rows()


def test_a_worker_hangs(scan: DaskScan) -> None:
    nanny, _ = scan.dask.start_workers("a", "b")
    scan.start(constants={"photos._SILENCE_LIMIT": 1.0})
    worker = scan.wait_for_work_on(nanny)
    with paused([worker, *descendants_of(worker)]):
        scan.gate.open()
        assert "photos go to others" in scan.finish()
        scan.check_rows()


def test_a_slow_worker_gets_few_photos(tmp_path: Path) -> None:
    write_gated_photos(tmp_path / "photos", 60, COUNTED)
    local = Library(shutil.copytree(tmp_path / "photos", tmp_path / "local"))
    local.scan(workers=0)
    for scan in started(DaskScan(tmp_path / "photos", read_cached_rows(local), tmp_path)):
        slow, fast = scan.dask.start_workers("a", "b")
        pids = [worker_below(nanny.pid) for nanny in (slow, fast)]
        with slowed_down(slow.pid, 20):
            scan.start()
            scan.finish()
        shares = [scan.gate.seen()[pid] for pid in pids]
        assert shares[0] < shares[1] / 4
        scan.check_rows()


@pytest.mark.parametrize("ending", [DEADLY, NO_MEMORY])
def test_a_photo_that_kills_its_process_on_every_worker_is_skipped_alone(tmp_path: Path, ending: bytes) -> None:
    root = tmp_path / "photos"
    write_gated_photos(root, 6, COUNTED)
    (root / "1/2.bmp").write_bytes((root / "1/1.bmp").read_bytes() + ending)
    for scan in started(DaskScan(root, {}, tmp_path)):
        local = shutil.copytree(root, tmp_path / "local")
        alone = scan.dask.start("local", scan.dask.command("scan", local, "--workers", "2"))
        scan.dask.start_workers("a", "b")
        scan.start()
        assert "1 file skipped" in scan.finish()
        assert scan.dask.finish(alone, "local")[0] == 0
        scan.rows = read_cached_rows(Library(local))
        scan.check_rows()
        assert "restarting" not in "".join(scan.dask.log_of(name).read_text().lower() for name in "ab")


def test_workers_join_and_leave(scan: DaskScan) -> None:
    (first,) = scan.dask.start_workers("a")
    scan.start()
    scan.wait_for_work_on(first)
    others = [scan.dask.start_worker(name) for name in "bcde"]
    scan.wait_for_output("joined; 5 now")
    for process in (first, others[0], others[1]):
        process.send_signal(signal.SIGINT)
    scan.wait_for_output("is gone; 2 left")
    scan.gate.open()
    scan.finish()
    scan.check_rows()
