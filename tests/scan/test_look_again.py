"""Looking again, harder, at a photo adds the faces that a scan missed, and loses none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.files.names import CACHE_NAME
from faceclust.people.events import JournalFace
from faceclust.scan.examine import PhotoExaminer
from faceclust.types import FaceOccurrence, SkipReason, intersection_over_union
from tests.support.command import run, run_checked
from tests.support.sample_photos import COLLINS, HOPPER, load_portrait, save_photo
from tests.support.scan_builders import touch


def make_party() -> Image.Image:
    """Return a photo with one face upright, and one on its side, which a scan misses."""
    party = Image.new("RGB", (500, 260), (100, 120, 110))
    party.paste(load_portrait(HOPPER).resize((200, 240)), (10, 10))
    party.paste(load_portrait(COLLINS).resize((240, 240)).rotate(90), (240, 10))
    return party


@pytest.fixture(scope="module")
def _scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("library")
    save_photo(make_party(), root / "party.jpg")
    shutil.copy2(root / "party.jpg", root / "copy.jpg")
    save_photo(load_portrait(HOPPER).resize((200, 240)), root / "sub/hopper.jpg")
    assert Library(root).scan(workers=0).faces == 2
    return root


@pytest.fixture
def root(_scanned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(_scanned, tmp_path / "photos"))


def faces_on(root: Path, photo: str) -> list[FaceOccurrence]:
    return [one for one in Library(root).table.occurrences() if one.photo == photo]


def test_a_face_that_lies_on_its_side_is_added_and_stays(root: Path) -> None:
    before, elsewhere = faces_on(root, "party.jpg"), faces_on(root, "sub/hopper.jpg")
    result = Library(root).scan(again="party.jpg", workers=0)
    assert (result.photos, result.scanned, result.faces) == (2, 2, 1)  # the copy has the same face
    after = faces_on(root, "party.jpg")
    assert after[0] == before[0] and len(after) == 2
    left, top, right, bottom = (240 * side for side in (0.124, 0.481, 0.337, 0.649))  # turned counter-clockwise
    turned = (240 + left) / 500, (10 + top) / 260, (240 + right) / 500, (10 + bottom) / 260
    assert intersection_over_union(after[1].box, turned) > 0.5 and after[1].turn == 3 and not after[1].by_hand
    assert [one.face_id for one in faces_on(root, "copy.jpg")] == [one.face_id for one in after]
    assert faces_on(root, "sub/hopper.jpg") == elsewhere
    assert Library(root).scan(again=root / "party.jpg", workers=0).faces == 0
    assert Library(root).scan(workers=0).unchanged == 3
    assert Library(root).scan(workers=0, min_face=19).scanned == 2  # a closer look, one way
    assert after[1] in faces_on(root, "party.jpg") and len(faces_on(root, "party.jpg")) == 2
    assert len(Library(root).faces) == 3


def test_a_face_that_is_drawn_already_is_not_counted(root: Path) -> None:
    library = Library(root)
    library.add_face("party.jpg", (0.54, 0.48, 0.64, 0.64), "Eileen")
    assert library.scan(again="party.jpg", workers=0).faces == 0
    assert len(library.stored_occurrences_of) == len(library.faces) + 1  # found, but hidden


def test_smaller_faces_are_found_with_a_width(root: Path) -> None:
    small = Image.new("RGB", (900, 900), (100, 120, 110))
    small.paste(load_portrait(COLLINS).resize((64, 64), Image.Resampling.LANCZOS), (500, 500))
    save_photo(small, root / "small.jpg")
    assert Library(root).scan(workers=0).faces == 0
    assert Library(root).scan(again="small.jpg", min_face=10, workers=0).faces == 1


def test_a_forgotten_face_is_not_added(root: Path) -> None:
    Library(root).scan(again="party.jpg", workers=0)
    _, face = faces_on(root, "party.jpg")
    shutil.rmtree(root / ".faceclust")
    for cache in root.rglob(CACHE_NAME):
        cache.unlink()
    library = Library(root)
    library.scan(workers=0)
    library.journal.record("forget", [JournalFace.from_occurrence(face, confirmed=True)])
    assert Library(root).scan(again="party.jpg", workers=0).faces == 0
    assert len(faces_on(root, "party.jpg")) == 1 == len(faces_on(root, "copy.jpg"))


def test_a_photo_that_fails_keeps_its_faces(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    before = faces_on(root, "party.jpg")
    with monkeypatch.context() as patch:
        patch.setattr(PhotoExaminer, "_detect_faces", fail)
        result = Library(root).scan(again="party.jpg", workers=0)
    assert [one.reason for one in result.skipped] == [SkipReason.OUT_OF_MEMORY] * 2
    assert (result.scanned, result.faces, result.interrupted) == (0, 0, False)
    assert faces_on(root, "party.jpg") == before and Library(root).scan(workers=0).unchanged == 3
    stopped = Library(root).scan(again="party.jpg", workers=0, should_stop=lambda: True)
    assert stopped.interrupted and stopped.remaining == 2 and faces_on(root, "party.jpg") == before


@pytest.mark.parametrize(
    ("change", "photo", "options", "message"),
    [
        (lambda root: None, "nowhere.jpg", {}, "there is no photo nowhere.jpg in the library"),
        (lambda root: save_photo(make_party(), root / "new.jpg"), "new.jpg", {}, "there is no photo new.jpg"),
        (lambda root: (root / "party.jpg").unlink(), "party.jpg", {}, "party.jpg does not exist"),
        (lambda root: touch(touch(root / "party.jpg")), "party.jpg", {}, "has changed since it was scanned"),
        (lambda root: None, "party.jpg", {"folders": "sub"}, "looking again at photos changes nothing else"),
        (lambda root: None, "party.jpg", {"precision": "int8"}, "looking again at photos changes nothing else"),
        (lambda root: None, "party.jpg", {"min_face": 3}, "10 to 30,000 pixels, not 3"),
    ],
)
def test_photos_that_cannot_be_looked_at(
    root: Path, change: Callable[[Path], object], photo: str, options: dict[str, object], message: str
) -> None:
    change(root)
    with pytest.raises(UsageError, match=message):
        Library(root).scan(again=photo, workers=0, **options)


@pytest.mark.slow
def test_the_command_prints_how_many_faces_were_added(root: Path) -> None:
    printed = run_checked("scan", "--again", root / "party.jpg", "--workers", "1")
    assert printed.startswith("looked again at 2 photos: 1 face added\n") and "faceclust cluster" in printed
    again = run_checked("scan", "--library", root, "--again", "party.jpg", "--min-face", "20", "-j", "1")
    assert again == "looked again at 2 photos: 0 faces added\n"
    refused = run("scan", root, "--again", root / "party.jpg")
    assert refused.returncode == 2 and "--again looks at these photos only" in refused.stderr
