"""Full, read-only and unmounted disks, too little memory, a wrong clock, photos that change while read.

The caches stay intact, one line reports the cause, and the next run continues.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from faceclust import Library
from tests.support.command import run, run_checked, start_scan, wait_for_first_folder
from tests.support.sample_photos import COLLINS, make_library, make_variant, save_photo

pytestmark = [
    pytest.mark.process,
    pytest.mark.linux,
    pytest.mark.skipif(sys.platform != "linux", reason="needs mounts, limits and signals of Linux"),
]

Mount = Callable[..., Path]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """A function that mounts a file system on a folder until the end of the test."""
    with ExitStack() as stack:

        def mount(folder: Path, *arguments: str | Path) -> Path:
            folder.mkdir(exist_ok=True)
            done = subprocess.run(["mount", *arguments, folder], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"cannot mount: {done.stderr.strip()}")
            stack.callback(subprocess.run, ["umount", "-l", folder], capture_output=True, check=False)
            return folder

        yield mount


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "-l", folder], check=True)


def read_rows(photos: Path) -> list[dict[str, object]]:
    """Return all rows of all caches, each of which must be fully readable."""
    for path in photos.rglob(".faceclust.mobilefacenet.parquet"):
        pq.read_table(path).validate(full=True)
    assert not list(photos.rglob("*.tmp"))
    return Library(photos).table.rows.to_pylist()


def scan_copy(photos: Path) -> list[dict[str, object]]:
    """Scan a copy of the photos without interruption and return its rows."""
    copy = photos.with_name("uninterrupted")
    shutil.copytree(photos, copy, ignore=shutil.ignore_patterns(".faceclust*"))
    Library(copy).scan(workers=0)
    return read_rows(copy)


def scan_again(photos: Path) -> dict[str, object]:
    result: dict[str, object] = json.loads(run_checked("scan", photos, "--json"))
    return result


@contextmanager
def disturb_scan(photos: Path) -> Iterator[list[str]]:
    """Run the block once a third of a scan is saved. Afterwards the list contains the scan's stderr.

    The scan must fail without a traceback.
    """
    stderr: list[str] = []
    with start_scan(photos) as scan:
        wait_for_first_folder(photos)
        yield stderr
        _, err = scan.communicate(timeout=120)
    stderr.append(err)
    assert scan.returncode == 1 and "Traceback" not in err and "bug in faceclust" not in err, err


@pytest.mark.slow
def test_a_full_disk(
    large_library: Path, tmp_path: Path, mount: Mount, uninterrupted_rows: list[dict[str, object]]
) -> None:
    disk = mount(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64m", "tmpfs")
    photos = disk / "photos"
    shutil.copytree(large_library, photos)
    filler = disk / "filler"
    with disturb_scan(photos) as stderr, filler.open("wb", buffering=0) as stream, pytest.raises(OSError):
        while True:
            stream.write(bytes(4096))
    assert "cannot be written: No space left on device" in stderr[0]
    done = len({row["photo"] for row in read_rows(photos)})
    filler.unlink()
    result = scan_again(photos)
    assert 10 <= done == result["unchanged"] and not result["notes"]
    assert read_rows(photos) == uninterrupted_rows


@pytest.mark.slow
@pytest.mark.parametrize("unmounted", ["", "2"])
def test_a_disk_unmounted_during_a_scan(
    large_library: Path, tmp_path: Path, mount: Mount, uninterrupted_rows: list[dict[str, object]], unmounted: str
) -> None:
    data = tmp_path / "data"
    shutil.copytree(large_library, data)
    photos = mount(tmp_path / "photos", "--bind", data)
    if unmounted:
        (tmp_path / "on the other disk").mkdir()
        for photo in (data / unmounted).iterdir():
            photo.rename(tmp_path / "on the other disk" / photo.name)
        mount(photos / unmounted, "--bind", tmp_path / "on the other disk")
    with disturb_scan(photos) as stderr:
        unmount(photos / unmounted)
    assert (
        f"{photos / unmounted}: its photos are gone" in stderr[0]
        if unmounted
        else f"error: {photos} is gone" in stderr[0]
    )
    assert list((photos / unmounted).iterdir()) == []  # the disk would hide a file written here
    if unmounted:
        mount(photos / unmounted, "--bind", tmp_path / "on the other disk")
    else:
        mount(photos, "--bind", data)
    result = scan_again(photos)
    assert result["unchanged"] == 20 if unmounted else result["unchanged"] >= 10  # type: ignore[operator]
    assert read_rows(photos) == uninterrupted_rows


@pytest.mark.slow
@pytest.mark.parametrize("subfolder", ["", "2019"])
def test_a_read_only_folder(tmp_path: Path, mount: Mount, subfolder: str) -> None:
    photos = tmp_path / "photos"
    make_library(photos, photos_each=1)
    expected, before = scan_copy(photos), sorted((photos / subfolder).rglob("*"))
    mount(photos / subfolder, "-o", "bind,ro", photos / subfolder)
    result = scan_again(photos)
    assert (result["scanned"], result["unsaved"], result["notes"]) == (5, 0, [])
    assert sorted((photos / subfolder).rglob("*")) == before
    assert read_rows(photos) == expected
    unmount(photos / subfolder)
    assert scan_again(photos)["unchanged"] == 5
    assert read_rows(photos) == expected


@pytest.mark.slow
def test_too_little_memory_for_one_photo(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    make_library(photos, photos_each=1)
    expected = scan_copy(photos)
    Image.new("RGB", (14000, 11000)).save(photos / "2019/huge.png", compress_level=1)
    limit = 850_000_000  # the models need less than 600 MB, the photo about 500 more
    scan = ["prlimit", f"--as={limit}", sys.executable, "-m", "faceclust", "scan", str(photos), "-j", "1"]
    # Linear algebra libraries reserve memory for each core of the machine.
    few = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(scan, env=os.environ | few, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "5 scanned" in done.stdout and "1 file skipped: 1 not enough memory" in done.stdout
    assert [row for row in read_rows(photos) if row["photo"] != "huge.png"] == expected
    result = scan_again(photos)
    assert (result["unchanged"], result["scanned"], result["skipped"]) == (5, 1, [])
    assert [row for row in read_rows(photos) if row["photo"] != "huge.png"] == expected


@pytest.mark.parametrize("command", ["status", "export", "scan"])
@pytest.mark.parametrize("limit", [250_000_000, 349_000_000, 400_000_000])
def test_too_little_memory_for_the_program_is_one_clear_line(library: Library, command: str, limit: int) -> None:
    arguments = [command, str(library.root)] if command == "scan" else [command, "-l", str(library.root)]
    limited = ["prlimit", f"--as={limit}", sys.executable, "-m", "faceclust", *arguments]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr and "bug in" not in done.stderr, done.stderr
    assert done.returncode == 0 or "error: not enough memory" in done.stderr
    assert not list(library.root.rglob("*.tmp")) and not list(library.root.rglob("*.owner"))


@pytest.mark.slow
def test_a_clock_running_backwards(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    make_library(photos, photos_each=1)
    os.utime(photos / "together/nobody.jpg", (7e9, 7e9))  # in the year 2191
    backwards = (
        "import itertools, time\n"
        "real, step = time.time, itertools.count(1)\n"
        "time.time = lambda: real() - 86400 * next(step)\n"
        "from faceclust.cli import main\n"
        "main()\n"
    )
    scan = [sys.executable, "-c", backwards, "scan", str(photos)]
    done = subprocess.run(scan, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "5 scanned" in done.stdout, done.stderr
    assert read_rows(photos) == scan_copy(photos)
    assert scan_again(photos)["unchanged"] == 5


@pytest.mark.slow
@pytest.mark.parametrize("change", ["replaced", "rewritten"])
def test_a_photo_changed_while_it_is_read(tmp_path: Path, change: str) -> None:
    photos, new = tmp_path / "photos", tmp_path / "new.jpg"
    make_library(photos, photos_each=1)
    save_photo(make_variant(COLLINS, 3), new)
    target = photos / "2019/collins-0.jpg"
    patch = tmp_path / "patch/sitecustomize.py"
    patch.parent.mkdir()
    patch.write_text(
        "import os, shutil\n"
        f"photo, new = {str(target)!r}, {str(new)!r}\n"
        "real, files = (os.open, os.read), set()\n"
        "def open_and_watch(path, *arguments, **others):\n"
        "    file = real[0](path, *arguments, **others)\n"
        "    if os.fspath(path) == photo and os.path.exists(new):\n"
        "        files.add(file)\n"
        "    return file\n"
        "def read_and_change(file, size):\n"
        "    data = real[1](file, size)\n"
        "    if file in files:\n"
        "        files.remove(file)\n"
        f"        if {change == 'replaced'}:\n"
        "            os.replace(new, photo)\n"
        "        else:\n"
        "            shutil.copyfile(new, photo)\n"
        "            os.unlink(new)\n"
        "    return data\n"
        "os.open, os.read = open_and_watch, read_and_change\n"
    )
    path = os.pathsep.join([str(patch.parent), os.environ.get("PYTHONPATH", "")])
    done = run("scan", photos, env={"PYTHONPATH": path}, process=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert not new.exists()
    read_rows(photos)
    result = scan_again(photos)
    assert (result["unchanged"], result["scanned"]) == (4, 1)
    assert read_rows(photos) == scan_copy(photos)
