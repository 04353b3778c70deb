"""Scans that are killed or interrupted, and decoders that crash: work is kept, the next run continues."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faceclust import Library
from tests.support.command import run, run_checked, start_scan, wait_for, wait_for_first_folder
from tests.support.sample_photos import make_library

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")]


def count_scanned_photos(photos: Path) -> int:
    """Return the number of photos in the caches."""
    return Library(photos).table.photo_count if list(photos.rglob(".faceclust.mobilefacenet.parquet")) else 0


def list_workers(pid: int) -> list[int]:
    """Return the process ids of a scan's workers, without multiprocessing's resource tracker."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            line = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == pid and b"spawn_main" in line:
            found.append(int(status.parent.name))
    return found


def _is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def scan(photos: Path) -> Iterator[subprocess.Popen[str]]:
    with start_scan(photos) as process:
        yield process


@pytest.fixture
def linux_only() -> Iterator[None]:
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc")
    yield


@pytest.mark.slow
@pytest.mark.usefixtures("linux_only")
def test_kill_9_keeps_saved_work_and_leaves_no_worker(
    photos: Path, uninterrupted_rows: list[dict[str, object]], scan: subprocess.Popen[str]
) -> None:
    wait_for_first_folder(photos)
    workers = list_workers(scan.pid)
    assert workers
    scan.kill()
    scan.communicate()
    wait_for(lambda: not any(_is_alive(pid) for pid in workers), 20)
    done = count_scanned_photos(photos)
    assert 10 <= done < 30
    result = json.loads(run_checked("scan", photos, "--json"))
    assert result["unchanged"] == done and result["scanned"] == 30 - done and not result["notes"]
    assert Library(photos).table.rows.to_pylist() == uninterrupted_rows


@pytest.mark.slow
def test_ctrl_c_saves_and_prints_how_to_continue(
    photos: Path, uninterrupted_rows: list[dict[str, object]], scan: subprocess.Popen[str]
) -> None:
    wait_for_first_folder(photos)
    os.killpg(scan.pid, signal.SIGINT)  # a terminal sends it to workers too
    out, err = scan.communicate(timeout=60)
    assert scan.returncode == 130
    assert "finishing the photos already started" in err and f"To continue: faceclust scan {photos}" in err
    assert "Traceback" not in err and " remaining" in out
    done = count_scanned_photos(photos)
    assert done >= 10
    assert json.loads(run_checked("scan", photos, "--json"))["unchanged"] == done
    assert Library(photos).table.rows.to_pylist() == uninterrupted_rows


def test_ctrl_c_at_once_leaves_no_traceback(scan: subprocess.Popen[str]) -> None:
    time.sleep(0.7)  # during the imports, or while the workers start
    os.killpg(scan.pid, signal.SIGINT)
    _, err = scan.communicate(timeout=60)
    assert scan.returncode in (0, 130, -signal.SIGINT)
    assert "BrokenProcess" not in err


@pytest.mark.slow
@pytest.mark.usefixtures("linux_only")
@pytest.mark.parametrize("delay", [0, 0.02, 0.1, 0.2])
def test_ctrl_c_while_workers_start_prints_no_traceback(scan: subprocess.Popen[str], delay: float) -> None:
    wait_for(lambda: bool(list_workers(scan.pid)))
    time.sleep(delay)
    os.killpg(scan.pid, signal.SIGINT)
    _, err = scan.communicate(timeout=60)
    assert scan.returncode == 130
    assert "Traceback" not in err and "KeyboardInterrupt" not in err


@pytest.mark.slow
@pytest.mark.usefixtures("linux_only")
def test_a_killed_worker_loses_no_photo(
    photos: Path, uninterrupted_rows: list[dict[str, object]], scan: subprocess.Popen[str]
) -> None:
    wait_for_first_folder(photos)
    os.kill(list_workers(scan.pid)[0], signal.SIGKILL)
    out, err = scan.communicate(timeout=120)
    assert scan.returncode == 0, err
    assert "30 photos: 30 scanned" in out
    assert Library(photos).table.rows.to_pylist() == uninterrupted_rows


@pytest.mark.slow
def test_only_the_photo_that_crashes_its_decoder_is_skipped(tmp_path: Path) -> None:
    # Patch the workers at start-up, so that the decoder reads invalid memory on one file.
    patch = tmp_path / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(
        "import ctypes\n"
        "from PIL import Image\n"
        "real = Image.open\n"
        "def open(fp, *args, **kwargs):\n"
        "    if b'KILL THE DECODER' in bytes(fp.getbuffer()[:32]):\n"
        "        ctypes.string_at(0)\n"
        "    return real(fp, *args, **kwargs)\n"
        "Image.open = open\n"
    )
    photos = tmp_path / "photos"
    make_library(photos, photos_each=1)
    (photos / "2019/deadly.jpg").write_bytes(b"\xff\xd8\xff" + b"KILL THE DECODER" * 4)
    done = run(
        "scan",
        photos,
        env={"PYTHONPATH": os.pathsep.join([str(patch), os.environ.get("PYTHONPATH", "")])},
        process=True,
    )
    assert done.returncode == 0, done.stderr
    assert "5 scanned" in done.stdout and "1 file skipped: 1 decoder crashed" in done.stdout
    assert "Traceback" not in done.stderr
    (skip,) = Library(photos).table.skipped_photos()
    assert (skip["photo"], skip["reason"]) == ("2019/deadly.jpg", "decoder crashed")
    assert "2019/deadly.jpg" in (output := run_checked("status", "--library", photos)) and "SIGSEGV" in output
    assert json.loads(run_checked("scan", photos, "--json"))["scanned"] == 0  # not tried again until it changes


@pytest.mark.slow
def test_a_second_scan_at_the_same_time_is_refused(photos: Path, scan: subprocess.Popen[str]) -> None:
    wait_for(lambda: (photos / ".faceclust/lock.owner").exists())
    second = run("scan", photos)
    out, _ = scan.communicate(timeout=120)
    assert "30 scanned" in out
    assert second.returncode == 1 and f"(process {scan.pid}) has been scanning" in second.stderr
