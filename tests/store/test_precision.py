"""Embeddings as float32, float16 and int8: rounding errors, file sizes and round trips."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faceclust.errors import NewerCacheError
from faceclust.files.names import CACHE_NAME, PRECISIONS
from faceclust.photos.face_ids import face_id
from faceclust.store.folder_cache import FolderCache, UnusableCacheError, read_cache, read_cache_info
from faceclust.store.inspection import inspect_cache
from faceclust.store.library_table import LibraryTable
from faceclust.store.locations import CachePaths
from faceclust.store.precision import convert_precision, decode_embeddings, embedding_type, encode_embeddings
from faceclust.store.schema import CacheInfo, encode_parquet, photos_to_table
from faceclust.types import PhotoRef
from tests.store.test_store import make_scanned_photo

RADIUS = 3.0
#: Allowed error of a component after a round trip, relative to the vector's largest component.
_TOLERANCE = {"float32": 1e-6, "float16": 1.1e-3, "int8": 0.5 / 127 + 0.01}

_vectors = arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 40)), elements=st.floats(-1, 1, width=32))


def encode_column(values: np.ndarray, precision: str) -> pa.ChunkedArray:
    encoded = encode_embeddings(values, precision)
    return pa.chunked_array([pa.array(list(encoded), embedding_type(precision, values.shape[1]))])


def make_cache_info(precision: str, dimension: int = 4) -> CacheInfo:
    return CacheInfo("test", "test-fingerprint", dimension, RADIUS, precision)


def make_cache(folder: Path, precision: str, **changes: object) -> FolderCache:
    paths = CachePaths(folder / CACHE_NAME, (), folder / "aside" / CACHE_NAME)
    return FolderCache(paths, replace(make_cache_info(precision), **changes))


@pytest.mark.parametrize("precision", PRECISIONS)
@settings(max_examples=150, deadline=None)
@given(raw=_vectors)
def test_a_round_trip_is_within_rounding_error_and_idempotent(precision: str, raw: np.ndarray) -> None:
    raw[np.abs(raw).max(axis=1) < 1e-3, 0] = 1  # avoid zero vectors
    vectors = raw * (RADIUS / np.linalg.norm(raw.astype(np.float64), axis=1, keepdims=True)).astype(np.float32)
    once = decode_embeddings(encode_column(vectors, precision), vectors.shape[1], RADIUS)
    assert np.allclose(np.linalg.norm(once.astype(np.float64), axis=1), RADIUS, rtol=1e-6)
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    # Int8 rounding moves a component by at most half a step; restoring the norm scales them all.
    slack = 1 + (np.sqrt(vectors.shape[1]) if precision == "int8" else 0)
    assert (np.abs(once - vectors) <= _TOLERANCE[precision] * slack * largest).all()
    if precision == "int8":
        encoded = encode_embeddings(vectors, "int8")
        assert (np.abs(encoded - vectors * (127 / largest)) <= 0.5 + 1e-4).all()  # rounded to nearest
        assert np.array_equal(encode_embeddings(once, "int8"), encoded)
        half = decode_embeddings(encode_column(once, "float16"), vectors.shape[1], RADIUS)
        assert np.array_equal(encode_embeddings(half, "int8"), encoded)  # also by way of float16


@pytest.mark.parametrize("before", PRECISIONS)
@pytest.mark.parametrize("after", PRECISIONS)
def test_converting_precision_preserves_rows_and_nulls(before: str, after: str) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(5, 16))
    vectors = (vectors * RADIUS / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    encoded = encode_embeddings(vectors, before)
    rows = [None, encoded[0], encoded[1], None, encoded[2], encoded[3], None, encoded[4]]
    source = pa.chunked_array([pa.array(part, embedding_type(before, 16)) for part in (rows[:3], rows[3:])])
    converted = convert_precision(source, after, 16, RADIUS)
    assert converted.type == embedding_type(after, 16)
    assert converted.is_valid().to_pylist() == source.is_valid().to_pylist()
    decoded = decode_embeddings(converted.drop_null(), 16, RADIUS)
    assert np.abs(decoded - vectors).max() < (0.05 if "int8" in (before, after) else 5e-3)
    nulls = convert_precision(pa.chunked_array([pa.array([None, None], source.type)]), after, 16, RADIUS)
    assert nulls.null_count == 2 and nulls.type == converted.type


def test_a_128d_face_takes_128_bytes_in_int8_256_in_float16_512_in_float32(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(10_000, 128)).astype(np.float32)
    sizes = {}
    for precision in PRECISIONS:
        rows = pa.table({"embedding": encode_column(vectors, precision)})
        (path := tmp_path / precision).write_bytes(encode_parquet(rows))
        group = pq.read_metadata(path).row_group(0)
        sizes[precision] = group.column(0).total_compressed_size / len(vectors)
    assert sizes["int8"] <= 130 and sizes["float16"] <= 260 and sizes["float32"] <= 520
    assert sizes["int8"] < sizes["float16"] * 0.6 and sizes["float16"] < sizes["float32"] * 0.6


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rows_and_metadata_round_trip_in_every_precision(tmp_path: Path, precision: str) -> None:
    ref = PhotoRef("a.jpg", 1, 1)
    make_cache(tmp_path, precision).update([], {ref: make_scanned_photo(ref, 3)})
    assert read_cache_info(tmp_path / CACHE_NAME) == make_cache_info(precision)
    (photo,) = make_cache(tmp_path, precision).photos()
    assert np.abs(photo.embeddings - make_scanned_photo(ref, 3).embeddings).max() < 0.03
    assert np.allclose(np.linalg.norm(photo.embeddings, axis=1), RADIUS, rtol=1e-3)
    before = (tmp_path / CACHE_NAME).read_bytes()
    make_cache(tmp_path, precision).update([], {ref: photo})  # as a scan does for a copy of the photo
    assert (tmp_path / CACHE_NAME).read_bytes() == before


def test_the_metadata_of_each_precision(tmp_path: Path) -> None:
    ref = PhotoRef("a.jpg", 1, 1)
    for precision, notes in (
        ("float16", {"schema": 6}),
        ("int8", {"schema": 6, "precision": "int8"}),
        ("float32", {"schema": 6, "precision": "float32"}),
    ):
        make_cache(tmp_path, precision).update([], {ref: make_scanned_photo(ref, 1)})
        found = json.loads(pq.read_schema(tmp_path / CACHE_NAME).metadata[b"faceclust"])
        assert found == {"pack": "test", "fingerprint": "test-fingerprint", "dimension": 4, "radius": RADIUS} | notes


@pytest.mark.parametrize(
    ("notes", "error"),
    [
        ({"precision": "int4"}, UnusableCacheError),
        ({"precision": ["int8"]}, UnusableCacheError),
        ({"precision": "float32"}, UnusableCacheError),
        ({"schema": 7, "more": 1}, NewerCacheError),
    ],
)
def test_metadata_that_contradict_the_file(tmp_path: Path, notes: dict[str, object], error: type[Exception]) -> None:
    ref = PhotoRef("a.jpg", 1, 1)
    make_cache(tmp_path, "float16").update([], {ref: make_scanned_photo(ref, 2)})
    path = tmp_path / CACHE_NAME
    rows = pq.read_table(path)
    changed = json.loads(rows.schema.metadata[b"faceclust"]) | {"schema": 6} | notes
    pq.write_table(rows.replace_schema_metadata({b"faceclust": json.dumps(changed).encode()}), path)
    with pytest.raises(error):
        make_cache(tmp_path, "float16").read()


def test_caches_of_several_precisions_combine_into_the_most_precise(tmp_path: Path) -> None:
    folders, vectors = [], {}
    for seed, precision in enumerate(PRECISIONS):
        ref = PhotoRef(f"{precision}/a.jpg", 1, 1)
        folders.append((precision, photos_to_table([make_scanned_photo(ref, 2, seed)], make_cache_info(precision))))
        vectors |= dict(
            zip(make_scanned_photo(ref, 2, seed).face_ids, make_scanned_photo(ref, 2, seed).embeddings, strict=True)
        )
    joined = LibraryTable.from_folders(folders, make_cache_info("float16"))
    table = joined.face_table()
    assert len(table) == 6 and joined.info.precision == "float32"  # no precision is lost
    exact = [
        np.abs(vector - vectors[face]).max() < 1e-6
        for face, vector in zip(table.face_ids.tolist(), table.embeddings, strict=True)
    ]
    assert sum(exact) == 2
    for face, vector in zip(table.face_ids.tolist(), table.embeddings, strict=True):
        assert np.abs(vector - vectors[face]).max() < 0.03
    alone = LibraryTable.from_folders(folders[:1], make_cache_info("float32"))
    assert alone.info.precision == "int8"  # not enlarged needlessly
    assert len(LibraryTable.from_folders([], make_cache_info("int8")).face_table()) == 0


def find_problems(path: Path) -> list[str]:
    found = inspect_cache(path, path.parent, face_id, hash_photos=False).problems
    return [problem.what for problem in found if "the pack test" not in problem.what]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_damaged_embeddings_are_found(tmp_path: Path, precision: str) -> None:
    ref = PhotoRef("a.jpg", 1, 1)
    photo = make_scanned_photo(ref, 2)
    photo = replace(photo, face_ids=tuple(face_id(photo.content_hash, box) for box in photo.boxes))
    make_cache(tmp_path, precision).update([], {ref: photo})
    path = tmp_path / CACHE_NAME
    assert find_problems(path) == []
    rows = read_cache(path, make_cache_info(precision))
    index = rows.schema.get_field_index("embedding")
    halved = [
        [value / 2 if precision != "int8" else value // 2 for value in row] for row in rows["embedding"].to_pylist()
    ]
    field = rows.schema.field("embedding")
    out = io.BytesIO()
    pq.write_table(rows.set_column(index, field, pa.array(halved, field.type)), out)
    path.write_bytes(out.getvalue())
    (problem,) = find_problems(path)
    assert "an embedding" in problem
