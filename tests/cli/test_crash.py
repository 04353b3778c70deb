"""Killed, interrupted, with a decoder that dies: what was done is kept, the next run goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faceclust import Library
from tests.cli.program import COMMAND, ok, run
from tests.samples import COLLINS, HOPPER, make_library, save, together, variant

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture(scope="module")
def large_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough photos for a scan to last some seconds."""
    root = tmp_path_factory.mktemp("large") / "photos"
    for number in range(30):
        picture = together(variant(COLLINS, number), variant(HOPPER, number))
        save(picture.resize((picture.width * 2, picture.height * 2)), root / f"{number % 3}/{number}.jpg")
    return root


@pytest.fixture
def photos(large_library: Path, tmp_path: Path) -> Path:
    shutil.copytree(large_library, tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture(scope="module")
def undisturbed(large_library: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    root = tmp_path_factory.mktemp("undisturbed") / "photos"
    shutil.copytree(large_library, root)
    library = Library(root)
    library.scan(workers=0)
    return library.table.rows.to_pylist()


def start(photos: Path, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "scan", str(photos), "--workers", "2"],
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def known(photos: Path) -> int:
    """Photos in the caches, by the files alone."""
    return Library(photos).table.photo_count if list(photos.rglob(".faceclust.parquet")) else 0


def wait_for(condition: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def children(pid: int) -> list[int]:
    """The worker processes of a scan (not multiprocessing's own helper)."""
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


def _alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def linux_only() -> Iterator[None]:
    if not Path("/proc/self/stat").exists():
        pytest.skip("looks for processes in /proc")
    yield


@pytest.mark.usefixtures("linux_only")
def test_kill_9_loses_nothing_saved_and_leaves_no_worker(photos: Path, undisturbed: list[dict[str, object]]) -> None:
    scan = start(photos)
    wait_for(lambda: (photos / "0/.faceclust.parquet").exists())
    workers = children(scan.pid)
    assert workers
    scan.kill()
    scan.communicate()
    wait_for(lambda: not any(_alive(pid) for pid in workers), 20)
    done = known(photos)
    assert 1 <= done < 30
    result = json.loads(ok("scan", photos, "--json"))
    assert result["unchanged"] == done and result["scanned"] == 30 - done and not result["notes"]
    assert Library(photos).table.rows.to_pylist() == undisturbed


def test_ctrl_c_saves_and_says_how_to_go_on(photos: Path, undisturbed: list[dict[str, object]]) -> None:
    scan = start(photos)
    wait_for(lambda: (photos / "0/.faceclust.parquet").exists())
    os.killpg(scan.pid, signal.SIGINT)  # a terminal sends it to workers too
    out, err = scan.communicate(timeout=60)
    assert scan.returncode == 130
    assert "finishing the photos in hand" in err and f"to go on, type: faceclust scan {photos}" in err
    assert "Traceback" not in err and "left to do" in out
    done = known(photos)
    assert done >= 10
    assert json.loads(ok("scan", photos, "--json"))["unchanged"] == done
    assert Library(photos).table.rows.to_pylist() == undisturbed


def test_ctrl_c_at_once_leaves_no_traceback(photos: Path) -> None:
    scan = start(photos)
    time.sleep(0.7)  # the imports, or the workers' start
    os.killpg(scan.pid, signal.SIGINT)
    _, err = scan.communicate(timeout=60)
    assert scan.returncode in (0, 130, -signal.SIGINT)
    assert "BrokenProcess" not in err


@pytest.mark.usefixtures("linux_only")
def test_a_worker_that_is_killed_costs_no_photo(photos: Path, undisturbed: list[dict[str, object]]) -> None:
    scan = start(photos)
    wait_for(lambda: (photos / "0/.faceclust.parquet").exists())
    os.kill(children(scan.pid)[0], signal.SIGKILL)
    out, err = scan.communicate(timeout=120)
    assert scan.returncode == 0, err
    assert "30 photos: 30 scanned" in out
    assert Library(photos).table.rows.to_pylist() == undisturbed


def test_a_photo_that_kills_its_decoder_is_skipped_alone(tmp_path: Path) -> None:
    # A decoder that aborts on one file: patched into the real program's workers at start-up.
    patch = tmp_path / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(
        "import os\n"
        "from PIL import Image\n"
        "real = Image.open\n"
        "def open(fp, *args, **kwargs):\n"
        "    if bytes(fp.getbuffer()[:16]) == b'KILL THE DECODER':\n"
        "        os.abort()\n"
        "    return real(fp, *args, **kwargs)\n"
        "Image.open = open\n"
    )
    photos = tmp_path / "photos"
    make_library(photos, photos_each=1)
    (photos / "2019/deadly.jpg").write_bytes(b"KILL THE DECODER" * 4)
    done = run("scan", photos, "--json", env={"PYTHONPATH": str(patch)})
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [(skip["photo"], skip["reason"]) for skip in result["skipped"]] == [("2019/deadly.jpg", "decoder crashed")]
    assert result["scanned"] == 5
    assert json.loads(ok("scan", photos, "--json"))["scanned"] == 0  # not tried again until it changes


def test_two_scans_at_once(photos: Path) -> None:
    scan = start(photos)
    wait_for(lambda: (photos / ".faceclust/lock").exists())
    second = run("scan", photos)
    out, _ = scan.communicate(timeout=120)
    assert "30 scanned" in out
    assert second.returncode == 1 and "another faceclust" in second.stderr
