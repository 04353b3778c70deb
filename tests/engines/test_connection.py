"""Connections to Dask clusters, and the cluster that `local:N` starts."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import tempfile
from collections.abc import Iterator
from multiprocessing import spawn
from pathlib import Path

import pytest

pytest.importorskip("distributed")
from distributed import get_worker

from faceclust.engines.dask import connection
from faceclust.engines.dask.address import DaskOptions, parse_address
from faceclust.engines.dask.connection import DaskCluster, open_cluster
from faceclust.engines.dask.worker_checks import check_library
from faceclust.errors import FaceclustError
from tests.support.command import wait_for
from tests.support.dask_processes import DaskProcesses, descendants_of, is_running, paused

pytestmark = [pytest.mark.process, pytest.mark.linux]


class Notes(list[str]):
    """The notes of a cluster."""

    def __call__(self, note: str) -> None:
        self.append(note)


@pytest.fixture(scope="module")
def notes() -> Notes:
    return Notes()


@pytest.fixture(scope="module")
def cluster(notes: Notes) -> Iterator[DaskCluster]:
    with open_cluster(DaskOptions("local:2"), notes) as cluster:
        yield cluster


def list_listening_hosts(process: int) -> list[str]:
    """Return the hosts on which a process and those below it listen by TCP, in the kernel's hexadecimal."""
    sockets = set()
    for pid in [process, *descendants_of(process)]:
        for file in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(str(file.readlink()))
            except OSError:
                continue
    rows = [row.split() for table in ("tcp", "tcp6") for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return [row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]


def test_a_local_cluster_listens_on_the_loopback_address_only_and_serves_no_web_pages(cluster: DaskCluster) -> None:
    """One socket for the scheduler, one for each nanny and worker. A web server would be one more for each."""
    assert list_listening_hosts(os.getpid()) == ["0100007F"] * 5


def test_a_local_cluster_accepts_only_holders_of_its_key(cluster: DaskCluster) -> None:
    """Other users of this machine can connect to the loopback address, too."""
    address = parse_address(cluster.client.scheduler.address)
    assert address.scheme == "tls"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((address.host, address.port)) as plain,
        context.wrap_socket(plain) as stranger,
        pytest.raises(ssl.SSLError, match="certificate required"),
    ):
        stranger.recv(1)


def test_workers_have_one_thread_and_may_have_children(cluster: DaskCluster) -> None:
    assert sorted(name[:1] for name in cluster.workers().values()) == ["0", "1"]
    assert cluster.is_local and cluster.library_root_on_workers(Path("/a")) == "/a"


def test_a_ctrl_c_does_not_reach_the_workers(cluster: DaskCluster) -> None:
    """The terminal sends it to all processes; this one decides when to stop."""
    pid = cluster.submit(os.getpid).result(5)
    os.kill(pid, signal.SIGINT)
    assert pid in {cluster.submit(os.getpid, workers=[worker]).result(5) for worker in cluster.workers()}


def refuse(addresses: list[str]) -> str | None:
    """Refuse the workers with these addresses."""
    return "refused by this test" if get_worker().address in addresses else None


def test_a_worker_with_a_problem_is_named_and_gets_no_work(cluster: DaskCluster, notes: Notes) -> None:
    checks = cluster._checks[:]
    try:
        bad, good = cluster.workers()
        name = cluster.workers()[bad]
        cluster.check_workers((refuse, ([bad],)))
        assert notes[-1] == f"worker {name}: refused by this test"
        assert list(cluster.workers()) == [good]
        assert {cluster.submit(_own_address).result(5) for _ in range(4)} == {good}
        with pytest.raises(FaceclustError, match="no worker that can be used"):
            cluster.check_workers((check_library, ("/missing", ())))
        assert notes[-1].startswith(f"worker {cluster._names[good]}: it has no folder /missing")
    finally:
        cluster._checks = checks
        cluster.check_workers()
    assert len(cluster.workers()) == 2


def _own_address() -> str:
    address: str = get_worker().address
    return address


def test_a_worker_without_an_answer_is_left_out_until_it_answers(
    cluster: DaskCluster, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_CHECK", 1.0)
    slow = next(iter(cluster.workers()))
    pid = cluster.submit(os.getpid, workers=[slow]).result(5)
    os.kill(pid, signal.SIGSTOP)
    try:
        cluster.check_workers()
        assert "no answer within 1 s" in notes[-1]
        assert slow not in cluster.workers() and len(cluster.workers()) == 1
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: slow in cluster.workers())
    assert "joined; 2 now" in notes[-1]


def test_work_is_never_given_to_workers_that_are_not_checked(
    cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "workers", dict)
    with pytest.raises(TimeoutError):
        cluster.submit(os.getpid)


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced(cluster: DaskCluster, notes: Notes) -> None:
    before = cluster.workers()
    pid = cluster.submit(os.getpid).result(5)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(cluster.workers()) == 1)
    assert "is gone; 1 left" in notes[-1]
    wait_for(lambda: len(cluster.workers()) == 2)
    assert "joined; 2 now" in notes[-1] and cluster.workers().keys() != before.keys()


@pytest.mark.slow
def test_nothing_is_left_of_a_local_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment, before = dict(os.environ), set(descendants_of(os.getpid()))
    with open_cluster(DaskOptions("local:1"), print):
        started = set(descendants_of(os.getpid())) - before
        assert started
        assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o700]
    assert dict(os.environ) == environment and not list(tmp_path.iterdir())
    assert not [pid for pid in started if is_running(pid) and "resource_tracker" not in _command(pid)]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def test_processes_that_cannot_be_started_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = dict(os.environ)
    monkeypatch.setattr(spawn, "_python_exe", b"/bin/false")
    with (
        pytest.raises(FaceclustError, match="cannot start 1 processes of Dask: "),
        open_cluster(DaskOptions("local:1"), print),
    ):
        pass
    assert dict(os.environ) == before and capfd.readouterr() == ("", "")


def test_nobody_at_the_address_is_one_line() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        with (
            pytest.raises(FaceclustError, match=f"cannot connect to {address}: Connection refused"),
            open_cluster(DaskOptions(address), print),
        ):
            pass


def test_another_server_at_the_address_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_CONNECT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with (
            pytest.raises(FaceclustError, match=f"cannot connect to {address}"),
            open_cluster(DaskOptions(address), print),
        ):
            pass


@pytest.mark.slow
def test_workers_of_others_are_checked_and_a_scheduler_that_hangs_or_is_lost_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_RECONNECT", 1.0)
    notes = Notes()
    with DaskProcesses(tmp_path) as processes:
        scheduler = processes.start_scheduler()
        options = DaskOptions(processes.address, root="/mnt/photos")
        with monkeypatch.context() as patch, pytest.raises(FaceclustError, match="has no workers"):
            patch.setattr(connection, "_CHECK", 0.5)
            with open_cluster(options, notes):
                pass
        processes.start_worker("wide", "--nthreads", "2")
        (tmp_path / "faceclust").mkdir()
        (tmp_path / "faceclust/__init__.py").touch()
        (tmp_path / "faceclust/version.py").write_text("__version__ = '0.0.1'")
        old = processes.start_worker("old", "--no-nanny", PYTHONPATH=str(tmp_path), PYTHONSAFEPATH="1")
        processes.start_worker("good")
        for name in ("wide", "old", "good"):
            processes.wait_for_worker(name)
        with open_cluster(options, notes) as cluster:
            assert [name.split()[0] for name in cluster.workers().values()] == ["good"]
            assert any(note.startswith("worker wide") and "--nthreads 1" in note for note in notes)
            assert any(note.startswith("worker old") and "it has faceclust 0.0.1" in note for note in notes)
            assert old.poll() is None
            assert cluster.library_root_on_workers(Path("/home/me/photos")) == "/mnt/photos"
            with monkeypatch.context() as patch, paused([scheduler.pid]):
                patch.setattr(connection, "_ALONE", 0.5)
                patch.setattr(connection, "_ANSWER", 0.3)
                with pytest.raises(FaceclustError, match="has not answered for"):
                    wait_for(lambda: not cluster.workers())
            wait_for(lambda: bool(cluster.workers()) and cluster._silent_since is None)
            scheduler.kill()
            wait_for(lambda: not cluster.workers())
            with pytest.raises(FaceclustError, match="lost the connection") as error:
                wait_for(lambda: bool(cluster.workers()))
            assert error.value.hint and "all finished work is saved" in error.value.hint
