"""Caches are checked, pruned and cleared; the user's answers and the photos stay."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.library.maintenance import check_caches, clear_caches, plan_clear, prune_caches
from faceclust.store.schema import encode_parquet
from tests.support.sample_photos import COLLINS

Rows = list[dict[str, Any]]


def rewrite(cache: Path, change: Callable[[Rows], object]) -> None:
    """Change the rows of a cache file behind faceclust's back."""
    table = pq.read_table(cache)
    rows = table.to_pylist()
    change(rows)
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in table.schema]
    cache.write_bytes(encode_parquet(pa.Table.from_arrays(columns, schema=table.schema)))


def read_files(library: Library) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in library.root.rglob("*") if path.is_file() and "lock" not in path.name}


def read_photos(library: Library) -> dict[Path, bytes]:
    return {path: content for path, content in read_files(library).items() if ".faceclust" not in str(path)}


def open_with_pack(library: Library, name: str) -> Library:
    return Library(library.root, pack=replace(library.pack, name=name))


def test_an_intact_library_has_no_problems(collins: tuple[Library, int, set[str]]) -> None:
    library, group, _ = collins
    library.name(library.faces_in_group(group), COLLINS)
    library.forget(library.plan_forget(COLLINS))
    open_with_pack(library, "other").scan(workers=0)
    before = read_files(library)
    found = check_caches(library, hash_photos=True)
    assert found["problems"] == [] and (found["missing"], found["changed"]) == (0, 0)
    assert found["caches"] == 8 and found["photos"] == found["hashed"] == 22
    assert read_files(library) == before


BROKEN: dict[str, tuple[Callable[[Rows], object], str]] = {
    "number": (lambda rows: rows[0].update(face=1), "not numbered from 0"),
    "id": (lambda rows: rows[0].update(face_id="0" * 16), "face id does not match the photo and box"),
    "box": (lambda rows: rows[0].update(left=0.0), "face id does not match the photo and box"),
    "no box": (lambda rows: rows[0].update(left=None), "lacks its number, id, box"),
    "size": (lambda rows: rows.insert(1, rows[0] | {"face": 1, "width": 7}), "rows of a photo contradict each other"),
    "hash": (lambda rows: rows[0].update(photo_hash=None), "time, status or hash of a photo is missing"),
    "status": (lambda rows: rows[0].update(status="truncated file"), "a photo that could not be read has content"),
    "half a face": (lambda rows: rows[0].update(quality=None), "some of its biometric data"),
    "norm": (lambda rows: rows[0].update(embedding=[np.float16(0.2)] * 64), "has the wrong norm"),
    "nan": (lambda rows: rows[0].update(embedding=[np.float16("nan")] * 64), "not finite"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", BROKEN)
def test_invalid_rows_of_a_cache_are_found(library: Library, kind: str) -> None:
    change, words = BROKEN[kind]
    cache = library.root / "2020/.faceclust.mobilefacenet.parquet"
    rewrite(cache, change)
    problems = check_caches(library)["problems"]
    assert {problem["where"] for problem in problems} == {str(cache)}
    assert any(words in problem["what"] for problem in problems)
    assert all("faceclust scan" in problem["todo"] for problem in problems)
    if "delete the file" in problems[0]["todo"]:
        cache.unlink()
    library.scan(workers=0)
    assert check_caches(library)["problems"] == []


def test_damaged_files_are_found(library: Library) -> None:
    library.name(library.faces_in_group(1), COLLINS)
    cache = library.root / "2020/.faceclust.mobilefacenet.parquet"
    flipped = bytearray(cache.read_bytes())
    flipped[flipped.index(b"Canon")] ^= 1  # only the page's checksum reveals it
    cache.write_bytes(flipped)
    library.home.clusters.write_bytes(b"PAR1")
    with library.home.journal.open("ab") as stream:
        stream.write(b"no answer\n")
    problems = {Path(problem["where"]).name: problem for problem in check_caches(library)["problems"]}
    assert problems.keys() == {".faceclust.mobilefacenet.parquet", "clusters.parquet", "people.jsonl:2"}
    assert "checksum" in problems[".faceclust.mobilefacenet.parquet"]["what"].lower()
    assert problems["clusters.parquet"]["todo"] == "faceclust cluster"


def test_photos_are_compared_with_their_cached_hashes(library: Library) -> None:
    corrupted, changed, deleted = (
        library.root / f"2019/{name}" for name in ("collins-0.jpg", "collins-3.jpg", "hopper-0.webp")
    )
    times = corrupted.stat()
    content = bytearray(corrupted.read_bytes())
    content[len(content) // 2] ^= 1
    corrupted.write_bytes(content)
    os.utime(corrupted, ns=(times.st_atime_ns, times.st_mtime_ns))
    changed.touch()
    deleted.unlink()
    found = check_caches(library)
    assert (found["missing"], found["changed"], found["hashed"], found["problems"]) == (1, 1, 0, [])
    (problem,) = check_caches(library, hash_photos=True)["problems"]
    assert problem["where"] == str(corrupted) and "backup" in problem["todo"]


def test_prune_removes_useless_rows_and_files_but_no_answers(collins: tuple[Library, int, set[str]]) -> None:
    library, group, _ = collins
    library.name(library.faces_in_group(group), COLLINS)
    open_with_pack(library, "other").scan(workers=0)
    library.thumbnails(library.occurrences)
    set_aside = library.home.home / "set-aside/2019/faceclust.mobilefacenet.parquet"
    set_aside.parent.mkdir(parents=True)
    set_aside.write_bytes(b"x" * 100)
    for name in (
        "2019/.faceclust.mobilefacenet.parquet.0badcafe.tmp",
        "2019/.faceclust-0123456789abcdef.tmp",
        ".faceclust/clusters.parquet.0badcafe.tmp",
    ):
        (library.root / name).write_bytes(b"half")
    torn = library.journal.torn_lines_path
    torn.write_bytes(b"half a line")
    for photo in (
        library.root / "2019/collins-0.jpg",
        library.root / "2020/collins-1.jpg",
        library.root / "2020/hopper-1.png",
    ):
        photo.unlink()
    deleted_faces = {
        occurrence.face_id for occurrence in library.occurrences if not (library.root / occurrence.photo).exists()
    }
    journal, kept_photos, before = library.home.journal.read_bytes(), read_photos(library), read_files(library)
    plan = prune_caches(library, dry_run=True)
    assert read_files(library) == before
    pruned = prune_caches(library)
    assert pruned == plan and not pruned.failures
    assert {path.parent.name: names for path, names in pruned.stale_photos.items()} == {"2019": ["collins-0.jpg"]}
    assert len(pruned.stale_photos) == 2  # one per pack
    assert Counter(deletion.kind for deletion in pruned.files) == {
        "folder caches": 2, "caches set aside": 1, "unfinished files": 3, "face pictures": len(deleted_faces),
    }  # fmt: skip
    freed = sum(map(len, before.values())) - sum(map(len, read_files(library).values()))
    assert pruned.size == freed
    assert library.home.journal.read_bytes() == journal and torn.exists() and read_photos(library) == kept_photos
    pruned_library = Library(library.root)
    assert not deleted_faces & pruned_library.occurrences_of.keys() and [
        person.name for person in pruned_library.people()
    ] == [COLLINS]
    assert pruned_library.scan(workers=0).removed == 0 and check_caches(pruned_library)["problems"] == []
    assert prune_caches(pruned_library).size == 0


def test_prune_refuses_to_run_if_all_photos_are_missing(library: Library, tmp_path: Path) -> None:
    moved = Library(library.root, cache_dir=tmp_path / "caches")
    shutil.rmtree(library.root / "2021")
    for path in [*library.root.rglob(".faceclust*.parquet")]:
        path.unlink()
    moved.scan(workers=0)
    shutil.move(library.root, tmp_path / "away")
    library.root.mkdir()
    before = sorted((tmp_path / "caches").rglob("*.parquet"))
    for dry_run in (True, False):
        with pytest.raises(UsageError, match=r"all 9 photos known in .* are missing") as refusal:
            prune_caches(Library(library.root), dry_run=dry_run)
        assert "mounted" in str(refusal.value.hint)
    assert sorted((tmp_path / "caches").rglob("*.parquet")) == before


def test_prune_removes_caches_of_deleted_folders(library: Library, tmp_path: Path) -> None:
    moved = Library(library.root, cache_dir=tmp_path / "caches")
    (library.root / "2019/.faceclust.mobilefacenet.parquet").unlink()
    moved.scan(workers=0)
    inside = read_files(library)
    shutil.move(library.root / "2019", tmp_path / "2019")
    assert [deletion.kind for deletion in prune_caches(moved).files] == ["folder caches"]
    assert not (moved.home.home / "folders" / "2019").exists()
    assert read_files(library) == {path: content for path, content in inside.items() if path.exists()}


def test_clear_keeps_the_answers(collins: tuple[Library, int, set[str]]) -> None:
    library, group, faces = collins
    library.name(library.faces_in_group(group), COLLINS)
    library.thumbnails(library.occurrences)
    journal, kept_photos = library.home.journal.read_bytes(), read_photos(library)
    deletions = plan_clear(library)
    assert {deletion.kind for deletion in deletions} >= {"folder caches", "groupings", "face pictures"}
    clear_caches(library, deletions)
    remaining = {path.name for path in read_files(library).keys() - kept_photos.keys()}
    assert remaining == {"people.jsonl", ".faceclust-home"}
    assert library.home.journal.read_bytes() == journal and read_photos(library) == kept_photos
    pruned_library = Library(library.root)
    pruned_library.scan(workers=0)
    pruned_library.cluster()
    assert set(pruned_library.find_person(COLLINS).face_ids) >= faces


def test_clearing_one_pack_leaves_the_other(library: Library) -> None:
    other = open_with_pack(library, "other")
    other.scan(workers=0)
    before = read_files(library)
    deletions = plan_clear(library, "other")
    assert {deletion.path.name for deletion in deletions} == {".faceclust.other.parquet"}
    clear_caches(library, deletions)
    assert read_files(library).keys() == before.keys() - {deletion.path for deletion in deletions}
    assert {deletion.kind for deletion in plan_clear(library, "mobilefacenet")} == {"folder caches", "groupings"}
    assert plan_clear(library, "nothing") == []
