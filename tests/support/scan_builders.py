"""Write tiny photos, which are quick to scan, and compute the cache rows expected for them."""

from __future__ import annotations

import io
import itertools
import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq

from faceclust import Library
from faceclust.files.names import DEFAULT_PACK
from faceclust.packs.registry import load_pack
from faceclust.photos.face_ids import content_hash
from faceclust.scan.crawl import crawl
from faceclust.scan.examine import PhotoExaminer, ScanSettings
from faceclust.scan.unchanged import count_unchanged_photos
from faceclust.store.home import LibraryHome
from faceclust.store.schema import photos_to_table
from faceclust.types import PhotoRef, ScannedPhoto, SkippedPhoto
from tests.support.sample_photos import COLLINS, HOPPER, make_scenery, make_variant

#: Each file gets a different modification time, as from a camera or an editor.
_times = itertools.count(10**18, 10**9)


@cache
def make_faceless_photo(seed: int) -> bytes:
    """Return a BMP without a face. All these files have the same size."""
    return _encode_bitmap(make_scenery(seed).resize((160, 130)))


@cache
def make_face_photo(person: str, number: int) -> bytes:
    """Return a BMP with one face. All these files have the same size."""
    return _encode_bitmap(make_variant(person, number).resize((200, 240)))


def _encode_bitmap(image: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "BMP")
    return out.getvalue()


def write_photo(path: Path, content: bytes) -> Path:
    """Write a file with a modification time of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return touch(path)


def touch(path: Path) -> Path:
    """Set a new modification time, which no other file has."""
    time = next(_times)
    os.utime(path, ns=(time, time))
    return path


def make_photos(root: Path) -> Path:
    """Write six photos, two of them with a face, in the root and three folders."""
    write_photo(root / "top.bmp", make_faceless_photo(0))
    write_photo(root / "a/collins.bmp", make_face_photo(COLLINS, 0))
    write_photo(root / "a/nobody.bmp", make_faceless_photo(1))
    write_photo(root / "b/hopper.bmp", make_face_photo(HOPPER, 0))
    write_photo(root / "b/deep/first.bmp", make_faceless_photo(2))
    write_photo(root / "b/deep/second.bmp", make_faceless_photo(3))
    return root


@cache
def _scan_settings() -> ScanSettings:
    return ScanSettings(load_pack(DEFAULT_PACK))


@cache
def _examine(content: bytes) -> ScannedPhoto | SkippedPhoto:
    with TemporaryDirectory() as folder:
        (Path(folder) / "photo").write_bytes(content)
        found = PhotoExaminer(Path(folder), _scan_settings())(PhotoRef("photo", len(content), 0))
        return found if isinstance(found, SkippedPhoto) else found[0]


def compute_expected_rows(library: Library) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that each folder's cache must have, with every photo examined on its own."""
    rows = {}
    for folder in crawl(library.root):
        photos = (replace(_examine((library.root / ref.rel_path).read_bytes()), ref=ref) for ref in folder.photos)
        if folder_rows := photos_to_table(photos, library.cache_info).to_pylist():
            rows[folder.rel_path] = sort_rows(folder_rows)
    return rows


def read_cached_rows(library: Library) -> dict[str, list[dict[str, Any]]]:
    """Return the rows in the caches, by folder."""
    return {
        folder: sort_rows(pq.read_table(path).to_pylist())
        for path, folder in library.home.cache_files()
        if os.path.isdir(library.root / folder)
    }


def sort_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["photo"], row["face"] or 0))


def hash_photos(root: Path) -> set[str]:
    """Return the content hashes of all photos."""
    return {content_hash((root / ref.rel_path).read_bytes()) for folder in crawl(root) for ref in folder.photos}


def is_unchanged(root: Path, *starts: str) -> bool:
    """Return whether a scan of these folders would find nothing to do."""
    return count_unchanged_photos(LibraryHome(root), starts or [""]) is not None
