"""`faceclust calibrate`, `evaluate library`, `evaluate clusters`, and `cluster --threshold auto`."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from faceclust import Library
from tests.support.command import run, run_checked
from tests.support.named_library import make_synthetic_library, name_largest_people


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "photos"
    library, truth = make_synthetic_library(root, 900, spread=0.13)
    library.cluster(threshold=1.1)
    name_largest_people(library, truth, 40)
    table = "".join(f"{face},{name}\n" for face, name in truth.items())
    (root.parent / "who.csv").write_text(f"face_id,person\n{table}")
    return root


@pytest.fixture
def synthetic_library(named: Path, tmp_path: Path) -> Library:
    shutil.copytree(named, tmp_path / "photos")
    return Library(tmp_path / "photos")


def read_threshold(*arguments: str | Path) -> tuple[float, bool]:
    record = json.loads(run_checked(*arguments, "--json"))
    return record["threshold"], record["calibrated"]


@pytest.mark.slow
def test_calibrated_threshold_is_used_until_reset(synthetic_library: Library) -> None:
    root = synthetic_library.root
    output = run_checked("calibrate", "-l", root, "--dry-run")
    assert "nothing was written" in output and not synthetic_library.home.config_file.exists()
    assert all(len(line) <= 80 for line in output.splitlines()[:30])
    assert read_threshold("cluster", "-l", root, "--dry-run") == (1.1, False)
    done = run("calibrate", "-l", root)
    assert done.returncode == 0 and f"wrote {synthetic_library.home.config_file}" in done.stderr
    (saved,) = tomllib.loads(synthetic_library.home.config_file.read_text())["calibration"].values()
    found = saved["threshold"]
    assert f"threshold {found:g}\n  below" in done.stdout and found > 1.1
    assert read_threshold("cluster", "-l", root, "--dry-run") == (found, True)
    assert read_threshold("cluster", "-l", root, "--dry-run", "--threshold", "auto") == (found, True)
    assert read_threshold("cluster", "-l", root, "--dry-run", "--threshold", "1.1") == (1.1, False)
    assert read_threshold("--no-config", "cluster", "-l", root, "--dry-run") == (1.1, False)
    assert read_threshold("cluster", "-l", root, "--dry-run", "--algorithm", "single") == (1.1, False)
    output = run_checked("cluster", "-l", root)
    assert f"threshold {found:g}, calibrated on 40 people" in output
    assert "all faces were grouped from scratch: the threshold was 1.1" in output
    assert "[calibration.dlib]" in run_checked("config", "-l", root)
    assert json.loads(run_checked("config", "-l", root, "--json"))["calibration"]["dlib"]["people"] == 40
    tomllib.loads(run_checked("config", "-l", root))
    synthetic_library.home.config_file.write_text(
        f"{synthetic_library.home.config_file.read_text()}[cluster]\nthreshold = 1.05\n"
    )
    assert read_threshold("cluster", "-l", root, "--dry-run") == (1.05, False)
    assert "would remove" in run_checked("calibrate", "-l", root, "--reset", "--dry-run")
    assert "removed the calibrated threshold" in run_checked("calibrate", "-l", root, "--reset")
    assert "there is no calibrated threshold" in run_checked("calibrate", "-l", root, "--reset")
    assert synthetic_library.home.config_file.read_text().strip() == "[cluster]\nthreshold = 1.05"


@pytest.mark.slow
def test_histograms_are_ascii_if_necessary(synthetic_library: Library) -> None:
    record = json.loads(run_checked("calibrate", "-l", synthetic_library.root, "--dry-run", "--json"))
    assert record["written"] is False and record["kept"] is True and record["people"] == 40
    assert sum(record["distances"]["same"]) == record["pairs"]
    plain = run("calibrate", "-l", synthetic_library.root, "-n", env={"PYTHONIOENCODING": "ascii"}, process=True)
    assert plain.returncode == 0 and "#" in plain.stdout and "threshold" in plain.stdout
    assert "\x1b" not in run_checked("calibrate", "-l", synthetic_library.root, "-n", env={"NO_COLOR": "1"})


def test_too_few_names_are_an_error_and_nothing_is_written(library: Library) -> None:
    for words in (["calibrate"], ["evaluate", "library"]):
        done = run(*words, "-l", library.root)
        assert done.returncode == 1 and "too few names" in done.stderr and "hint: " in done.stderr
    assert not library.home.config_file.exists()
    assert run("calibrate", "-l", library.root, "--far", "2").returncode == 2


def test_invalid_calibration_is_reported(synthetic_library: Library) -> None:
    synthetic_library.home.config_file.write_text("[calibration.dlib]\nthreshold = 'high'\n")
    done = run("cluster", "-l", synthetic_library.root)
    assert done.returncode == 2 and "faceclust calibrate --reset" in done.stderr
    assert run_checked("cluster", "-l", synthetic_library.root, "--threshold", "1.1", "--dry-run")
    assert "removed the calibrated threshold" in run_checked("calibrate", "-l", synthetic_library.root, "--reset")


@pytest.mark.parametrize("table", ["", "[cluster]\n"])
def test_a_configured_threshold_is_noted(synthetic_library: Library, table: str) -> None:
    synthetic_library.home.config_file.write_text(f"{table}threshold = 1.05\n[calibration.dlib]\nthreshold = 'high'\n")
    output = run_checked("calibrate", "-l", synthetic_library.root, "--reset")
    assert "sets threshold = 1.05, which takes precedence" in output and "next:" not in output
    synthetic_library.home.config_file.write_text(f"{table}threshold = 1.05\n[calibration.dlib]\nthreshold = 'high'\n")
    assert "next: faceclust cluster" in run_checked("--no-config", "calibrate", "-l", synthetic_library.root, "--reset")


def test_calibration_in_the_users_file_is_refused(synthetic_library: Library, tmp_path: Path) -> None:
    (tmp_path / "config/faceclust").mkdir(parents=True)
    (tmp_path / "config/faceclust/config.toml").write_text("[calibration.dlib]\nthreshold = 1.2\n")
    done = run("cluster", "-l", synthetic_library.root, env={"XDG_CONFIG_HOME": str(tmp_path / "config")})
    assert done.returncode == 2 and "unknown key [calibration]" in done.stderr


@pytest.mark.slow
def test_evaluate_library_prints_all_figures(synthetic_library: Library) -> None:
    output = run_checked("evaluate", "library", "-l", synthetic_library.root)
    assert "of 40 people, grouped without their names: average linkage at 1.1" in output
    assert "in several groups" in output and "  now\n" in output and "significantly better: 1." in output
    record = json.loads(run_checked("evaluate", "library", "-l", synthetic_library.root, "--json"))
    assert record["people"] == 40 and record["bcubed"]["recall"]["low"] <= record["bcubed"]["recall"]["value"]
    assert {cut["threshold"] for cut in record["thresholds"]} >= {0.5, 1.1, 1.6}


@pytest.mark.slow
def test_evaluate_clusters_scores_a_library_and_a_file(synthetic_library: Library, named: Path, tmp_path: Path) -> None:
    table = named.parent / "who.csv"
    words = ["evaluate", "clusters", "--sweep", "1.1,1.4"]
    output = run_checked(*words, "-l", synthetic_library.root, "--truth", table, "-a", "average", "-a", "hdbscan")
    assert "900 faces of" in output and "HDBSCAN" in output and "*" in output and "complete" not in output
    assert all(len(line) <= 80 for line in output.splitlines())
    assert (
        "all pairs of 900 faces: " in output and "–: fewer than 10 pairs of two people at FAR 1e-5 and 1e-6" in output
    )
    record = json.loads(run_checked(*words, "-l", synthetic_library.root, "--truth", table, "--json"))
    assert len(record["cuts"]) == 5 * 2 + 1 and record["scored"] == 900
    faces = synthetic_library.faces
    names = dict(line.rsplit(",", 1) for line in table.read_text().splitlines()[1:])
    labels = [names[face] for face in faces.face_ids.tolist()]
    np.savez(tmp_path / "x.npz", embeddings=faces.embeddings, labels=labels, photos=faces.photo_ids)
    again = json.loads(run_checked(*words, "--embeddings", tmp_path / "x.npz", "--json"))
    assert again["cuts"] == record["cuts"] and again["best"] == record["best"]
    assert again["all_pairs"] == record["all_pairs"]
    assert [rate["accepted"] for rate in again["all_pairs"]["tar"]] == [400, 40, None, None]
    done = run(*words, "--embeddings", tmp_path / "x.npz", "--radius", "1", "-a", "average", "--faces", "100")
    assert done.returncode == 0 and "scaled to 1;" in done.stderr
    picture = tmp_path / "cuts.png"
    run_checked(*words, "--embeddings", tmp_path / "x.npz", "-a", "average", "-a", "hdbscan", "--plot", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "no truth is given"),
        (["--truth", "folders", "--sweep", "9"], None),
        (["--truth", "folders", "--sweep", "3:1:1"], "invalid thresholds"),
        (["--truth", "folders", "--radius", "2"], "--radius needs --embeddings"),
        (["--truth", "/none.csv"], "/none.csv cannot be read"),
        (["--embeddings", "/none.npz"], "/none.npz cannot be read"),
        (["--truth", "folders", "--plot", "/none/x.png"], "there is no folder /none"),
        (["--truth", "folders", "--plot", "x.gif"], "a plot must end in .png"),
    ],
)
def test_invalid_input_is_refused(library: Library, words: list[str], error: str | None) -> None:
    done = run("evaluate", "clusters", "-l", library.root, "-a", "average", *words)
    assert "Traceback" not in done.stderr
    assert (done.returncode, error or "") == (2 if error else 0, error or "") and (error or "") in done.stderr
