"""`faceclust watch`: its lines, and the program as a process: signals, and folders that the system cannot watch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from faceclust import Library
from faceclust.cli.watch import _describe_batch, _print_batch
from faceclust.library.watched_batch import WatchedBatch
from tests.support.command import COMMAND, run, run_checked, wait_for
from tests.support.hostile_text import HOSTILE, find_controls
from tests.support.sample_photos import COLLINS, HOPPER, make_variant, save_photo


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"scanned": 12, "faces": 9, "suggested": (("Anna", 4), ("Ben", 2)), "new_groups": (7,), "alone": 1},
            "12 photos, 9 new faces: 4 look like Anna, 2 like Ben, 1 new group, 1 alone",
        ),
        ({"scanned": 1, "faces": 1, "suggested": (("Anna", 1),)}, "1 photo, 1 new face: 1 looks like Anna"),
        ({"scanned": 1200, "faces": 0}, "1,200 photos, 0 new faces"),
        ({"scanned": 2, "faces": 3, "joined": 3}, "2 photos, 3 new faces: 3 in unnamed groups"),
        ({"faces": 2, "new_groups": (1, 2)}, "2 new faces: 2 new groups"),
        ({"new_groups": (3,)}, "1 new group"),
        ({"removed": 1, "skipped": 2}, "1 photo deleted, 2 skipped"),
        ({"copied": 3}, "3 photos moved or copied"),
        (
            {"scanned": 9, "faces": 9, "suggested": tuple((name, 1) for name in "ABCDEFG")},
            "9 photos, 9 new faces: 1 looks like A, 1 like B, 1 like C, 1 like D, 1 like E and 2 more",
        ),
    ],
)
def test_the_line_of_a_batch(fields: dict[str, Any], expected: str) -> None:
    assert _describe_batch(WatchedBatch(**fields)) == expected


def test_a_batch_without_anything_to_tell_is_false() -> None:
    assert not WatchedBatch() and WatchedBatch(skipped=1) and WatchedBatch.failed("no disk")


def test_lines_have_the_time_and_problems_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 5, 1, 14, 3)
    _print_batch(WatchedBatch(removed=1, at=at), as_json=False)
    _print_batch(WatchedBatch(problem="the disk is full", hint="make room", at=at), as_json=False)
    _print_batch(WatchedBatch(problem="no disk", at=at), as_json=True)
    out, err = capsys.readouterr()
    assert out == "14:03  1 photo deleted\n" and err == "14:03  the disk is full; make room\n14:03  no disk\n"


def test_names_from_outside_are_printed_safely(library: Library) -> None:
    name = HOSTILE.replace("\n", " ")
    for group in library.group_members:
        library.name(library.faces_in_group(group), f"{name} {group}")
    save_photo(make_variant(COLLINS, 9), library.root / "2019/new.jpg")
    done = run("watch", "--once", "-j1", "-l", library.root)
    assert done.returncode == 0 and "1 photo, 1 new face: 1 looks like " in done.stdout
    assert find_controls(done.stdout) == find_controls(done.stderr) == []


def test_json_is_one_line_a_batch(library: Library) -> None:
    library.name(library.faces_in_group(1), "Anna")
    library.name(library.faces_in_group(2), "Anna B.")
    assert run_checked("watch", "--once", "--json", "-l", library.root) == ""
    save_photo(make_variant(HOPPER, 9), library.root / "2019/new.jpg")
    line = run_checked("watch", "--once", "--json", "-j1", "-l", library.root)
    record = json.loads(line)
    assert line.count("\n") == 1 and datetime.fromisoformat(record.pop("at")).tzinfo
    (suggested,) = record.pop("suggested")
    assert suggested["faces"] == 1 and suggested["name"].startswith("Anna")
    counts = {"scanned": 1, "copied": 0, "removed": 0, "skipped": 0, "faces": 1, "joined": 0, "new": [], "alone": 0}
    assert record == counts


def test_quiet_prints_errors_alone(library: Library) -> None:
    save_photo(make_variant(HOPPER, 9), library.root / "2019/new.jpg")
    done = run("watch", "--once", "-q", "-j1", "-l", library.root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = run("watch", "--once", "-q", "-l", library.root / "2019")
    assert done.returncode == 2 and done.stderr.startswith("error: ")


@dataclass
class Program:
    """A watch that runs as a process of its own, in its own process group."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until the condition is true, which the process has to live to see."""
        wait_for(lambda: condition() or self.process.poll() is not None, 120)
        assert condition(), (self.process.poll(), self.err.read_text())

    def wait_until_watching(self) -> None:
        """Wait until changes are noticed."""
        self.wait_for(lambda: "note: watching" in self.err.read_text())

    def end(self, number: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(120)


@contextmanager
def start(root: Path, tmp_path: Path, *options: str, prefix: tuple[str, ...] = ()) -> Iterator[Program]:
    out, err = tmp_path / "stdout", tmp_path / "stderr"
    command = [*prefix, *COMMAND, "watch", "-l", str(root), "--settle", "0.3", "-j", "1", *options]
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, start_new_session=True)
        try:
            yield Program(process, out, err)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    assert "Traceback" not in err.read_text(), err.read_text()


posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@posix
@pytest.mark.process
@pytest.mark.parametrize(("number", "code"), [("SIGTERM", 0), ("SIGHUP", 0), ("SIGINT", 130)])
def test_it_ends_well_while_it_waits(library: Library, tmp_path: Path, number: str, code: int) -> None:
    with start(library.root, tmp_path) as program:
        program.wait_until_watching()
        save_photo(make_variant(COLLINS, 9), library.root / "new/1.jpg")
        program.wait_for(lambda: "1 photo, 1 new face: 1 in unnamed groups\n" in program.out.read_text())
        assert program.end(getattr(signal, number)) == code
    assert "new/1.jpg" in library.photos
    assert run("scan", library.root, "--json").returncode == 0  # no lock is left


@posix
@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize(("number", "to_all"), [("SIGTERM", False), ("SIGTERM", True), ("SIGINT", True)])
def test_a_stop_in_the_middle_of_a_batch_keeps_the_finished_photos(
    photos: Path, tmp_path: Path, uninterrupted_rows: list[dict[str, object]], number: str, to_all: bool
) -> None:
    """A service manager may send its signal to the workers too, as a terminal does."""
    run_checked("scan", photos / "0", "--library", photos)
    done = Library(photos).table.photo_count
    with start(photos, tmp_path) as program:
        program.wait_for(lambda: (photos / "1/.faceclust.mobilefacenet.parquet").exists())
        if to_all:
            os.killpg(program.process.pid, getattr(signal, number))
            code = program.process.wait(120)
        else:
            code = program.end(getattr(signal, number))
        assert code == (130 if number == "SIGINT" else 0)
    result = json.loads(run_checked("scan", photos, "--json"))
    assert done < result["unchanged"] and result["scanned"] == 30 - result["unchanged"] and not result["notes"]
    assert Library(photos).table.rows.to_pylist() == uninterrupted_rows


@posix
@pytest.mark.process
def test_a_second_ctrl_c_ends_at_once(photos: Path, tmp_path: Path) -> None:
    run_checked("scan", photos / "0", "--library", photos)
    with start(photos, tmp_path) as program:
        program.wait_for(lambda: "note: watching" in program.err.read_text())
        program.process.send_signal(signal.SIGINT)
        program.wait_for(lambda: "finishing the photos already started" in program.err.read_text())
        assert program.end(signal.SIGINT) == 130


@posix
@pytest.mark.process
def test_a_second_watch_is_refused_with_one_line(library: Library, tmp_path: Path) -> None:
    with start(library.root, tmp_path) as program:
        program.wait_until_watching()
        done = run("watch", "-l", library.root)
        assert done.returncode == 1 and f"error: {library.root} is being watched already" in done.stderr
        program.end(signal.SIGTERM)


@pytest.mark.process
@pytest.mark.linux
@pytest.mark.skipif(sys.platform != "linux", reason="a limit of Linux")
def test_folders_are_polled_if_the_system_watches_no_more(library: Library, tmp_path: Path) -> None:
    limited = 'echo 2 > /proc/sys/user/max_inotify_watches && exec "$@"'
    prefix = ("unshare", "--user", "--map-root-user", "sh", "-c", limited, "sh")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces")
    with start(library.root, tmp_path, "--interval", "0.5", prefix=prefix) as program:
        program.wait_for(lambda: "no change events: the limit of watched folders" in program.err.read_text())
        save_photo(make_variant(COLLINS, 9), library.root / "new/1.jpg")
        program.wait_for(lambda: "1 photo, 1 new face" in program.out.read_text())
        assert program.end(signal.SIGTERM) == 0
