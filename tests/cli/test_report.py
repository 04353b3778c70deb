"""The command `faceclust report`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.files.names import REPORT_MARKER
from tests.support.command import COMMAND, run, run_checked


@pytest.fixture
def named(library: Library) -> Library:
    library.name(library.faces_in_group(1), "Anna")
    return library


def test_one_file_or_standard_output(named: Library, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    record = json.loads(run_checked("report", "-o", out, "--json", "-l", named.root))
    assert (record["bytes"], record["split"]) == (out.stat().st_size, False)
    assert record["pictures"] == len(named.occurrences_of)
    done = run("report", "-o", "-", "-l", named.root, cwd=tmp_path)
    assert done.stdout.startswith("<!doctype html>") and done.stdout.rstrip().endswith("</html>")
    assert "wrote" not in done.stderr and [path.name for path in tmp_path.glob("*.html")] == ["r.html"]
    done = run("report", "-l", named.root, cwd=tmp_path)
    assert (tmp_path / "faceclust-report.html").exists() and done.stdout == ""


def test_a_folder_is_updated_and_its_pictures_are_not_scanned(named: Library) -> None:
    out = named.root / "report"
    first = json.loads(run_checked("report", "--split", "-o", out, "--json", "-l", named.root))
    assert first["new"] == first["pages"] + first["pictures"] and first["pages"] == 3
    assert (out / "index.html").exists() and (out / REPORT_MARKER).exists()
    pages = {path.name: path.read_bytes() for path in out.glob("person-*.html")}
    run_checked("rename", "Anna", "Berta", "-l", named.root)
    again = json.loads(run_checked("report", "--split", "-o", out, "--json", "-l", named.root))
    assert again["removed"] == 1 and again["pictures"] == first["pictures"] and not pages.keys() & set(os.listdir(out))
    assert "Berta" in (out / "index.html").read_text()
    assert "0 scanned" in run_checked("scan", named.root)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--split", "-o", "LIB"], "contains other files"),
        (["--split", "-o", "LIB/2019/collins-0.jpg"], "is not a folder"),
        (["--split", "-o", "/no/such/folder"], "the folder /no/such does not exist"),
        (["--split", "-o", "-"], "a folder cannot go to standard output"),
        (["-o", "-", "--json"], "cannot both go to standard output"),
        (["--faces", "0"], "--faces must be a whole number of at least 1, not 0"),
        (["-o", "LIB"], "is a folder"),
    ],
)
def test_invalid_options_get_one_line(named: Library, arguments: list[str], words: str) -> None:
    before = sorted(named.root.rglob("*"))
    done = run("report", "-l", named.root, *[argument.replace("LIB", str(named.root)) for argument in arguments])
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr and done.stdout == ""
    assert sorted(named.root.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("split", [[], ["--split"]])
def test_ctrl_c_leaves_nothing_unfinished(named: Library, tmp_path: Path, split: list[str]) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [*COMMAND, "report", "-o", str(out), "-l", str(named.root), *split],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr is not None
    assert "library" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    if process.returncode != 0:  # it may have finished before the signal
        assert process.returncode == 130 and stderr.strip().endswith("stopped") and not out.exists()
    assert {path.name for path in tmp_path.iterdir()} - {"photos"} <= {"out"}


def test_omitted_pictures_are_reported(named: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceclust.library.reporting.MAX_PICTURES_PER_FILE", 4)
    page = named.report_page(tmp_path / "r.html")
    assert page.pictures == 4 and page.omitted_pictures == len(named.occurrences_of) - 4
    assert b"faceclust report --split" in page.content
    distinct = set(re.findall(rb'src="(data:image/jpeg[^"]+)"', page.content))
    assert len(distinct) == 4
