"""`clusters.parquet`: the last clustering. Derived; `faceclust cluster` makes it anew."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faceclust.errors import CacheError
from faceclust.store.files import write_atomically
from faceclust.store.schema import parquet_bytes
from faceclust.types import Clustering, ClusterParams

_KEY = b"faceclust"
_SCHEMA = pa.schema(
    [
        pa.field("face_id", pa.string(), nullable=False),
        pa.field("cluster", pa.int32(), nullable=False),
        pa.field("strength", pa.float32(), nullable=False),
    ]
)


def write_clusters(path: Path, before: Path, clustering: Clustering) -> None:
    """Replace the last clustering, which is kept at `before`. Raises CacheError where the disk does
    not take it."""
    notes = {"params": asdict(clustering.params), "models": clustering.models, "whole": clustering.whole}
    table = pa.Table.from_arrays(
        [
            pa.array(clustering.face_ids, pa.string()),
            pa.array(clustering.labels),
            pa.array(clustering.strength),
        ],
        schema=_SCHEMA.with_metadata({_KEY: json.dumps(notes).encode()}),
    )
    content = parquet_bytes(table)
    if path.exists():
        _copy(path, before)
    write_atomically(path, lambda stream: stream.write(content))


def swap_clusters(path: Path, before: Path) -> None:
    """Bring back the clustering kept at `before`; the one at `path` is kept there instead. Raises
    CacheError where the disk does not take it."""
    present = path.read_bytes()
    _copy(before, path)
    write_atomically(before, lambda stream: stream.write(present))


def _copy(source: Path, target: Path) -> None:
    content = source.read_bytes()
    write_atomically(target, lambda stream: stream.write(content))


def read_clusters(path: Path) -> Clustering | None:
    """The last clustering, None where there is none. Raises CacheError for a damaged file."""
    if not path.exists():
        return None
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        notes = json.loads(table.schema.metadata[_KEY])
        return Clustering(
            face_ids=np.array(table["face_id"].to_pylist(), dtype=np.str_),
            labels=table["cluster"].to_numpy().astype(np.int32),
            strength=table["strength"].to_numpy().astype(np.float32),
            params=ClusterParams(**notes["params"]),
            models=str(notes["models"]),
            whole=int(notes["whole"]),
        )
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise CacheError(f"{path} cannot be read: {error}", hint="type: faceclust cluster") from error
