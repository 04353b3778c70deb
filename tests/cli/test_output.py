"""Where what a command prints goes is the user's business."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from faceclust import Library
from tests.cli.program import COMMAND, ok, run


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors")
def test_no_output_at_all_is_wanted(tmp_path: Path) -> None:
    """As by `>&-`, or from a service."""
    command = [*COMMAND, "scan", str(tmp_path)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.close(1),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, f"library: {tmp_path}\n")


def test_a_dash_is_standard_output_and_nothing_else_goes_there(library: Library) -> None:
    page = ok("report", "-o", "-", "-l", library.root, cwd=library.root)
    assert page.startswith("<!doctype html>") and page.endswith("</html>\n")
    table = ok("export", "-o", "-", "-l", library.root, cwd=library.root)
    assert table.startswith("photo,") and table == ok("export", "-l", library.root)
    assert ok("export", "--json", "-l", library.root) == ok("export", "-f", "json", "-l", library.root)
    assert not (library.root / "-").exists()
    done = run("export", "-o", library.root / "faces.csv", "-l", library.root)
    assert done.stdout == "" and "wrote" in done.stderr
    assert (library.root / "faces.csv").read_text() == table


def test_binary_tables_are_not_shown_in_a_terminal(library: Library) -> None:
    command = f"{' '.join(COMMAND)} export --format sqlite --library '{library.root}'"
    terminal = pexpect.spawn("sh", ["-c", command], encoding="utf-8", timeout=60)
    terminal.expect("not for a terminal to show")
    terminal.expect(pexpect.EOF)
    piped = subprocess.run(f"{command} | head -c 15", shell=True, capture_output=True, check=False)
    assert piped.stdout == b"SQLite format 3"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
@pytest.mark.parametrize("command", [["people", "--json"], ["export"], ["report", "-o", "-"], ["scan", "--json"]])
def test_a_full_disk_behind_standard_output_is_said(library: Library, command: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, *command, "--library", str(library.root)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "error: standard output cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
