"""`scan --precision` converts caches without a model, and is saved in the library's configuration."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.files.names import CACHE_NAME
from faceclust.library.maintenance import check_caches
from faceclust.store.folder_cache import read_cache_info
from faceclust.store.settings import precision_in_use
from tests.support.command import run, run_checked, start_scan
from tests.support.photo_changes import list_names_on_photos
from tests.support.sample_photos import COLLINS
from tests.support.scan_builders import is_unchanged, write_photo


def precisions(root: Path) -> set[str]:
    return {read_cache_info(path).precision for path in root.rglob(CACHE_NAME)}


def groups(library: Library) -> list[list[str]]:
    return sorted(map(sorted, library.group_members.values()))


def test_all_caches_are_converted_without_opening_a_photo(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.name(library.faces_in_group(1), COLLINS)
    names, before, groups_before = list_names_on_photos(library), library.faces, groups(library)
    monkeypatch.setattr("faceclust.scan.examine.PhotoExaminer.__init__", None)  # opening a model would fail
    result = library.scan(workers=0, precision="int8")
    assert (result.scanned, result.unchanged, result.converted) == (0, result.photos, 4) and result.notes == []
    assert precisions(library.root) == {"int8"} and check_caches(library)["problems"] == []
    again = Library(library.root)
    assert np.array_equal(again.faces.face_ids, before.face_ids)
    assert np.abs(again.faces.embeddings - before.embeddings).max() < 0.02
    assert (
        again.cluster(full=True).clustering.params
        and groups(again) == groups_before
        and list_names_on_photos(again) == names
    )
    assert is_unchanged(library.root) is False  # of float16
    assert again.scan(workers=0).converted == 0 and precisions(library.root) == {"int8"}


def test_equal_caches_give_equal_groups(library: Library) -> None:
    library.scan(workers=0, precision="int8")
    copy = library.root.with_name("copy")
    shutil.copytree(library.root, copy)
    runs = [Library(root).cluster(full=True).clustering for root in (library.root, copy)]
    assert np.array_equal(runs[0].labels, runs[1].labels) and np.array_equal(runs[0].strength, runs[1].strength)


def test_lost_precision_does_not_return_and_is_noted_once(library: Library) -> None:
    library.scan(workers=0, precision="int8")
    coarse = library.table.face_table().embeddings
    result = library.scan(workers=0, precision="float32")
    assert len(result.notes) == 1 and "do not become more exact" in result.notes[0]
    assert precisions(library.root) == {"float32"}
    assert np.abs(library.faces.embeddings - coarse).max() < 1e-6
    assert library.scan(workers=0).notes == []
    back = library.scan(workers=0, precision="int8")
    assert back.notes == [] and np.array_equal(library.faces.embeddings, coarse)


def test_new_photos_are_stored_in_the_librarys_precision(small_library: Library) -> None:
    small_library.scan(workers=0, precision="int8")
    assert precision_in_use(small_library.root).value == "int8"
    write_photo(small_library.root / "a/copy.bmp", (small_library.root / "a/collins.bmp").read_bytes())
    result = small_library.scan(workers=0)
    assert (result.copied, result.converted) == (1, 0) and precisions(small_library.root) == {"int8"}
    rows = {row["photo"]: row["embedding"] for row in small_library.table.rows.to_pylist() if row["face_id"]}
    assert rows["copy.bmp"] == rows["collins.bmp"] and max(map(abs, rows["copy.bmp"])) == 127


def test_a_partial_scan_converts_its_part_only(small_library: Library) -> None:
    result = small_library.scan([small_library.root / "b"], workers=0, precision="int8")
    assert result.converted == 2 and precisions(small_library.root) == {"float16", "int8"}
    assert len(small_library.faces) == 2  # both precisions are read into one table
    assert small_library.scan(workers=0).converted == 2 and precisions(small_library.root) == {"int8"}


def test_a_copied_cache_of_another_precision_is_converted(small_library: Library, tmp_path: Path) -> None:
    away = tmp_path / "away"
    shutil.copytree(small_library.root / "a", away)
    small_library.scan(workers=0, precision="int8")
    shutil.copytree(away, small_library.root / "came")
    assert len(small_library.faces) == 2
    result = small_library.scan(workers=0)
    assert (result.scanned, result.converted) == (0, 1) and precisions(small_library.root) == {"int8"}


def test_the_next_scan_finishes_a_killed_conversion(small_library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = small_library.faces.face_ids.tolist()
    done = 0

    class Killed(BaseException):
        pass

    def write(self: object, table: object) -> None:
        nonlocal done
        done += 1
        if done == 3:
            raise Killed
        real(self, table)

    from faceclust.store.folder_cache import FolderCache

    real = FolderCache._write
    monkeypatch.setattr(FolderCache, "_write", write)
    with pytest.raises(Killed):
        small_library.scan(workers=0, precision="int8")
    monkeypatch.undo()
    assert precisions(small_library.root) == {"float16", "int8"}
    assert Library(small_library.root).faces.face_ids.tolist() == faces
    result = Library(small_library.root).scan(workers=0)  # the chosen precision was saved
    assert (result.scanned, result.converted) == (0, 2) and precisions(small_library.root) == {"int8"}


def test_an_interrupted_conversion_is_finished_by_the_next_scan(small_library: Library) -> None:
    stop_answers = iter([False, False, True, True, True, True])
    result = small_library.scan(workers=0, precision="int8", should_stop=lambda: next(stop_answers))
    assert result.interrupted and result.converted == 2 and not is_unchanged(small_library.root)
    result = small_library.scan(workers=0)
    assert (result.interrupted, result.converted) == (False, 2) and precisions(small_library.root) == {"int8"}


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.9, 1.2])
def test_kill_9_during_a_conversion_loses_nothing(library: Library, delay: float) -> None:
    before = library.faces.face_ids.tolist()
    (library.home.home / "config.toml").write_text('[scan]\nprecision = "int8"\n')
    with start_scan(library.root):
        time.sleep(delay)
    assert Library(library.root).faces.face_ids.tolist() == before
    assert "0 scanned" in run_checked("scan", library.root, "-j", "1")
    assert precisions(library.root) == {"int8"}


def test_a_folder_that_cannot_be_written_is_retried(small_library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    from faceclust.errors import CacheError
    from faceclust.store.folder_cache import FolderCache

    real = FolderCache._write

    def write(self: FolderCache, table: object) -> None:
        if self.paths.write_path.parent.name == "a":
            raise CacheError("read-only")
        real(self, table)  # type: ignore[arg-type]

    monkeypatch.setattr(FolderCache, "_write", write)
    result = small_library.scan(workers=0, precision="int8")
    assert result.notes == ["read-only"] and result.converted == 3 and len(small_library.faces) == 2
    monkeypatch.undo()
    assert small_library.scan(workers=0).converted == 1


def test_the_precision_option_is_saved_and_validated(library: Library) -> None:
    root = library.root
    assert "4 folders" in run_checked("scan", root, "--precision", "int8")
    file = library.home.home / "config.toml"
    assert file.read_text() == '[scan]\nprecision = "int8"\n'
    assert "int8" in run_checked("status", "-l", root)
    assert "11 unchanged" in run_checked("scan", root) and precisions(root) == {"int8"}
    assert 'precision = "int8"  # library' in run_checked("config", "-l", root)
    assert "11 unchanged" in run_checked("--no-config", "scan", root) and precisions(root) == {"int8"}
    done = run("scan", root, "--precision", "int4")
    assert done.returncode == 2 and "--precision must be one of float32, float16, int8, not 'int4'" in done.stderr
    file.write_text("[scan]\nprecision = 'int4'\n")
    done = run("scan", root)
    assert done.returncode == 2 and "int4" in done.stderr and str(file) in done.stderr
    with pytest.raises(UsageError, match="unknown precision 'int4'"):
        library.scan(precision="int4")
