"""Stored data round-trips, is readable by other programs, and damage is reported."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.errors import CacheError, LibraryBusyError, NoLibraryError, UsageError
from faceclust.files import atomic
from faceclust.files.names import CACHE_NAME
from faceclust.store.clusters import read_clusters, write_clusters
from faceclust.store.find_library import find_library, remember_library
from faceclust.store.folder_cache import FolderCache, UnusableCacheError
from faceclust.store.home import LibraryHome
from faceclust.store.library_table import LibraryTable
from faceclust.store.locations import CachePaths
from faceclust.store.schema import STATUS_OK, CachedPhoto, CacheInfo, photos_to_table, stored_name
from faceclust.types import (
    Clustering,
    ClusterParams,
    Metadata,
    PhotoRef,
    ScannedPhoto,
    SkippedPhoto,
    SkipReason,
)

INFO = CacheInfo("test", "test-fingerprint", dimension=4, radius=3.0)


def make_scanned_photo(ref: PhotoRef, faces: int, seed: int = 0) -> ScannedPhoto:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(faces, 4))
    vectors *= 3 / np.linalg.norm(vectors, axis=1, keepdims=True)
    return ScannedPhoto(
        ref=ref,
        content_hash=f"{seed:032x}",
        full_size=(4000, 3000),
        metadata=Metadata(datetime(2020, 2, 29, 1, 2, 3), "Canon", 6, -33.5, 70.25),
        face_ids=tuple(f"{seed:08x}{i:08x}" for i in range(faces)),
        boxes=np.concatenate([rng.uniform(0, 0.5, (faces, 2)), rng.uniform(0.6, 1, (faces, 2))], 1).astype(np.float32),
        landmarks=rng.random((faces, 5, 2)).astype(np.float32),
        scores=rng.random(faces).astype(np.float32),
        quality=rng.random(faces).astype(np.float32),
        embeddings=vectors.astype(np.float32),
    )


def make_folder_cache(folder: Path) -> FolderCache:
    return FolderCache(CachePaths(folder / CACHE_NAME, (), folder / "aside" / CACHE_NAME), INFO)


names = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..")
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(names, st.integers(0, 4)), unique_by=lambda entry: entry[0], max_size=6))
def test_rows_round_trip(tmp_path_factory: pytest.TempPathFactory, photos: list[tuple[str, int]]) -> None:
    cache = make_folder_cache(tmp_path_factory.mktemp("folder"))
    expected = {
        PhotoRef(f"sub/{name}", 100 + i, 10**18 + i): make_scanned_photo(
            PhotoRef(f"sub/{name}", 100 + i, 10**18 + i), faces, i
        )
        for i, (name, faces) in enumerate(photos)
    }
    cache.update([], expected)
    assert cache.index() == {
        ref.name: CachedPhoto(ref.size, ref.mtime_ns, photo.content_hash, STATUS_OK, photo.min_face, *photo.full_size)
        for ref, photo in expected.items()
    }
    table = LibraryTable.from_folders([("sub", cache.read())], INFO)
    occurrences = {occurrence.face_id: occurrence for occurrence in table.occurrences()}
    faces = table.face_table()
    assert table.photo_count == len(photos)
    assert faces.face_ids.tolist() == sorted(occurrences)
    for ref, photo in expected.items():
        for i, face_id in enumerate(photo.face_ids):
            occurrence = occurrences[face_id]
            assert occurrence.photo == ref.rel_path and occurrence.taken_at == datetime(2020, 2, 29, 1, 2, 3)
            assert occurrence.box == tuple(photo.boxes[i].tolist())
            row = faces.face_ids.tolist().index(face_id)
            np.testing.assert_allclose(faces.embeddings[row], photo.embeddings[i], atol=3e-3)
            assert np.linalg.norm(faces.embeddings[row]) == pytest.approx(3.0, abs=1e-6)


texts = st.none() | st.text(max_size=8)
taken = st.none() | st.datetimes(datetime(1826, 1, 1)).map(lambda time: time.replace(microsecond=0))
metadata = st.builds(
    Metadata,
    taken,
    texts,
    st.none() | st.integers(1, 8),
    st.none() | st.floats(-90, 90),
    st.none() | st.floats(-180, 180),
)


@st.composite
def photos_with_forgotten(draw: st.DrawFn) -> list[ScannedPhoto]:
    photos = []
    for number, name in enumerate(draw(st.lists(names, unique=True, max_size=4))):
        photo = make_scanned_photo(
            PhotoRef(f"sub/{name}", draw(st.integers(0, 2**40)), number), draw(st.integers(0, 3)), number
        )
        forgotten = draw(st.sets(st.sampled_from(photo.face_ids))) if photo.face_ids else ()
        drawn = draw(st.sets(st.sampled_from(photo.face_ids))) if photo.face_ids else ()
        without = draw(st.sets(st.sampled_from(sorted(drawn)))) if drawn else ()
        smallest = draw(st.none() | st.integers(10, 30_000))
        changes = {"metadata": draw(metadata), "min_face": smallest, "forgotten": frozenset(forgotten)}
        changes |= {"by_hand": frozenset(drawn), "uncompared": frozenset(without)}
        photos.append(replace(photo, **changes))
    return photos


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(photos_with_forgotten(), st.data())
def test_photos_round_trip(
    tmp_path_factory: pytest.TempPathFactory, photos: list[ScannedPhoto], data: st.DataObject
) -> None:
    cache = make_folder_cache(tmp_path_factory.mktemp("folder"))
    skipped = SkippedPhoto(PhotoRef("sub/\u2603", 1, 1), SkipReason.EMPTY, "no bytes")
    cache.update([], {skipped.ref: skipped} | {photo.ref: photo for photo in photos})
    back = {photo.ref.name: photo for photo in cache.photos()}
    assert back.keys() == {photo.ref.name for photo in photos} - {skipped.ref.name}
    for photo in photos:
        if photo.ref.name not in back:
            continue
        found = back[photo.ref.name]
        assert (found.ref.size, found.ref.mtime_ns) == (photo.ref.size, photo.ref.mtime_ns)
        for name in ("content_hash", "full_size", "metadata", "face_ids", "forgotten", "min_face", "by_hand"):
            assert getattr(found, name) == getattr(photo, name), name
        assert found.uncompared == photo.uncompared - photo.forgotten
        for name in ("boxes", "scores"):
            np.testing.assert_array_equal(getattr(found, name), getattr(photo, name))
        for face, face_id in enumerate(photo.face_ids):
            is_kept = face_id not in photo.forgotten | photo.uncompared
            np.testing.assert_array_equal(found.landmarks[face], photo.landmarks[face] * is_kept)
            assert found.quality[face] == photo.quality[face] * is_kept
            np.testing.assert_allclose(found.embeddings[face], photo.embeddings[face] * is_kept, atol=2e-3)
        # Stored again, as for a copy, the rows are identical to the last bit.
        again = photos_to_table([replace(found, ref=photo.ref)], INFO).to_pylist()
        assert again == [row for row in cache.read().to_pylist() if row["photo"] == photo.ref.name]
    selected = data.draw(st.sets(st.sampled_from(sorted(back)))) if back else set()
    assert {photo.ref.name for photo in cache.photos(selected)} == selected


def draw_faces(photo: ScannedPhoto, **changes: frozenset[str]) -> ScannedPhoto:
    """Mark all faces of a photo as drawn by hand."""
    return replace(photo, by_hand=frozenset(photo.face_ids), **changes)


def test_occurrences_say_who_drew_a_face_and_whether_it_can_be_compared(tmp_path: Path) -> None:
    cache = make_folder_cache(tmp_path)
    photo = make_scanned_photo(PhotoRef("a.jpg", 1, 1), 3)
    first, second, third = photo.face_ids
    cache.update([], {photo.ref: replace(photo, by_hand=frozenset({second, third}), uncompared=frozenset({third}))})
    table = LibraryTable.from_folders([("", cache.read())], INFO)
    found = {one.face_id: (one.by_hand, one.has_embedding, one.quality > 0) for one in table.occurrences()}
    assert found == {first: (False, True, True), second: (True, True, True), third: (True, False, False)}
    assert set(table.face_table().face_ids) == {first, second} and table.face_ids() == found.keys()
    cache.forget_faces([third])
    table = LibraryTable.from_folders([("", cache.read())], INFO)
    assert [one.face_id for one in table.occurrences()] == [first, second] and table.face_ids() == {first, second}
    assert list(table.forgotten_occurrences()) == []  # nothing is left of a forgotten face that was drawn


def test_without_faces_a_table_has_the_same_photos(tmp_path: Path) -> None:
    cache = make_folder_cache(tmp_path)
    photos = [
        make_scanned_photo(PhotoRef(f"{name}.jpg", 1, 1), faces, seed)
        for seed, (name, faces) in enumerate([("a", 1), ("b", 2), ("c", 0)], start=1)
    ]
    cache.update([], {photo.ref: photo for photo in photos})
    table = LibraryTable.from_folders([("", cache.read())], INFO)
    (one,), (two, kept) = photos[0].face_ids, photos[1].face_ids
    hidden = table.without_faces({one, two, "f" * 16})
    assert list(hidden.photos()) == list(table.photos()) and hidden.photo_count == 3
    assert [face.face_id for face in hidden.occurrences()] == [kept] == hidden.face_table().face_ids.tolist()
    assert not list(table.without_faces([one, two, kept]).forgotten_occurrences())
    assert table.without_faces(()) is table and table.without_faces(["f" * 16]).rows is table.rows


def test_faces_are_added_to_the_rows_of_the_same_content_only(tmp_path: Path) -> None:
    cache = make_folder_cache(tmp_path)
    a, b, c = (PhotoRef(f"{name}.jpg", 1, 1) for name in "abc")
    before = {a: make_scanned_photo(a, 1, 1), b: make_scanned_photo(b, 0, 2), c: make_scanned_photo(c, 2, 3)}
    cache.update([], before)
    untouched = [row for row in cache.read().to_pylist() if row["photo"] == "c.jpg"]
    more = draw_faces(make_scanned_photo(replace(a, mtime_ns=7), 2, 4))
    added = replace(more, content_hash=before[a].content_hash)
    first = draw_faces(replace(make_scanned_photo(b, 1, 5), content_hash=before[b].content_hash))
    other = draw_faces(make_scanned_photo(c, 1, 6))  # another content
    for _ in range(2):  # once more changes nothing
        cache.add_faces([added, first, other, make_scanned_photo(PhotoRef("d.jpg", 1, 1), 1, 7)])
        found = {photo.ref.name: photo for photo in cache.photos()}
        assert found["a.jpg"].face_ids == (*before[a].face_ids, *more.face_ids)
        assert found["a.jpg"].by_hand == set(more.face_ids) and found["a.jpg"].ref.mtime_ns == 1
        assert found["b.jpg"].face_ids == first.face_ids and found.keys() == {"a.jpg", "b.jpg", "c.jpg"}
    assert [row for row in cache.read().to_pylist() if row["photo"] == "c.jpg"] == untouched


def test_a_drawn_face_with_the_id_of_another_face_is_left_out(tmp_path: Path) -> None:
    cache = make_folder_cache(tmp_path)
    a, b = (PhotoRef(f"{name}.jpg", 1, 1) for name in "ab")
    before = {a: make_scanned_photo(a, 1, 1), b: make_scanned_photo(b, 0, 2)}
    cache.update([], before)
    content = cache.paths.write_path.read_bytes()
    same = replace(
        before[b],
        **{  # a hostile journal names the id
            name: getattr(draw_faces(replace(before[a], boxes=np.array([[0, 0, 1, 1]], np.float32))), name)
            for name in ("face_ids", "boxes", "landmarks", "scores", "quality", "embeddings", "by_hand")
        },
    )
    cache.add_faces([same])
    assert cache.paths.write_path.read_bytes() == content


def test_update_keeps_replaces_and_removes_photos(tmp_path: Path) -> None:
    cache = make_folder_cache(tmp_path)
    a, b, c = (PhotoRef(name, 1, 1) for name in ("a.jpg", "b.jpg", "c.jpg"))
    cache.update(
        [],
        {
            a: make_scanned_photo(a, 2, 1),
            b: make_scanned_photo(b, 1, 2),
            c: SkippedPhoto(c, SkipReason.EMPTY, "no bytes"),
        },
    )
    assert cache.index()["c.jpg"] == CachedPhoto(1, 1, None, SkipReason.EMPTY.value, None, None, None)
    changed = PhotoRef("b.jpg", 2, 2)
    cache.update([a], {changed: make_scanned_photo(changed, 0, 3)})
    assert {name: row[:3] for name, row in cache.index().items()} == {
        "a.jpg": (1, 1, f"{1:032x}"),
        "b.jpg": (2, 2, f"{3:032x}"),
    }
    assert [row["face"] for row in cache.read().to_pylist()] == [0, 1, None]
    cache.update([], {})
    assert not cache.paths.write_path.exists()


def test_rows_do_not_depend_on_the_order_of_photos(tmp_path: Path) -> None:
    photos = [make_scanned_photo(PhotoRef(f"{i}.jpg", 1, 1), i % 3, i) for i in range(7)]
    contents = set()
    for number, order in enumerate((photos, photos[::-1])):
        cache = make_folder_cache(tmp_path / str(number))
        for photo in order:
            cache.update([p.ref for p in photos], {photo.ref: photo})
        contents.add(repr(cache.read().to_pylist()))
    assert len(contents) == 1


def test_skipped_photos_are_rows_with_reasons(tmp_path: Path) -> None:
    ref = PhotoRef(os.fsdecode(b"bad\xff.jpg"), 1, 1)
    table = photos_to_table([SkippedPhoto(ref, SkipReason.BAD_NAME, "rename it")], INFO)
    library = LibraryTable.from_folders([("2020", table)], INFO)
    assert library.skipped_photos() == [
        {"photo": r"2020/bad\xff.jpg", "reason": "name is not UTF-8", "detail": "rename it"}
    ]
    assert stored_name(ref) == r"bad\xff.jpg"


@pytest.mark.parametrize("damage", ["truncate", "text", "other pack", "empty", "one byte"])
def test_an_unusable_cache_is_reported_and_can_be_set_aside(tmp_path: Path, damage: str) -> None:
    ref = PhotoRef("a.jpg", 1, 1)
    cache = make_folder_cache(tmp_path)
    cache.update([], {ref: make_scanned_photo(ref, 1)})
    content = cache.paths.write_path.read_bytes()
    if damage == "other pack":
        cache = FolderCache(cache.paths, CacheInfo("other", "another-fingerprint", 4, 3.0))
    else:
        flipped = bytearray(content)
        flipped[content.index(b"Canon")] ^= 1  # in a column, not in the file structure
        damaged = {"truncate": content[:-20], "text": b"hello", "empty": b"", "one byte": bytes(flipped)}
        cache.paths.write_path.write_bytes(damaged[damage])
    with pytest.raises(UnusableCacheError, match=r"\.faceclust\..*parquet"):
        cache.index()
    cache.set_aside()
    assert cache.paths.set_aside_path.exists() and cache.index() == {}


@pytest.mark.parametrize(
    "notes",
    [
        {"dimension": 8}, {"dimension": "x"}, {"dimension": -1}, {"dimension": True}, {"dimension": 10**400},
        {"radius": "x"}, {"radius": float("nan")}, {"radius": 0}, {"radius": None}, {"precision": ["a"]},
        {"precision": "int8"}, {"schema": "9"}, {"pack": 3}, {"more": 1}, None, [],
    ],
)  # fmt: skip
def test_a_cache_with_invalid_metadata_is_unusable(tmp_path: Path, notes: dict[str, object] | None) -> None:
    ref = PhotoRef("a.jpg", 1, 1)
    cache = make_folder_cache(tmp_path)
    cache.update([], {ref: make_scanned_photo(ref, 1)})
    rows = pq.read_table(cache.paths.write_path)
    valid = json.loads(rows.schema.metadata[b"faceclust"])
    changed = valid | notes if isinstance(notes, dict) else notes
    pq.write_table(rows.replace_schema_metadata({b"faceclust": json.dumps(changed)}), cache.paths.write_path)
    for use in (cache.read_stored, cache.read):
        with pytest.raises(UnusableCacheError, match=r"\.faceclust\..*parquet"):
            use()


def test_a_cache_with_another_dimension_is_unusable(tmp_path: Path) -> None:
    ref = PhotoRef("a.jpg", 1, 1)
    longer = FolderCache(make_folder_cache(tmp_path).paths, replace(INFO, dimension=8))
    longer.update([], {ref: replace(make_scanned_photo(ref, 1), embeddings=np.ones((1, 8), np.float32))})
    for cache in (make_folder_cache(tmp_path), FolderCache(longer.paths, replace(INFO, precision="float32"))):
        with pytest.raises(UnusableCacheError, match="its embeddings have dimension 8, those of test 4"):
            cache.read()


def test_other_programs_read_the_cache(tmp_path: Path) -> None:
    for folder in ("2019", "2020"):
        (tmp_path / folder).mkdir()
        refs = [PhotoRef(f"{folder}/{name}.jpg", 1, 1) for name in "ab"]
        make_folder_cache(tmp_path / folder).update(
            [], {ref: make_scanned_photo(ref, 2, i) for i, ref in enumerate(refs)}
        )
    pattern = f"{tmp_path}/**/{CACHE_NAME}"
    rows = duckdb.sql(f"SELECT photo, face_id, embedding, taken_at FROM '{pattern}' ORDER BY ALL").fetchall()
    assert len(rows) == 8 and len(rows[0][2]) == 4
    assert np.linalg.norm(np.array(rows[0][2], dtype=float)) == pytest.approx(3, abs=0.01)
    frame = pd.read_parquet(tmp_path / "2019" / CACHE_NAME)
    assert frame["embedding"].map(len).tolist() == [4] * 4 and frame["camera"].iloc[0] == "Canon"
    table = pl.read_parquet(tmp_path / "2020" / CACHE_NAME)
    assert table["taken_at"].to_list() == [datetime(2020, 2, 29, 1, 2, 3)] * 4
    assert len(table["embedding"][0]) == 4


def test_clusters_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "clusters.parquet"
    assert read_clusters(path) is None
    clustering = Clustering(
        np.array(["00000000000000aa", "00000000000000bb"]),
        np.array([1, -1], np.int32),
        np.array([0.5, 0], np.float32),
        np.array([4, -1], np.int32),
        np.array([0.4, 0.25], np.float32),
        np.array([3, -1], np.int32),
        0.3,
        ClusterParams("single", 0.9, 3, allow_same_photo=True),
        models="abc",
        size_at_full_run=2,
        highest_number=7,
    )
    write_clusters(path, clustering)
    found = read_clusters(path)
    assert found is not None and (found.params, found.models) == (clustering.params, "abc")
    assert (found.size_at_full_run, found.highest_number, found.parts.tolist()) == (2, 7, [4, -1])
    assert found.face_ids.tolist() == clustering.face_ids.tolist()
    assert (found.labels.tolist(), found.strength.tolist()) == ([1, -1], [0.5, 0])
    assert (found.crowding.tolist(), found.median_crowding) == (clustering.crowding.tolist(), 0.3)
    assert found.unscaled_groups.tolist() == [3, -1]
    table = pq.read_table(path)
    notes = json.loads(table.schema.metadata[b"faceclust"])
    for name in ("min_quality", "local_scaling"):  # older versions did not write them
        del notes["params"][name]
    del notes["median_crowding"]
    table = table.replace_schema_metadata({b"faceclust": json.dumps(notes)}).drop_columns(
        ["crowding", "unscaled_group"]
    )
    pq.write_table(table, path)
    found = read_clusters(path)
    assert found is not None and found.params == replace(clustering.params, min_quality=0.0, local_scaling=0.0)
    assert (found.crowding.tolist(), found.median_crowding, found.unscaled_groups.tolist()) == ([0, 0], 0, [-1, -1])
    path.write_bytes(b"PAR1")
    with pytest.raises(CacheError, match=r"clusters\.parquet"):
        read_clusters(path)


@pytest.mark.parametrize("umask", [0, 0o777], ids=oct)
def test_files_of_a_library_are_private(tmp_path: Path, umask: int) -> None:
    modes: set[int] = set()

    def write(stream: BinaryIO) -> None:
        stream.write(b"x")
        modes.update(stat.S_IMODE(path.stat().st_mode) for path in home.home.glob("*.tmp"))

    before = os.umask(umask)
    try:
        home = LibraryHome(tmp_path)
        with home.lock():
            atomic.write_private_atomically(home.clusters, write)
            modes.update(stat.S_IMODE(path.stat().st_mode) for path in home.home.iterdir())
        deep = atomic.make_private_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    assert modes == {0o600}
    for folder in (home.home, deep, deep.parent, deep.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with LibraryHome(tmp_path).lock(), pytest.raises(LibraryBusyError), LibraryHome(tmp_path).lock():
        pass


def test_find_library_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for root in (first, second):
        (root / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoLibraryError, match="no photo library"):
        find_library(None)
    with pytest.raises(NoLibraryError, match="not been scanned"):
        find_library(first)
    with pytest.raises(UsageError, match="nothing does not exist"):
        find_library(tmp_path / "nothing")
    LibraryHome(first).create()
    LibraryHome(second).create()
    remember_library(first)
    assert find_library(None) == first  # the library last scanned
    monkeypatch.chdir(second / "sub")
    assert find_library(None) == second  # the library around the working folder
    monkeypatch.setenv("FACECLUST_LIBRARY", str(first))
    assert find_library(None) == first
    assert find_library(second) == second


def test_a_read_only_library_has_its_files_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith(str(tmp_path / "photos")))
    (tmp_path / "photos" / "2019").mkdir(parents=True)
    home = LibraryHome(tmp_path / "photos")
    assert not home.home.is_relative_to(tmp_path / "photos")
    cache = FolderCache(home.cache_paths("2019"), INFO)
    ref = PhotoRef("2019/a.jpg", 1, 1)
    cache.update([], {ref: make_scanned_photo(ref, 1)})
    assert home.cached_folders() == ["2019"]
    assert not list((tmp_path / "photos").rglob("*.parquet"))


def group_versions(*photos: str) -> list[list[str]]:
    """Group photos by the version key of their names."""
    folders: dict[str, list[ScannedPhoto]] = {}
    for number, photo in enumerate(photos):
        ref = PhotoRef(photo, 1, 1)
        folders.setdefault(ref.folder, []).append(make_scanned_photo(ref, 1, seed=number))
    table = LibraryTable.from_folders([(folder, photos_to_table(rows, INFO)) for folder, rows in folders.items()], INFO)
    faces = table.face_table()
    found: dict[int, list[str]] = {}
    for photo_id, version in zip(faces.photo_ids.tolist(), faces.shots[:, 1].tolist(), strict=True):
        found.setdefault(version, []).append(photos[photo_id])  # numbers follow the hashes
    return sorted(sorted(group) for group in found.values())


@pytest.mark.parametrize(
    "other",
    [
        "a/IMG_1234.CR2",
        "a/IMG_1234.dng",
        "a/img_1234.jpeg",
        "a/IMG_1234.HEIC",  # the still of a Live Photo, beside its JPEG
        "a/IMG_E1234.JPG",
        "a/IMG_E1234.HEIC",
        "a/IMG_1234-edited.jpg",
        "a/IMG_1234_edit.png",
        "a/IMG_1234 (Edited).jpg",
        "a/IMG_E1234-edited.jpg",
    ],
)
def test_versions_of_one_shot_share_a_base_name(other: str) -> None:
    assert group_versions("a/IMG_1234.JPG", other) == [sorted(["a/IMG_1234.JPG", other])]


def test_similar_names_of_different_shots() -> None:
    photos = ["a/IMG_1234.JPG", "b/IMG_1234.JPG", "a/IMG_12345.JPG", "a/IMG_E12.JPG", "a/IMG_12.JPG", "a/credit.jpg"]
    photos += ["a/cr.jpg", "a/E1234.JPG", "a/1234.JPG", "a/XIMG_E1234.JPG"]
    assert group_versions(*photos) == sorted([photo] for photo in photos)


def test_a_place_without_a_fix_is_none_in_caches_of_older_versions() -> None:
    photos = []
    for name, place in (("a.jpg", (0.0, 0.0)), ("b.jpg", (0.0, 10.0)), ("c.jpg", (None, None))):
        metadata = Metadata(latitude=place[0], longitude=place[1])
        photos.append(replace(make_scanned_photo(PhotoRef(name, 1, 1), 1), metadata=metadata))
    table = LibraryTable.from_folders([("", photos_to_table(photos, INFO))], INFO)
    assert [(photo.latitude, photo.longitude) for photo in table.photos()] == [(None, None), (0, 10), (None, None)]
