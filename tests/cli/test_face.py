"""`faceclust face`: draw, move and remove faces by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.library import drawn_faces
from tests.support.command import run, run_checked

PHOTO = "2019/collins-0.jpg"


@pytest.fixture(autouse=True)
def _without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn faces have no embedding."""
    monkeypatch.setattr(drawn_faces, "_examine", drawn_faces.uncompared_face)


def expect_refusal(library: Library, *words: str) -> str:
    done = run("face", *words, "-l", library.root)
    assert done.returncode == 2, done
    return done.stderr


def test_faces_are_added_moved_and_removed(library: Library) -> None:
    def face(*words: str) -> str:
        return run_checked("face", *words, "-l", library.root)

    before = run_checked("export", "-l", library.root)
    out = face("add", PHOTO, "10,20,60,80", "Anna")
    assert "Anna drawn by hand (1 face)\n  Anna: 1 face, 1 confirmed (new)\n" in out
    assert f"it is {PHOTO}#1; too small or blurred to be compared" in out
    assert f"{PHOTO},10,20,60,80," in run_checked("export", "-l", library.root)
    assert "box moved (1 face)" in face("move", f"{PHOTO}#1", "12,20,62,80.5")
    assert "Ben on 1 photo, without a face to be seen" in face("add", PHOTO, "--whole", "Ben")
    assert run_checked("find", "Ben", "-l", library.root, "-0").rstrip("\0").endswith(PHOTO)
    people = json.loads(run_checked("people", "--json", "-l", library.root))
    assert {person["name"] for person in people["people"]} >= {"Anna", "Ben"}
    assert "not a face (2 faces)" in face("remove", f"{PHOTO}#1", f"{PHOTO}#3")
    record = json.loads(face("add", PHOTO, "10,20,60,80", "--json"))
    assert [said["event"] for said in record["said"]] == ["add"]
    assert face("add", PHOTO, "100,200,160,280", "Zoe", "-q") == ""
    face("add", PHOTO, "250,200,300,280")
    assert "(drawn by hand)" in run_checked("identify", f"{library.root}/{PHOTO}", "-l", library.root).splitlines()[-1]
    run_checked("undo", "7", "--yes", "-l", library.root)
    assert run_checked("export", "-l", library.root) == before
    assert "Anna drawn by hand (1 face), redone" in run_checked("redo", "-l", library.root)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("add", PHOTO, "1,2,3"), "'1,2,3' is not a box"),
        (("add", PHOTO, "1,2,3,x"), "is not a box"),
        (("add", PHOTO, "nan,1,20,20"), "finite"),
        (("add", PHOTO, "1,2,99999,9"), f"not within {PHOTO}, which is 360 x"),
        (("add", PHOTO, "1,2,3,40"), "too small"),
        (("add", PHOTO), "either a box or --whole NAME"),
        (("add", PHOTO, "1,2,30,40", "--whole", "Anna"), "either a box or --whole NAME"),
        (("add", "nowhere.jpg", "1,2,30,40"), "there is no photo nowhere.jpg"),
        (("move", PHOTO, "1,2,30,40"), f"{PHOTO} is not one face"),
        (("move", f"{PHOTO}#9", "1,2,30,40"), "so there is no face 9"),
        (("move", "1", "1,2,30,40"), "1 is not one face"),
        (("remove", "Anna"), "nobody is called Anna"),
    ],
)
def test_mistakes(library: Library, words: tuple[str, ...], message: str) -> None:
    assert message in expect_refusal(library, *words)


def test_doubts_need_an_answer(library: Library) -> None:
    run_checked("name", f"{PHOTO}#1", "Eileen", "-l", library.root)
    assert "Eileen is on 1 photo" in expect_refusal(library, "add", PHOTO, "--whole", "Eileen")
    assert "--new" in expect_refusal(library, "add", PHOTO, "--whole", "Eilleen")
    run_checked("face", "add", PHOTO, "--whole", "Eileen", "--yes", "-l", library.root)
    run_checked("face", "add", PHOTO, "--whole", "Eilleen", "--new", "-l", library.root)


def test_a_read_only_library_with_its_caches_elsewhere(library: Library, tmp_path: Path) -> None:
    elsewhere = Library(library.root, cache_dir=tmp_path / "caches")
    elsewhere.scan(workers=0)
    before = {path: path.read_bytes() for path in library.root.rglob("*") if path.is_file()}
    elsewhere.add_whole(PHOTO, "Ben")
    assert [person.name for person in Library(library.root, cache_dir=tmp_path / "caches").people()] == ["Ben"]
    assert {path: path.read_bytes() for path in library.root.rglob("*") if path.is_file()} == before
