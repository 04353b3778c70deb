"""A hostile Parquet file costs no more memory than its size allows, and errors of the disk are not damage."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faceclust.errors import CacheError
from faceclust.store import parquet_file
from faceclust.store.folder_cache import FolderCache, UnusableCacheError, may_hold_forgotten, read_any_cache
from faceclust.store.locations import CachePaths
from faceclust.store.parquet_file import ParquetFile
from faceclust.store.thrift_compact import ThriftError, parse_struct
from tests.store.test_row_rules import make_info, make_photo

SCHEMA = pa.schema([("name", pa.string()), ("number", pa.int64()), ("list", pa.list_(pa.float16(), 4))])
MEBIBYTE = 2**20


def make_columns(rows: int) -> dict[str, Any]:
    return {
        "name": pa.array([f"photo {i}" for i in range(rows)], pa.string()),
        "number": pa.array(np.arange(rows)),
        "list": pa.array([[i, 1, 2, 3] for i in range(rows)], pa.list_(pa.float16(), 4)),
    }


def write(path: Path, columns: dict[str, Any], **options: Any) -> int:
    pq.write_table(pa.table(columns), path, **{"compression": "zstd", **options})
    return path.stat().st_size


def read(path: Path) -> pa.Table:
    return ParquetFile(path, ("name",)).read(SCHEMA)


@pytest.mark.parametrize("rows", [0, 1, 1000])
@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, {"row_group_size": 100}, {"compression": "snappy"}])
def test_ordinary_files_are_read(tmp_path: Path, rows: int, options: dict[str, Any]) -> None:
    columns = make_columns(rows) | {
        "list": make_columns(rows)["list"].take(pa.array([None] * (rows > 0) + [*range(1, rows)], pa.int64()))
    }
    write(tmp_path / "x", columns, **options)
    found = read(tmp_path / "x")
    assert found.schema.types == SCHEMA.types
    assert found.to_pylist() == pa.table(columns).to_pylist()


BOMBS: dict[str, tuple[Callable[[], dict[str, Any]], dict[str, Any], str]] = {
    "one long text in a dictionary": (
        lambda: make_columns(9000)
        | {"name": pa.DictionaryArray.from_arrays(pa.array(np.zeros(9000, np.int32)), pa.array(["x" * 10**6]))},
        {},
        "a text of 1,000,000 bytes",
    ),
    "a dictionary of one huge text": (
        lambda: make_columns(10) | {"name": pa.array(["x" * (40 * MEBIBYTE)] * 10)},
        {},
        "a page has 41,943,044 bytes",
    ),
    "a page of zeros": (
        lambda: make_columns(10) | {"name": pa.array(["\0" * (4 * MEBIBYTE)] * 10)},
        {"use_dictionary": False, "data_page_size": 2**30},
        "a page has",
    ),
    "many pages of zeros": (
        lambda: make_columns(100) | {"name": pa.array(["\0" * MEBIBYTE] * 100)},
        {"use_dictionary": False, "write_batch_size": 1, "data_page_size": 1},
        "it would expand from",
    ),
    "prefixes of prefixes": (
        lambda: make_columns(2000) | {"name": pa.array(["x" * i for i in range(2000)])},
        {"use_dictionary": False, "column_encoding": {"name": "DELTA_BYTE_ARRAY"}},
        "an unexpected kind or encoding",
    ),
    "rows of nothing": (
        lambda: {name: pa.nulls(10**6, kind) for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True)},
        {},
        "it claims 1,000,000 rows",
    ),
    "many row groups": (lambda: make_columns(5000), {"row_group_size": 1}, "its footer takes"),
    "a list without end": (
        lambda: make_columns(2) | {"list": pa.array([np.zeros(10**6, np.float16), None], pa.list_(pa.float16()))},
        {},
        "its column list has the type",
    ),
    "other columns": (lambda: {"name": pa.array(["a"])}, {}, "columns are not the expected ones"),
    "other types": (lambda: make_columns(2) | {"number": pa.array([1.0, 2.0])}, {}, "has the type double"),
    "names that are bytes": (lambda: make_columns(2) | {"name": pa.array([b"\xff", b"a"])}, {}, "has the type"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_before_it_expands(tmp_path: Path, kind: str) -> None:
    make, options, reason = BOMBS[kind]
    write(tmp_path / "x", make(), **options)
    before = pa.total_allocated_bytes()
    with pytest.raises((ValueError, pa.ArrowException), match=reason):
        read(tmp_path / "x")
    assert pa.total_allocated_bytes() <= before + MEBIBYTE


def test_lists_that_are_missing_must_fit_into_memory_as_well(tmp_path: Path) -> None:
    wide = pa.list_(pa.float32(), 65_536)
    write(tmp_path / "x", {"list": pa.nulls(5000, wide)})
    with pytest.raises(ValueError, match="its lists would take 1,310,720,000 bytes"):
        ParquetFile(tmp_path / "x", ()).read(pa.schema([("list", wide)]))


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    size = write(tmp_path / "x", make_columns(1), compression="none")
    content = (tmp_path / "x").read_bytes()
    assert content.count(b"photo 0") >= 1
    (tmp_path / "x").write_bytes(content.replace(b"photo 0", b"photo\xff0"))
    assert (tmp_path / "x").stat().st_size == size
    with pytest.raises((ValueError, pa.ArrowException), match="UTF8"):
        read(tmp_path / "x")


_READ_ALL = """
import sys
from pathlib import Path
from faceclust.store.folder_cache import UnusableCacheError, may_hold_forgotten, read_any_cache
for path in sorted(Path(sys.argv[1]).iterdir()):
    for use in (read_any_cache, may_hold_forgotten):
        try:
            use(path)
        except UnusableCacheError:
            pass
"""


@pytest.mark.slow
def test_no_damage_to_footer_or_page_headers_ends_the_process(tmp_path: Path) -> None:
    """PyArrow 26 aborts the process if its objects for a footer are made from damaged statistics."""
    whole = tmp_path / "whole"
    cache = FolderCache(CachePaths(whole, (), tmp_path / "aside"), make_info())
    photos = [make_photo(f"{seed}.jpg", seed % 3, seed) for seed in range(6)]
    cache.update([], {photo.ref: photo for photo in photos})
    content, rng = whole.read_bytes(), random.Random(0)
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    (tmp_path / "damaged").mkdir()
    for number in range(1500):
        damaged = bytearray(content)
        for _ in range(rng.choice([1, 1, 3])):
            place = rng.randrange(footer if rng.random() < 0.7 else 4, len(content))
            damaged[place] = rng.choice([0, 1, 127, 128, 255, damaged[place] ^ 1 << rng.randrange(8)])
        (tmp_path / f"damaged/{number}").write_bytes(damaged)
    result = subprocess.run(
        [sys.executable, "-c", _READ_ALL, str(tmp_path / "damaged")], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_statistics_tell_whether_a_face_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "x"
    cache = FolderCache(CachePaths(path, (), tmp_path / "aside"), make_info())
    photo, empty = make_photo("a.jpg", 2, 1), make_photo("b.jpg", 0, 2)
    cache.update([], {photo.ref: photo, empty.ref: empty})
    assert not may_hold_forgotten(path)
    cache.forget_faces(photo.face_ids[:1])
    assert may_hold_forgotten(path)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE])
def test_an_error_of_the_disk_is_not_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    path = tmp_path / "x.parquet"
    write(path, make_columns(3))

    def fail(path: Path, max_size: int) -> bytes:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(parquet_file, "read_own", fail)
    for use in (read_any_cache, may_hold_forgotten):
        with pytest.raises(CacheError, match=rf"x\.parquet cannot be read: {os.strerror(number)}"):
            use(path)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "missing"])
def test_what_is_no_regular_file_is_unusable(tmp_path: Path, kind: str) -> None:
    path, target = tmp_path / "x.parquet", tmp_path / "target"
    write(target, make_columns(3))
    if kind == "link":
        path.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(UnusableCacheError, match=r"x\.parquet: it (is|was)"):
        read_any_cache(path)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\x15", b"\x15\x80", b"\x05\x02\x00", b"\x18\x7f\x00", b"\x19\xf5\xff\xff\x03\x00", b"\x10\x00"),
        *(b"\x15" + b"\xff" * 9 + b"\x01\x00", b"\x15\x80\x80\x80\x80\x10\x00", b"\x1c" * 50 + b"\0" * 50),
    ],
)
def test_invalid_structs_are_refused(data: bytes) -> None:
    with pytest.raises(ThriftError):
        parse_struct(data, 0)


def test_a_struct_is_read() -> None:
    data = b"\x15\x03\x26\x02\x18\x02hi\x11\x12\x29\x25\x02\x04\x1c\x15\x02\x00\x00rest"
    fields, end = parse_struct(data, 0)
    assert fields == {1: -2, 3: 1, 4: b"hi", 5: True, 6: False, 8: [1, 2], 9: {1: 1}}
    assert data[end:] == b"rest"
