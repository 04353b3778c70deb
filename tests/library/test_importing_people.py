"""Names that other programs give to photos reach the faces of the groups on these photos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from faceclust import Library
from tests.support.catalogue_builders import NamedFace, build_takeout, write_digikam, write_lightroom
from tests.support.command import run_checked
from tests.support.synthetic_library import write_caches

#: The people on each photo. Dora is on no photo with a name, and Emil only once on any.
PHOTOS = [*["a"] * 4, *["b"] * 4, *["ab"] * 5, *["d"] * 24, "ae"]
NAMES = {"a": "Anna", "b": "Ben"}


def photo_name(number: int) -> str:
    return f"photos/IMG_{number:07}.jpg"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """A library of made-up faces; the photos are empty files."""
    rng = np.random.default_rng(0)
    centres = {person: rng.standard_normal(128) for person in "abde"}
    photo = np.array([number for number, people in enumerate(PHOTOS) for _ in people])
    faces = [centres[person] + rng.normal(0, 0.1, 128) for people in PHOTOS for person in people]
    library = write_caches(tmp_path / "library", np.array(faces), photo)
    for number in range(len(PHOTOS)):
        (library.root / photo_name(number)).touch()
    return library


def true_names(library: Library) -> dict[str, str]:
    """Return the name of each face of somebody with a name: faces are from left to right as in PHOTOS."""
    faces = sorted(library.occurrences, key=lambda face: (face.photo, face.box))
    people = [person for people in PHOTOS for person in people]
    return {face.face_id: NAMES[person] for face, person in zip(faces, people, strict=True) if person in NAMES}


def write_takeout(library: Library) -> None:
    """Write a JSON for each photo; one lacks Anna, and one names Ben wrongly."""
    for number, people in enumerate(PHOTOS):
        names = [NAMES[person] for person in people if person in NAMES and number != 0]
        names += ["Ben"] if people == "d" and number == PHOTOS.index("d") else []
        path = library.root / f"{photo_name(number)}.supplemental-metadata.json"
        path.write_text(build_takeout(photo_name(number).rpartition("/")[2], *names), encoding="utf-8")


def test_names_of_takeout_are_suggested_for_the_right_faces(library: Library) -> None:
    write_takeout(library)
    library.cluster()
    plan = library.plan_import()
    truth = true_names(library)
    assert {naming.face_id: naming.name for naming in plan.namings}.items() <= truth.items()
    assert len(plan.namings) == len(truth) - 1  # the photo without Anna's name
    assert {(naming.confirmed, naming.sources) for naming in plan.namings} == {
        (False, ("co-occurrence (Google Takeout)",))
    }
    assert [(unplaced.photo, unplaced.name) for unplaced in plan.placeless] == [
        (photo_name(PHOTOS.index("d")), "Ben"),
    ]
    events = library.import_names(plan)
    assert {event.name for event in events} == {"Anna", "Ben"}
    assert all(not label.confirmed for label in library.answers.labels.values())
    # The rest of the group follows, and nothing is left to import.
    assert {face: person.name for person in library.people() for face in person.face_ids} == truth
    again = library.plan_import()
    assert again.namings == () and library.import_names(again) == []


def test_the_users_answers_come_first(library: Library) -> None:
    write_takeout(library)
    library.cluster()
    truth = true_names(library)
    annas = sorted(face for face, name in truth.items() if name == "Anna")
    bens = sorted(face for face, name in truth.items() if name == "Ben")
    library.name([annas[0]], "Anna Maria")  # the whole group is somebody else now
    library.ignore([bens[0]])
    library.reject([bens[1]], "Ben")
    plan = library.plan_import()
    assert {naming.name for naming in plan.namings} == {"Ben"}
    assert not {naming.face_id for naming in plan.namings} & {*annas, *bens[:2]}


def test_a_clustering_is_needed_and_asked_for(library: Library) -> None:
    write_takeout(library)
    plan = library.plan_import()
    assert plan.namings == () and plan.ungrouped and len(plan.placeless) == len(true_names(library))
    output = run_checked("import", "--dry-run", "-l", library.root)
    assert "next: faceclust cluster" in output and "names found in 14 JSONs of Google Takeout" in output
    library.cluster()
    output = run_checked("import", "-l", library.root)
    assert "imported: 18 faces of 2 people" in output and "next: faceclust cluster" not in output


@pytest.mark.parametrize("program", ["digikam", "lightroom"])
def test_boxes_of_a_catalogue_are_confirmed_and_names_without_one_suggested(
    program: str, library: Library, tmp_path: Path
) -> None:
    library.cluster()
    truth = true_names(library)
    faces = [face for face in library.occurrences if face.face_id in truth]
    ben = [face for face in faces if truth[face.face_id] == "Ben"]
    scale = np.tile((4000, 3000) if program == "digikam" else (1, 1), 2)
    named = [
        NamedFace(face.photo, "Anna", tuple((np.array(face.box) * scale).tolist()))
        for face in faces
        if truth[face.face_id] == "Anna"
    ]
    people = [(face.photo, "Ben") for face in ben[1:]]
    if program == "digikam":
        path = write_digikam(tmp_path / "digikam4.db", named, size=(4000, 3000), people=people)
    else:
        path = write_lightroom(tmp_path / "catalogue.lrcat", named, people=people)
    output = json.loads(run_checked("import", path, "--json", "-l", library.root))
    namings = {naming["face_id"]: (naming["name"], naming["confirmed"]) for naming in output["namings"]}
    expected = {face: (name, name == "Anna") for face, name in truth.items() if face != ben[0].face_id}
    assert namings == expected and output["conflicts"] == [] and output["unmatched"] == []
