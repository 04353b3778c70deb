"""The whole flow through the public API, on real faces."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from faceclust import Library
from faceclust.errors import CacheError, NothingScannedError, UsageError
from faceclust.evaluation.metrics.clustering import bcubed
from tests.support.sample_photos import COLLINS, HOPPER, make_library, make_scenery, make_variant, save_photo

NameOfFace = Callable[[Library], dict[str, str]]


def test_every_face_is_found_and_grouped_by_person(
    library: Library, truth: dict[str, list[str]], name_of_face: NameOfFace
) -> None:
    people = name_of_face(library)  # fails unless each photo has as many faces as people
    assert len(people) == sum(map(len, truth.values()))
    groups = [library.group_of.get(face, -1) for face in people]
    assert bcubed(groups, list(people.values())).f == 1.0
    assert library.table.photo_count == len(truth)


@pytest.mark.slow
def test_the_result_does_not_depend_on_workers_or_order(
    library: Library, tmp_path: Path, name_of_face: NameOfFace
) -> None:
    other = tmp_path / "other"
    make_library(other)
    rescanned = Library(other)
    result = rescanned.scan(workers=2)
    assert result.faces == len(library.occurrences) and not result.skipped
    assert rescanned.table.rows.to_pylist() == library.table.rows.to_pylist()
    rescanned.cluster()
    assert rescanned.group_of == library.group_of


@pytest.mark.linux
@pytest.mark.skipif(sys.platform != "linux", reason="other systems convert or refuse such names")
def test_the_faces_of_a_folder_whose_name_is_not_utf8_are_left_out(library: Library) -> None:
    before = library.occurrences
    (library.root / "2019").rename(library.root / os.fsdecode(b"\xff"))
    library.invalidate()
    assert library.occurrences == [face for face in before if not face.photo.startswith("2019/")]
    library.name([library.occurrences[0].face_id], "Ben")
    plan = library.plan_forget("Ben")
    library.forget(plan)


def test_a_second_scan_opens_no_photo(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(path: Path, *_: object) -> int:
        raise AssertionError(f"{path} was opened")

    monkeypatch.setattr("faceclust.photos.reading.open_photo", opened)
    for min_face in (1000, None):  # 1000: all caches are read; None: the listings suffice after that scan
        result = library.scan(workers=0, min_face=min_face)
        assert (result.scanned, result.unchanged) == (0, result.photos) and result.photos > 10


def test_changed_photos_are_rescanned_and_deleted_ones_dropped(library: Library) -> None:
    before = {occurrence.photo for occurrence in library.occurrences}
    (library.root / "together/both 0.jpg").unlink()
    save_photo(make_scenery(5), library.root / "together/both 1.jpg")
    (library.root / "together/both 1.jpg").touch()
    save_photo(make_variant(HOPPER, 3), library.root / "new/hopper.jpg")
    result = library.scan(workers=0)
    assert (result.scanned, result.removed, result.faces) == (2, 1, 1)
    after = {occurrence.photo for occurrence in library.occurrences}
    assert before - after == {"together/both 0.jpg", "together/both 1.jpg"}
    assert after - before == {"new/hopper.jpg"}
    shutil.rmtree(library.root / "together")
    assert library.scan(workers=0).scanned == 0
    assert not any(occurrence.photo.startswith("together") for occurrence in library.occurrences)


def test_bad_photos_are_skipped_once_with_a_reason(library: Library) -> None:
    photo = (library.root / "2019/collins-0.jpg").read_bytes()
    bad = {"empty.jpg": b"", "text.png": b"no photo", "cut.jpg": photo[: len(photo) // 2]}
    for name, content in bad.items():
        (library.root / name).write_bytes(content)
    result = library.scan(workers=0)
    assert {skip.ref.rel_path: skip.reason.value for skip in result.skipped} == {
        "empty.jpg": "empty file", "text.png": "not a photo", "cut.jpg": "truncated file",
    }  # fmt: skip
    assert library.scan(workers=0).skipped == []
    assert {skip["photo"] for skip in library.table.skipped_photos()} == bad.keys()
    (library.root / "text.png").unlink()
    Image.new("RGB", (160, 160)).save(library.root / "text.png")
    assert library.scan(workers=0).scanned == 1
    assert {skip["photo"] for skip in library.table.skipped_photos()} == {"empty.jpg", "cut.jpg"}


def test_a_part_of_the_library_can_be_scanned(library: Library, tmp_path: Path) -> None:
    save_photo(make_variant(HOPPER, 1), library.root / "2019/x.jpg")
    save_photo(make_variant(HOPPER, 2), library.root / "2020/x.jpg")
    assert library.scan([library.root / "2020"], workers=0).scanned == 1
    with pytest.raises(UsageError, match="not in the library"):
        library.scan([tmp_path])
    with pytest.raises(UsageError, match="does not exist"):
        library.scan([library.root / "2077"])


@pytest.mark.slow
def test_an_interrupted_scan_keeps_the_photos_done(tmp_path: Path) -> None:
    make_library(tmp_path)
    library = Library(tmp_path)
    calls: list[bool] = []

    def stop() -> bool:
        calls.append(True)
        return len(calls) > 3

    first = library.scan(workers=0, should_stop=stop)
    assert first.interrupted and first.scanned == 3 and first.remaining == 8
    second = library.scan(workers=0)
    assert (second.unchanged, second.scanned, second.interrupted) == (3, 8, False)


def test_damaged_caches_are_set_aside_and_rebuilt(library: Library) -> None:
    before = library.table.rows.to_pylist()
    cache = library.root / "2019/.faceclust.mobilefacenet.parquet"
    cache.write_bytes(cache.read_bytes()[:100])
    result = library.scan(workers=0)
    assert "set aside" in result.notes[0] and result.scanned == 4
    assert (library.home.home / "set-aside/2019/faceclust.mobilefacenet.parquet").exists()
    assert library.table.rows.to_pylist() == before


# -- names ------------------------------------------------------------------


def read_faces_by_name(library: Library) -> dict[str, set[str]]:
    return {person.name or "": set(person.face_ids) for person in Library(library.root).people()}


def test_names_of_missing_photos_come_back_with_them(collins: tuple[Library, int, set[str]], tmp_path: Path) -> None:
    library, group, faces = collins
    library.name(library.faces_in_group(group), COLLINS)
    shutil.move(library.root / "2019", tmp_path / "away")
    library.scan(workers=0)
    assert len(read_faces_by_name(library)[COLLINS]) < len(faces) and library.answers.missing_count > 0
    shutil.move(tmp_path / "away", library.root / "back again")
    library.scan(workers=0)
    assert read_faces_by_name(library)[COLLINS] >= faces and library.answers.missing_count == 0


def test_confirmed_people_stay_apart_at_any_threshold(library: Library, name_of_face: NameOfFace) -> None:
    people = name_of_face(library)
    for person in (COLLINS, HOPPER):
        faces = [face for face, who in people.items() if who == person]
        library.name(faces, person, confirmed=faces[:1])
    library.cluster(5.1)
    for person in library.people():
        assert {people[face] for face in person.face_ids} == {person.name}
        assert len(person.confirmed) == 1


def test_undo_and_ignore(collins: tuple[Library, int, set[str]]) -> None:
    library, group, faces = collins
    assert library.undo() is None
    library.name(library.faces_in_group(group), "Wrong")
    event = library.undo()
    assert event is not None and event.name == "Wrong" and not library.people()
    library.ignore(library.faces_in_group(group))
    assert group not in {person.clusters[0] for person in library.unnamed_groups()}
    library.cluster(1.0)
    assert not {face for person in library.unnamed_groups() for face in person.face_ids} & faces


def test_groups_of_one_name_are_one_person(library: Library) -> None:
    library.name(library.faces_in_group(1), "Someone")
    library.name(library.faces_in_group(2), "SOMEONE ")
    (person,) = library.people()
    assert person.name == "Someone" and person.clusters == (1, 2)  # the first spelling stays; rename changes it
    for invalid in (" \n ", "17", "0123456789abcdef"):
        with pytest.raises(UsageError):
            library.name(library.faces_in_group(1), invalid)
    with pytest.raises(UsageError, match="no group 99"):
        library.faces_in_group(99)


def test_naming_a_group_leaves_another_persons_faces_alone(
    collins: tuple[Library, int, set[str]], name_of_face: NameOfFace
) -> None:
    library, group, faces = collins
    on_both = {occurrence.face_id for occurrence in library.occurrences if occurrence.photo == "together/both 0.jpg"}
    # Anna owns the group but is another face of one photo, whose face in the group stays unnamed.
    left_over = on_both & faces
    library.name([*sorted(faces - on_both)[:2], *(on_both - faces)], "Anna")
    unnamed = set(library.faces_in_group(group))  # and the faces similar to it
    assert left_over <= unnamed <= faces
    library.name(library.faces_in_group(group), "Ben")
    anna, ben = (library.find_person(name) for name in ("Anna", "Ben"))
    assert ben.confirmed == unnamed and anna.confirmed >= on_both - faces
    # Faces more similar to Ben's than to Anna's may follow him; no face is lost.
    assert faces <= {*anna.face_ids, *ben.face_ids} and not set(anna.face_ids) & set(ben.face_ids)


def test_answers_are_saved_during_a_scan(collins: tuple[Library, int, set[str]]) -> None:
    library, group, _ = collins
    with Library(library.root).home.lock():
        library.name(library.faces_in_group(group), COLLINS)
    assert [person.name for person in Library(library.root).people()] == [COLLINS]


def test_the_names_of_a_nested_library_stay_in_the_enclosing_one(tmp_path: Path) -> None:
    make_library(tmp_path / "photos", photos_each=2)
    part = Library(tmp_path / "photos/2019")
    part.scan(workers=0)
    part.name([occurrence.face_id for occurrence in part.occurrences if "collins" in occurrence.photo], COLLINS)
    outer = Library(tmp_path / "photos")
    assert outer.scan(workers=0).unchanged == 2
    assert [person.name for person in outer.people()] == [COLLINS]


def test_a_library_that_becomes_read_only_keeps_its_names(
    collins: tuple[Library, int, set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    library, group, faces = collins
    library.name(library.faces_in_group(group), COLLINS)
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: not str(path).startswith(str(library.root)) and real(path, mode)
    )
    before = {path: path.stat().st_mtime_ns for path in library.root.rglob("*")}
    locked = Library(library.root)
    assert locked.scan(workers=0).unchanged == locked.table.photo_count
    assert read_faces_by_name(locked)[COLLINS] >= faces
    locked.cluster(1.0)
    locked.name(locked.faces_in_group(3 - group), HOPPER)
    assert {path: path.stat().st_mtime_ns for path in library.root.rglob("*")} == before
    monkeypatch.setattr(os, "access", real)
    assert read_faces_by_name(Library(library.root)).keys() == {COLLINS, HOPPER}


def test_deleted_photos_cached_in_the_data_folder_do_not_come_back(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, inside = os.access, str(library.root)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: not str(path).startswith(inside) and real(path, mode))
        save_photo(make_variant(HOPPER, 1), library.root / "2019/new.jpg")
        assert Library(library.root).scan(workers=0).scanned == 1  # into the user's data folder
    for _ in range(2):
        for photo in sorted((library.root / "2019").glob("*-*.*"))[:2]:
            photo.unlink()
        library.scan(workers=0)
    (library.root / "2019/new.jpg").unlink()
    assert library.scan(workers=0).removed == 1
    assert library.scan(workers=0).removed == 0
    assert not [occurrence for occurrence in library.occurrences if occurrence.photo.startswith("2019")]


def test_caches_in_skipped_folders_are_not_read(library: Library) -> None:
    count = library.table.photo_count
    (library.root / "#recycle").mkdir()
    (library.root / "2019").rename(library.root / "#recycle/2019")
    library.scan(workers=0)
    assert library.table.photo_count == count - 4
    assert not [occurrence for occurrence in library.occurrences if "#recycle" in occurrence.photo]


def test_temporarily_unreadable_photos_are_retried(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    save_photo(make_variant(HOPPER, 2), library.root / "new.jpg")
    real = os.open

    def refused(path: str | Path, *arguments: int, **others: int) -> int:
        if Path(path).name == "new.jpg":
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **others)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        for _ in range(2):
            assert library.scan(workers=0).skip_counts == {"cannot be read": 1}
    assert library.scan(workers=0).scanned == 1
    assert library.scan(workers=0).scanned == 0 and not library.table.skipped_photos()


def test_a_folder_that_cannot_be_written_does_not_stop_the_others(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from faceclust.store import folder_cache

    save_photo(make_variant(HOPPER, 6), library.root / "2019/new.jpg")
    save_photo(make_variant(HOPPER, 7), library.root / "2020/new.jpg")
    real = folder_cache.write_private_atomically

    def refuses(path: Path, write: object, **options: object) -> None:
        if path.parent.name == "2019":
            raise CacheError(f"{path} cannot be written: Operation not permitted")
        real(path, write, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(folder_cache, "write_private_atomically", refuses)
    result = library.scan(workers=0)
    assert (result.scanned, result.unsaved) == (2, 1) and "not permitted" in result.notes[0]
    monkeypatch.setattr(folder_cache, "write_private_atomically", real)
    assert library.scan(workers=0).scanned == 1


# -- outputs ----------------------------------------------------------------


def test_the_report_keeps_pictures_of_photos_deleted_later(collins: tuple[Library, int, set[str]]) -> None:
    library, group, _ = collins
    library.name(library.faces_in_group(group), COLLINS)
    html = library.report_page(library.root / "page.html").content.decode()
    pictures = set(re.findall(r'src="(data:image/jpeg[^"]*)"', html))
    assert len(pictures) == len(library.group_of)
    assert COLLINS in html and "./2019/collins-0.jpg" in html
    shutil.rmtree(library.root / "2020")
    rescanned = Library(library.root).report_page("page.html").content.decode()
    remaining = set(re.findall(r'src="(data:image/jpeg[^"]*)"', rescanned))
    assert remaining < pictures and len(remaining) >= len(pictures) - 4  # the cache of that folder is gone too


def test_albums_hold_the_photos_of_named_people(collins: tuple[Library, int, set[str]], tmp_path: Path) -> None:
    library, group, faces = collins
    library.name(library.faces_in_group(group), COLLINS)
    out = tmp_path / "People"
    library.make_albums(library.plan_albums(out))
    assert len(list((out / COLLINS).iterdir())) == len(faces)
    assert len(library.plan_albums(out, unnamed=True).make) == len(library.faces_in_group(3 - group))


def test_an_empty_library_works(tmp_path: Path) -> None:
    library = Library(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NothingScannedError):
        library.cluster()
    with pytest.raises(UsageError):
        Library(tmp_path / "nothing")
    assert library.scan(workers=0).photos == 0
    for algorithm in ("average", "complete", "single", "hdbscan"):
        assert library.cluster(algorithm=algorithm).clustering.labels.max(initial=-1) == -1
    save_photo(make_scenery(), tmp_path / "a.jpg")
    library.scan(workers=0)
    assert library.cluster().clustering.labels.max(initial=-1) == -1
    assert library.people() == () and list(library.export()) == []
    assert "nobody was found" in library.report_page(tmp_path / "r.html").content.decode()


def test_only_the_documented_files_are_written_into_a_library(
    truth_and_scanned_root: tuple[dict[str, list[str]], Path],
) -> None:
    truth, root = truth_and_scanned_root
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} - truth.keys()
    assert all(name.startswith(".faceclust/") or name.endswith("/.faceclust.mobilefacenet.parquet") for name in files)
