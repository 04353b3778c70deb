"""`--dask` on the command line, in the environment and in configuration files."""

from __future__ import annotations

import importlib.util
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.engines.dask import address as addresses
from faceclust.store.settings import user_config_file
from tests.support.command import run
from tests.support.labelled_photos import make_labelled_photos


@pytest.fixture
def closed_address() -> Iterator[str]:
    """Return an address of this machine at which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{unused.getsockname()[1]}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dask", "hub:8786"], "not an address of a Dask scheduler: 'hub:8786'"),
        (["--dask", "ucx://hub"], "not an address of a Dask scheduler"),
        (["--dask", "local:0"], "local:N starts 1 to 256 processes, not '0'"),
        (["--dask", "tcp://192.0.2.1"], "tcp://192.0.2.1:8786 is another machine"),
        (["--dask", "tls://192.0.2.1"], "tls://192.0.2.1:8786 needs certificates"),
        (["--dask", "tls://me:secret@hub"], "has no user name or password"),
        (["--dask-root", "/photos"], "--dask-root needs --dask"),
        (["--dask-insecure"], "--dask-insecure needs --dask"),
    ],
)
@pytest.mark.parametrize("command", ["scan", "cluster"])
def test_wrong_options_are_refused(library: Library, command: str, arguments: list[str], message: str) -> None:
    (library.root / "new.jpg").write_bytes(next(library.root.rglob("*.jpg")).read_bytes()[:-1])
    where = [library.root] if command == "scan" else ["--library", library.root]
    done = run(command, *where, *arguments)
    assert done.returncode == 2 and message in done.stderr and "secret" not in done.stderr


def test_workers_of_this_machine_and_of_a_cluster_exclude_each_other(library: Library) -> None:
    done = run("scan", library.root, "--dask", "local:2", "-j", "2")
    assert done.returncode == 2 and "--workers counts processes of this machine" in done.stderr


def test_a_device_and_a_cluster_exclude_each_other_in_groupings(library: Library) -> None:
    done = run("cluster", "--library", library.root, "--dask", "local:2", "--device", "cuda")
    assert done.returncode == 2 and "a Dask cluster compares faces without cuda" in done.stderr


@pytest.mark.parametrize("source", ["command line", "environment", "user's file"])
def test_the_address_may_come_from_the_user(library: Library, closed_address: str, source: str) -> None:
    """A cluster that cannot be reached is an error: it is never replaced by this machine without notice."""
    (library.root / "new.jpg").write_bytes(next(library.root.rglob("*.jpg")).read_bytes()[:-1])
    if source == "user's file":
        user_config_file().parent.mkdir(parents=True, exist_ok=True)
        user_config_file().write_text(f'dask = "{closed_address}"')
    done = run(
        *("scan", library.root, *(["--dask", closed_address] if source == "command line" else [])),
        env={"FACECLUST_DASK": closed_address} if source == "environment" else {},
    )
    assert done.returncode == 1 and f"cannot connect to {closed_address}: Connection refused" in done.stderr


def test_a_missing_dask_is_named(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "find_spec", lambda name: None)
    done = run("cluster", "--library", library.root, "--dask", "local:2")
    assert done.returncode == 2 and "hint: pip install 'faceclust[dask]'" in done.stderr


@pytest.mark.parametrize("package", ["distributed", "torch"])
def test_doctor_says_whether_an_extra_is_installed(package: str) -> None:
    expected = rf"{package} \d" if importlib.util.find_spec(package) else f"{package} not installed"
    assert re.search(expected, run("doctor").stdout)


@pytest.mark.parametrize(
    ("algorithm", "note"),
    [
        ("average", "on this machine alone, which is faster than the Dask cluster"),
        ("hdbscan", "hdbscan groups on this machine alone, without the Dask cluster"),
    ],
)
def test_few_faces_are_grouped_by_threads_and_no_cluster_is_started(
    library: Library, monkeypatch: pytest.MonkeyPatch, algorithm: str, note: str
) -> None:
    start = pytest.importorskip("faceclust.engines.dask.start")
    monkeypatch.setattr(start, "open_cluster", None)
    done = run("cluster", "--full", "--library", library.root, "--dask", "local:2", "--algorithm", algorithm)
    assert done.returncode == 0 and note in done.stderr


@pytest.mark.slow
@pytest.mark.process
def test_a_cluster_groups_faces_as_threads_do(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    start = pytest.importorskip("faceclust.engines.dask.start")
    open_cluster, opened = start.open_cluster, []
    monkeypatch.setattr(start, "MIN_FACES", 2)
    monkeypatch.setattr(start, "open_cluster", lambda *given: opened.append(given) or open_cluster(*given))
    contents = []
    for options in ([], ["--dask", "local:1"]):
        library.home.clusters.unlink(missing_ok=True)
        done = run("cluster", "--full", "--library", library.root, *options)
        assert done.returncode == 0
        contents.append(library.home.clusters.read_bytes())
    assert contents[0] == contents[1] and len(opened) == 1


@pytest.mark.slow
@pytest.mark.process
def test_a_scan_with_processes_of_dask_writes_the_same_caches_and_none_of_its_logs(tmp_path: Path) -> None:
    make_labelled_photos(tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")  # with the same times
    for folder, options in (("here", ["-j", "1"]), ("there", ["--dask", "local:2"])):
        done = run("scan", tmp_path / folder, *options, process=True)
        assert done.returncode == 0
        lines = [line for line in done.stderr.splitlines() if not line.startswith(("library: ", "scanning: "))]
        assert [line for line in lines if "default library" not in line] == []
    caches = {path.relative_to(tmp_path / "here") for path in (tmp_path / "here").rglob("*.parquet")}
    assert caches
    for cache in caches:
        assert (tmp_path / "here" / cache).read_bytes() == (tmp_path / "there" / cache).read_bytes()
