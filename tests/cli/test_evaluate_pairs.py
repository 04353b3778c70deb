"""`faceclust evaluate pairs` and `evaluate quality`."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.command import run, run_checked
from tests.support.labelled_photos import add_faceless_photo, make_labelled_photos, write_pairs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_labelled_photos(tmp_path_factory.mktemp("labelled"))
    add_faceless_photo(folder)
    return folder


def test_figures_are_printed(folder: Path, tmp_path: Path) -> None:
    file = write_pairs(tmp_path / "pairs.txt", with_faceless=True)
    out = run_checked("evaluate", "pairs", folder, "--pairs", file)
    assert "12 pairs of 8 photos: 6 of one person, 6 of two; 2 folds" in out
    assert "no face found on 1 photo: 2 pairs counted as errors (0 of one person, 2 of two); -v lists" in out
    assert "accuracy           83.33 ± 0.00 % at threshold" in out
    assert "–: too few pairs of two people (6) to measure FAR 1e-1 and 1e-2 and 1e-3 and 1e-4" in out
    assert "\x1b" not in out
    out = run_checked("evaluate", "pairs", folder, "--pairs", file, "-v", "--missing", "leave-out")
    assert "2 pairs left out" in out and "\n  Nobody/Nobody_0001.jpg\n" in out
    assert "accuracy           100.00 ± 0.00 % at threshold" in out


def test_json_has_all_figures_and_a_second_run_is_quick(folder: Path, tmp_path: Path) -> None:
    file = write_pairs(tmp_path / "pairsDevTest.txt", folds=1, times=4)
    file.write_text(file.read_text().replace("1\t12\n", "12\n"))
    run_checked("evaluate", "pairs", folder, "--pairs", file)
    began = time.monotonic()
    found = json.loads(run_checked("evaluate", "pairs", folder, "--pairs", file, "--json", "--no-mirror"))
    assert time.monotonic() - began < 5
    assert (found["pack"], found["mirror"], found["detect"], found["folds"]) == ("mobilefacenet", False, True, 1)
    assert found["accuracy"]["mean"] == 1 and found["accuracy"]["standard_error"] is None
    assert found["auc"] == 1 and found["eer"]["rate"] == 0
    tenth, hundredth = found["val"][:2]
    assert tenth["resolvable"] and tenth["all_pairs"]["val"] == 1 and tenth["by_folds"]["far"] <= 0.1
    assert not hundredth["resolvable"] and hundredth["all_pairs"] is None and hundredth["by_folds"] is None
    assert "one fold: thresholds are chosen on the same pairs" in run_checked(
        "evaluate", "pairs", folder, "--pairs", file
    )


def test_bin_file_needs_no_folder(tmp_path: Path, folder: Path) -> None:
    photos = [path.read_bytes() for path in sorted(folder.glob("[CH]*/*_000[12]*"))]
    file = tmp_path / "cfp_fp.bin"
    file.write_bytes(pickle.dumps(([*photos, photos[0], photos[2]], [True, True, False])))
    done = run("evaluate", "pairs", "--pairs", file, "--detect", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["photos"], found["same"], found["different"], found["detect"]) == (4, 2, 1, True)
    assert found["accuracy"]["mean"] == 1 and not found["not_found"]
    done = run("evaluate", "pairs", "--pairs", file, "--json")
    assert "--detect runs the detector" in done.stderr
    assert json.loads(done.stdout)["not_found"]  # the portraits are not square
    file.write_bytes(file.read_bytes()[:5000])
    done = run("evaluate", "pairs", "--pairs", file)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and "is not a file of pairs" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_plot_is_drawn_and_overwritten(folder: Path, tmp_path: Path) -> None:
    file, plot = write_pairs(tmp_path / "pairs.txt"), tmp_path / "roc.png"
    for _ in range(2):  # it overwrites its own plot
        done = run("evaluate", "pairs", folder, "--pairs", file, "--plot", plot)
        assert done.returncode == 0 and f"wrote {plot}" in done.stderr
    with Image.open(plot) as image:
        assert image.size == (960, 660)


@pytest.mark.parametrize("subcommand", ["pairs", "quality", "clusters"])
def test_plot_never_overwrites_files_of_others(folder: Path, tmp_path: Path, subcommand: str) -> None:
    typed = [subcommand, folder, "--pairs", write_pairs(tmp_path / "pairs.txt", times=200)]
    if subcommand == "clusters":
        np.savez(tmp_path / "x.npz", embeddings=np.eye(4), labels=list("aabb"))
        typed = [subcommand, "--embeddings", tmp_path / "x.npz"]
    photo = folder / "Collins" / "Collins_0002.png"
    others = {ending: tmp_path / f"other{ending}" for ending in (".svg", ".pdf")}
    for ending, other in others.items():
        other.write_text(f"another program's {ending}")
    before = photo.read_bytes()
    for target, message in (
        (photo, "refusing to overwrite"),
        *((other, "not a plot by faceclust") for other in others.values()),
        (tmp_path / "roc.jpg", "a plot must end in .png, .svg, .pdf"),
        (tmp_path / "none" / "roc.png", "there is no folder"),
    ):
        done = run("evaluate", *typed, "--plot", target)
        assert done.returncode == 2 and message in done.stderr, done.stderr
    assert photo.read_bytes() == before and others[".pdf"].read_text() == "another program's .pdf"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["FOLDER"], "needs the option --pairs"),
        (["FOLDER", "--pairs", "PAIRS", "--pack", "none"], "no model pack called 'none'"),
        (["--pairs", "PAIRS"], "no folder is given"),
        (["FOLDER", "--pairs", "nothing.txt"], "nothing.txt cannot be read"),
        (["FOLDER/Collins", "--pairs", "PAIRS"], "names 8 photos not in"),
    ],
)
def test_invalid_input_gets_one_line(folder: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    write_pairs(tmp_path / "PAIRS")
    typed = [argument.replace("FOLDER", str(folder)) for argument in arguments]
    done = run("evaluate", "pairs", *typed, cwd=tmp_path)
    assert done.returncode in (1, 2) and message in done.stderr
    assert "Traceback" not in done.stderr and not done.stdout


@pytest.mark.slow
def test_cost_of_jpeg_and_small_faces(folder: Path, tmp_path: Path) -> None:
    file = write_pairs(tmp_path / "pairs.txt", folds=1, times=400)
    plot = tmp_path / "quality.svg"
    out = run_checked("evaluate", "quality", folder, "--pairs", file, "--plot", plot)
    lines = [line.split() for line in out.splitlines() if line]
    table = {line[0]: line[1:] for line in lines}
    assert [line[0] for line in lines[2:8]] == ["10", "20", "30", "50", "70", "90"]
    assert table["90"][0] == "100.00" and table["40"][1] == "100.00"
    assert table["256"] == ["px", "–", "–", "–", "8"]  # every face is narrower
    assert "<!-- face width in pixels -->" in plot.read_text()
    found = json.loads(run_checked("evaluate", "quality", folder, "--pairs", file, "--json"))
    assert (found["photos"], found["same"], found["different"]) == (8, 1200, 1200)
    kinds = [(level["kind"], level["value"]) for level in found["levels"]]
    assert kinds[0] == ("none", None) and kinds[1] == ("jpeg", 10) and kinds[-1] == ("width", 256)
    assert found["levels"][-1]["val"] is None and found["levels"][-1]["narrower"] == 8
    done = run("evaluate", "quality", folder)
    assert done.returncode == 2 and "too few" in done.stderr
