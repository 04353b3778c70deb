"""Caches of other schema versions and packs: migrated, kept, replaced or left alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faceclust import Library
from faceclust.errors import NewerCacheError
from faceclust.files.names import CACHE_NAME, cache_file_name, is_cache_file_name, pack_of_cache_file
from faceclust.store.folder_cache import is_unfinished_cache
from faceclust.store.schema import SCHEMA_VERSION
from faceclust.types import PhotoRef
from tests.store.test_store import make_folder_cache, make_scanned_photo
from tests.support.sample_photos import COLLINS

PACK = "arcface_x"


#: The columns that each schema version lacks.
MISSING_COLUMNS = {
    1: ["min_face", "taken_at_source", "by_hand", "frame_time", "frames_seen"],
    2: ["taken_at_source", "by_hand", "frame_time", "frames_seen"],
    3: ["taken_at_source", "by_hand", "frame_time", "frames_seen"],
    4: ["by_hand", "frame_time", "frames_seen"],
    5: ["frame_time", "frames_seen"],
}


def write_older_schema(cache: Path, version: int) -> None:
    """Rewrite a cache in an older schema version."""
    rows = pq.read_table(cache)
    info = json.loads(rows.schema.metadata[b"faceclust"]) | {"schema": version}
    rows = rows.drop_columns(MISSING_COLUMNS[version])
    metadata = {b"faceclust": json.dumps(info).encode()}
    pq.write_table(rows.replace_schema_metadata(metadata), cache, compression="zstd", write_page_checksum=True)


def caches(library: Library) -> list[Path]:
    return sorted(library.root.rglob(".faceclust*.parquet"))


def written_schema(cache: Path) -> int:
    return int(json.loads(pq.read_schema(cache).metadata[b"faceclust"])["schema"])


def with_pack(library: Library, **changes: object) -> Library:
    return Library(library.root, pack=replace(library.pack, **changes))


@pytest.mark.parametrize("version", MISSING_COLUMNS)
def test_older_schemas_are_read_without_a_rescan(library: Library, version: int) -> None:
    missing = dict.fromkeys(MISSING_COLUMNS[version])
    before = [row | missing for row in library.table.rows.to_pylist()]
    for cache in caches(library):
        write_older_schema(cache, version)
    again = Library(library.root)
    assert again.table.rows.to_pylist() == before
    result = again.scan(workers=0)
    assert (result.scanned, result.unchanged, result.notes) == (0, len({row_photo(row) for row in before}), [])
    again.name(again.faces_in_group(1), COLLINS)
    again.forget(again.plan_forget(COLLINS))  # rewrites the caches with her faces
    rewritten = [cache for cache in caches(library) if written_schema(cache) == SCHEMA_VERSION]
    assert rewritten and all(missing.keys() <= set(pq.read_schema(cache).names) for cache in rewritten)
    assert Library(library.root).scan(workers=0).scanned == 0


def row_photo(row: dict[str, object]) -> tuple[object, object]:
    return row["folder"], row["photo"]


def test_caches_of_a_newer_faceclust_are_left_alone(library: Library) -> None:
    for cache in caches(library):
        rows = pq.read_table(cache)
        info = json.loads(rows.schema.metadata[b"faceclust"]) | {"schema": SCHEMA_VERSION + 1, "more": "things"}
        rows = rows.append_column("new", pa.nulls(len(rows), pa.int8()))
        pq.write_table(rows.replace_schema_metadata({b"faceclust": json.dumps(info).encode()}), cache)
    before = {path: path.read_bytes() for path in library.root.rglob("*") if path.is_file()}
    for use in (lambda: Library(library.root).scan(workers=0), lambda: Library(library.root).occurrences):
        with pytest.raises(
            NewerCacheError, match=r"\.faceclust\.mobilefacenet\.parquet: it was made by a newer faceclust"
        ) as raised:
            use()
        assert raised.value.hint == "update faceclust"
    assert {path: path.read_bytes() for path in before} == before
    assert not (library.home.home / "set-aside").exists()


@pytest.mark.parametrize("dimension", [64, "x"])
def test_a_cache_with_another_dimension_is_ignored_and_recreated(library: Library, dimension: object) -> None:
    faces, cache = len(library.faces), caches(library)[0]
    rows = pq.read_table(cache)
    info = json.loads(rows.schema.metadata[b"faceclust"]) | {"dimension": dimension}
    half = pa.FixedSizeListArray.from_arrays(pa.array([1.0] * 64 * len(rows)).cast(pa.float16()), 64)
    rows = rows.set_column(rows.schema.get_field_index("embedding"), "embedding", half)
    pq.write_table(rows.replace_schema_metadata({b"faceclust": json.dumps(info)}), cache)
    assert 0 < len(Library(library.root).faces) < faces
    result = Library(library.root).scan(workers=0)
    assert result.scanned and "set aside" in result.notes[0]
    assert len(Library(library.root).faces) == faces


def test_caches_of_several_packs_coexist(library: Library) -> None:
    own = {cache: cache.read_bytes() for cache in caches(library)}
    other = with_pack(library, name=PACK)
    result = other.scan(workers=0)
    assert result.scanned == result.photos and len(result.notes) == 1  # the reason
    assert {cache: cache.read_bytes() for cache in own} == own
    assert [cache.name for cache in caches(library)].count(f".faceclust.{PACK}.parquet") == len(own)
    assert other.scan(workers=0).scanned == 0 and library.scan(workers=0).scanned == 0
    assert len(other.occurrences) == len(library.occurrences)


def test_forgetting_reaches_the_caches_of_every_pack(collins: tuple[Library, int, set[str]]) -> None:
    library, group, faces = collins
    other = with_pack(library, name=PACK)
    other.scan(workers=0)
    library.name(library.faces_in_group(group), COLLINS)
    library.forget(library.plan_forget(COLLINS))
    for cache in caches(library):
        for row in pq.read_table(cache).to_pylist():
            assert row["face_id"] not in faces or row["embedding"] is None, cache
    assert with_pack(library, name=PACK).scan(workers=0).scanned == 0


def test_another_version_of_the_pack_replaces_the_caches_and_notes_it_once(library: Library) -> None:
    settings = dict(library.pack.detector.settings) | {"factor": 0.8}
    other = with_pack(library, detector=replace(library.pack.detector, settings=settings))
    (library.root / "2021/collins-2.jpg").unlink()
    before = len(caches(library))
    result = other.scan(workers=0)
    assert result.scanned == result.photos and result.removed == 1
    assert result.notes == ["the cache is from an older version of the models: all photos are scanned again"]
    assert len(caches(library)) == before and not (library.home.home / "set-aside").exists()
    assert other.scan(workers=0).notes == []


def test_an_outdated_cache_of_an_empty_folder_is_deleted(library: Library) -> None:
    settings = dict(library.pack.detector.settings) | {"factor": 0.8}
    other = with_pack(library, detector=replace(library.pack.detector, settings=settings))
    for photo in (library.root / "2021").glob("*-*.*"):
        photo.unlink()
    other.scan(workers=0)
    assert not (library.root / "2021" / CACHE_NAME).exists() and other.scan(workers=0).notes == []


def test_cache_file_names() -> None:
    assert cache_file_name("dlib") == ".faceclust.parquet"  # as in libraries of earlier versions
    assert pack_of_cache_file(CACHE_NAME) == "mobilefacenet" and pack_of_cache_file(".faceclust.parquet") == "dlib"
    for pack in ("sface", "buffalo_l", "arcface-r50.v2"):
        assert is_cache_file_name(cache_file_name(pack)) and pack_of_cache_file(cache_file_name(pack)) == pack
    for name in (
        ".faceclust",
        ".faceclust-albums.json",
        "x.parquet",
        "faceclust.parquet",
        ".faceclust.mobilefacenet.parquet.tmp",
    ):
        assert not is_cache_file_name(name) and pack_of_cache_file(name) is None
    assert is_unfinished_cache(".faceclust.mobilefacenet.parquet.tmp") and is_unfinished_cache(
        ".faceclust.sface.parquet.0a1b.tmp"
    )
    assert not is_unfinished_cache(".faceclust-album.tmp")


def test_min_face_round_trips(tmp_path: Path) -> None:
    cache, known, unknown = make_folder_cache(tmp_path), PhotoRef("a.jpg", 1, 1), PhotoRef("b.jpg", 1, 1)
    cache.update(
        [], {known: replace(make_scanned_photo(known, 2), min_face=20), unknown: make_scanned_photo(unknown, 0)}
    )
    assert cache.read()["min_face"].to_pylist() == [20, 20, None]
