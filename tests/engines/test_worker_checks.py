"""The checks that a worker makes of itself, called in this process."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from faceclust.engines.dask import worker_checks
from faceclust.engines.dask.worker_checks import (
    SOFTWARE_EXPRESSION,
    Software,
    check_children,
    check_device,
    check_extras,
    check_library,
    check_pack,
    checks_for_scan,
    run_checks,
    sample_photos,
)
from faceclust.packs.registry import load_pack
from faceclust.scan.examine import ScanSettings

HERE = Software.here()


@pytest.mark.parametrize("name", ["faceclust", "python", "distributed"])
def test_another_version_is_named(name: str) -> None:
    assert HERE.find_difference(Software(*eval(SOFTWARE_EXPRESSION))) is None
    problem = HERE.find_difference(HERE._replace(**{name: "9.9"}))
    assert problem is not None and problem.startswith(f"it has {name} 9.9, and this machine {getattr(HERE, name)}")


@pytest.mark.parametrize("is_daemon", [False, True])
def test_a_worker_that_may_have_no_children_is_told_the_setting(
    monkeypatch: pytest.MonkeyPatch, is_daemon: bool
) -> None:
    monkeypatch.setattr(multiprocessing, "current_process", lambda: SimpleNamespace(daemon=is_daemon))
    problem = check_children()
    assert problem is None if not is_daemon else problem and "DASK_DISTRIBUTED__WORKER__DAEMON=False" in problem


def test_the_pack_must_be_the_same_and_undamaged(monkeypatch: pytest.MonkeyPatch) -> None:
    pack = load_pack("dlib")
    assert check_pack("dlib", pack.fingerprint) is None
    assert (problem := check_pack("dlib", "other")) and "another one" in problem
    assert (problem := check_pack("no-such-pack", "")) and "no-such-pack" in problem
    assert (problem := check_pack("sface", load_pack("sface").fingerprint)) and "faceclust models pull sface" in problem


def test_decoders_and_devices_of_the_client_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_extras(["raw", "jxl"]) is None
    monkeypatch.setitem(worker_checks.EXTRA_MODULES, "raw", "no_such_module")
    assert (problem := check_extras(["raw", "jxl"])) and "pip install 'faceclust[raw]'" in problem
    assert check_device("cpu") is None
    assert (problem := check_device("directml")) and "--device" in problem


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a library of three photos; the newest is b/new.jpg."""
    for number, name in enumerate(["a.jpg", "b/old.JPG", "b/new.jpg", ".hidden/c.jpg", "notes.txt"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * (10 + number))
        os.utime(tmp_path / name, (number, number))
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    (tmp_path / "loop").symlink_to(tmp_path)
    return tmp_path


def test_the_newest_photos_are_compared(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sample_photos(photos) == [("b/new.jpg", 12), ("b/old.JPG", 11), ("a.jpg", 10)]
    monkeypatch.setattr(worker_checks, "_SAMPLE", 1)
    assert sample_photos(photos) == [("b/new.jpg", 12)]
    monkeypatch.setattr(worker_checks, "_MAX_ENTRIES", 0)
    assert sample_photos(photos) == []


def test_a_worker_must_read_the_same_library(photos: Path) -> None:
    sample = sample_photos(photos)
    assert check_library(str(photos), sample) is None
    photos.chmod(0o500)  # a mount may be read-only
    assert check_library(str(photos), sample) is None
    photos.chmod(0o700)
    assert (problem := check_library(f"{photos}/no", sample)) and "--dask-root" in problem  # a missing mount
    (photos / "b/new.jpg").write_bytes(b"other")
    assert (problem := check_library(str(photos), sample)) and "5 bytes there and 12 here" in problem  # another library
    (photos / "b/new.jpg").unlink()
    assert (problem := check_library(str(photos), sample)) and "cannot read b/new.jpg" in problem  # a stale mount
    os.mkfifo(photos / "b/new.jpg")
    assert check_library(str(photos), sample) is not None


def test_the_first_problem_counts() -> None:
    settings = ScanSettings(load_pack("dlib"))
    assert run_checks(checks_for_scan(settings)) is None
    wrong = replace(settings, pack=replace(settings.pack, name="no-such-pack"))
    assert (problem := run_checks(checks_for_scan(wrong))) and "no-such-pack" in problem
