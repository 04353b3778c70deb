"""Identification and verification, from Python, on real faces."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import faceclust
from faceclust import Library
from faceclust.errors import UsageError
from faceclust.library.identification import IdentificationStatus, IdentifiedFace, IdentifiedPhoto
from faceclust.scan.examine import PhotoExaminer
from tests.support.sample_photos import COLLINS, HOPPER, portrait, save, scenery, together, variant

Names = Callable[[Library], dict[str, str]]


def only(library: Library, photo: Path, **options: float) -> tuple[IdentifiedFace, ...]:
    (found,) = library.identify(photo, **options)  # type: ignore[arg-type]
    assert found.problem is None
    return found.faces


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, finding a face on the spot fails."""

    def refuse(*_: object) -> None:
        raise AssertionError("the models were opened")

    monkeypatch.setattr(PhotoExaminer, "__init__", refuse)


def test_a_photo_from_outside(collins: tuple[Library, int, set[str]], tmp_path: Path) -> None:
    library, _, faces = collins
    library.name(faces, COLLINS)
    new = save(together(variant(HOPPER, 7), variant(COLLINS, 8)), tmp_path / "new.jpg")
    before = new.read_bytes()
    hopper, found = only(library, new)
    assert (found.name, found.how) == (COLLINS, IdentificationStatus.RECOGNISED)
    assert found.distance is not None and found.distance < 1.1 and found.certainty in ("close", "likely")
    assert (hopper.name, hopper.how, hopper.certainty) == (None, IdentificationStatus.UNKNOWN, None)
    assert hopper.nearest[0].name == COLLINS and hopper.nearest[0].distance > 1.1
    assert hopper.box[2] < found.box[2]  # from the left to the right
    assert new.read_bytes() == before


def test_the_threshold_decides(collins: tuple[Library, int, set[str]], tmp_path: Path) -> None:
    library, _, faces = collins
    library.name(faces, COLLINS)
    new = save(variant(HOPPER, 7), tmp_path / "new.jpg")
    (face,) = only(library, new, threshold=9.0)
    assert face.name == COLLINS and face.certainty == "possible"
    (face,) = only(library, save(variant(COLLINS, 8), tmp_path / "c.jpg"), threshold=1e-6)
    assert face.name is None


@pytest.mark.usefixtures("no_models")
def test_known_faces_keep_their_names_and_their_photos_are_not_opened(
    collins: tuple[Library, int, set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "faceclust.library.photo_faces._MAX_HASHED_BYTES", 0
    )  # nothing is read to see whether it is a copy
    library, group, faces = collins
    shown = sorted(faces)[:2]
    library.name(faces, COLLINS, confirmed=shown)
    for face in faces:
        place = library.occurrences_of[face][0]
        found = {seen.face_id: seen for seen in only(library, library.root / place.photo)}[face]
        assert found.name == COLLINS and found.group == group
        assert found.how is (IdentificationStatus.CONFIRMED if face in shown else IdentificationStatus.SUGGESTED)
        assert found.distance is not None and found.distance > 0  # it is not compared with itself


@pytest.mark.usefixtures("no_models")
def test_the_only_face_of_somebody_is_compared_with_nothing(collins: tuple[Library, int, set[str]]) -> None:
    library, _, faces = collins
    alone = min(faces)
    library.cluster(threshold=0.0001)
    library.name([alone], COLLINS)
    photo = library.root / library.occurrences_of[alone][0].photo
    found = {seen.face_id: seen for seen in only(library, photo)}[alone]
    assert (found.name, found.how, found.distance) == (COLLINS, IdentificationStatus.CONFIRMED, None)


@pytest.mark.usefixtures("no_models")
def test_copies_and_links_are_known_by_their_content(library: Library, tmp_path: Path) -> None:
    library.name(library.faces_in_group(1), "Anna")
    place = library.occurrences_of[library.faces_in_group(1)[0]][0]
    copied = tmp_path / "elsewhere.bin"
    shutil.copyfile(library.root / place.photo, copied)
    linked = tmp_path / "link.jpg"
    linked.symlink_to(library.root / place.photo)
    os.utime(library.root / place.photo)  # another time, the same content
    for photo in (copied, linked, library.root / place.photo):
        found = {face.face_id: face for face in only(library, photo)}[place.face_id]
        assert (found.name, found.how) == ("Anna", IdentificationStatus.CONFIRMED)


def test_a_photo_changed_since_the_scan_is_looked_at_anew(library: Library, name_of_face: Names) -> None:
    names = name_of_face(library)
    for person in (COLLINS, HOPPER):
        library.name([face for face, name in names.items() if name == person], person)
    photo = library.root / "2019/collins-0.jpg"
    save(variant(HOPPER, 6), photo)
    (face,) = only(library, photo)
    assert (face.name, face.how) == (HOPPER, IdentificationStatus.RECOGNISED)


def test_nobody_is_named_twice_on_a_photo(collins: tuple[Library, int, set[str]], tmp_path: Path) -> None:
    library, _, faces = collins
    library.name(faces, COLLINS)
    twins = save(together(variant(COLLINS, 6), variant(COLLINS, 8)), tmp_path / "twins.jpg")
    found = only(library, twins)
    assert sorted(face.name or "" for face in found) == ["", COLLINS]
    assert all(face.nearest[0].distance < 1.1 for face in found)
    library.cluster(allow_same_photo=True)
    assert [face.name for face in only(library, twins)] == [COLLINS, COLLINS]


@pytest.mark.usefixtures("no_models")
def test_a_confirmed_name_is_taken_on_its_photo(library: Library, name_of_face: Names) -> None:
    names = name_of_face(library)
    hoppers = [face for face, name in names.items() if name == HOPPER]
    both = {place.face_id for place in library.occurrences if place.photo == "together/both 0.jpg"}
    (collins_here,) = both - set(hoppers)
    library.name([face for face in hoppers if face not in both], HOPPER)
    library.name([collins_here], HOPPER)
    found = {face.face_id: face for face in only(library, library.root / "together/both 0.jpg")}
    other = found[(both & set(hoppers)).pop()]
    assert found[collins_here].name == HOPPER
    assert other.name is None and other.nearest[0].name == HOPPER and other.nearest[0].distance < 1.1


@pytest.mark.usefixtures("no_models")
def test_what_was_rejected_or_ignored_gets_no_name(library: Library, name_of_face: Names) -> None:
    names = name_of_face(library)
    first, second, *others = sorted(face for face, name in names.items() if name == COLLINS)
    library.name(others, COLLINS)
    library.reject([first], COLLINS)
    library.ignore([second])

    def look(face: str) -> IdentifiedFace:
        photo = library.root / library.occurrences_of[face][0].photo
        return {seen.face_id: seen for seen in only(library, photo)}[face]

    assert (look(first).name, look(first).how) == (None, IdentificationStatus.UNKNOWN)
    assert look(first).nearest[0].distance < 1.1
    assert (look(second).name, look(second).how) == (None, IdentificationStatus.IGNORED)


def test_suggested_faces_count_only_for_people_without_confirmed_ones(
    collins: tuple[Library, int, set[str]], tmp_path: Path
) -> None:
    library, _, faces = collins
    stranger = min(library.occurrences_of.keys() - faces)
    collins_photo = save(variant(COLLINS, 8), tmp_path / "c.jpg")
    hopper_photo = save(variant(HOPPER, 8), tmp_path / "h.jpg")

    def names() -> list[str | None]:
        return [face.name for photo in library.identify([collins_photo, hopper_photo]) for face in photo.faces]

    library.name([stranger], COLLINS, confirmed=[])  # by mistake: the other group comes along
    assert names() == [None, COLLINS]
    library.name(faces, COLLINS)
    assert len(library.find_person(COLLINS).face_ids) > len(faces)
    assert names() == [COLLINS, None]


def test_problems_are_values_and_the_others_are_still_done(library: Library, tmp_path: Path) -> None:
    library.name(library.faces_in_group(1), "Anna")
    (tmp_path / "text.jpg").write_text("hello")
    save(scenery(), tmp_path / "nobody.jpg")
    names = ["no.jpg", ".", "text.jpg", "nobody.jpg"]
    found = list(library.identify(tmp_path / name for name in names))
    assert [bool(photo.problem) for photo in found] == [True, True, True, False]
    assert found[3] == replace(found[3], faces=(), problem=None)
    assert "no such file" in str(found[0].problem) and "folder" in str(found[1].problem)
    assert isinstance(found[2], IdentifiedPhoto) and "not a photo" in str(found[2].problem)


@pytest.mark.parametrize(
    ("named", "options", "words"),
    [(False, {}, "nobody has a name"), (True, {"threshold": float("nan")}, "nan"), (True, {"k": 0}, "k is 0")],
)
def test_senseless_wishes(library: Library, named: bool, options: dict[str, float], words: str) -> None:
    if named:
        library.name(library.faces_in_group(1), "Anna")
    with pytest.raises(UsageError, match=words):
        library.identify([], **options)  # type: ignore[arg-type]


# -- verify -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    save(variant(COLLINS, 1), folder / "collins.jpg")
    save(variant(COLLINS, 4), folder / "again.jpg")
    small = portrait(HOPPER).resize((180, 216))
    save(together(small, variant(COLLINS, 2)), folder / "both.jpg")
    save(scenery(), folder / "nobody.jpg")
    (folder / "cut.jpg").write_bytes((folder / "both.jpg").read_bytes()[:4000])
    (folder / "empty.jpg").touch()
    (folder / "loop.jpg").symlink_to("loop.jpg")
    return folder


def test_same_and_different(pictures: Path) -> None:
    same = faceclust.verify(pictures / "collins.jpg", pictures / "again.jpg")
    assert same.same and 0 < same.distance < same.threshold == 1.8
    different = faceclust.verify(pictures / "collins.jpg", f"{pictures / 'both.jpg'}#1")
    assert not different.same and different.distance > 1.8
    assert not faceclust.verify(pictures / "collins.jpg", pictures / "again.jpg", threshold=1e-6).same


def test_the_largest_face_counts_unless_another_is_named(pictures: Path) -> None:
    found = faceclust.verify(pictures / "collins.jpg", pictures / "both.jpg")
    assert found.same and (found.faces[1].number, found.faces[1].count) == (2, 2)
    assert found == replace(faceclust.verify(pictures / "collins.jpg", f"{pictures / 'both.jpg'}#2"), faces=found.faces)


def test_a_file_that_is_called_like_a_number_goes_first(pictures: Path, tmp_path: Path) -> None:
    shutil.copyfile(pictures / "collins.jpg", tmp_path / "odd#3")
    assert faceclust.verify(tmp_path / "odd#3", pictures / "collins.jpg").distance == 0


@pytest.mark.usefixtures("no_models")
def test_face_ids_of_a_library(collins: tuple[Library, int, set[str]]) -> None:
    library, _, faces = collins
    one, other, *_ = sorted(faces)
    assert faceclust.verify(one, other.upper(), library=library).same
    photo = library.root / library.occurrences_of[one][0].photo
    assert faceclust.verify(photo, other, library=library).faces[1].face_id == other
    with pytest.raises(UsageError, match="no face 0123456789abcdef"):
        faceclust.verify(one, "0123456789abcdef", library=library)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nobody.jpg", "no face found"),
        ("empty.jpg", "empty file"),
        ("cut.jpg", "truncated"),
        ("loop.jpg", "symbolic links"),
        ("no.jpg", "no such file"),
        ("", "folder"),
        ("both.jpg#3", "has no face 3: 2 found"),
        ("both.jpg#0", "has no face 0"),
        ("both.jpg#" + "9" * 5000, "name too long|no such file"),
    ],
)
def test_no_answer(pictures: Path, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"(?i){words}"):
        faceclust.verify(f"{pictures}/{name}", pictures / "collins.jpg")


def test_a_senseless_threshold(pictures: Path) -> None:
    with pytest.raises(UsageError, match="not a distance"):
        faceclust.verify(pictures / "collins.jpg", pictures / "again.jpg", threshold=-1)
