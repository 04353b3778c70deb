"""Faces drawn by hand: examined in their boxes, and kept in the caches by every scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from faceclust import Library
from faceclust.errors import CacheError
from faceclust.files.names import DEFAULT_PACK
from faceclust.library.forgetting import filter_forgotten_faces
from faceclust.packs.registry import load_pack
from faceclust.people.events import JournalFace
from faceclust.photos.face_ids import content_hash, face_id
from faceclust.scan import examine_pool
from faceclust.scan.drawn_faces import DrawnFaces, examine_drawn_faces
from faceclust.scan.examine import PhotoExaminer, ScanSettings
from faceclust.scan.result import ScanResult
from faceclust.scan.run import scan_folders
from faceclust.store.folder_cache import FolderCache
from faceclust.store.inspection import inspect_cache
from faceclust.types import (
    WHOLE_PHOTO,
    Box,
    DrawnFace,
    FaceOccurrence,
    PhotoRef,
    ScannedPhoto,
    SkippedPhoto,
    SkipReason,
)
from tests.support.sample_photos import COLLINS, HOPPER, load_portrait, save_photo
from tests.support.scan_builders import is_unchanged, touch

TAKEN = datetime(2019, 5, 1, 12)
#: The face of the portrait of Eileen Collins, in fractions.
COLLINS_BOX: Box = (0.351, 0.124, 0.519, 0.337)


def save_small_face(path: Path) -> Box:
    """Save a photo whose face of 20 pixels is too small for a scan, and return the face's box."""
    photo = Image.new("RGB", (2400, 1600), (100, 120, 110))
    photo.paste(load_portrait(COLLINS).resize((120, 120), Image.Resampling.LANCZOS), (300, 200))
    save_photo(photo, path, taken=TAKEN)
    left, top, right, bottom = (120 * side for side in COLLINS_BOX)
    return (300 + left) / 2400, (200 + top) / 1600, (300 + right) / 2400, (200 + bottom) / 1600


def draw(root: Path, photo: str, box: Box, **changes: object) -> DrawnFace:
    """Return a drawn face of a photo on disk."""
    content = content_hash((root / photo).read_bytes())
    drawn = DrawnFace(face_id(content, box), photo, content, box, TAKEN.isoformat())
    return replace(drawn, **changes)  # type: ignore[arg-type]


def make_whole(root: Path, photo: str, number: int) -> DrawnFace:
    return draw(root, photo, WHOLE_PHOTO, face_id=f"{number:016x}")


def scan(root: Path, drawn: Sequence[DrawnFace], min_face: int | None = None) -> ScanResult:
    """Scan as a new process would, with these drawn faces in effect."""
    library = Library(root)
    settings = ScanSettings(library.pack, min_face=min_face)
    examine = partial(examine_pool.examine_photos, root, settings, 0)
    with library.home.lock("scanning"), filter_forgotten_faces(library) as forgotten:
        return scan_folders(
            library.home, settings, library.cache_info, [""], examine, library.progress, lambda: False, forgotten, drawn
        )


def drawn_on(root: Path, photo: str) -> list[FaceOccurrence]:
    return [one for one in Library(root)._face_snapshot.stored.occurrences if one.photo == photo and one.by_hand]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A scanned library of two photos: the first has a face that the scan misses."""
    save_small_face(tmp_path / "small.jpg")
    save_photo(load_portrait(HOPPER).resize((200, 240)), tmp_path / "hopper.jpg", taken=TAKEN)
    assert Library(tmp_path).scan(workers=0).faces == 1
    return tmp_path


@pytest.fixture
def small(root: Path, tmp_path_factory: pytest.TempPathFactory) -> DrawnFace:
    return draw(root, "small.jpg", save_small_face(tmp_path_factory.mktemp("again") / "small.jpg"))


def test_a_drawn_face_is_embedded_like_the_same_face_found(root: Path, small: DrawnFace) -> None:
    found = examine_drawn_faces(
        root, ScanSettings(load_pack(DEFAULT_PACK)), PhotoRef("small.jpg", 1, 1), [small], workers=0
    )
    assert isinstance(found, ScannedPhoto) and found.face_ids == (small.face_id,) and not found.uncompared
    np.testing.assert_array_equal(found.boxes[0], np.float32(small.box))
    assert found.scores[0] > 0.5 and found.by_hand == {small.face_id} and found.metadata.taken_at == TAKEN
    large = PhotoExaminer(root, ScanSettings(load_pack(DEFAULT_PACK)))(np.asarray(load_portrait(COLLINS)))
    assert isinstance(large, tuple)
    assert ((found.embeddings[0] - large[0].embeddings[0]) ** 2).sum() < 1.6  # of two people, 2.6
    eyes = found.landmarks[0, :2] * (2400, 1600) - (300, 200)
    np.testing.assert_allclose(eyes, large[0].landmarks[0, :2] * 120, atol=2)


@pytest.mark.slow
def test_a_drawn_face_is_examined_in_a_guarded_process(root: Path, small: DrawnFace) -> None:
    settings = ScanSettings(load_pack(DEFAULT_PACK))
    both = [small, make_whole(root, "small.jpg", 7)]
    found = examine_drawn_faces(root, settings, PhotoRef("small.jpg", 1, 1), both)
    assert isinstance(found, ScannedPhoto) and found.uncompared == {f"{7:016x}"} and len(found.face_ids) == 2
    (root / "torn.jpg").write_bytes((root / "small.jpg").read_bytes()[:300])
    torn = examine_drawn_faces(root, settings, PhotoRef("torn.jpg", 1, 1), [small], workers=0)
    assert isinstance(torn, SkippedPhoto) and torn.reason in (SkipReason.TRUNCATED, SkipReason.NOT_A_PHOTO)


@pytest.mark.parametrize(
    ("degrade", "box", "is_compared"),
    [
        (lambda photo: photo.filter(ImageFilter.GaussianBlur(30)), COLLINS_BOX, False),
        (lambda photo: Image.new("RGB", photo.size, (90, 90, 90)), COLLINS_BOX, False),
        (lambda photo: photo, COLLINS_BOX, True),
        (lambda photo: photo.rotate(180), (0.481, 0.663, 0.649, 0.876), True),
    ],
)
def test_a_face_without_landmarks_or_detail_only_keeps_its_name(
    tmp_path: Path, degrade: Callable[[Image.Image], Image.Image], box: Box, is_compared: bool
) -> None:
    save_photo(degrade(load_portrait(COLLINS)), tmp_path / "a.jpg")
    settings, ref = ScanSettings(load_pack(DEFAULT_PACK)), PhotoRef("a.jpg", 1, 1)
    found = examine_drawn_faces(tmp_path, settings, ref, [draw(tmp_path, "a.jpg", box)], workers=0)
    assert isinstance(found, ScannedPhoto)
    assert (not found.uncompared, bool(found.quality[0] > 0)) == (is_compared, is_compared)
    assert bool(found.embeddings.any()) == is_compared


def test_a_scan_adds_the_drawn_faces_that_the_caches_lack_and_examines_nothing_else(
    root: Path, small: DrawnFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = [small, make_whole(root, "hopper.jpg", 1), make_whole(root, "hopper.jpg", 2)]
    with monkeypatch.context() as patch:
        patch.setattr(PhotoExaminer, "_detect_faces", None)  # a search for other faces would fail
        result = scan(root, drawn)
        assert (result.scanned, result.unchanged, result.notes) == (0, 2, [])
        assert [one.face_id for one in drawn_on(root, "small.jpg")] == [small.face_id]
        assert [one.has_embedding for one in drawn_on(root, "hopper.jpg")] == [False, False]
        patch.setattr(PhotoExaminer, "_examine_drawn", None)
        assert scan(root, drawn).unchanged == 2
    faces = Library(root)._face_snapshot.stored.faces
    assert len(faces) == 2 and small.face_id in faces.face_ids
    (cache,) = root.glob(".faceclust*.parquet")
    assert inspect_cache(cache, root, face_id, hash_photos=True).problems == []


def test_copies_and_closer_looks_keep_drawn_faces(
    root: Path, small: DrawnFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_whole(root, "hopper.jpg", 1)
    scan(root, [small, whole])
    monkeypatch.setattr(PhotoExaminer, "_examine_drawn", None)
    for name in ("small.jpg", "hopper.jpg"):
        (root / "copies").mkdir(exist_ok=True)
        (root / "copies" / name).write_bytes((root / name).read_bytes())
    assert scan(root, [small, whole]).copied == 2
    assert [one.face_id for one in drawn_on(root, "copies/small.jpg")] == [small.face_id]
    result = scan(root, [small, whole], min_face=44)
    assert result.scanned + result.copied == 2
    for folder in ("", "copies/"):
        assert [one.face_id for one in drawn_on(root, f"{folder}small.jpg")] == [small.face_id]
        assert [one.face_id for one in drawn_on(root, f"{folder}hopper.jpg")] == [whole.face_id]


def test_an_edited_photo_with_the_same_path_and_date_has_the_drawn_faces(root: Path, small: DrawnFace) -> None:
    whole = make_whole(root, "small.jpg", 1)
    (root / "old.jpg").write_bytes((root / "small.jpg").read_bytes())  # a copy has the earlier content
    scan(root, [small, whole])
    with Image.open(root / "small.jpg") as photo:
        edited = photo.convert("RGB").filter(ImageFilter.UnsharpMask())
    for taken, carries_over in ((datetime(2020, 1, 1), False), (None, False), (TAKEN, True)):
        touch(save_photo(edited, root / "small.jpg", taken=taken))
        assert scan(root, [small, whole]).scanned == 1
        content = content_hash((root / "small.jpg").read_bytes())
        ids = [one.face_id for one in drawn_on(root, "small.jpg")]
        assert ids == ([face_id(content, small.box), whole.face_id] if carries_over else [])
        assert [one.face_id for one in drawn_on(root, "old.jpg")] == [small.face_id, whole.face_id]
    assert Library(root).scan(workers=0).unchanged == 3  # the cache keeps its rules


def test_a_box_in_the_journal_makes_a_scan_look(root: Path, small: DrawnFace) -> None:
    assert is_unchanged(root)
    library = Library(root)
    face = JournalFace(small.face_id, small.photo_hash, small.photo, small.box, True, small.taken_at)
    event = library.journal.record("add", [face], name=COLLINS)
    assert not is_unchanged(root)
    assert Library(root).scan(workers=0).unchanged == 2
    assert [one.face_id for one in drawn_on(root, "small.jpg")] == [small.face_id] and is_unchanged(root)
    library.journal.undo(event.id)
    (root / "small.jpg").rename(root / "moved.jpg")
    Library(root).scan(workers=0)  # the rows are copied: a redo needs them
    assert [one.face_id for one in drawn_on(root, "moved.jpg")] == [small.face_id]


def test_an_interrupted_scan_is_continued(root: Path, small: DrawnFace, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("faceclust.scan.examine_pool.examine_photos", lambda *arguments: iter(()))
        assert scan(root, [small]).interrupted and not is_unchanged(root)
    assert not scan(root, [small]).interrupted and len(drawn_on(root, "small.jpg")) == 1 and is_unchanged(root)


NAN = float("nan")
HOSTILE: list[Box] = [
    (NAN, 0.1, 0.2, 0.2),
    (0.1, 0.1, 0.1, 0.2),
    (0.3, 0.1, 0.2, 0.2),
    (-0.1, 0.1, 0.2, 0.2),
    (0.1, 0.1, 1e300, 0.2),
    (0.1, 0.1, 0.1 + 1e-12, 0.2),
]


def test_hostile_faces_are_left_out(root: Path, small: DrawnFace) -> None:
    hostile = [replace(small, box=box) for box in HOSTILE]
    forged = replace(small, face_id="../../../x")  # an id is computed from content and box
    tiny = draw(root, "small.jpg", (0.5, 0.5, 0.5001, 0.5001))
    result = scan(root, [*hostile, forged, tiny, small, small])
    assert result.notes == [] and {one.face_id for one in drawn_on(root, "small.jpg")} == {small.face_id, tiny.face_id}
    many = [replace(small, box=(0.1, 0.1, 0.2, 0.2 + number / 2000)) for number in range(1, 1001)]
    assert len(DrawnFaces(many).on_photo("small.jpg", small.photo_hash, None)) == 200


def test_a_face_with_the_id_of_another_one_is_left_out_alone(root: Path, small: DrawnFace) -> None:
    (found,) = Library(root)._face_snapshot.stored.occurrences
    scan(root, [draw(root, "small.jpg", WHOLE_PHOTO, face_id=found.face_id), small])
    assert [face.face_id for face in drawn_on(root, "small.jpg")] == [small.face_id]
    assert found in Library(root)._face_snapshot.stored.occurrences


def test_a_cache_that_cannot_be_written_is_tried_again(
    root: Path, small: DrawnFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise CacheError("no permission")

    with monkeypatch.context() as patch:
        patch.setattr(FolderCache, "add_faces", fail)
        assert scan(root, [small]).notes == ["no permission"] and not is_unchanged(root)
    assert scan(root, [small]).notes == [] and len(drawn_on(root, "small.jpg")) == 1
