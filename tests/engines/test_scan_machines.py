"""A scan on machines that lose the network, do not have the library, or have other software."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.installer.add import add_pack_from_manifest
from tests.support.command import run_checked
from tests.support.dask_processes import Hosts, other_mounts
from tests.support.dask_runs import DaskScan, Rows, started
from tests.support.gated_photos import write_gated_photos
from tests.support.scan_builders import read_cached_rows
from tests.support.synthetic_people import write_detector

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.linux]
#: Of a scheduler and of workers, which notice a cut sooner with these. A shorter timeout of TCP is an error in Dask.
_NOTICES_CUTS = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "11s", "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "4s"}


@pytest.fixture(scope="module")
def photos_and_rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    """A folder of photos, and the rows of a scan in this process."""
    root = tmp_path_factory.mktemp("expected") / "photos"
    write_gated_photos(root, 8)
    library = Library(root, cache_dir=tmp_path_factory.mktemp("caches"))
    library.scan(workers=0)
    return root, read_cached_rows(library)


@pytest.fixture
def scan(photos_and_rows: tuple[Path, Rows], tmp_path: Path) -> Iterator[DaskScan]:
    yield from started(DaskScan(*photos_and_rows, tmp_path))


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts("one", "two") as hosts:
        yield hosts


def test_the_network_of_a_worker_is_cut_and_comes_back(
    hosts: Hosts, photos_and_rows: tuple[Path, Rows], tmp_path: Path
) -> None:
    scan = DaskScan(*photos_and_rows, tmp_path, hosts.gateway)
    with scan.dask:
        scan.dask.start_scheduler(**_NOTICES_CUTS)
        host = {"before": hosts.enter("one"), "host": hosts.address_of("one")}
        nanny = scan.dask.start_worker("a", **host, **_NOTICES_CUTS)
        scan.dask.wait_for_worker("a")
        scan.start("--dask-insecure")
        scan.wait_for_work_on(nanny)
        hosts.cut("one")
        scan.wait_for_output("is gone; 0 left")
        scan.gate.open()
        hosts.join("one")
        nanny.wait(60)  # a worker ends once it has noticed the cut, so it has to be started again
        scan.dask.start_worker("a again", **host, **_NOTICES_CUTS)
        scan.finish()
        scan.check_rows()
        scan.dask.stop()


def test_the_network_of_the_client_is_cut_and_comes_back(
    hosts: Hosts, photos_and_rows: tuple[Path, Rows], tmp_path: Path
) -> None:
    scan = DaskScan(*photos_and_rows, tmp_path, hosts.gateway)
    with scan.dask:
        scan.dask.start_scheduler(**_NOTICES_CUTS)
        nanny = scan.dask.start_worker("a", **_NOTICES_CUTS)
        scan.dask.wait_for_worker("a")
        settings = {"distributed.comm.timeouts.connect": "2s", "distributed.comm.timeouts.tcp": "11s"}
        scan.start("--dask-insecure", before=hosts.enter("one"), constants={"connection._CLIENT_SETTINGS": settings})
        scan.wait_for_work_on(nanny)
        hosts.cut("one")
        scan.wait_for_output("connecting again")
        scan.gate.open()
        hosts.join("one")
        assert "connected to" in scan.finish()
        scan.check_rows()
        scan.dask.stop()


def test_a_worker_may_read_the_library_only(scan: DaskScan) -> None:
    scan.dask.start_worker("a", before=other_mounts(f"mount --bind -o ro {scan.root} {scan.root}"))
    scan.dask.wait_for_worker("a")
    scan.gate.open()
    scan.start()
    scan.finish()
    scan.check_rows()


def mount_nothing(scan: DaskScan, folder: Path) -> str:
    return f"mount -t tmpfs none {scan.root}"


def mount_older_copy(scan: DaskScan, folder: Path) -> str:
    shutil.copytree(scan.root, folder / "older")
    (folder / "older/1/7.bmp").unlink()
    return f"mount --bind {folder / 'older'} {scan.root}"


def mount_damaged_copy(scan: DaskScan, folder: Path) -> str:
    shutil.copytree(scan.root, folder / "damaged")
    (folder / "damaged/1/7.bmp").write_bytes(b"cut off")
    return f"mount --bind {folder / 'damaged'} {scan.root}"


@pytest.mark.parametrize("mount", [mount_nothing, mount_older_copy, mount_damaged_copy])
def test_a_worker_without_the_library_is_refused(
    scan: DaskScan, tmp_path: Path, mount: Callable[[DaskScan, Path], str]
) -> None:
    scan.gate.open()
    scan.dask.start_worker("bad", before=other_mounts(mount(scan, tmp_path)))
    scan.dask.wait_for_worker("bad")
    scan.start()
    output = scan.finish(1)
    assert "worker bad" in output and str(scan.root) in output
    scan.dask.start_workers("good")
    scan.start()
    assert "worker bad" in scan.finish()
    scan.check_rows()


def test_the_mount_of_a_worker_goes_away(scan: DaskScan) -> None:
    """The disk below the mount point goes away during the scan. The others examine its photos."""
    nanny = scan.dask.start_worker("a", before=other_mounts("true"))
    scan.dask.wait_for_worker("a")
    scan.dask.start_workers("b")
    scan.start()
    scan.wait_for_work_on(nanny)
    scan.dask.finish(
        scan.dask.start(
            "mount", ["nsenter", "-t", str(nanny.pid), "-m", "mount", "-t", "tmpfs", "none", str(scan.root)]
        ),
        "mount",
    )
    scan.gate.open()
    assert "worker a" in scan.finish()
    scan.check_rows()


def test_a_worker_with_another_version_is_refused(scan: DaskScan, tmp_path: Path) -> None:
    (tmp_path / "older.py").write_text("from faceclust import version\nversion.__version__ = '0.0.1'\n")
    scan.gate.open()
    scan.dask.start_worker("old", "--preload", str(tmp_path / "older.py"))
    scan.dask.wait_for_worker("old")
    scan.start()
    assert "worker old" in (output := scan.finish(1)) and "faceclust 0.0.1" in output


def test_a_worker_without_the_pack_is_refused(tmp_path: Path) -> None:
    write_gated_photos(tmp_path / "photos", 2)
    for scan in started(DaskScan(tmp_path / "photos", {}, tmp_path)):
        scan.gate.open()
        scan.dask.start_worker("bare", XDG_DATA_HOME=str(tmp_path / "bare"))
        scan.dask.wait_for_worker("bare")
        add_pack_from_manifest(write_detector(tmp_path / "own"), [])
        run_checked("models", "use", "marks", "--library", scan.root)
        scan.start()
        assert "worker bare" in (output := scan.finish(1)) and "marks" in output


def test_the_disk_of_the_client_fills_up(scan: DaskScan) -> None:
    scan.gate.open()
    scan.dask.start_workers("a")
    scan.caches.mkdir()
    scan.start(before=other_mounts(f"mount -t tmpfs -o size=16k none {scan.caches}"))
    assert "disk" in scan.finish(1)
    scan.start()
    scan.finish()
    scan.check_rows()
