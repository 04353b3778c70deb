"""The command `faceclust import`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from faceclust import Library
from tests.support.command import COMMAND, run, run_checked, wait_for
from tests.support.synthetic_library import write_caches
from tests.support.xmp_packets import build_array, build_mwg_regions, build_region, build_sidecar


@pytest.fixture
def table(library: Library, tmp_path: Path) -> Path:
    """A table that names the faces of one person."""
    path = tmp_path / "faces.csv"
    rows = [(place.photo, *place.pixel_box, "Collins") for place in library.occurrences if "collins" in place.photo]
    path.write_text("\n".join(["photo,left,top,right,bottom,name", *(",".join(map(str, row)) for row in rows)]))
    return path


def test_names_are_imported_and_can_be_undone(library: Library, table: Path) -> None:
    options = ("--library", library.root)
    dry = run_checked("import", table, "--dry-run", *options)
    assert "would import: 4 faces of 1 person" in dry and not library.journal.path.exists()
    done = run_checked("import", table, *options)
    assert "Collins: 4 faces" in done and "imported: 4 faces of 1 person" in done and "faceclust undo 1" in done
    assert "Collins (4 faces), from a table" in run_checked("journal", *options)
    assert json.loads(run_checked("journal", "--json", *options))["events"][0]["source"] == "a table"
    assert "nothing new to import; 4 faces already had the name" in run_checked("import", table, *options)
    assert "undone: Collins (4 faces), from a table" in run_checked("undo", "1", *options)
    assert "nobody has a name" in run_checked("people", *options)


def test_json_contains_the_plan(library: Library, table: Path) -> None:
    answer = json.loads(run_checked("import", table, "--json", "-n", "--library", library.root))
    assert answer["dry_run"] and answer["entered"] == [] and answer["people"] == {"Collins": 4}
    assert {"namings", "conflicts", "unmatched", "placeless", "unread", "elsewhere", "read"} <= answer.keys()
    assert len(json.loads(run_checked("import", table, "--json", "--library", library.root))["entered"]) == 1


def test_conflicts_and_unmatched_names_are_listed(library: Library, table: Path) -> None:
    face = next(place for place in library.occurrences if "collins" in place.photo)
    library.name([face.face_id], "Somebody")
    with table.open("a") as file:
        file.write(f"\n{face.photo},1,1,9,9,Dora\nelsewhere\x1b[31m.jpg,1,1,9,9,Carl\n")
    done = run("import", table, "-v", "--library", library.root)
    assert f"  {face.photo}: Collins: you said it is Somebody ({table})" in done.stdout
    assert f"{face.photo}: Dora: no face was found there" in done.stdout
    assert "elsewhere\\x1b[31m.jpg" in done.stdout and "\x1b" not in done.stdout


def test_keywords_below_a_tag_that_is_not_read_are_counted_and_the_tag_can_be_named(library: Library) -> None:
    options, photo = ("--library", library.root), "2019/collins-0.jpg"
    face = next(place for place in library.occurrences if place.photo == photo)
    pet = build_mwg_regions(build_region("Rex", 0.5, 0.5, 0.1, 0.1, "Pet"))
    keywords = build_array("lr:hierarchicalSubject", "My Family|Anna", "Places|Rome")
    (library.root / f"{photo}.xmp").write_text(build_sidecar(pet, keywords), encoding="utf-8")
    assert "--people-tag" not in run_checked("import", *options)  # nobody is called Anna yet
    library.name([next(one.face_id for one in library.occurrences if "hopper" in one.photo)], "Anna")
    done = run_checked("import", *options)
    assert "1 keyword below My Family/ not read as names; to read them: --people-tag 'My Family'" in done
    assert "1 region not read: 1 of other kinds than faces" in done and "Places" not in done
    done = run_checked("import", "--people-tag", "my family", *options)
    assert "1 name without a position in the photo" in done and "not read as names" not in done
    answer = json.loads(run_checked("import", "--keywords", "--people-tag", "My Family", "--json", *options))
    assert [(naming["face_id"], naming["name"]) for naming in answer["namings"]] == [(face.face_id, "Anna")]
    assert answer["skipped_regions"] == {"of other kinds than faces": 1} and answer["skipped_tags"] == {}


def test_names_without_a_face_are_offered_and_entered_on_request(library: Library, tmp_path: Path) -> None:
    options, photo = ("--library", library.root), "together/nobody.jpg"
    region = build_mwg_regions(build_region("Dora", 0.5, 0.5, 0.2, 0.4), size=library.photos[photo].size)
    people = build_array("Iptc4xmpExt:PersonInImage", "Mia")
    (library.root / f"{photo}.xmp").write_text(build_sidecar(region, people), encoding="utf-8")
    offered = run_checked("import", *options)
    assert "2 of these can be drawn by hand or put on the whole photo: add --add-faces" in offered
    dry = run_checked("import", "--add-faces", "-n", *options)
    assert f"  {photo}: Dora: drawn by hand at 0.4, 0.3, 0.6, 0.7" in dry and f"{photo}: Mia: on the whole photo" in dry
    counts = "2 faces of 2 people, 1 of them drawn by hand, 1 of them on the whole photo, without a face to be seen"
    assert f"would import: {counts}" in dry and not library.journal.path.exists()
    answer = json.loads(run_checked("import", "--add-faces", "--json", "-n", *options))
    assert [(new["name"], new["photo"]) for new in answer["additions"]] == [("Mia", photo), ("Dora", photo)]
    done = run_checked("import", "--add-faces", *options)
    assert f"imported: {counts}" in done and "to undo all of it: faceclust undo 2" in done
    assert "Mia on 1 photo, without a face to be seen, from XMP sidecars" in run_checked("journal", *options)
    assert "nothing new to import" in run_checked("import", "--add-faces", *options)
    assert "Dora" in run_checked("people", *options)
    assert photo in run_checked("find", "Mia", *options)


def test_faces_that_cannot_be_drawn_are_an_error_and_the_others_are_entered(library: Library, tmp_path: Path) -> None:
    photo, table = "together/nobody.jpg", tmp_path / "faces.csv"
    whole = ",".join(map(str, (0, 0, *library.photos["together/both 0.jpg"].size)))
    rows = (f"{photo},0.4,0.3,0.6,0.7,Dora,false", f"together/both 0.jpg,{whole},Zoe,true")
    table.write_text("\n".join(["photo,left,top,right,bottom,name,by_hand", *rows]))
    (library.root / photo).write_bytes(b"changed")
    done = run("import", table, "--add-faces", "--library", library.root)
    assert done.returncode == 1 and "imported: 1 face of 1 person, 1 of them on the whole photo" in done.stdout
    assert f"{photo} cannot be read: not a photo" in done.stderr and "error: 1 face was not drawn" in done.stderr


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"photo,name\na.jpg,Anna", "faces.csv:1: there is no column left or top or right or bottom"),
        (
            b"photo,left,top,right,bottom,name\na.jpg,1,2,3,4,A\na.jpg,1,-,3,4,Anna",
            "faces.csv:3: top must be a number, not '-'",
        ),
        (bytes(range(256)), "faces.csv:"),
    ],
)
def test_an_invalid_table_gets_one_clear_line(library: Library, tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "faces.csv").write_bytes(content)
    done = run("import", tmp_path / "faces.csv", "--library", library.root)
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    _, error, hint = done.stderr.strip().splitlines()
    assert error.startswith(f"error: {complaint}") and hint.startswith("hint: its columns are")


@pytest.mark.slow
def test_after_a_kill_the_journal_is_intact_and_the_next_import_continues(tmp_path: Path) -> None:
    people = 2000
    library = write_caches(tmp_path / "library", np.random.default_rng(0).normal(size=(people, 128)), np.arange(people))
    rows = [f"{place.photo},0.05,0.2,0.15,0.35,Zoe {number:04}" for number, place in enumerate(library.occurrences)]
    (tmp_path / "faces.csv").write_text("\n".join(["photo,left,top,right,bottom,name", *rows]))
    journal = library.journal.path
    command = [*COMMAND, "import", str(tmp_path / "faces.csv"), "--library", str(library.root)]
    for additional, kill_signal in ((1, signal.SIGKILL), (100, signal.SIGKILL), (100, signal.SIGINT)):
        # New lines show that the import is running: during start-up, Python itself would report the signal.
        enough = additional + (journal.read_bytes().count(b"\n") if journal.exists() else 0)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ, text=True)
        wait_for(lambda least=enough: journal.exists() and journal.read_bytes().count(b"\n") >= least)
        process.send_signal(kill_signal)
        _, stderr = process.communicate()
        assert "Traceback" not in stderr
        assert all(json.loads(line)["faces"] for line in journal.read_bytes().splitlines()[:-1])
        assert enough > 1 or len(Library(library.root).people()) < people
    run_checked(*command[len(COMMAND) :])
    assert len(Library(library.root).people()) == people
    assert len(Library(library.root).journal.events()) == people


def test_a_name_like_a_formula_survives_export_and_import(library: Library, tmp_path: Path) -> None:
    name, table = "=cmd|' /C calc'!A0", tmp_path / "faces.csv"
    options = ("--library", library.root)
    run_checked("name", "1", name, *options)
    run_checked("export", "-o", table, *options)
    assert f",'{name}," in table.read_text() and f",{name}," in run_checked("export", "--raw", *options)
    run_checked("undo", *options)
    run_checked("import", table, *options)
    assert [person["name"] for person in json.loads(run_checked("people", "--json", *options))["people"]] == [name]


def test_what_is_not_taken_for_a_name_is_listed(library: Library, tmp_path: Path) -> None:
    table, options = tmp_path / "faces.csv", ("--library", library.root)
    faces = [next(place for place in library.occurrences if who in place.photo) for who in ("collins-", "hopper-")]
    rows = "\n".join(",".join(map(str, (face.photo, *face.pixel_box, "Gast"))) for face in faces)
    table.write_text(f"photo,left,top,right,bottom,name\n{rows}")
    done = run_checked("import", table, *options)
    photos = ", ".join(face.photo for face in faces)
    assert f"  Gast: 2 faces unlike each other: {photos}\nif a name is right: faceclust confirm Gast\n" in done
    table.write_text(table.read_text().replace("Gast", "Face 7"))
    assert "2 names for nobody, not imported: Face 7 (2)\n" in run_checked("import", table, *options)
