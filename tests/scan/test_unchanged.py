"""A scan without changes opens no photo and no cache; any change makes the next scan look again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faceclust import Library
from faceclust.errors import CacheError
from faceclust.files.names import CACHE_NAME, DEFAULT_PACK
from faceclust.library.maintenance import clear_caches, plan_clear, prune_caches
from faceclust.people.events import JournalFace
from faceclust.scan import crawl as crawling
from faceclust.store import folder_cache
from faceclust.store.home import JOURNAL_NAME, LibraryHome
from faceclust.store.scan_snapshot import FolderSnapshot, ScanSnapshot, read_scan_snapshot, write_scan_snapshot
from tests.support.command import run_checked
from tests.support.sample_photos import COLLINS, HOPPER
from tests.support.scan_builders import (
    compute_expected_rows,
    is_unchanged,
    make_face_photo,
    make_faceless_photo,
    make_photos,
    read_cached_rows,
    touch,
    write_photo,
)

HEAVY = {"numpy", "pyarrow", "onnxruntime", "PIL", "scipy", "pandas"}


def run_watched(tmp_path: Path, *arguments: str | Path) -> tuple[str, set[str], set[str]]:
    """Run the program; return its output, the files it opened and the packages it imported."""
    patch, log = tmp_path / "patch/sitecustomize.py", tmp_path / "log"
    patch.parent.mkdir(exist_ok=True)
    patch.write_text(
        "import json, os, sys\n"
        f"log = os.open({str(log)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n"
        "def watch(event, arguments):\n"
        "    if event in ('open', 'import') and isinstance(arguments[0], (str, bytes)):\n"
        "        os.write(log, json.dumps([event, os.fsdecode(arguments[0])]).encode() + b'\\n')\n"
        "sys.addaudithook(watch)\n"
    )
    log.write_bytes(b"")
    path = os.pathsep.join([str(patch.parent), os.environ.get("PYTHONPATH", "")])
    out = run_checked(*arguments, env={"PYTHONPATH": path}, process=True)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    opened = {name for event, name in events if event == "open"}
    return out, opened, {name.partition(".")[0] for event, name in events if event == "import"}


def test_an_unchanged_scan_opens_no_photo_and_imports_nothing_heavy(tmp_path: Path) -> None:
    root = make_photos(tmp_path / "photos")
    write_photo(root / "no ending", make_faceless_photo(7))
    out, opened, imported = run_watched(tmp_path, "scan", root, "-j", "1")
    assert "7 scanned" in out and imported >= HEAVY - {"scipy", "pandas"}
    assert {"collins.bmp", "no ending"} <= {Path(path).name for path in opened}
    for part in (root, root / "b"):
        out, opened, imported = run_watched(tmp_path, "scan", part)
        assert ("7 unchanged" if part == root else "3 unchanged") in out
        assert not imported & HEAVY
        names = {Path(path).name for path in opened}  # faceclust's own files are opened in an open folder
        assert "seen.mobilefacenet.json" in names
        assert not names & {CACHE_NAME, JOURNAL_NAME, "no ending", *(path.name for path in root.rglob("*.bmp"))}


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


CHANGES: dict[str, Callable[[Path], object]] = {
    "photo added": lambda root: write_photo(root / "a/new.bmp", make_faceless_photo(9)),
    "photo without an ending added": lambda root: write_photo(root / "a/new", make_faceless_photo(9)),
    "photo removed": lambda root: (root / "a/nobody.bmp").unlink(),
    "photo touched": lambda root: touch(root / "a/collins.bmp"),
    "photo replaced by another of its size": lambda root: write_photo(
        root / "a/collins.bmp", make_face_photo(HOPPER, 1)
    ),
    "photo renamed": lambda root: (root / "a/collins.bmp").rename(root / "a/eileen.bmp"),
    "photo moved": lambda root: (root / "a/collins.bmp").rename(root / "b/eileen.bmp"),
    "folder renamed": lambda root: (root / "a").rename(root / "c"),
    "folder moved into another": lambda root: (root / "b").rename(root / "a/b"),
    "folder removed": lambda root: shutil.rmtree(root / "b/deep"),
    "folder with folders removed": lambda root: shutil.rmtree(root / "b"),
    "folder hidden": lambda root: (root / "b").rename(root / ".b"),
    "folder of albums": lambda root: write(root / "b/.faceclust-albums.json", b"{}"),
    "cache deleted": lambda root: (root / "a" / CACHE_NAME).unlink(),
    "cache truncated": lambda root: os.truncate(root / "a" / CACHE_NAME, 100),
    "cache emptied": lambda root: write(root / "a" / CACHE_NAME, b""),
    "one bit of a cache": lambda root: flip(root / "a" / CACHE_NAME),
    "seen.json deleted": lambda root: LibraryHome(root).scan_snapshot_of(DEFAULT_PACK).unlink(),
    "seen.json emptied": lambda root: write(LibraryHome(root).scan_snapshot_of(DEFAULT_PACK), b""),
    "seen.json cut": lambda root: os.truncate(LibraryHome(root).scan_snapshot_of(DEFAULT_PACK), 50),
    "seen.json of another schema": lambda root: write(
        LibraryHome(root).scan_snapshot_of(DEFAULT_PACK),
        LibraryHome(root).scan_snapshot_of(DEFAULT_PACK).read_bytes().replace(b'"schema":1', b'"schema":2'),
    ),
    "seen.json of another shape": lambda root: write(
        LibraryHome(root).scan_snapshot_of(DEFAULT_PACK), b'{"schema": 1, "stamp": "", "folders": []}'
    ),
    "an answer": lambda root: (library := Library(root)).name([library.occurrences[0].face_id], COLLINS),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_every_kind_of_change_is_detected(small_library: Library, change: str) -> None:
    CHANGES[change](small_library.root)
    assert not is_unchanged(small_library.root)
    Library(small_library.root).scan(workers=0)
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)
    assert is_unchanged(small_library.root)


def test_a_change_in_one_part_leaves_the_others_unchanged(small_library: Library) -> None:
    write_photo(small_library.root / "a/new.bmp", make_faceless_photo(9))
    write_photo(small_library.root / "b/new.bmp", make_faceless_photo(8))
    assert not is_unchanged(small_library.root, "a") and is_unchanged(small_library.root, "b/deep")
    assert Library(small_library.root).scan([small_library.root / "a"], workers=0).scanned == 1
    assert is_unchanged(small_library.root, "a", "b/deep") and not is_unchanged(small_library.root, "b")
    assert not is_unchanged(small_library.root)
    assert Library(small_library.root).scan(workers=0).scanned == 1
    assert is_unchanged(small_library.root) and read_cached_rows(small_library) == compute_expected_rows(small_library)


def test_overlapping_parts_count_once(small_library: Library) -> None:
    result = Library(small_library.root).scan(
        [small_library.root / "b", small_library.root / "b/deep", small_library.root / "b"]
    )
    assert (result.photos, result.unchanged) == (3, 3)


def test_a_face_forgotten_on_another_machine_is_removed(small_library: Library) -> None:
    # Another machine, say, has added a line to the journal: no photo and no cache has changed.
    (place,) = (place for place in small_library.occurrences if place.photo == "a/collins.bmp")
    small_library.journal.record("forget", [JournalFace.from_occurrence(place, confirmed=False)])
    assert not is_unchanged(small_library.root)
    Library(small_library.root).scan(workers=0)
    (row,) = (row for row in read_cached_rows(small_library)["a"] if row["face_id"] == place.face_id)
    assert row["embedding"] is None and row["landmarks"] is None
    Library(small_library.root).scan(workers=0)  # the journal of the first one's finds, if any
    assert is_unchanged(small_library.root)


def test_a_forgotten_face_that_cannot_be_removed_is_retried(
    small_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place,) = (place for place in small_library.occurrences if place.photo == "a/collins.bmp")
    small_library.journal.record("forget", [JournalFace.from_occurrence(place, confirmed=False)])
    with monkeypatch.context() as patch:
        patch.setattr(folder_cache, "write_private_atomically", refuse_to_write)
        assert "not permitted" in Library(small_library.root).scan(workers=0).notes[0]
    Library(small_library.root).scan(workers=0)
    (row,) = (row for row in read_cached_rows(small_library)["a"] if row["face_id"] == place.face_id)
    assert row["embedding"] is None


def refuse_to_write(path: Path, *_: object, **__: object) -> None:
    raise CacheError(f"{path} cannot be written: Operation not permitted")


def test_removed_photos_are_retried_if_the_cache_cannot_be_written(
    small_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small_library.root / "a/collins.bmp").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(folder_cache, "write_private_atomically", refuse_to_write)
        assert "not permitted" in Library(small_library.root).scan(workers=0).notes[0]
    assert not is_unchanged(small_library.root)
    Library(small_library.root).scan(workers=0)
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)


def test_unreadable_photos_are_retried(small_library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    real, names = os.open, {"new.bmp", "no ending"}

    def refused(path: str | Path, *arguments: int, **others: int) -> int:
        if Path(path).name in names:
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **others)

    write_photo(small_library.root / "a/new.bmp", make_faceless_photo(9))
    write_photo(small_library.root / "b/no ending", make_faceless_photo(8))
    for unreadable in ({"new.bmp", "no ending"}, {"no ending"}, set()):
        names = unreadable
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", refused)
            Library(small_library.root).scan(workers=0)
        assert is_unchanged(small_library.root, "b") == ("no ending" not in unreadable)
        assert is_unchanged(small_library.root) == (not unreadable)
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)


@pytest.mark.parametrize("has_cache_dir", [False, True], ids=["inside", "kept elsewhere"])
def test_a_part_that_becomes_a_nested_library_is_rescanned(
    small_library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_cache_dir: bool
) -> None:
    # Its journal may say that a face is forgotten.
    part = Library(small_library.root / "b", cache_dir=tmp_path / "has_cache_dir" if has_cache_dir else None)
    part.scan(workers=0)
    assert not is_unchanged(small_library.root)
    Library(small_library.root).scan(workers=0)
    part = Library(small_library.root / "b")
    part.name([part.occurrences[0].face_id], HOPPER)
    part.forget(part.plan_forget(HOPPER))
    Library(small_library.root).scan(workers=0)
    (row,) = (row for row in read_cached_rows(Library(small_library.root))["b"] if row["face_id"])
    assert row["embedding"] is None


def test_caches_in_another_place_are_detected(small_library: Library, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for place in (first, second, first):
        Library(small_library.root, cache_dir=place).scan(workers=0)
        assert LibraryHome(small_library.root).home.is_relative_to(place)  # noted, so that others look there
        write_photo(
            small_library.root / "a/new.bmp", make_faceless_photo(9)
        )  # its cache there is not the one that stays beside the photos
        Library(small_library.root).scan(workers=0)
        assert is_unchanged(small_library.root)


def test_a_folder_that_cannot_be_listed_is_noted_each_time(
    small_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small_library.root / "c").mkdir()
    small_library.scan(workers=0)
    real = os.scandir

    def refused(path: str | int) -> object:
        if str(Path(f"/proc/self/fd/{path}").readlink() if isinstance(path, int) else path).endswith("/c"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refused)
    for _ in range(2):
        result = Library(small_library.root).scan(workers=0)
        assert "skipped" in result.notes[0] and result.unreadable == 1
    # Others would take its faces for gone.
    with pytest.raises(CacheError, match=r"/c cannot be read: Permission denied"):
        Library(small_library.root).people()


def test_clearing_and_pruning_invalidate_the_snapshot(small_library: Library) -> None:
    (small_library.root / "a/nobody.bmp").unlink()
    prune_caches(small_library)
    Library(small_library.root).scan(workers=0)
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)
    plan = plan_clear(small_library)
    assert small_library.home.scan_snapshot_of(DEFAULT_PACK) in {one.path for one in plan}
    clear_caches(small_library, plan)
    assert not small_library.home.scan_snapshot_of(DEFAULT_PACK).exists() and not is_unchanged(small_library.root)
    assert Library(small_library.root).scan(workers=0).scanned == 5
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)


def test_an_interrupted_scan_does_not_count_as_unchanged(small_library: Library) -> None:
    for number in range(3):
        write_photo(small_library.root / f"a/new {number}.bmp", make_faceless_photo(20 + number))
    stop_answers = iter([False, True])
    assert Library(small_library.root).scan(workers=0, should_stop=lambda: next(stop_answers, True)).remaining > 0
    assert not is_unchanged(small_library.root)
    Library(small_library.root).scan(workers=0)
    assert read_cached_rows(small_library) == compute_expected_rows(small_library)


def test_a_photo_replaced_after_listing_is_rescanned(small_library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    write_photo(small_library.root / "a/new.bmp", make_faceless_photo(9))
    real = crawling.PhotoFolder.photos.func

    def changed(folder: crawling.PhotoFolder) -> object:
        photos = real(folder)
        if folder.rel_path == "a":
            write_photo(small_library.root / "a/new.bmp", make_faceless_photo(10))
        return photos

    with monkeypatch.context() as patch:
        patch.setattr(crawling.PhotoFolder, "photos", property(changed))
        Library(small_library.root).scan(workers=0)
    Library(small_library.root).scan(workers=0)
    assert read_cached_rows(small_library) == compute_expected_rows(small_library) and is_unchanged(small_library.root)


# -- seen.json ---------------------------------------------------------------

stamps = st.none() | st.tuples(st.integers(0, 2**62), st.integers(-(2**62), 2**62))
snapshots = st.builds(
    ScanSnapshot,
    st.text(),
    st.dictionaries(st.text(), st.builds(FolderSnapshot, st.text(), st.integers(0, 10**6), stamps)),
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(snapshots)
def test_a_snapshot_survives_writing_and_reading(tmp_path: Path, snapshots: ScanSnapshot) -> None:
    write_scan_snapshot(tmp_path / "seen.json", snapshots)
    assert read_scan_snapshot(tmp_path / "seen.json") == snapshots


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary() | json_values.map(lambda value: json.dumps({"schema": 1, "stamp": "", "folders": value}).encode()))
def test_invalid_snapshots_are_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "seen.json").write_bytes(content)
    found = read_scan_snapshot(tmp_path / "seen.json")
    assert found is None or all(isinstance(folder.photo_count, int) for folder in found.folders.values())
