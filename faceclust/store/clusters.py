"""`clusters.parquet`: the last clustering. Derived data; `faceclust cluster` recreates it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from faceclust.errors import CacheError
from faceclust.files.atomic import remove_file, temporary_beside, write_private_atomically
from faceclust.files.own_files import rename_own
from faceclust.store.hex_digits import are_hex
from faceclust.store.parquet_file import ParquetFile
from faceclust.store.schema import encode_parquet, texts_to_array
from faceclust.types import MAX_LOCAL_SCALING, Clustering, ClusterParams

_METADATA_KEY = b"faceclust"
_ALGORITHMS = ("average", "complete", "single", "hdbscan")
#: Groups are counted in arrays as long as the highest number.
_MAX_NUMBER = 10_000_000
_MAX_MODELS_LENGTH = 20_000
#: Crowding is at most the square of a pack's radius.
_MAX_CROWDING = 1e6
#: Values of `ClusterParams` fields for clusterings saved before the field existed.
_PARAM_DEFAULTS = {"min_quality": 0.0, "local_scaling": 0.0}
_SCHEMA = pa.schema(
    [
        pa.field("face_id", pa.string(), nullable=False),
        pa.field("cluster", pa.int32(), nullable=False),
        pa.field("strength", pa.float32(), nullable=False),
        pa.field("part", pa.int32(), nullable=False),
        pa.field("crowding", pa.float32(), nullable=False),
        pa.field("unscaled_group", pa.int32(), nullable=False),
    ]
)
#: The columns of clusterings saved before faces had a crowding.
_FORMER_SCHEMA = pa.schema(list(_SCHEMA)[:4])


class DamagedClusteringError(CacheError):
    """The content of a clustering's file is damaged. It can be made again."""


class SavedClusterings:
    """The last clustering, at `path`, and the previous one, at `previous_path`.

    `read_path` is the file to read the last one from, if it lies in another home. `on_note` receives
    a message for each damaged file.
    """

    def __init__(self, path: Path, previous_path: Path, read_path: Path, on_note: Callable[[str], None]) -> None:
        self._path, self._previous_path, self._read_path, self._on_note = path, previous_path, read_path, on_note

    def read(self) -> tuple[Clustering | None, Clustering | None]:
        """Return the last clustering and the previous one; None for one that is missing or damaged.
        Raises CacheError if the disk cannot be read."""
        return self._read(self._read_path), self._read(self._previous_path)

    def _read(self, path: Path) -> Clustering | None:
        try:
            return read_clusters(path)
        except DamagedClusteringError as error:
            self._on_note(f"{error}; ignored")
            return None

    def save(self, clustering: Clustering, current: Clustering | None) -> None:
        """Write a clustering; `current` becomes the previous one unless its groups are the same.
        Raises CacheError if a file cannot be written."""
        if current is None or _has_same_groups(current, clustering):
            write_clusters(self._path, clustering)
            return
        # If a write fails, both files must stay as they are, or the previous clustering would be lost.
        new_previous = temporary_beside(self._previous_path)
        try:
            write_clusters(new_previous, current)
            write_clusters(self._path, clustering)
            rename_own(new_previous, self._previous_path)
        except OSError as error:
            raise CacheError(f"{self._previous_path} cannot be written: {error.strerror}") from error
        finally:
            with contextlib.suppress(CacheError):
                remove_file(new_previous)


def _has_same_groups(a: Clustering, b: Clustering) -> bool:
    return np.array_equal(a.face_ids, b.face_ids) and np.array_equal(a.labels, b.labels)


def write_clusters(path: Path, clustering: Clustering) -> None:
    """Write a clustering. Raises CacheError if the file cannot be written."""
    notes = {
        "params": asdict(clustering.params),
        "models": clustering.models,
        "whole": clustering.size_at_full_run,
        "highest": clustering.highest_number,
        "median_crowding": clustering.median_crowding,
    }
    table = pa.Table.from_arrays(
        [
            pa.array(clustering.face_ids, pa.string()),
            pa.array(clustering.labels),
            pa.array(clustering.strength),
            pa.array(clustering.parts),
            pa.array(clustering.crowding),
            pa.array(clustering.unscaled_groups),
        ],
        schema=_SCHEMA.with_metadata({_METADATA_KEY: json.dumps(notes).encode()}),
    )
    content = encode_parquet(table)
    write_private_atomically(path, lambda stream: stream.write(content))


def erase_from_clusters(path: Path, face_ids: Collection[str]) -> None:
    """Remove faces from the clustering at `path`. A damaged file is deleted, as it can be recreated.
    Raises CacheError if the file cannot be read from the disk or written."""
    try:
        clustering = read_clusters(path)
    except DamagedClusteringError:
        remove_file(path)
        return
    erased = np.array(sorted(face_ids), dtype=np.str_)
    if clustering is None or not np.isin(clustering.face_ids, erased).any():
        return
    rest = clustering.restrict_to(np.setdiff1d(clustering.face_ids, erased))
    removed_count = len(clustering.face_ids) - len(rest.face_ids)
    write_clusters(path, replace(rest, size_at_full_run=max(0, rest.size_at_full_run - removed_count)))


def read_clusters(path: Path) -> Clustering | None:
    """Read a clustering; None if the file is missing. Raises DamagedClusteringError if its content is
    damaged, CacheError if the disk cannot be read."""
    try:
        file = ParquetFile(path, ("face_id",))
        table = _read_table(file)
        notes = json.loads(file.schema.metadata[_METADATA_KEY])
        params = ClusterParams(**_PARAM_DEFAULTS | notes["params"])
        clustering = Clustering(
            face_ids=texts_to_array(table["face_id"], 16),
            labels=table["cluster"].to_numpy().astype(np.int32),
            strength=table["strength"].to_numpy().astype(np.float32),
            parts=table["part"].to_numpy().astype(np.int32),
            crowding=table["crowding"].to_numpy().astype(np.float32),
            unscaled_groups=table["unscaled_group"].to_numpy().astype(np.int32),
            median_crowding=notes.get("median_crowding", 0.0),
            params=params,
            models=notes["models"],
            size_at_full_run=notes["whole"],
            highest_number=notes["highest"],
        )
        if fault := _find_fault(table, clustering):
            raise ValueError(fault)
        return clustering
    except FileNotFoundError:
        return None
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DamagedClusteringError(f"{path} cannot be read: {error}", hint="faceclust cluster") from error


def _read_table(file: ParquetFile) -> pa.Table:
    """Read the rows of this version or of a former one."""
    if "crowding" in file.schema.names:
        return file.read(_SCHEMA)
    table = file.read(_FORMER_SCHEMA)
    values = (pa.array(np.zeros(len(table), np.float32)), pa.array(np.full(len(table), -1, np.int32)))
    for field, column in zip(list(_SCHEMA)[4:], values, strict=True):
        table = table.append_column(field, column)
    return table


def _find_fault(table: pa.Table, clustering: Clustering) -> str:
    """Say what is wrong with a clustering that may come from anywhere; "" if nothing is."""
    ids, highest = table["face_id"].combine_chunks(), clustering.highest_number
    checks = {
        "a value is missing": all(column.null_count == 0 for column in table.columns),
        "its settings are invalid": _are_valid(clustering.params),
        "its notes are invalid": type(clustering.models) is str
        and len(clustering.models) <= _MAX_MODELS_LENGTH
        and type(clustering.size_at_full_run) is int
        and clustering.size_at_full_run >= 0
        and type(highest) is int
        and 0 <= highest <= _MAX_NUMBER,
        "a crowding is not a finite number": type(clustering.median_crowding) in (int, float)
        and bool(np.isfinite(clustering.crowding).all())
        and abs(clustering.median_crowding) <= _MAX_CROWDING
        and bool((np.abs(clustering.crowding) <= _MAX_CROWDING).all()),
        "a face id is not 16 hexadecimal digits": bool(are_hex(ids, 16).all()),
        "a face is in it twice": len(np.unique(clustering.face_ids)) == len(ids),
    }
    if fault := next((fault for fault, is_fine in checks.items() if not is_fine), ""):
        return fault
    columns = ((clustering.labels, highest), (clustering.parts, _MAX_NUMBER), (clustering.unscaled_groups, _MAX_NUMBER))
    for numbers, limit in columns:
        if not ((numbers >= -1) & (numbers <= limit)).all():
            return f"the number of a group is not from -1 to {limit:,}"
    if not ((clustering.strength >= 0) & (clustering.strength <= 1)).all():
        return "the strength of a face is not 0 to 1"
    return ""


def _are_valid(params: ClusterParams) -> bool:
    """Check types and ranges."""
    numbers = ((params.threshold, 0, 1000), (params.min_quality, 0, 1), (params.local_scaling, 0, MAX_LOCAL_SCALING))
    counts = (params.min_size, params.min_samples)
    flags = (params.second_pass, params.allow_same_photo)
    return (
        params.algorithm in _ALGORITHMS
        and all(type(value) in (int, float) and low <= value <= high for value, low, high in numbers)
        and all(type(count) is int and 1 <= count < 2**31 for count in counts)
        and {*map(type, flags)} == {bool}
    )
