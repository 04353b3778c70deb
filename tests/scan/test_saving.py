"""Folders are saved at intervals, and no result is lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from faceclust import Library
from faceclust.errors import FaceclustError
from faceclust.files.names import DEFAULT_PACK
from faceclust.packs.registry import load_pack
from faceclust.progress import ShouldStop
from faceclust.scan import examine_pool, run
from faceclust.scan import folder as folders
from faceclust.scan.crawl import crawl
from faceclust.scan.examine import ExaminedPhoto, ExamineTask, ScanSettings
from faceclust.scan.folder import ScanFolder
from faceclust.scan.result import ScanResult
from faceclust.store.folder_cache import FolderCache
from faceclust.store.home import LibraryHome
from faceclust.types import PhotoRef, ScannedPhoto, SkippedPhoto
from tests.store.test_store import INFO, make_scanned_photo
from tests.support.scan_builders import (
    compute_expected_rows,
    is_unchanged,
    make_faceless_photo,
    read_cached_rows,
    write_photo,
)

Photos = Mapping[PhotoRef, ScannedPhoto | SkippedPhoto]


def make_folder(root: Path, photos: int) -> ScanFolder:
    for number in range(photos):
        write_photo(root / f"{number:03}.bmp", b"BM")
    (found,) = crawl(root)
    home = LibraryHome(root)
    return ScanFolder(home, found, FolderCache(home.cache_paths(""), INFO), {}, ScanSettings(load_pack(DEFAULT_PACK)))


@pytest.mark.parametrize("cost", [0.01, 2.0, 4.0])
def test_saving_takes_a_limited_part_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cost: float) -> None:
    now, saves = [100.0], []
    clock = SimpleNamespace(monotonic=lambda: now[0], process_time=lambda: now[0])
    monkeypatch.setattr(folders, "time", clock)
    real = FolderCache.update

    def update(cache: FolderCache, keep: Iterable[PhotoRef], new: Photos) -> None:
        saves.append(now[0])
        now[0] += cost
        real(cache, keep, new)

    monkeypatch.setattr(FolderCache, "update", update)
    folder, result, attempts = make_folder(tmp_path, 200), ScanResult(), 0
    for number, ref in enumerate(sorted(folder.pending)):
        folder.add(ref, make_scanned_photo(ref, 1, number))
        now[0] += 1.0
        if number % 5 == 4:
            folder.save(result, pytest.fail, force=False)
            attempts += 1
    between = [later - earlier - cost for earlier, later in itertools.pairwise(saves)]
    assert min(between) >= 5 * cost
    assert len(saves) == attempts if cost < 0.1 else 4 <= len(saves) <= attempts
    assert result.stage_seconds["write"] == pytest.approx(cost * len(saves))
    folder.save(result, pytest.fail)
    assert len(folder.cache.index()) == 200 and not folder.unsaved


def test_a_stop_saves_photos_whose_saving_was_postponed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        write_photo(tmp_path / f"{number}.bmp", make_faceless_photo(number))
    monkeypatch.setattr(run, "SAVE_INTERVAL_SECONDS", 0.0)  # save after each photo
    monkeypatch.setattr(folders, "_SAVE_TIME_RATIO", 1e9)  # postpone every save after the first
    saved: list[int] = []
    real = FolderCache.update

    def update(cache: FolderCache, keep: Iterable[PhotoRef], new: Photos) -> None:
        saved.append(len(new))
        real(cache, keep, new)

    monkeypatch.setattr(FolderCache, "update", update)
    stop_answers = iter([False] * 6)
    first = Library(tmp_path).scan(workers=0, should_stop=lambda: next(stop_answers, True))
    assert (first.scanned, first.remaining, first.unsaved, first.interrupted) == (6, 4, 0, True)
    assert saved == [1, 5] and not is_unchanged(tmp_path)
    second = Library(tmp_path).scan(workers=0)
    assert (second.unchanged, second.scanned) == (6, 4)
    assert read_cached_rows(Library(tmp_path)) == compute_expected_rows(Library(tmp_path)) and is_unchanged(tmp_path)


def test_photos_deferred_for_a_forgotten_face_are_rescanned_after_a_stop(small_library: Library) -> None:
    # Whether a cropped copy shows a forgotten face is known only when all photos are examined.
    (collins,) = (place for place in small_library.occurrences if place.photo == "a/collins.bmp")
    small_library.name([collins.face_id], "Eileen")
    small_library.forget(small_library.plan_forget("Eileen"))
    write_photo(small_library.root / "a/collins.bmp", (small_library.root / "a/collins.bmp").read_bytes() + b"\0")
    write_photo(small_library.root / "b/new.bmp", make_faceless_photo(9))
    stop_answers = iter([False])
    first = Library(small_library.root).scan(workers=0, should_stop=lambda: next(stop_answers, True))
    assert (first.scanned, first.remaining) == (0, 2)
    second = Library(small_library.root).scan(workers=0)
    assert (second.scanned, second.remaining, second.forgotten) == (2, 0, 1)
    assert [place.photo for place in Library(small_library.root).occurrences] == ["b/hopper.bmp"]
    Library(small_library.root).scan(workers=0)
    assert is_unchanged(small_library.root)


def test_results_before_an_error_are_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as the loss of all workers of a cluster."""
    for number in range(3):
        write_photo(tmp_path / f"{number}.bmp", make_faceless_photo(number))
    library, examine_here = Library(tmp_path), examine_pool.examine_photos

    def examine(tasks: Iterable[ExamineTask], should_stop: ShouldStop) -> Iterator[tuple[PhotoRef, ExaminedPhoto]]:
        yield from examine_here(tmp_path, ScanSettings(library.pack), 0, itertools.islice(tasks, 2), should_stop)
        raise FaceclustError("no worker is left")

    monkeypatch.setattr(examine_pool, "examine_photos", lambda *arguments: examine(*arguments[-2:]))
    with pytest.raises(FaceclustError, match="no worker is left"):
        library.scan()
    assert len(read_cached_rows(library)[""]) == 2
