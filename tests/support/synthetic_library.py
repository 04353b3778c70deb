"""Write a library that has caches but no photos, for tests of code that only reads caches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from faceclust import Library
from faceclust.files.names import cache_file_name
from faceclust.store.clusters import write_clusters
from faceclust.store.schema import encode_parquet, folder_schema
from faceclust.types import Clustering


def write_caches(
    root: Path,
    embeddings: np.ndarray,
    photo: np.ndarray,
    *,
    folder: str = "photos",
    taken_at: Sequence[datetime | None] | None = None,
    taken_at_source: str = "exif",
) -> Library:
    """Write the cache of one folder with these faces.

    `embeddings` has shape (n, 128); `photo` is the number of each face's photo, shape (n,). The library
    looks scanned with dlib, whose radius the tests know. The embeddings are scaled to it, so thresholds
    grow by its square. `taken_at`: the date of each face's photo, None for one without a date.
    """
    (root / folder).mkdir(parents=True, exist_ok=True)
    library = Library(root)
    library.home.create()
    library.home.scan_snapshot_of("dlib").touch()
    info = library.cache_info
    n = len(embeddings)
    order = np.argsort(photo, kind="stable")
    photo, embeddings = photo[order], embeddings[order].astype(np.float64)
    embeddings *= info.radius / np.linalg.norm(embeddings, axis=1, keepdims=True)
    face = np.arange(n) - np.searchsorted(photo, photo)
    left = (0.05 + 0.15 * (face % 6)).astype(np.float32)
    columns: dict[str, Any] = {
        "photo": np.char.mod("IMG_%07d.jpg", photo),
        "photo_size": np.full(n, 1000),
        "photo_mtime_ns": np.full(n, 10**18),
        "photo_hash": np.char.mod("%032x", photo),
        "width": np.full(n, 4000, np.int32),
        "height": np.full(n, 3000, np.int32),
        "status": np.full(n, "ok"),
        "face": face.astype(np.int16),
        # Spread over all 64 bits, like hashes.
        "face_id": np.char.mod("%016x", (order.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)),
        "left": left,
        "top": np.full(n, 0.2, np.float32),
        "right": left + np.float32(0.1),
        "bottom": np.full(n, 0.35, np.float32),
        "score": np.ones(n, np.float32),
        "quality": np.ones(n, np.float32),
    }
    if taken_at is not None:
        dates = [taken_at[i] for i in order]
        columns["taken_at"] = dates
        columns["taken_at_source"] = [taken_at_source if date else None for date in dates]
    schema = folder_schema(info)
    arrays = []
    for field in schema:
        if field.name == "embedding":
            arrays.append(_make_lists(embeddings.astype(np.float16), info.dimension))
        elif field.name == "landmarks":
            arrays.append(_make_lists(np.full((n, 10), 0.5, np.float32), 10))
        elif field.name in columns:
            arrays.append(pa.array(columns[field.name]).cast(field.type))
        else:
            arrays.append(pa.nulls(n, field.type))
    content = encode_parquet(pa.Table.from_arrays(arrays, schema=schema))
    (root / folder / cache_file_name(info.pack)).write_bytes(content)
    library.home.record_scan()
    return library


def write_groups(library: Library, person: np.ndarray) -> None:
    """Save a grouping: the groups are the people with several faces. `person` has shape (n,), by face number."""
    n = len(person)
    ids = np.char.mod("%016x", (np.arange(n, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
    counts = np.bincount(person)
    number = np.where(counts > 1, np.cumsum(counts > 1), -1)
    labels = number[person].astype(np.int32)
    order = np.argsort(ids)
    ones, none = np.ones(n, np.float32), np.full(n, -1, np.int32)
    clustering = Clustering(
        ids[order], labels[order], ones, labels[order], ones, none,
        models=library.embedding_space, size_at_full_run=n, highest_number=max(0, int(labels.max())),
    )  # fmt: skip
    write_clusters(library.home.clusters, clustering)
    library.invalidate()


def _make_lists(values: np.ndarray, size: int) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), size)
