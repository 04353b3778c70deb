"""The command `faceclust map`."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.cli import cli
from faceclust.errors import FaceclustError
from faceclust.outputs.map import layout
from tests.benchmarks.synthetic import synthetic_faces
from tests.support.command import COMMAND, run, run_checked
from tests.support.synthetic_library import write_caches


@pytest.mark.slow
def test_a_file_or_standard_output(library: Library, tmp_path: Path) -> None:
    page = run_checked("map", "-o", "-", "-l", library.root, cwd=tmp_path)
    assert page.startswith("<!doctype html>") and page.endswith("</html>\n")
    assert list(tmp_path.iterdir()) == [library.root]
    done = run("map", "-l", library.root, cwd=tmp_path)
    assert done.stdout == "" and "wrote faceclust-map.html: 12 faces, 0." in done.stderr
    assert "laid out" not in done.stderr
    assert (tmp_path / "faceclust-map.html").read_text(encoding="utf-8").count("<li>") == page.count("<li>") == 2


def test_invalid_options_are_refused_before_any_work(library: Library, tmp_path: Path) -> None:
    done = run("map", "-o", tmp_path / "none" / "map.html", "-l", library.root)
    assert done.returncode == 2 and "there is no folder" in done.stderr and "library:" not in done.stderr
    assert run("map", "--method", "pca").returncode == 2


def test_umap_not_installed(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "find_spec", lambda name: None)
    page = tmp_path / "map.html"
    with pytest.raises(FaceclustError, match="umap-learn is not installed") as error:
        cli.main(["map", "--method", "umap", "-o", str(page), "-l", str(library.root)], standalone_mode=False)
    assert error.value.exit_code == 1 and "faceclust[umap]" in str(error.value.hint)
    assert not page.exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_keeps_the_existing_page(tmp_path: Path) -> None:
    faces = synthetic_faces(6_000)
    library = write_caches(tmp_path / "library", faces.embeddings, faces.photo)
    page = tmp_path / "map.html"
    page.write_text("the one before")
    command = [*COMMAND, "map", "-o", str(page), "-l", str(library.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None and program.stderr.readline().startswith("library:")
        time.sleep(4)
        program.send_signal(signal.SIGINT)
        _, stderr = program.communicate(timeout=60)
    assert program.returncode == 130 and stderr.endswith("stopped\n") and "Traceback" not in stderr
    assert page.read_text() == "the one before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["library", "map.html"]
