"""Scans on a cluster leave the same library as scans on one machine."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.engines.dask import start
from faceclust.engines.dask.address import DaskOptions
from faceclust.engines.dask.connection import DaskCluster, open_cluster
from faceclust.progress import SilentProgress
from faceclust.scan.result import ScanResult
from tests.support.dask_processes import children_of, is_running
from tests.support.deadly_photos import write_deadly_photo, write_patch
from tests.support.sample_photos import make_library
from tests.support.scripted_worker import wait_for

pytestmark = [pytest.mark.process, pytest.mark.linux]


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let some photos end the process that decodes them."""
    folder = tmp_path_factory.mktemp("patched") / "patch"
    write_patch(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        yield


@pytest.fixture(scope="module")
def cluster(patched: None) -> Iterator[DaskCluster]:
    with open_cluster(DaskOptions("local:2"), lambda note: None) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _one_cluster(cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def open_again(*_: object) -> Iterator[DaskCluster]:
        yield cluster

    monkeypatch.setattr(start, "open_cluster", open_again)


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, Path]:
    """Two copies of a library with copies of photos and photos that are deadly."""
    one, other = tmp_path / "one/photos", tmp_path / "other/photos"
    photos = sorted(make_library(one, photos_each=2))
    shutil.copy2(one / photos[0], one / "copy of the first.jpg")
    write_deadly_photo(one, "crashes")
    write_deadly_photo(one, "takes memory")
    shutil.copytree(one, other)
    return one, other


def scan(root: Path, *, dask: bool, again: str | None = None) -> ScanResult:
    return Library(root).scan(workers=1, again=again or (), dask="local:2" if dask else None)


def read_caches(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob(".faceclust.*.parquet")}


def summarise(result: ScanResult) -> dict[str, object]:
    return {
        "counts": (result.photos, result.scanned, result.copied, result.faces, result.remaining),
        "skipped": sorted((photo.ref.rel_path, photo.reason, photo.detail) for photo in result.skipped),
        "notes": result.notes,
    }


@pytest.mark.slow
def test_a_scan_on_a_cluster_gives_the_same_caches_to_the_byte(roots: tuple[Path, Path]) -> None:
    one, other = roots
    assert summarise(scan(one, dask=False)) == summarise(scan(other, dask=True))
    assert read_caches(one) == read_caches(other) != {}
    here, there = (
        scan(root, dask=dask, again=str(root / "together/both 0.jpg")) for root, dask in ((one, False), (other, True))
    )
    assert summarise(here) == summarise(there)
    assert read_caches(one) == read_caches(other)


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_its_children_along_and_loses_no_photo(
    cluster: DaskCluster, roots: tuple[Path, Path]
) -> None:
    one, other = roots
    scan(one, dask=False)
    wait_for(lambda: len(cluster.workers()) == 2)
    workers = list(cluster.client.run(os.getpid).values())
    children: list[int] = []

    def kill_one() -> bool:
        if not children and (found := children_of(workers[0])):
            children.extend(found)
            os.kill(workers[0], signal.SIGKILL)
        return False

    result = Library(other).scan(dask="local:2", should_stop=kill_one)
    assert children and result.remaining == 0
    assert read_caches(one) == read_caches(other)
    wait_for(lambda: not any(map(is_running, children)))


class CountingProgress(SilentProgress):
    """Counts the photos examined."""

    steps = 0

    def start(self, stage: str, total: int | None, unit: str = "") -> None:
        self.steps = 0

    def advance(self, steps: int = 1, **counts: int) -> None:
        self.steps += steps


@pytest.mark.slow
def test_a_scan_that_was_stopped_is_resumed(roots: tuple[Path, Path]) -> None:
    one, other = roots
    scan(one, dask=False)
    progress = CountingProgress()
    result = Library(other, progress=progress).scan(dask="local:2", should_stop=lambda: progress.steps > 0)
    assert result.interrupted and result.remaining > 0 < result.scanned
    assert scan(other, dask=True).remaining == 0
    assert read_caches(one) == read_caches(other)
