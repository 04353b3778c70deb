"""`--cache-dir`: no answer is lost when a library's files move there or from there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.errors import CacheError
from faceclust.store.find_library import enclosing_library
from tests.support.sample_photos import COLLINS, HOPPER, make_library, make_variant, save_photo


def read_file_times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))}


def read_names(library: Library) -> set[str | None]:
    return {person.name for person in Library(library.root).people()}


def test_earlier_names_and_caches_are_still_read(collins: tuple[Library, int, set[str]], tmp_path: Path) -> None:
    library, group, faces = collins
    library.name(library.faces_in_group(group), COLLINS)
    save_photo(make_variant(HOPPER, 1), library.root / "2019/new.jpg")
    before = read_file_times(library.root)
    moved = Library(library.root, cache_dir=tmp_path / "one")
    result = moved.scan(workers=0)
    assert result.scanned == 1 and result.unchanged == result.photos - 1
    moved.cluster()
    moved.name(moved.faces_in_group(3 - group), HOPPER)
    assert read_names(library) == {COLLINS, HOPPER}
    moved_again = Library(library.root, cache_dir=tmp_path / "two")
    assert moved_again.scan(workers=0).scanned == 0 and moved_again.home.home.is_relative_to(tmp_path / "two")
    assert read_names(library) == {COLLINS, HOPPER}
    assert {face for person in Library(library.root).people() for face in person.face_ids} >= faces
    assert read_file_times(library.root) == before


def test_deleted_photos_do_not_come_back_from_old_caches(library: Library, tmp_path: Path) -> None:
    before = read_file_times(library.root / "2020")
    for photo in (library.root / "2019").glob("*-*.*"):
        photo.unlink()
    moved = Library(library.root, cache_dir=tmp_path / "caches")
    assert moved.scan(workers=0).removed == 4
    for _ in range(2):
        assert not [place for place in Library(library.root).occurrences if place.photo.startswith("2019")]
        assert Library(library.root).scan(workers=0).removed == 0
    assert (
        read_file_times(library.root / "2020") == before
        and (library.root / "2019/.faceclust.mobilefacenet.parquet").exists()
    )


def test_a_damaged_cache_in_the_library_is_left_in_place(library: Library, tmp_path: Path) -> None:
    cache = library.root / "2019/.faceclust.mobilefacenet.parquet"
    cache.write_bytes(b"damaged")
    before = read_file_times(library.root)
    moved = Library(library.root, cache_dir=tmp_path / "caches")
    assert moved.scan(workers=0).scanned == 4 and read_file_times(library.root) == before
    assert Library(library.root).scan(workers=0).scanned == 0


def test_forgetting_erases_every_cache_folder(collins: tuple[Library, int, set[str]], tmp_path: Path) -> None:
    library, group, _ = collins
    library.name(library.faces_in_group(group), COLLINS)
    Library(library.root, cache_dir=tmp_path / "one").scan(workers=0)
    moved = Library(library.root, cache_dir=tmp_path / "two")
    moved.scan(workers=0)
    moved.forget(moved.plan_forget(COLLINS))
    for place in (library.root, tmp_path / "one", tmp_path / "two"):
        for path in place.rglob("people.jsonl"):
            assert COLLINS not in path.read_text()
    assert COLLINS not in read_names(library)


def test_a_library_is_found_by_its_cache_folder(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    save_photo(make_variant(HOPPER, 1), photos / "deep/a.jpg")
    assert enclosing_library(photos / "deep") is None
    Library(photos, cache_dir=tmp_path / "caches").scan(workers=0)
    assert enclosing_library(photos / "deep") == photos
    assert Library.for_scan([photos / "deep"]).root == photos
    shutil.rmtree(tmp_path / "caches")
    with pytest.raises(CacheError, match="is missing"):
        Library.for_scan([photos / "deep"])
    Library(photos, cache_dir=tmp_path / "caches").scan(workers=0)  # created again
    assert len(Library(photos).occurrences) == 1


def test_an_unmounted_disk_is_not_taken_for_an_empty_library(library: Library, tmp_path: Path) -> None:
    assert not library.home.seems_unmounted()
    moved = Library(library.root, cache_dir=tmp_path / "caches")
    moved.scan(workers=0)
    save_photo(make_variant(HOPPER, 1), library.root / "new.jpg")
    moved.scan(workers=0)
    assert not moved.home.seems_unmounted()
    shutil.rmtree(library.root)
    library.root.mkdir()
    assert moved.home.seems_unmounted()
    (library.root / "a.jpg").touch()
    assert not moved.home.seems_unmounted()


@pytest.mark.slow
def test_the_caches_of_another_library_are_not_part_of_this_one(tmp_path: Path) -> None:
    make_library(tmp_path / "disk", photos_each=1)
    make_library(tmp_path / "other", photos_each=1)
    cache_dir = tmp_path / "other/faces"
    one = Library(tmp_path / "disk", cache_dir=cache_dir)
    count = one.scan(workers=0).photos
    caches = sorted(cache_dir.rglob("*.parquet"))
    (tmp_path / "disk").rename(tmp_path / "disk.off")
    other = Library(tmp_path / "other")
    result = other.scan(workers=0)
    assert (result.photos, result.removed) == (count, 0) and other.table.photo_count == count
    (tmp_path / "disk.off").rename(tmp_path / "disk")
    assert sorted(cache_dir.rglob("*.parquet")) == caches
    assert Library(tmp_path / "disk").scan(workers=0).unchanged == count
