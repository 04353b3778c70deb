"""A name on faces that look unlike each other is only suggested, and listed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceclust import Library
from tests.support.synthetic_library import write_caches

FACES = 10  # of each person


@pytest.fixture(params=[False, True], ids=["scanned", "grouped"])
def library(tmp_path: Path, request: pytest.FixtureRequest) -> Library:
    """Twelve people with ten faces each, every face on a photo of its own."""
    rng = np.random.default_rng(0)
    people = rng.normal(size=(12, 1, 128)) + 0.15 * rng.normal(size=(12, FACES, 128))
    library = write_caches(tmp_path / "library", people.reshape(-1, 128), np.arange(12 * FACES))
    if request.param:
        library.cluster()
    return library


def import_table(library: Library, names: dict[int, str]) -> dict[str, bool]:
    """Import these names, by number of the face; return for each named face whether it is confirmed."""
    rows = [f"{library.occurrences[face].photo},0.05,0.2,0.15,0.35,{name}" for face, name in names.items()]
    table = library.root.parent / "faces.csv"
    table.write_text("\n".join(["photo,left,top,right,bottom,name", *rows]), encoding="utf-8")
    plan = library.plan_import([table])
    library.import_names(plan)
    library.invalidate()
    repeated = library.plan_import([table])
    assert (repeated.namings, repeated.known) == ((), len(names))
    listed = {face for unlike in plan.unlike for face in unlike.faces}
    assert listed == {naming.face_id for naming in plan.namings if not naming.confirmed}
    return {face: label.confirmed for face, label in library.answers.labels.items()}


def face_ids(library: Library, *numbers: int) -> set[str]:
    return {library.occurrences[number].face_id for number in numbers}


def test_right_names_are_confirmed(library: Library) -> None:
    labels = import_table(library, {face: f"Zoe {face // FACES}" for face in range(12 * FACES)})
    assert len(labels) == 12 * FACES and all(labels.values())


def test_a_word_on_many_people_is_only_suggested(library: Library) -> None:
    labels = import_table(library, dict.fromkeys(range(0, 12 * FACES, FACES), "Gast"))
    assert len(labels) == 12 and not any(labels.values())


def test_a_wrong_face_of_a_person_is_only_suggested(library: Library) -> None:
    labels = import_table(library, {**dict.fromkeys(range(5), "Anna"), FACES: "Anna"})
    assert {face for face, confirmed in labels.items() if not confirmed} == face_ids(library, FACES)


def test_confirmed_faces_decide_who_a_name_means(library: Library) -> None:
    library.name(list(face_ids(library, 0)), "Anna")
    labels = import_table(library, {1: "Anna", **dict.fromkeys(range(FACES, FACES + 5), "anna")})
    assert {face for face, confirmed in labels.items() if confirmed} == face_ids(library, 0, 1)


def test_a_name_on_one_face_is_confirmed(library: Library) -> None:
    assert list(import_table(library, {3: "Anna"}).values()) == [True]
