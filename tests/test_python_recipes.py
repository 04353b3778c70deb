"""Run the recipes of the manual's chapter on Python, and the example in README."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from faceclust import Library
from faceclust.outputs.face_table import write_rows
from tests.support.sample_photos import COLLINS, HOPPER, join_images, load_portrait, save_photo
from tests.test_docs import README, chapter_text, find_blocks

RECIPES = find_blocks("python", chapter_text("python"))
#: What each recipe must print.
PRINTED = (
    [" px, score ", "quality 0."],
    ["2 2 1 (192,)"],
    ["same distance "],
    ["0.00 together/"],
    ["person 1 collins-0.jpg", "person 2 both.jpg"],
    ["2 people"],
    ["11 photos, 12 faces, 2 groups to name"],
    ["2019/"],
    ["2 groups; (12, 192) embeddings"],
    [""],
)


@pytest.fixture
def home(truth_and_scanned_root: tuple[object, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a scanned library, in the working folder of a script that finds all files of the recipes."""
    library = Library(shutil.copytree(truth_and_scanned_root[1], tmp_path / "Pictures"))
    work = tmp_path / "work"
    for person in (COLLINS, HOPPER):
        save_photo(load_portrait(person).crop((80, 0, 400, 300)), work / f"photos/{person.split()[1].lower()}-0.jpg")
    save_photo(join_images(load_portrait(COLLINS), load_portrait(HOPPER)), work / "photos/both.jpg")
    shutil.copyfile(library.root / "together/both 0.jpg", work / "photo.jpg")
    shutil.copyfile(library.root / "2019/collins-0.jpg", work / "a.jpg")
    shutil.copyfile(library.root / "2020/collins-1.jpg", work / "b.jpg")
    np.save(work / "embeddings.npy", np.repeat(np.eye(2, 8), 3, axis=0) * [[2.0]])
    with (work / "faces.parquet").open("wb") as stream:
        write_rows(library.export(embeddings=True), "parquet", stream, dimension=library.cache_info.dimension)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(work)
    return tmp_path


def test_the_recipes_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, (code, expected) in enumerate(zip(RECIPES, PRINTED, strict=True), 1):
        code = code.replace('library.map("faces.html")', "")  # loads for seconds; tested with the map
        exec(compile(code, f"recipe {number}", "exec"), {"__name__": "__main__"})
        printed = capsys.readouterr().out
        assert all(words in printed for words in expected), f"recipe {number} printed {printed}"
    assert (home / "work/people.html").stat().st_size > 10_000


def test_the_example_in_the_readme_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Library("~/Pictures").name(1, "Anna")
    (code,) = find_blocks("python", README)
    exec(code, {"__name__": "__main__"})
    printed = capsys.readouterr().out
    assert "Anna 6 faces, confirmed: 6" in printed and "2019/" in printed and printed.endswith("True\n")
