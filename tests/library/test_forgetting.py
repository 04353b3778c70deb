"""Forgetting a person: nothing of them stays on disk, and no scan brings them back."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from faceclust import Library
from faceclust.catalogue.models_in_use import ModelsInUse
from faceclust.errors import CacheError, UsageError
from faceclust.files import atomic
from faceclust.library.status import library_status
from faceclust.people.forgotten_faces import collect_forgotten_faces
from faceclust.store import clusters
from tests.support.pack_scenarios import install_other_detector
from tests.support.sample_photos import COLLINS, HOPPER, make_variant, save_photo

NameOfFace = Callable[[Library], dict[str, str]]


class Crash(BaseException):
    """Simulates the end of the process."""


def all_files(library: Library) -> Iterator[Path]:
    """Return all files of the library except photos, and all files of the user's data folder."""
    for start in (library.root, Path(os.environ["XDG_DATA_HOME"])):
        for path in start.rglob("*"):
            if path.is_file() and ("thumbs" in path.parts or path.suffix not in (".jpg", ".png", ".webp")):
                yield path


def rows_on_disk(library: Library) -> Iterator[dict[str, object]]:
    for path in all_files(library):
        if path.suffix == ".parquet":
            yield from pq.read_table(path).to_pylist()


@pytest.fixture
def both(library: Library, name_of_face: NameOfFace) -> tuple[Library, dict[str, str]]:
    """Collins and Hopper are named, with two confirmed faces each; thumbnails exist; clustered twice."""
    people = name_of_face(library)
    for person in (COLLINS, HOPPER):
        faces = sorted(face for face, who in people.items() if who == person)
        library.name(faces, person, confirmed=faces[:2])
    library.cluster(1.05)
    library.report_page(library.root / "r.html").content.decode()
    return library, people


class Person:
    """A record of a person, taken before they are forgotten."""

    def __init__(self, library: Library, people: dict[str, str], who: str = COLLINS) -> None:
        self.name = who
        self.faces = {face for face, person in people.items() if person == who}
        self.photos = {occurrence.photo for face in self.faces for occurrence in library.occurrences_of[face]}
        rows = library.table.rows.to_pylist()
        self.embeddings = [
            np.array(row["embedding"], np.float16).tobytes() for row in rows if row["face_id"] in self.faces
        ]

    def assert_erased(self, library: Library) -> None:
        """Fail if any file still holds the name, a face or an embedding of the person."""
        for path in all_files(library):
            content = path.read_bytes()
            assert self.name.encode() not in content, path
            assert not any(vector in content for vector in self.embeddings), path
            assert path.stem not in self.faces, path
        for row in rows_on_disk(library):
            if "embedding" not in row:
                assert row["face_id"] not in self.faces
            elif row["embedding"] is not None:
                assert np.array(row["embedding"], np.float16).tobytes() not in self.embeddings

    def is_known(self, library: Library) -> bool:
        reopened = Library(library.root)
        return bool(self.faces & reopened.occurrences_of.keys()) or self.name in {
            person.name for person in reopened.people()
        }


def count_faces(library: Library) -> int:
    return len({occurrence.face_id for occurrence in Library(library.root).occurrences})


def forget(library: Library, name: str = COLLINS) -> None:
    library.forget(library.plan_forget(name))


def test_nothing_is_left_and_other_people_are_unchanged(both: tuple[Library, dict[str, str]]) -> None:
    library, people = both
    collins, hopper = Person(library, people), Person(library, people, HOPPER)
    before = {person.name: person for person in library.people()}[HOPPER]
    pictures = set(library.home.thumbs.rglob("*.jpg"))
    plan = library.plan_forget("eileen  collins")
    assert (plan.name, plan.confirmed, plan.suggested, plan.missing_count) == (COLLINS, 2, len(collins.faces) - 2, 0)
    assert {face.face_id for face in plan.faces} == collins.faces and plan.photos == len(collins.photos)
    assert len(plan.caches) == 4 and plan.journal_lines == 1 and plan.journals == (library.home.journal,)
    assert plan.thumbnails == len(collins.faces)
    library.forget(plan)
    collins.assert_erased(library)
    (after,) = Library(library.root).people()
    assert after == before
    assert set(library.occurrences_of) == hopper.faces
    assert set(library.home.thumbs.rglob("*.jpg")) == {path for path in pictures if path.stem in hopper.faces}
    assert library_status(library)["forgotten_faces"] == len(collins.faces)
    assert library.table.photo_count == 11
    with pytest.raises(UsageError, match="nobody is called"):
        library.plan_forget(COLLINS)


def test_still_cached_counts_faces_forgotten_earlier(both: tuple[Library, dict[str, str]]) -> None:
    library, people = both
    install_other_detector()
    Library(library.root, pack="second").scan(workers=0)
    plan = library.plan_forget(COLLINS)
    assert plan.still_cached == 0 and len(plan.caches) == 8
    library.journal.record("forget", plan.faces)  # and stop there
    reopened = Library(library.root)
    for person in (COLLINS, HOPPER):
        assert reopened.plan_forget(person).still_cached == len(Person(library, people).faces)


def test_forgetting_cannot_be_undone(both: tuple[Library, dict[str, str]]) -> None:
    library, people = both
    forget(library)
    assert library.undo().name == HOPPER  # type: ignore[union-attr]
    assert library.undo() is None
    assert len(library.occurrences_of) == sum(who == HOPPER for who in people.values())


def test_other_commands_work_afterwards(both: tuple[Library, dict[str, str]], tmp_path: Path) -> None:
    library, people = both
    collins = Person(library, people)
    forget(library)
    for options in ({}, {"full": True}, {"threshold": 0.001}, {"algorithm": "hdbscan"}):
        grouping = library.cluster(**options)  # type: ignore[arg-type]
        assert not set(grouping.clustering.face_ids.tolist()) & collins.faces
        assert grouping.clustering.size_at_full_run <= len(library.occurrences_of)
    library.undo_cluster()
    assert COLLINS not in library.report_page(tmp_path / "r.html").content.decode()
    assert not {row["face_id"] for row in library.export()} & collins.faces
    library.make_albums(library.plan_albums(tmp_path / "albums", unnamed=True))
    assert [path.name for path in (tmp_path / "albums").iterdir() if path.is_dir()] == [HOPPER]
    collins.assert_erased(library)


# -- scans do not bring them back ---------------------------------------------

Change = Callable[[Library], None]


def _delete_caches(library: Library) -> None:
    for cache in library.root.rglob(".faceclust.mobilefacenet.parquet"):
        cache.unlink()
    library.home.clusters.unlink()


def _move(library: Library) -> None:
    (library.root / "2019").rename(library.root / "nineteen")
    (library.root / "2020/collins-1.jpg").rename(library.root / "somewhere else.jpg")


def _copy(library: Library) -> None:
    shutil.copytree(library.root / "2019", library.root / "copy", ignore=shutil.ignore_patterns(".faceclust*"))


def _edit_all(library: Library) -> None:
    for photo in sorted(library.root.rglob("*.jpg")):
        if ".faceclust" not in photo.parts:
            _edit(photo)


def _edit(photo: Path, **options: object) -> None:
    with Image.open(photo) as image:
        exif = image.getexif()
        edited = image.convert("RGB").point(lambda value: min(255, value + 12))
    edited.save(photo, quality=80, exif=exif, **options)


def _edit_without_dates(library: Library) -> None:
    for photo in sorted(library.root.rglob("*.jpg")):
        if ".faceclust" not in photo.parts:
            with Image.open(photo) as image:
                image.convert("RGB").save(photo, quality=70)


def _edit_then_move(library: Library) -> None:
    _edit_all(library)
    library.scan(workers=0)
    _delete_caches(library)
    (library.root / "2019").rename(library.root / "moved")


def _move_then_edit(library: Library) -> None:
    _move(library)
    library.scan(workers=0)
    _edit_without_dates(library)


def _move_with_new_metadata(library: Library) -> None:
    """Append to each photo and rename it, like a program that edits metadata; the picture stays the same."""
    for photo in sorted(library.root.rglob("*.jpg")):
        if ".faceclust" not in photo.parts:
            photo.write_bytes(photo.read_bytes() + b"stars: 5")
            photo.rename(photo.with_name(f"moved {photo.name}"))


def _lose_journal(library: Library) -> None:
    library.home.journal.unlink()
    _edit_all(library)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        _delete_caches,
        _move,
        _copy,
        _edit_all,
        _edit_without_dates,
        _edit_then_move,
        _move_then_edit,
        _move_with_new_metadata,
        _lose_journal,
    ],
)
def test_a_scan_does_not_bring_them_back(
    both: tuple[Library, dict[str, str]], name_of_face: NameOfFace, change: Change
) -> None:
    library, people = both
    collins, hopper = Person(library, people), Person(library, people, HOPPER)
    forget(library)
    change(library)
    library.scan(workers=0)
    assert count_faces(library) == len(hopper.faces)
    collins.assert_erased(library)
    if change is not _lose_journal:
        (person,) = Library(library.root).people()
        assert person.name == HOPPER and len(person.face_ids) == len(hopper.faces)
    if change is not _delete_caches:  # the journal has the edited photo's face as well
        for cache in library.root.rglob(".faceclust.mobilefacenet.parquet"):
            cache.unlink()
        library.scan(workers=0)
        assert count_faces(library) == len(hopper.faces)


@pytest.mark.slow
def test_faces_detected_by_another_pack_are_recognised_as_forgotten(
    both: tuple[Library, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from faceclust.photos.face_ids import face_id
    from faceclust.scan import examine_pool
    from faceclust.scan.examine import ExaminedPhoto

    library, people = both
    collins, hopper = Person(library, people), Person(library, people, HOPPER)
    info = library.cache_info
    forget(library)
    real = examine_pool.examine_photos

    def other_boxes(*arguments: object) -> Iterator[tuple[object, ExaminedPhoto]]:
        for listed, examined in real(*arguments):  # type: ignore[arg-type]
            photo = examined.photo
            boxes = np.clip(photo.boxes + np.float32([-0.01, 0.01, 0.01, 0.02]), 0, 1)  # type: ignore[union-attr]
            ids = tuple(face_id(photo.content_hash, box) for box in boxes)  # type: ignore[union-attr]
            yield listed, replace(examined, photo=replace(photo, boxes=boxes, face_ids=ids))  # type: ignore[arg-type,type-var]

    monkeypatch.setattr(examine_pool, "examine_photos", other_boxes)
    monkeypatch.setattr(ModelsInUse, "cache_info", replace(info, fingerprint="other models"))
    reopened = Library(library.root)
    result = reopened.scan(workers=0)
    assert (result.faces, result.forgotten) == (len(hopper.faces), len(collins.faces))
    (person,) = reopened.people()
    assert person.name == HOPPER and len(reopened.occurrences) == len(hopper.faces)
    assert not collins.is_known(reopened)


def test_another_photo_at_the_old_path_is_not_forgotten(both: tuple[Library, dict[str, str]]) -> None:
    """Numbered scans without dates, and one inserted before the others."""
    library, _ = both
    for number in range(2):
        make_variant(COLLINS, number).save(library.root / f"{number + 1}.png")
    library.scan(workers=0)
    first = next(occurrence.face_id for occurrence in library.occurrences if occurrence.photo == "1.png")
    second = next(occurrence.face_id for occurrence in library.occurrences if occurrence.photo == "2.png")
    library.name([first], "Xaver")
    forget(library, "Xaver")
    (library.root / "2.png").rename(library.root / "3.png")
    (library.root / "1.png").rename(library.root / "2.png")
    make_variant(COLLINS, 2).save(library.root / "1.png")
    library.scan(workers=0)
    photos = {occurrence.photo for occurrence in library.occurrences}
    assert "1.png" in photos and "2.png" not in photos
    assert second in library.occurrences_of and first not in library.occurrences_of


def test_an_interrupted_scan_defers_uncertain_photos(both: tuple[Library, dict[str, str]]) -> None:
    library, people = both
    collins = Person(library, people)
    forget(library)
    _edit_all(library)
    calls: list[bool] = []

    def stop() -> bool:
        calls.append(True)
        return len(calls) > 3

    journal = library.home.journal.read_bytes()
    result = library.scan(workers=0, should_stop=stop)
    assert result.interrupted and result.scanned + result.remaining == 7
    assert library.home.journal.read_bytes() == journal and not collins.is_known(library)
    assert library.scan(workers=0).remaining == 0
    assert not any("collins" in occurrence.photo for occurrence in library.occurrences)


# -- several names and several places -----------------------------------------


def test_all_names_of_the_person_are_erased_and_those_of_others_stay(both: tuple[Library, dict[str, str]]) -> None:
    library, people = both
    collins, hopper = Person(library, people), Person(library, people, HOPPER)
    faces = sorted(collins.faces)
    library.rename(COLLINS, "Pilot")
    library.name(faces[:1], "Commander")
    library.merge("Commander", "Pilot")
    library.reject(sorted(hopper.faces)[:1], "Pilot")
    library.name([sorted(hopper.faces)[0]], COLLINS)  # a later namesake
    plan = library.plan_forget("pilot")
    assert set(plan.names) == {COLLINS, "Pilot", "Commander"}
    library.forget(plan)
    journal = library.home.journal.read_text()
    assert "Pilot" not in journal and "Commander" not in journal and journal.count(COLLINS) == 1
    assert {person.name: len(person.face_ids) for person in Library(library.root).people()}.keys() == {HOPPER, COLLINS}


def test_confirmed_only_keeps_the_suggested_faces(both: tuple[Library, dict[str, str]]) -> None:
    library, people = both
    collins = Person(library, people)
    confirmed = library.find_person(COLLINS).confirmed
    plan = library.plan_forget(COLLINS, confirmed_only=True)
    assert (plan.confirmed, plan.suggested, plan.kept_suggested) == (2, 0, len(collins.faces) - 2)
    library.forget(plan)
    assert not confirmed & library.occurrences_of.keys() and collins.faces - confirmed <= library.occurrences_of.keys()
    assert [person.name for person in library.people()] == [HOPPER]
    assert COLLINS not in library.home.journal.read_text()


def test_a_person_with_missing_photos_can_be_forgotten(both: tuple[Library, dict[str, str]], tmp_path: Path) -> None:
    library, people = both
    collins = Person(library, people)
    for photo in collins.photos:
        (tmp_path / "away" / photo).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(library.root / photo, tmp_path / "away" / photo)
    library.scan(workers=0)
    plan = library.plan_forget(COLLINS)
    assert (plan.confirmed, plan.suggested, plan.missing_count) == (0, 0, len(collins.faces))
    library.forget(plan)
    for photo in collins.photos:
        shutil.move(tmp_path / "away" / photo, library.root / photo)
    library.scan(workers=0)
    collins.assert_erased(library)
    assert not collins.is_known(library)


def test_leftover_files_are_erased_too(both: tuple[Library, dict[str, str]]) -> None:
    library, people = both
    collins = Person(library, people)
    cache = library.root / "2019/.faceclust.mobilefacenet.parquet"
    set_aside = library.home.home / "set-aside/2019/faceclust.mobilefacenet.parquet"
    hidden = library.root / "#recycle/old"
    hidden.mkdir(parents=True)
    set_aside.parent.mkdir(parents=True)
    for copy in (
        set_aside,
        cache.with_name(".faceclust.mobilefacenet.parquet.tmp"),
        hidden / ".faceclust.mobilefacenet.parquet",
    ):
        shutil.copy(cache, copy)
    damaged = library.root / "new/.faceclust.mobilefacenet.parquet"
    damaged.parent.mkdir()
    damaged.write_bytes(cache.read_bytes()[:-9])
    other = library.root / "#recycle/.faceclust/people.jsonl"
    other.parent.mkdir()
    other.write_bytes(library.home.journal.read_bytes())
    library.journal.torn_lines_path.write_text('{"time": "2024", "event": "name", "name": "Eileen Coll\n')
    library.thumbnails([occurrence for occurrence in library.occurrences if occurrence.face_id in collins.faces])
    orphan = library.home.thumbs / "00" / "00112233445566aa.jpg"  # as another pack detected somebody
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"x")
    forget(library)
    collins.assert_erased(library)
    assert not any(path.exists() for path in (set_aside, damaged, orphan, library.journal.torn_lines_path))
    assert len(pq.read_table(hidden / ".faceclust.mobilefacenet.parquet")) == 4
    assert HOPPER in other.read_text()


def test_the_data_folder_and_nested_libraries_are_erased_too(
    both: tuple[Library, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    library, people = both
    collins = Person(library, people)
    part = Library(library.root / "2019")
    part.scan(workers=0)
    part.cluster()
    part.name([occurrence.face_id for occurrence in part.occurrences if "collins" in occurrence.photo], "Astronaut")
    part.thumbnails(part.occurrences)
    library = Library(library.root)
    library.merge("Astronaut", COLLINS)
    real, inside = os.access, str(library.root)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: not str(path).startswith(inside) and real(path, mode))
        away = Library(library.root)
        save_photo(make_variant(COLLINS, 7), library.root / "2020/new.jpg")
        away.scan(workers=0)
        away.cluster(1.05)
        new = next(occurrence.face_id for occurrence in away.occurrences if occurrence.photo == "2020/new.jpg")
        away.name([new], COLLINS)
        away.thumbnails(away.occurrences_of[new])
        own = Library(library.root / "2020")
        own.scan(workers=0)
        own.name([new], COLLINS)
        own.thumbnails(own.occurrences)
    library = Library(library.root)
    people = people | {new: COLLINS}
    collins = Person(library, people)
    forget(library)
    collins.assert_erased(library)
    assert not any(b"Astronaut" in path.read_bytes() for path in all_files(library))
    assert not collins.is_known(library)


# -- failures -------------------------------------------------------------------


def record_steps(monkeypatch: pytest.MonkeyPatch, crash_at: int) -> list[str]:
    """Record every write and removal from now on, and crash before the one with this index."""
    from faceclust.library import forgetting
    from faceclust.people import journal
    from faceclust.store import clusters, erase, folder_cache

    done: list[str] = []

    def recorded(real: Callable[..., object], name: str) -> Callable[..., object]:
        def step(*arguments: object, **options: object) -> object:
            if len(done) == crash_at:
                raise Crash
            done.append(f"{name} {arguments[0]}")
            return real(*arguments, **options)

        return step

    write, remove = recorded(atomic.write_private_atomically, "write"), recorded(atomic.remove_file, "remove")
    for module in (forgetting, clusters, folder_cache):
        monkeypatch.setattr(module, "write_private_atomically", write)
    for module in (forgetting, clusters, erase):
        monkeypatch.setattr(module, "remove_file", remove)
    monkeypatch.setattr(journal.Journal, "record", recorded(journal.Journal.record, "record"))
    return done


def test_forgetting_again_completes_it_after_a_crash_at_any_step(
    both: tuple[Library, dict[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library, people = both
    library.rename(COLLINS, "Pilot")
    collins, hopper = Person(library, people), Person(library, people, HOPPER)
    collins.name = "Pilot"
    backup = tmp_path / "whole"
    shutil.copytree(library.root, backup)
    with monkeypatch.context() as patch:
        steps = record_steps(patch, -1)
        forget(library, "Pilot")
    assert steps[0].startswith("record") and steps[-1] == f"write {library.home.journal}" and len(steps) > 12
    for crash_at in range(len(steps)):
        shutil.rmtree(library.root)
        shutil.copytree(backup, library.root)
        with monkeypatch.context() as patch, pytest.raises(Crash):
            record_steps(patch, crash_at)
            forget(Library(library.root), "Pilot")
        if crash_at > 0:  # once begun, a scan completes the erasure of the faces
            other = Library(library.root)
            if crash_at % 2:
                other.scan(workers=0)
                assert not collins.is_known(other) and count_faces(other) == len(hopper.faces)
                assert not {row["face_id"] for row in rows_on_disk(other) if row.get("embedding")} & collins.faces
            if crash_at == 1:  # no cache was rewritten yet: the scan erases everything
                assert not collins.faces & {path.stem for path in other.home.thumbs.rglob("*.jpg")}
        forget(Library(library.root), "Pilot")
        collins.assert_erased(library)
        assert COLLINS.encode() not in library.home.journal.read_bytes()
        assert count_faces(library) == len(hopper.faces)


def test_after_a_crash_renames_still_lead_from_older_names_to_the_last(
    both: tuple[Library, dict[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library, people = both
    faces = sorted(Person(library, people).faces)
    library.name(faces, "Commander")
    part = Library(library.root / "2019")
    part.scan(workers=0)
    part.name([face for face in faces if face in part.occurrences_of], "Commander")
    part.rename("Commander", "Pilot")
    backup = tmp_path / "whole"
    shutil.copytree(library.root, backup)
    with monkeypatch.context() as patch:
        steps = record_steps(patch, -1)
        forget(Library(library.root), "Pilot")
    journals = [number for number, step in enumerate(steps) if step.endswith("people.jsonl")]
    assert len(journals) == 3
    for crash_at in journals:
        shutil.rmtree(library.root)
        shutil.copytree(backup, library.root)
        with monkeypatch.context() as patch, pytest.raises(Crash):
            record_steps(patch, crash_at)
            forget(Library(library.root), "Pilot")
        forget(Library(library.root), "Pilot")
        remaining = b"".join(path.read_bytes() for path in all_files(library) if path.suffix == ".jsonl")
        assert b"Pilot" not in remaining and b"Commander" not in remaining and HOPPER.encode() in remaining


def test_a_restored_older_cache_is_erased_again(both: tuple[Library, dict[str, str]], tmp_path: Path) -> None:
    library, people = both
    collins = Person(library, people)
    shutil.copy(library.root / "2019/.faceclust.mobilefacenet.parquet", tmp_path / "backup")
    forget(library)
    shutil.copy(tmp_path / "backup", library.root / "2019/.faceclust.mobilefacenet.parquet")
    assert collins.is_known(library)
    assert library.scan(workers=0).scanned == 0
    collins.assert_erased(library)


def test_files_that_cannot_be_written_are_named_after_everything_else_is_done(
    both: tuple[Library, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from faceclust.library import forgetting

    library, people = both
    part = Library(library.root / "2019")
    part.scan(workers=0)
    undone = next(occurrence.face_id for occurrence in library.occurrences if "hopper" in occurrence.photo)
    part.name([undone], COLLINS)
    library = Library(library.root)
    assert library.undo().name == COLLINS  # type: ignore[union-attr]
    collins, hopper = Person(library, people), Person(library, people, HOPPER)
    assert library.find_person(HOPPER)
    real = atomic.write_private_atomically

    def refuses(path: Path, *arguments: object) -> None:
        if "2019" in path.parts:
            raise CacheError(f"{path} cannot be written: Read-only file system")
        real(path, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(forgetting, "write_private_atomically", refuses)
        with pytest.raises(CacheError, match=r"2019/\.faceclust/people\.jsonl cannot be written"):
            forget(library)
    assert COLLINS not in library.home.journal.read_text() and not collins.is_known(library)
    assert set(library.find_person(HOPPER).face_ids) == hopper.faces  # the undone answer stays undone
    library.forget(library.plan_forget(COLLINS))
    collins.assert_erased(library)


def test_the_name_stays_until_no_file_holds_the_faces(
    both: tuple[Library, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    library, people = both
    collins = Person(library, people)
    library.cluster()

    def refuses(path: Path, *arguments: object) -> None:
        raise CacheError(f"{path} cannot be written: Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(clusters, "write_private_atomically", refuses)
        with pytest.raises(CacheError, match=r"not entirely forgotten: .*clusters\.parquet cannot be written"):
            forget(library)
    assert COLLINS in library.home.journal.read_text()
    forget(library)
    collins.assert_erased(library)


def test_a_full_disk_at_the_start_changes_nothing(
    both: tuple[Library, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    library, _ = both
    plan = library.plan_forget(COLLINS)
    before = {path: path.read_bytes() for path in all_files(library)}

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        with pytest.raises(CacheError, match="No space left"):
            library.forget(plan)
    after = {path: path.read_bytes() for path in all_files(library) if path.name != "people.lock"}
    assert after == {path: content for path, content in before.items() if path.name != "people.lock"}


def test_the_journal_lists_forgotten_faces_without_a_name(both: tuple[Library, dict[str, str]]) -> None:
    library, people = both
    collins = Person(library, people)
    forget(library)
    records = [json.loads(line) for line in library.home.journal.read_bytes().splitlines()]
    (event,) = [record for record in records if record["event"] == "forget"]
    assert event.keys() == {"time", "event", "id", "version", "faces"}
    assert {face.face_id for face in collect_forgotten_faces(library.journal.events())} == collins.faces
    assert not any(face["confirmed"] for face in event["faces"])


def test_facts_are_forgotten_and_those_about_others_stay(both: tuple[Library, dict[str, str]]) -> None:
    library, _ = both
    collins = library.find_person(COLLINS)
    picture = max(collins.confirmed)
    library.set_facts(HOPPER, born="1906-12-09", groups="Navy", picture=library.find_person(HOPPER).face_ids[0])
    library.set_facts(COLLINS, note="secret words", groups="Hidden circle", aliases=["Mystery", "Second"], born="1956")
    library.set_facts(COLLINS, picture=picture, no_aliases="Second")
    newer = {"time": "2099", "id": "n", "event": "newer", "text": "about Mystery"}
    with library.home.journal.open("a") as journal:
        journal.write(json.dumps(newer) + "\n" + json.dumps(newer | {"id": "m", "text": "Mysterious"}) + "\n")
    library.reopen_journal()
    library.forget(library.plan_forget("mystery"))
    content = b"".join(path.read_bytes() for path in all_files(library))
    for text in (b"secret words", b"Hidden circle", b"Mystery", b"Second", b"1956", COLLINS.encode()):
        assert text not in content, text
    assert b"Mysterious" in content and picture not in library.occurrences_of
    facts = Library(library.root).find_person(HOPPER).facts
    assert str(facts.born) == "1906-12-09" and facts.groups == ("Navy",) and facts.picture


def test_facts_outlive_the_forgotten_face_that_was_their_picture(both: tuple[Library, dict[str, str]]) -> None:
    library, _ = both
    face = min(library.find_person(HOPPER).confirmed)
    library.set_facts(HOPPER, born="1906", picture=face)
    library.name(face, COLLINS)
    library.forget(library.plan_forget(COLLINS))
    facts = Library(library.root).find_person(HOPPER).facts
    assert str(facts.born) == "1906" and facts.picture is None
    records = map(json.loads, library.home.journal.read_bytes().splitlines())
    (line,) = [record for record in records if record["event"] == "person"]
    assert line["faces"] == []  # the face is in the line that forgets it alone
