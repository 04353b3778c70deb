"""A scan on a Dask cluster whose processes die, hang or lose the network finds the same faces, or goes on later."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faceclust import Library
from tests.support.dask_processes import DaskProcesses, descendants_of, is_running, kill, worker_below
from tests.support.command import wait_for
from tests.support.gated_photos import Gate, write_gated_photos
from tests.support.scan_builders import read_cached_rows

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.linux]
PHOTOS = 12


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[dict[str, Any]]]]:
    """A folder of photos, and the rows of a scan in this process."""
    root = tmp_path_factory.mktemp("expected") / "photos"
    write_gated_photos(root, PHOTOS)
    library = Library(root, cache_dir=tmp_path_factory.mktemp("caches"))
    library.scan(workers=0)
    return root, read_cached_rows(library)


class Scans:
    """Scans of one folder of photos on a cluster; the photos wait at a gate."""

    def __init__(self, root: Path, rows: dict[str, list[dict[str, Any]]], folder: Path) -> None:
        self.root, self.rows, self.caches = root, rows, folder / "caches"
        self.gate = Gate(folder / "gate")
        self.dask = DaskProcesses(folder / "logs", self.gate.environment)
        self.constants: dict[str, object] = {}

    def start(self) -> Any:
        return self.dask.start_command(
            "scan", "scan", self.root, "--cache-dir", self.caches, constants=self.constants
        )

    def finish(self, process: Any, code: int = 0) -> str:
        """Wait for the end of a scan and check its exit code and output."""
        found, output = self.dask.finish(process, "scan")
        print(output)
        assert found == code, output
        assert "Traceback" not in output and "distributed" not in output
        return output

    def check_rows(self) -> None:
        assert read_cached_rows(Library(self.root, cache_dir=self.caches)) == self.rows


@pytest.fixture
def scans(expected: tuple[Path, dict[str, list[dict[str, Any]]]], tmp_path: Path) -> Iterator[Scans]:
    one = Scans(*expected, tmp_path)
    with one.dask:
        one.dask.start_scheduler()
        yield one
        one.gate.open()
        one.dask.stop()


def test_a_worker_killed_while_it_examines(scans: Scans) -> None:
    nanny, _ = scans.dask.start_workers("a", "b")
    scan = scans.start()
    worker = worker_below(nanny.pid)
    wait_for(lambda: scans.gate.seen()[worker])
    below = descendants_of(worker)
    assert below
    kill(worker)
    wait_for(lambda: not any(map(is_running, below)))
    scans.gate.open()
    assert "worker a" in scans.finish(scan)
    scans.check_rows()
