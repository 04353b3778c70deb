"""`identify` and `verify` on real faces."""

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
from faceclust.store.clusters import write_clusters
from tests.support.sample_photos import (
    COLLINS,
    HOPPER,
    join_images,
    load_portrait,
    make_scenery,
    make_variant,
    save_photo,
)

Names = Callable[[Library], dict[str, str]]


def identify_one(library: Library, photo: Path, **options: float) -> tuple[IdentifiedFace, ...]:
    (found,) = library.identify(photo, **options)  # type: ignore[arg-type]
    assert found.problem is None
    return found.faces


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading the models fails from here on."""

    def refuse(*_: object) -> None:
        raise AssertionError("the models were loaded")

    monkeypatch.setattr(PhotoExaminer, "__init__", refuse)


def test_a_face_on_a_photo_outside_the_library_is_recognised(
    collins: tuple[Library, int, set[str]], tmp_path: Path
) -> None:
    library, _, faces = collins
    library.name(faces, COLLINS)
    new = save_photo(join_images(make_variant(HOPPER, 7), make_variant(COLLINS, 8)), tmp_path / "new.jpg")
    before = new.read_bytes()
    hopper, found = identify_one(library, new)
    assert (found.name, found.how) == (COLLINS, IdentificationStatus.RECOGNISED)
    assert found.distance is not None and found.distance < 1.1 and found.certainty in ("close", "likely")
    assert (hopper.name, hopper.how, hopper.certainty) == (None, IdentificationStatus.UNKNOWN, None)
    assert hopper.nearest[0].name == COLLINS and hopper.nearest[0].distance > 1.1
    assert hopper.box[2] < found.box[2]  # from left to right
    assert new.read_bytes() == before


def test_the_threshold_decides_who_is_recognised(collins: tuple[Library, int, set[str]], tmp_path: Path) -> None:
    library, _, faces = collins
    library.name(faces, COLLINS)
    new = save_photo(make_variant(HOPPER, 7), tmp_path / "new.jpg")
    (face,) = identify_one(library, new, threshold=4.0)
    assert face.name == COLLINS and face.certainty == "possible"
    (face,) = identify_one(library, save_photo(make_variant(COLLINS, 8), tmp_path / "c.jpg"), threshold=1e-6)
    assert face.name is None


@pytest.mark.usefixtures("no_models")
def test_faces_of_the_library_keep_their_names_and_photos_are_not_decoded(
    collins: tuple[Library, int, set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceclust.library.photo_faces._MAX_HASHED_BYTES", 0)  # no file is hashed to find copies
    library, group, faces = collins
    confirmed = sorted(faces)[:2]
    library.name(faces, COLLINS, confirmed=confirmed)
    for face in faces:
        occurrence = library.occurrences_of[face][0]
        found = {other.face_id: other for other in identify_one(library, library.root / occurrence.photo)}[face]
        assert found.name == COLLINS and found.group == group
        assert found.how is (IdentificationStatus.CONFIRMED if face in confirmed else IdentificationStatus.SUGGESTED)
        assert found.distance is not None and found.distance > 0  # a face is not compared with itself


@pytest.mark.usefixtures("no_models")
def test_the_only_face_of_a_person_has_no_distance(collins: tuple[Library, int, set[str]]) -> None:
    library, _, faces = collins
    alone = min(faces)
    library.cluster(threshold=0.0001)
    library.name([alone], COLLINS)
    photo = library.root / library.occurrences_of[alone][0].photo
    found = {other.face_id: other for other in identify_one(library, photo)}[alone]
    assert (found.name, found.how, found.distance) == (COLLINS, IdentificationStatus.CONFIRMED, None)


@pytest.mark.usefixtures("no_models")
def test_copies_and_links_are_recognised_by_their_content(library: Library, tmp_path: Path) -> None:
    library.name(library.faces_in_group(1), "Anna")
    occurrence = library.occurrences_of[library.faces_in_group(1)[0]][0]
    copied = tmp_path / "elsewhere.bin"
    shutil.copyfile(library.root / occurrence.photo, copied)
    linked = tmp_path / "link.jpg"
    linked.symlink_to(library.root / occurrence.photo)
    os.utime(library.root / occurrence.photo)  # a new time, the same content
    for photo in (copied, linked, library.root / occurrence.photo):
        found = {face.face_id: face for face in identify_one(library, photo)}[occurrence.face_id]
        assert (found.name, found.how) == ("Anna", IdentificationStatus.CONFIRMED)


def test_a_photo_changed_since_the_scan_is_read_again(library: Library, name_of_face: Names) -> None:
    names = name_of_face(library)
    for person in (COLLINS, HOPPER):
        library.name([face for face, name in names.items() if name == person], person)
    photo = library.root / "2019/collins-0.jpg"
    save_photo(make_variant(HOPPER, 6), photo)
    (face,) = identify_one(library, photo)
    assert (face.name, face.how) == (HOPPER, IdentificationStatus.RECOGNISED)


def test_a_name_is_used_once_per_photo(collins: tuple[Library, int, set[str]], tmp_path: Path) -> None:
    library, _, faces = collins
    library.name(faces, COLLINS)
    twins = save_photo(join_images(make_variant(COLLINS, 6), make_variant(COLLINS, 8)), tmp_path / "twins.jpg")
    found = identify_one(library, twins)
    assert sorted(face.name or "" for face in found) == ["", COLLINS]
    assert all(face.nearest[0].distance < 1.1 for face in found)
    library.cluster(allow_same_photo=True)
    assert [face.name for face in identify_one(library, twins)] == [COLLINS, COLLINS]


@pytest.mark.usefixtures("no_models")
def test_a_confirmed_name_is_not_used_again_on_its_photo(library: Library, name_of_face: Names) -> None:
    names = name_of_face(library)
    hoppers = [face for face, name in names.items() if name == HOPPER]
    both = {occurrence.face_id for occurrence in library.occurrences if occurrence.photo == "together/both 0.jpg"}
    (collins_here,) = both - set(hoppers)
    library.name([face for face in hoppers if face not in both], HOPPER)
    library.name([collins_here], HOPPER)
    found = {face.face_id: face for face in identify_one(library, library.root / "together/both 0.jpg")}
    other = found[(both & set(hoppers)).pop()]
    assert found[collins_here].name == HOPPER
    assert other.name is None and other.nearest[0].name == HOPPER and other.nearest[0].distance < 1.1


@pytest.mark.usefixtures("no_models")
def test_rejected_and_ignored_faces_get_no_name(library: Library, name_of_face: Names) -> None:
    names = name_of_face(library)
    first, second, *others = sorted(face for face, name in names.items() if name == COLLINS)
    library.name(others, COLLINS)
    library.reject([first], COLLINS)
    library.ignore([second])

    def identified(face: str) -> IdentifiedFace:
        photo = library.root / library.occurrences_of[face][0].photo
        return {other.face_id: other for other in identify_one(library, photo)}[face]

    assert (identified(first).name, identified(first).how) == (None, IdentificationStatus.UNKNOWN)
    assert identified(first).nearest[0].distance < 1.1
    assert (identified(second).name, identified(second).how) == (None, IdentificationStatus.IGNORED)


def test_suggested_faces_count_only_for_people_without_confirmed_ones(
    collins: tuple[Library, int, set[str]], tmp_path: Path
) -> None:
    library, _, faces = collins
    stranger = min(library.occurrences_of.keys() - faces)
    collins_photo = save_photo(make_variant(COLLINS, 8), tmp_path / "c.jpg")
    hopper_photo = save_photo(make_variant(HOPPER, 8), tmp_path / "h.jpg")

    def names() -> list[str | None]:
        return [face.name for photo in library.identify([collins_photo, hopper_photo]) for face in photo.faces]

    library.name([stranger], COLLINS, confirmed=[])  # by mistake, so the other group is suggested too
    assert names() == [None, COLLINS]
    library.name(faces, COLLINS)
    assert len(library.find_person(COLLINS).face_ids) > len(faces)
    assert names() == [COLLINS, None]


def test_unreadable_photos_are_values_and_stop_nothing(library: Library, tmp_path: Path) -> None:
    library.name(library.faces_in_group(1), "Anna")
    (tmp_path / "text.jpg").write_text("hello")
    save_photo(make_scenery(), tmp_path / "nobody.jpg")
    names = ["no.jpg", ".", "text.jpg", "nobody.jpg"]
    found = list(library.identify(tmp_path / name for name in names))
    assert [bool(photo.problem) for photo in found] == [True, True, True, False]
    assert found[3] == replace(found[3], faces=(), problem=None)
    assert "no such file" in str(found[0].problem) and "folder" in str(found[1].problem)
    assert isinstance(found[2], IdentifiedPhoto) and "not a photo" in str(found[2].problem)


@pytest.mark.parametrize(
    ("named", "options", "words"),
    [
        (False, {}, "nobody has a name"),
        (True, {"threshold": float("nan")}, "nan"),
        (True, {"k": 0}, "k must be at least 1, not 0"),
    ],
)
def test_invalid_arguments_of_identify_are_refused(
    library: Library, named: bool, options: dict[str, float], words: str
) -> None:
    if named:
        library.name(library.faces_in_group(1), "Anna")
    with pytest.raises(UsageError, match=words):
        library.identify([], **options)  # type: ignore[arg-type]


# -- verify -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    save_photo(make_variant(COLLINS, 1), folder / "collins.jpg")
    save_photo(make_variant(COLLINS, 4), folder / "again.jpg")
    small = load_portrait(HOPPER).resize((180, 216))
    save_photo(join_images(small, make_variant(COLLINS, 2)), folder / "both.jpg")
    save_photo(make_scenery(), folder / "nobody.jpg")
    (folder / "cut.jpg").write_bytes((folder / "both.jpg").read_bytes()[:4000])
    (folder / "empty.jpg").touch()
    (folder / "loop.jpg").symlink_to("loop.jpg")
    return folder


def test_same_and_different_people_are_distinguished_by_distance(pictures: Path) -> None:
    same = faceclust.verify(pictures / "collins.jpg", pictures / "again.jpg")
    assert same.same and 0 < same.distance < same.threshold == 1.5
    different = faceclust.verify(pictures / "collins.jpg", f"{pictures / 'both.jpg'}#1")
    assert not different.same and different.distance > 1.5
    assert not faceclust.verify(pictures / "collins.jpg", pictures / "again.jpg", threshold=1e-6).same


def test_the_largest_face_is_compared_unless_a_number_is_given(pictures: Path) -> None:
    found = faceclust.verify(pictures / "collins.jpg", pictures / "both.jpg")
    assert found.same and (found.faces[1].number, found.faces[1].count) == (2, 2)
    assert found == replace(faceclust.verify(pictures / "collins.jpg", f"{pictures / 'both.jpg'}#2"), faces=found.faces)


def test_a_file_name_with_a_hash_takes_precedence_over_a_face_number(pictures: Path, tmp_path: Path) -> None:
    shutil.copyfile(pictures / "collins.jpg", tmp_path / "odd#3")
    assert faceclust.verify(tmp_path / "odd#3", pictures / "collins.jpg").distance == 0


@pytest.mark.usefixtures("no_models")
def test_verify_accepts_face_ids_of_a_library(collins: tuple[Library, int, set[str]]) -> None:
    library, _, faces = collins
    first, second, *_ = sorted(faces)
    assert faceclust.verify(first, second.upper(), library=library).same
    photo = library.root / library.occurrences_of[first][0].photo
    assert faceclust.verify(photo, second, library=library).faces[1].face_id == second
    with pytest.raises(UsageError, match="no face 0123456789abcdef"):
        faceclust.verify(first, "0123456789abcdef", library=library)


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
def test_unreadable_photos_and_missing_faces_are_refused(pictures: Path, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"(?i){words}"):
        faceclust.verify(f"{pictures}/{name}", pictures / "collins.jpg")


def test_an_invalid_threshold_is_refused(pictures: Path) -> None:
    with pytest.raises(UsageError, match="threshold must be above 0, not -1"):
        faceclust.verify(pictures / "collins.jpg", pictures / "again.jpg", threshold=-1)


def test_distances_of_identify_are_scaled_by_the_crowding_of_both_sides(library: Library) -> None:
    number = min(library.group_of.values())
    library.name(number, "Ann")
    clustering = library.clustering
    assert clustering is not None
    photo = next(face.photo for face in library.occurrences if face.face_id not in library.group_members[number])
    (plain,) = [face for face in identify_one(library, library.root / photo, threshold=1e-9) if face.group != number][
        :1
    ]
    crowding = clustering.crowding.copy()
    crowding[clustering.labels == number] += 0.1
    crowding[clustering.face_ids == plain.face_id] += 0.2
    changed = replace(clustering, crowding=crowding)
    write_clusters(library.home.clusters, changed)
    library.invalidate()
    (scaled,) = [face for face in identify_one(library, library.root / photo, threshold=1e-9) if face.group != number][
        :1
    ]
    own = changed.face_ids == plain.face_id
    added = (changed.offsets - clustering.offsets)[own].sum() + (changed.offsets - clustering.offsets)[
        changed.labels == number
    ].mean()
    assert scaled.nearest[0].distance - plain.nearest[0].distance == pytest.approx(added, abs=1e-5) and added > 0.05
