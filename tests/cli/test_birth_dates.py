"""Birth dates and the dates of photos, on the real program: suggestions, notes, identify, the report and undo."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from faceclust import Library
from tests.support.command import run, run_checked
from tests.support.sample_photos import COLLINS, HOPPER, make_variant, save_photo

EARLY, LATE = datetime(2010, 6, 7, 15, 30, 20), datetime(2018, 6, 7, 15, 30, 20)
#: Photo → the date in its EXIF. One has a name with a date instead.
PHOTOS: dict[str, datetime | None] = {
    "early.jpg": EARLY,
    "late.jpg": LATE,
    "later.jpg": LATE.replace(year=2019),
    "unset.jpg": datetime(2000, 1, 1, 0, 4, 10),
    "undated.jpg": None,
    "IMG_20100607_153020.jpg": None,
}
EXCLUDED = {"early.jpg", "IMG_20100607_153020.jpg"}


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of one person with these dates, and three of another without any."""
    root = tmp_path_factory.mktemp("dated") / "photos"
    for number, (name, taken) in enumerate(PHOTOS.items()):
        save_photo(make_variant(COLLINS, number), root / name, taken=taken)
    for number in range(3):
        save_photo(make_variant(HOPPER, number), root / f"hopper-{number}.jpg")
    Library(root).scan(workers=0)
    run_checked("cluster", "-l", root)
    return root


@pytest.fixture
def root(scanned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scanned, tmp_path / "photos"))


def set_birth(root: Path, name: str, born: str) -> None:
    run_checked("person", name, "--born", born, "-l", root)


def face_on(root: Path, photo: str) -> str:
    return next(face.face_id for face in Library(root).occurrences if face.photo == photo)


def notes_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith("note:")]


def photos_of(root: Path, name: str, kind: str = "suggested_faces") -> set[str]:
    """Return the photos of a person's confirmed or suggested faces."""
    people = json.loads(run_checked("people", "-l", root, "--json"))["people"]
    (person,) = [person for person in people if person["name"] == name]
    return {Library(root).occurrences_of[face][0].photo for face in person[kind]}


def test_suggestions_from_before_a_birth_go_and_come_back_with_undo(root: Path) -> None:
    run_checked("name", "late.jpg#1", "Anna", "-l", root)
    everything = photos_of(root, "Anna")
    assert everything == PHOTOS.keys() - {"late.jpg"}
    set_birth(root, "Anna", "2015")
    assert photos_of(root, "Anna") == everything - EXCLUDED
    rest = json.loads(run_checked("people", "--all", "--json", "-l", root))["people"]
    left = [person for person in rest if person["name"] is None and person["faces"] == len(EXCLUDED)]
    assert len(left) == 1  # a group without a name
    run_checked("rename", "Anna", "Anne", "-l", root)
    assert photos_of(root, "Anne") == everything - EXCLUDED
    run_checked("undo", "-l", root)
    run_checked("undo", "-l", root)
    assert photos_of(root, "Anna") == everything


@pytest.mark.parametrize(
    "words", [("name", "early.jpg#1", "Anna"), ("confirm", "Anna", "early.jpg#1"), ("confirm", "Anna", "early.jpg")]
)
def test_confirming_a_face_from_before_the_birth_warns_and_goes_on(root: Path, words: tuple[str, ...]) -> None:
    run_checked("name", "late.jpg#1", "Anna", "-l", root)
    set_birth(root, "Anna", "2015")
    if words[-1] == "early.jpg":  # by its id
        words = (*words[:-1], face_on(root, "early.jpg"))
    done = run(*words, "-l", root)
    assert done.returncode == 0 and notes_of(done) == [
        "note: this face is on a photo dated before Anna was born (2015): check the date of early.jpg, "
        "or the birth (faceclust person Anna)"
    ]
    assert photos_of(root, "Anna", "confirmed_faces") == {"early.jpg", "late.jpg"}
    assert photos_of(root, "Anna") == PHOTOS.keys() - EXCLUDED - {"late.jpg"}
    run_checked("undo", "-l", root)
    assert notes_of(run("redo", "-l", root)) == notes_of(done)


def test_json_output_stays_json_and_quiet_hides_the_note(root: Path) -> None:
    run_checked("name", "late.jpg#1", "Anna", "-l", root)
    set_birth(root, "Anna", "2015")
    done = run("name", "early.jpg#1", "Anna", "--json", "-l", root)
    assert done.returncode == 0 and json.loads(done.stdout)["changed"] and done.stderr.count("note:") == 1
    run_checked("undo", "-l", root)
    assert run("--quiet", "name", "early.jpg#1", "Anna", "-l", root).stderr == ""


def test_drawing_and_importing_warn_as_well(root: Path, tmp_path: Path) -> None:
    run_checked("name", "later.jpg#1", "Anna", "-l", root)
    set_birth(root, "Anna", "2015")
    drawn = run("face", "add", "early.jpg", "--whole", "Anna", "-l", root)
    assert drawn.returncode == 0 and notes_of(drawn)[0].startswith("note: this face is on a photo dated before Anna")
    run_checked("undo", "-l", root)
    table = tmp_path / "names.csv"
    boxes = {face.photo: face.pixel_box for face in Library(root).occurrences}
    rows = [",".join(map(str, (photo, *boxes[photo], "Anna"))) for photo in ("early.jpg", "late.jpg")]
    table.write_text("\n".join(["photo,left,top,right,bottom,name", *rows]), encoding="utf-8")
    imported = run("import", table, "-l", root)
    assert imported.returncode == 0 and imported.stderr.count("dated before Anna was born (2015)") == 1
    assert photos_of(root, "Anna", "confirmed_faces") == {"early.jpg", "late.jpg", "later.jpg"}


def test_a_birth_date_against_confirmed_faces_warns(root: Path) -> None:
    run_checked("name", "late.jpg#1", "Anna", "-l", root)
    run_checked("confirm", "Anna", "-l", root)
    planned = run("person", "Anna", "--born", "2015", "--dry-run", "-l", root)
    other = run("person", "Anna", "--note", "a cousin", "-l", root)
    done = run("person", "Anna", "--born", "2015", "--json", "-l", root)
    assert planned.returncode == other.returncode == done.returncode == 0 and json.loads(done.stdout)["written"]
    assert notes_of(planned) == notes_of(other) == []
    assert notes_of(done) == [
        "note: 2 confirmed faces of Anna are on photos dated before Anna was born (2015): check the date of "
        "IMG_20100607_153020.jpg, early.jpg, or the birth (faceclust person Anna)"
    ]
    assert photos_of(root, "Anna", "confirmed_faces") == PHOTOS.keys()


def test_identify_recognises_nobody_before_their_birth(root: Path, tmp_path: Path) -> None:
    run_checked("name", "late.jpg#1", "Anna", "-l", root)
    run_checked("confirm", "Anna", "-l", root)
    new = {
        name: save_photo(make_variant(COLLINS, 8), tmp_path / name, taken=taken)
        for name, taken in (("old.jpg", EARLY), ("new.jpg", LATE), ("none.jpg", None))
    }

    def names() -> list[tuple[str | None, list[str], list[str]]]:
        done = json.loads(run_checked("identify", *new.values(), "--json", "-l", root))
        faces = [photo["faces"][0] for photo in done["photos"]]
        return [(face["name"], face["before_birth"], [one["name"] for one in face["nearest"]]) for face in faces]

    assert names() == [("Anna", [], ["Anna"])] * 3
    set_birth(root, "Anna", "2015")
    assert names() == [(None, ["Anna"], []), *[("Anna", [], ["Anna"])] * 2]
    line = run_checked("identify", new["old.jpg"], "-l", root)
    assert line.rstrip().endswith("old.jpg#1  unknown  (born later: Anna)")
    known = json.loads(run_checked("identify", root / "early.jpg", "--json", "-l", root))["photos"][0]["faces"]
    assert [(face["name"], face["how"], face["before_birth"]) for face in known] == [("Anna", "confirmed", [])]


def test_the_report_lists_confirmed_faces_from_before_a_birth(root: Path, tmp_path: Path) -> None:
    run_checked("name", "late.jpg#1", "Anna <b>", "-l", root)
    run_checked("confirm", "Anna <b>", "-l", root)
    page = tmp_path / "people.html"
    run_checked("report", "-o", page, "-l", root)
    assert "Dated before the birth" not in page.read_text(encoding="utf-8")
    set_birth(root, "Anna <b>", "2015-05")
    run_checked("report", "-o", page, "-l", root)
    text = page.read_text(encoding="utf-8")
    assert "Dated before the birth" in text
    assert "2 confirmed faces dated before Anna &lt;b&gt; was born (2015-05)" in text


def test_doctor_lists_confirmed_faces_from_before_a_birth(root: Path) -> None:
    run_checked("name", "late.jpg#1", "Anna", "-l", root)
    run_checked("confirm", "Anna", "-l", root)
    assert "dates:" not in run_checked("doctor", "-l", root)
    set_birth(root, "Anna", "2015")
    (line,) = [line for line in run_checked("doctor", "-l", root).splitlines() if line.startswith("dates:")]
    assert line == (
        "dates:      2 confirmed faces of Anna are on photos dated before Anna was born (2015): check the date of "
        "IMG_20100607_153020.jpg, early.jpg, or the birth (faceclust person Anna)"
    )
    (found,) = json.loads(run_checked("doctor", "--json", "-l", root))["contradictions"]
    assert found == {
        "name": "Anna",
        "faces": [face_on(root, photo) for photo in ("IMG_20100607_153020.jpg", "early.jpg")],
        "description": line.removeprefix("dates:").strip(),
    }


def test_doctor_reports_a_journal_that_it_cannot_read(root: Path) -> None:
    journal = root / ".faceclust" / "people.jsonl"
    journal.unlink(missing_ok=True)
    journal.mkdir()
    done = run("doctor", "-l", root)
    assert done.returncode == 1 and "people.jsonl" in done.stdout and "Traceback" not in done.stderr
