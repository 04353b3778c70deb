"""A photo of known content takes over the cached result, without a model."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.library.forgotten_filter import ForgottenFilter, occurrences_on
from faceclust.people.events import JournalFace
from faceclust.scan.examine import PhotoExaminer
from faceclust.scan.result import ScanResult
from faceclust.types import PhotoRef
from tests.store.test_schemas import caches, write_older_schema
from tests.store.test_store import make_scanned_photo
from tests.support.command import run_checked
from tests.support.sample_photos import COLLINS, HOPPER, load_portrait, save_photo
from tests.support.scan_builders import (
    compute_expected_rows,
    is_unchanged,
    make_face_photo,
    make_faceless_photo,
    read_cached_rows,
    touch,
    write_photo,
)


def scan(library: Library, *parts: str, min_face: int | None = None) -> ScanResult:
    """Scan as a new process would."""
    again = Library(library.root)
    return again.scan([library.root / part for part in parts], workers=0, min_face=min_face)


def counts(result: ScanResult) -> tuple[int, int, int]:
    return result.scanned, result.copied, result.removed


def move(root: Path, old: str, new: str) -> None:
    (root / new).parent.mkdir(parents=True, exist_ok=True)
    (root / old).rename(root / new)


def copy(root: Path, old: str, new: str) -> None:
    (root / new).parent.mkdir(parents=True, exist_ok=True)
    touch(Path(shutil.copyfile(root / old, root / new)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "moved"),
    [
        ("a/collins.bmp", "a/eileen.bmp", 1),
        ("a/collins.bmp", "b/deep/collins.bmp", 1),
        ("a/collins.bmp", "new/folder/x", 1),
        ("b/deep", "c", 0),  # its cache moves with it
        ("b", "a/deep", 0),
    ],
)
def test_moved_photos_need_no_model(
    small_library: Library, monkeypatch: pytest.MonkeyPatch, old: str, new: str, moved: int
) -> None:
    move(small_library.root, old, new)
    with monkeypatch.context() as patch:
        patch.setattr(PhotoExaminer, "_detect_faces", None)  # any use of a model would fail
        result = scan(small_library)
    assert counts(result) == (0, moved, 0) and not result.skipped
    assert result.photos == 6 and result.faces == 0
    assert read_cached_rows(small_library) == compute_expected_rows(small_library) and is_unchanged(small_library.root)


def test_photos_moved_without_their_cache_need_no_model(small_library: Library) -> None:
    (small_library.root / "new").mkdir()
    for photo in (small_library.root / "a").glob("*.bmp"):
        photo.rename(small_library.root / "new" / photo.name)
    assert counts(scan(small_library)) == (0, 2, 0)
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)


def test_a_renamed_folder_with_caches_in_another_place_needs_no_model(small_library: Library, tmp_path: Path) -> None:
    for cache in small_library.root.rglob(".faceclust.mobilefacenet.parquet"):
        cache.unlink()
    Library(small_library.root, cache_dir=tmp_path / "caches").scan(workers=0)
    move(small_library.root, "a", "c")
    library = Library(small_library.root)
    assert counts(scan(library))[:2] == (0, 2)
    assert read_cached_rows(library) == compute_expected_rows(library)


def test_new_copies_are_examined_once(small_library: Library) -> None:
    for name in ("a/x.bmp", "a/y.bmp", "c/z"):
        write_photo(small_library.root / name, make_face_photo(COLLINS, 5))
    assert counts(scan(small_library)) == (1, 2, 0)
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)


def test_new_copies_are_examined_at_least_once_by_several_workers(small_library: Library) -> None:
    for name in ("a/x.bmp", "a/y.bmp", "c/z"):
        write_photo(small_library.root / name, make_face_photo(COLLINS, 5))
    result = Library(small_library.root).scan(workers=2)
    assert result.scanned + result.copied == 3 and result.scanned >= 1
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)


def test_a_copy_whose_original_is_deleted_needs_no_model(small_library: Library) -> None:
    copy(small_library.root, "b/hopper.bmp", "a/grace.bmp")
    (small_library.root / "b/hopper.bmp").unlink()
    assert counts(scan(small_library)) == (0, 1, 0)
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)


def test_photos_that_swap_names_need_no_model(small_library: Library) -> None:
    write_photo(small_library.root / "a/collins.bmp", make_face_photo(HOPPER, 0))
    write_photo(small_library.root / "b/hopper.bmp", make_face_photo(COLLINS, 0))
    assert counts(scan(small_library)) == (0, 2, 0)
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)


def test_copies_of_photos_outside_the_scanned_part_need_no_model(small_library: Library) -> None:
    copy(small_library.root, "b/hopper.bmp", "a/grace.bmp")
    (small_library.root / "b/hopper.bmp").unlink()  # its cache still has it
    assert counts(scan(small_library, "a")) == (0, 1, 0)
    assert scan(small_library).removed == 1
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)


def test_a_touched_photo_needs_no_model(small_library: Library) -> None:
    touch(small_library.root / "a/collins.bmp")
    assert counts(scan(small_library)) == (0, 1, 0)
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)


def test_other_content_of_the_same_size_is_examined(small_library: Library) -> None:
    write_photo(small_library.root / "a/other.bmp", make_face_photo(HOPPER, 3))
    write_photo(small_library.root / "a/nobody.bmp", make_faceless_photo(30))
    sizes = {(small_library.root / name).stat().st_size for name in ("a/collins.bmp", "a/other.bmp")}
    assert len(sizes) == 1
    assert counts(scan(small_library)) == (2, 0, 0)
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)


def test_skipped_photos_are_not_copied(small_library: Library) -> None:
    write_photo(small_library.root / "a/text.bmp", b"BM is how a bitmap begins")
    assert len(scan(small_library).skipped) == 1
    copy(small_library.root, "a/text.bmp", "b/text.bmp")
    result = scan(small_library)
    assert counts(result) == (0, 0, 0) and [skip.ref.rel_path for skip in result.skipped] == ["b/text.bmp"]
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)


def test_a_forgotten_face_stays_forgotten_on_copies(small_library: Library) -> None:
    (collins,) = (place for place in small_library.occurrences if place.photo == "a/collins.bmp")
    small_library.name([collins.face_id], COLLINS)
    small_library.forget(small_library.plan_forget(COLLINS))
    scan(small_library)
    copy(small_library.root, "a/collins.bmp", "b/copy.bmp")
    move(small_library.root, "a/collins.bmp", "c/moved.bmp")
    result = scan(small_library)
    assert counts(result) == (0, 2, 0) and (result.faces, result.forgotten) == (0, 2)
    for folder in ("b", "c"):
        (row,) = (row for row in read_cached_rows(small_library)[folder] if row["face_id"] == collins.face_id)
        assert row["embedding"] is row["landmarks"] is row["quality"] is None
    assert [place.photo for place in Library(small_library.root).occurrences] == ["b/hopper.bmp"]


def test_a_forgotten_face_stays_forgotten_without_the_journal(small_library: Library) -> None:
    # Only the caches know, including those of a part that is not scanned now.
    write_photo(small_library.root / "b/both.bmp", make_face_photo(COLLINS, 1))
    scan(small_library)
    library = Library(small_library.root)
    faces = {place.photo: place.face_id for place in library.occurrences}
    library.name([faces["a/collins.bmp"], faces["b/both.bmp"]], COLLINS)
    library.forget(library.plan_forget(COLLINS))
    library.home.journal.unlink()
    copy(small_library.root, "a/collins.bmp", "b/copy.bmp")
    assert counts(scan(small_library, "b")) == (0, 1, 0)
    (row,) = (row for row in read_cached_rows(small_library)["b"] if row["photo"] == "copy.bmp")
    assert row["face_id"] == faces["a/collins.bmp"] and row["embedding"] is None and row["quality"] is None


def test_marking_a_forgotten_face_keeps_earlier_marks(small_library: Library) -> None:
    photo = replace(make_scanned_photo(PhotoRef("b/copy.bmp", 1, 1), 2), forgotten=frozenset({f"{0:016x}"}))
    place = occurrences_on(photo)[1]
    marked = ForgottenFilter(small_library.root, [JournalFace.from_occurrence(place, confirmed=False)]).mark_or_defer(
        photo
    )
    assert marked is not None and marked.forgotten == set(photo.face_ids)


def test_names_follow_moved_and_copied_photos(small_library: Library) -> None:
    (collins,) = (place for place in small_library.occurrences if place.photo == "a/collins.bmp")
    small_library.name([collins.face_id], COLLINS)
    move(small_library.root, "a/collins.bmp", "c/eileen.bmp")
    copy(small_library.root, "c/eileen.bmp", "b/copy.bmp")
    assert counts(scan(small_library)) == (0, 2, 0)
    library = Library(small_library.root)
    (person,) = library.people()
    assert (person.name, person.confirmed) == (COLLINS, {collins.face_id})
    assert sorted(place.photo for place in library.occurrences_of[collins.face_id]) == ["b/copy.bmp", "c/eileen.bmp"]


def test_the_command_reports_moved_photos(small_library: Library) -> None:
    move(small_library.root, "a/collins.bmp", "c/eileen.bmp")
    assert "6 photos: 0 scanned, 5 unchanged, 1 moved or copied (same content)" in run_checked(
        "scan", small_library.root
    )


# -- min_face ----------------------------------------------------------------


def cached_min_faces(library: Library) -> set[int]:
    return {row["min_face"] for rows in read_cached_rows(library).values() for row in rows}


def test_only_a_smaller_min_face_rescans_photos(small_library: Library) -> None:
    (by_default,) = cached_min_faces(small_library)
    assert by_default == small_library.pack.detector.min_face((240, 180))
    for requested in (by_default, by_default + 1, 1000, None):
        assert counts(scan(small_library, min_face=requested)) == (0, 0, 0)
    assert counts(scan(small_library, "a", min_face=by_default - 3)) == (2, 0, 0)
    assert {row["min_face"] for row in read_cached_rows(small_library)["a"]} == {by_default - 3}
    assert counts(scan(small_library, min_face=by_default - 2)) == (4, 0, 0)
    assert cached_min_faces(small_library) == {by_default - 3, by_default - 2}
    assert counts(scan(small_library, min_face=by_default - 2)) == counts(scan(small_library)) == (0, 0, 0)
    assert is_unchanged(small_library.root)


def test_a_copy_scanned_with_a_larger_min_face_is_rescanned(small_library: Library) -> None:
    write_photo(small_library.root / "a/large.bmp", make_face_photo(COLLINS, 7))
    assert counts(scan(small_library, min_face=150)) == (1, 0, 0)
    assert {row["photo"]: row["min_face"] for row in read_cached_rows(small_library)["a"]}["large.bmp"] == 150
    copy(small_library.root, "a/large.bmp", "a/copy.bmp")
    result = scan(small_library, min_face=30)
    assert counts(result) == (1, 1, 0)  # one is scanned, the other is its copy
    assert {
        row["photo"]: row["min_face"]
        for row in read_cached_rows(small_library)["a"]
        if row["photo"] in ("large.bmp", "copy.bmp")
    } == {
        "large.bmp": 30,
        "copy.bmp": 30,
    }


def test_caches_without_min_face_are_rescanned_only_on_request(small_library: Library) -> None:
    for cache in caches(small_library):
        write_older_schema(cache, 1)
    copy(small_library.root, "a/collins.bmp", "a/copy.bmp")
    assert counts(scan(small_library)) == (0, 1, 0)
    result = scan(small_library, min_face=1000)
    assert result.scanned + result.copied == 7 and result.scanned == 6


def test_skipped_photos_are_not_retried_for_smaller_faces(small_library: Library) -> None:
    write_photo(small_library.root / "a/text.bmp", b"BM is how a bitmap begins")
    scan(small_library)
    result = scan(small_library, min_face=15)
    assert result.scanned == 6 and not result.skipped and result.unchanged == 1


@pytest.mark.parametrize("invalid", [0, -5, 40_000])
def test_an_invalid_min_face_is_refused(small_library: Library, invalid: int) -> None:
    before = {path: path.read_bytes() for path in small_library.root.rglob(".faceclust.mobilefacenet.parquet")}
    with pytest.raises(UsageError, match=str(invalid)):
        small_library.scan(workers=0, min_face=invalid)
    assert {path: path.read_bytes() for path in before} == before


def test_no_file_stays_open(small_library: Library) -> None:
    copy(small_library.root, "a/collins.bmp", "a/copy.bmp")
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("needs /proc")
    scan(small_library)
    before = len(os.listdir(descriptors))
    for number in range(3):
        copy(small_library.root, "a/collins.bmp", f"a/copy {number}.bmp")
        scan(small_library)
    assert len(os.listdir(descriptors)) <= before


def test_a_plain_scan_rescans_photos_scanned_for_large_faces_only(tmp_path: Path) -> None:
    save_photo(load_portrait(COLLINS), tmp_path / "a.jpg")
    library = Library(tmp_path)
    assert library.scan(workers=0, min_face=5000).faces == 0
    again = library.scan(workers=0)
    assert (again.scanned, again.faces) == (1, 1)
    assert library.scan(workers=0).unchanged == 1
    closer = library.scan(workers=0, min_face=15)
    assert (closer.scanned, library.scan(workers=0).unchanged) == (1, 1)
