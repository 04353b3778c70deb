"""The commands `faceclust identify` and `faceclust verify`."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from faceclust import Library
from tests.support.command import run, run_checked
from tests.support.sample_photos import COLLINS, HOPPER, join_images, make_scenery, make_variant, save_photo


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos outside any library, valid and invalid."""
    folder = tmp_path_factory.mktemp("pictures")
    save_photo(make_variant(COLLINS, 1), folder / "collins.jpg")
    save_photo(make_variant(COLLINS, 8), folder / "again.jpg")
    save_photo(join_images(make_variant(HOPPER, 7), make_variant(COLLINS, 6)), folder / "both.jpg")
    save_photo(make_scenery(), folder / "nobody.jpg")
    (folder / "text.jpg").write_text("hello")
    (folder / "cut.jpg").write_bytes((folder / "both.jpg").read_bytes()[:4000])
    (folder / "empty.jpg").touch()
    (folder / "folder.jpg").mkdir()
    (folder / "loop.jpg").symlink_to("loop.jpg")
    return folder


BAD = ["text.jpg", "cut.jpg", "empty.jpg", "folder.jpg", "loop.jpg", "no\nsuch.jpg"]


def name_collins(collins: tuple[Library, int, set[str]]) -> Path:
    library, _, faces = collins
    library.name(faces, COLLINS)
    return library.root


def test_identify_prints_one_line_for_each_face(collins: tuple[Library, int, set[str]], pictures: Path) -> None:
    root = name_collins(collins)
    inside = root / "2019/collins-0.jpg"
    lines = run_checked("identify", "both.jpg", "nobody.jpg", inside, "--library", root, cwd=pictures).splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("both.jpg#1  unknown") and f"(nearest: {COLLINS} " in lines[0]
    assert lines[1].startswith(f"both.jpg#2  {COLLINS}  0.") and lines[1].split()[-1] in ("close", "likely")
    assert lines[2] == "nobody.jpg  no face found"
    assert lines[3].startswith(f"{inside}#1  {COLLINS}  0.") and lines[3].endswith("  confirmed")
    assert run_checked("identify", "2019/collins-0.jpg", "--library", root, cwd=pictures).splitlines() == lines[3:]


def test_what_identify_prints_names_a_face(collins: tuple[Library, int, set[str]]) -> None:
    library, _, faces = collins
    library.name(min(faces), COLLINS)
    lines = run_checked("identify", "both 0.jpg", "-l", library.root, cwd=library.root / "together").splitlines()
    assert [line.partition("  ")[0] for line in lines] == ["'both 0.jpg#1'", "'both 0.jpg#2'"]
    addresses = [shlex.split(line)[0] for line in lines]
    (address,) = [address for address in addresses if library.find_face(f"together/{address}") not in faces]
    run_checked("name", address, "Grace", "-l", library.root, cwd=library.root / "together")
    face = library.find_face(f"together/{address}")
    assert face in Library(library.root).find_person("Grace").confirmed and face not in faces


def test_verify_takes_a_photo_of_the_library_by_its_path_there(collins: tuple[Library, int, set[str]]) -> None:
    library, _, _ = collins
    both = [f"together/both {photo}.jpg#{number}" for photo in (0, 1) for number in (1, 2)]
    assert sorted(run("verify", both[0], other, "-l", library.root).returncode for other in both[1:]) == [0, 1, 1]
    current = {"FACECLUST_LIBRARY": str(library.root)}
    assert run("verify", both[0], both[1], env=current).stdout.startswith("different people")
    for environment in (current, {}):  # with and without a library
        done = run("verify", "no.jpg#1", "no.jpg", env=environment)
        assert done.returncode == 2 and "no.jpg: there is no such file" in done.stderr


def test_identify_skips_photos_that_cannot_be_read(collins: tuple[Library, int, set[str]], pictures: Path) -> None:
    done = run("identify", *BAD, "again.jpg", "--library", name_collins(collins), cwd=pictures)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stdout.startswith(f"again.jpg#1  {COLLINS}") and len(done.stdout.splitlines()) == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 1 + len(BAD) and lines[-1] == "no\\nsuch.jpg: there is no such file"


def test_identify_json(collins: tuple[Library, int, set[str]], pictures: Path) -> None:
    root = name_collins(collins)
    done = run("identify", "both.jpg", "text.jpg", "--json", "-k", "3", "--library", root, cwd=pictures)
    value = json.loads(done.stdout)
    assert done.returncode == 1
    assert (value["library"], value["threshold"], value["k"]) == (str(root), 1.1, 3)
    both, text = value["photos"]
    assert [face["how"] for face in both["faces"]] == ["unknown", "recognised"]
    assert both["problem"] is None and "not a photo" in text["problem"]
    assert both["faces"][1]["nearest"][0]["name"] == both["faces"][1]["name"] == COLLINS


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux only")
def test_names_that_are_not_utf8(collins: tuple[Library, int, set[str]], pictures: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"a\xff.jpg")
    shutil.copyfile(pictures / "again.jpg", odd)
    for options in ([], ["--json"]):
        done = run("identify", odd, *options, "--library", name_collins(collins))
        assert done.returncode == 1 and "not UTF-8" in done.stderr and "Traceback" not in done.stderr
    done = run("verify", odd, odd)
    assert done.returncode == 2 and "not UTF-8" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["collins.jpg"], "nobody has a name yet"),
        (["--threshold", "0", "collins.jpg"], "threshold must be above 0, not 0"),
        (["--threshold", "99", "collins.jpg"], "threshold must be above 0 and at most 5.15, the largest distance of"),
        (["-k", "0", "collins.jpg"], "k must be at least 1, not 0"),
        ([], "faceclust identify needs the argument PHOTO"),
    ],
)
def test_identify_refuses_invalid_options(library: Library, pictures: Path, arguments: list[str], words: str) -> None:
    done = run("identify", *arguments, "--library", library.root, cwd=pictures)
    assert done.returncode == 2 and words in done.stderr and done.stdout == ""


def test_verify_needs_no_library_and_writes_nothing(pictures: Path) -> None:
    before = {path: path.lstat() for path in pictures.iterdir()}
    done = run("verify", "collins.jpg", "again.jpg", cwd=pictures)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("same person: distance 0.") and done.stdout.endswith(", threshold 1.50\n")
    done = run("verify", "collins.jpg", "both.jpg#1", cwd=pictures)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("different people: distance ")
    assert {path: path.lstat().st_mtime_ns for path in pictures.iterdir()} == {
        path: status.st_mtime_ns for path, status in before.items()
    }


def test_verify_prints_the_compared_face_and_json(pictures: Path) -> None:
    done = run("verify", "both.jpg", "collins.jpg", "--json", "--threshold", "0.0001", cwd=pictures)
    value = json.loads(done.stdout)
    number = value["faces"][0]["number"]
    assert done.returncode == 1 and value["same"] is False and value["threshold"] == 0.0001
    assert done.stderr == f"both.jpg: 2 faces; comparing the largest, both.jpg#{number}\n"


def test_verify_faces_of_the_library(collins: tuple[Library, int, set[str]], pictures: Path) -> None:
    library, _, faces = collins
    face = min(faces)
    stranger = min(library.occurrences_of.keys() - faces)
    assert "same person" in run_checked("verify", face, "collins.jpg", "--library", library.root, cwd=pictures)
    assert run("verify", face, stranger, cwd=library.root).returncode == 1
    done = run("verify", face, "0123456789abcdef", cwd=library.root)
    assert done.returncode == 2 and "there is no face 0123456789abcdef" in done.stderr


@pytest.mark.parametrize("bad", ["text.jpg", "folder.jpg", "no\nsuch.jpg", "nobody.jpg", "0123456789abcdef"])
def test_verify_exits_with_2_if_there_is_no_answer(pictures: Path, bad: str) -> None:
    done = run("verify", "collins.jpg", bad, cwd=pictures)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_verify_without_caches_does_not_mean_different(
    pictures: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cache in library.root.rglob(".faceclust.mobilefacenet.parquet"):
        cache.unlink()
    shutil.rmtree(library.root / ".faceclust")
    (library.root / ".faceclust").mkdir()
    done = run("verify", "0123456789abcdef", "collins.jpg", "--library", library.root, cwd=pictures)
    assert done.returncode == 2 and "no photos of" in done.stderr
