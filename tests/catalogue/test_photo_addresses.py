"""PHOTO#N: which photo and which face it is."""

from __future__ import annotations

import shutil
import time
import unicodedata
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.catalogue.photo_addresses import find_numbered_face, find_photo
from faceclust.errors import UsageError
from faceclust.types.face_numbers import number_faces, split_face_address
from tests.support.people_builders import make_occurrence
from tests.support.sample_photos import COLLINS

PHOTOS = {
    *("a.jpg", "2019/a.jpg", "2019/only.jpg", "2019/party at home.jpg", "2020/only too.jpg", "2020/b.jpg"),
    *("2021/b.jpg", "2020/img#2.jpg", "2020/Zo\u00eb.jpg", "2020/sub/2020/b.jpg", "~me.jpg"),
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library, whose folder 2019 is the working folder."""
    for photo in PHOTOS:
        (tmp_path / "photos" / photo).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / photo).write_bytes(b"")
    (tmp_path / "photos/2019/new.jpg").write_bytes(b"")
    (tmp_path / "elsewhere.jpg").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    monkeypatch.chdir(tmp_path / "photos/2019")
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("typed", "photo"),
    [
        ("only.jpg", "2019/only.jpg"),
        ("./a.jpg", "2019/a.jpg"),
        ("../a.jpg", "a.jpg"),
        ("2019/a.jpg", "2019/a.jpg"),
        ("party at home.jpg", "2019/party at home.jpg"),
        ("only too.jpg", "2020/only too.jpg"),
        ("2021/b.jpg", "2021/b.jpg"),
        ("2020/b.jpg", "2020/b.jpg"),
        ("2020/./b.jpg", "2020/b.jpg"),
        ("img#2.jpg", "2020/img#2.jpg"),
        ("Zo\u00eb.jpg", "2020/Zo\u00eb.jpg"),
        ("ROOT/2020/b.jpg", "2020/b.jpg"),
        ("LINK/2020/b.jpg", "2020/b.jpg"),
        ("../~me.jpg", "~me.jpg"),
    ],
)
def test_a_photo_is_found(root: Path, typed: str, photo: str) -> None:
    typed = typed.replace("ROOT", str(root)).replace("LINK", str(root.parent / "link"))
    assert find_photo(root, PHOTOS, typed) == photo
    assert find_photo(root, PHOTOS, unicodedata.normalize("NFD", typed)) == photo


@pytest.mark.parametrize(
    ("typed", "message", "hint"),
    [
        ("a.jpg", "a.jpg is 2 photos of the library: 2019/a.jpg, a.jpg", "type the whole path, such as ROOT/a.jpg"),
        ("b.jpg", "is 3 photos", "type the whole path"),
        ("ONLY.jpg", "there is no photo ONLY.jpg", "did you mean 2019/only.jpg?"),
        ("partyathome.jpg", "there is no photo", "did you mean 2019/party at home.jpg?"),
        ("./b.jpg", "there is no photo ./b.jpg", "did you mean"),
        ("new.jpg", "there is no photo new.jpg", "faceclust scan"),
        ("../../elsewhere.jpg", "there is no photo", "it is not in ROOT"),
        ("quite different", "there is no photo", "by its path"),
        ("nul\0.jpg", "there is no photo", ""),
        ("~nobody-here/x.jpg", "there is no photo", ""),
        ("\udcff.jpg", "there is no photo", ""),
        ("..", "there is no photo", ""),
        ("/", "there is no photo", ""),
    ],
)
def test_another_photo_is_refused_with_advice(root: Path, typed: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        find_photo(root, PHOTOS, typed)
    assert message in str(error.value)
    assert hint.replace("ROOT", str(root)) in str(error.value.hint)


def test_a_mistyped_photo_among_many_is_refused_at_once(tmp_path: Path) -> None:
    photos = {f"{number:06}{'ab' * 120}.jpg" for number in range(20_000)}
    started = time.process_time()
    with pytest.raises(UsageError, match="there is no photo"):
        find_photo(tmp_path, photos, "ba" * 120 + ".jpg")
    assert time.process_time() - started < 8  # without a bound, comparing takes minutes


def test_faces_are_numbered_from_the_left() -> None:
    faces = [
        make_occurrence("right", box=(0.7, 0, 0.8, 0.1)),
        make_occurrence("left", box=(0.1, 0.5, 0.2, 0.6)),
        make_occurrence("middle", box=(0.4, 0, 0.5, 0.1)),
        make_occurrence("left", photo="copy.jpg", box=(0.1, 0.5, 0.2, 0.6)),
        make_occurrence("other", hash="other"),
    ]
    assert number_faces(faces) == {"left": 1, "middle": 2, "right": 3, "other": 1}
    in_order = [faces[1], faces[2], faces[0]]
    assert [find_numbered_face(in_order, "a.jpg", n) for n in (1, 2, 3)] == ["left", "middle", "right"]
    for number in (0, 4):
        with pytest.raises(UsageError, match=f"a.jpg has 3 faces, so there is no face {number}"):
            find_numbered_face(in_order, "a.jpg", number)
    with pytest.raises(UsageError, match="has no faces"):
        find_numbered_face([], "a.jpg", 1)


@pytest.mark.parametrize(
    ("text", "photo", "number"),
    [
        ("a#b.jpg#2", "a#b.jpg", 2),
        ("a.jpg", "a.jpg", None),
        ("#2", "#2", None),
        ("a#", "a#", None),
        ("a\n#3", "a\n", 3),
    ],
)
def test_an_address_is_split_at_the_last_number(text: str, photo: str, number: int | None) -> None:
    assert split_face_address(text) == (photo, number)


def test_every_answer_takes_photo_and_number(collins: tuple[Library, int, set[str]]) -> None:
    """The same face by id, and as `address_of` prints it."""
    library, group, faces = collins
    shutil.move(library.root / "together", library.root / "to#gether 1")
    library.scan(workers=0)
    address = "to#gether 1/both 0.jpg#2"
    face = library.find_face(address)
    assert face is not None and library.address_of(face) == address and library.find_face("both 0.jpg#2") == face
    assert library.occurrences_of[face][0].box[0] > 0.4
    mine = next(one for one in sorted(faces) if "gether" in library.address_of(one))
    mine_address = library.address_of(mine)
    calls = [
        lambda one: library.name(one, COLLINS),
        lambda one: library.confirm(one, COLLINS),
        lambda one: library.reject(one, COLLINS),
        lambda one: library.ignore(one),
        lambda one: library.unignore(one),
        lambda one: library.split([one], group),
        lambda one: library.split(min(faces - {mine}), one),
        lambda one: library.link([one, *sorted(faces)[:2]]),
        lambda one: library.merge(one, group),
    ]
    for call in calls:
        by_id = call(mine)
        assert by_id.all_faces
        library.undo()
        if by_id.kind == "ignore":
            library.ignore(mine)
        by_address = call(mine_address)
        assert (by_id.kind, by_id.faces, by_id.rest) == (by_address.kind, by_address.faces, by_address.rest)
        library.undo()
        if by_id.kind == "unignore":
            library.undo()
    with pytest.raises(UsageError, match="is a face, not a name"):
        library.name(group, address)
    library.name(group, "Agent #7")  # a name that looks like an address
    assert library.select_faces("agent #7").is_person
