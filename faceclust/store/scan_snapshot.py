"""A snapshot of the last scan, by which the next scan recognises unchanged folders from their
listings alone. Derived data; without it, a scan reads every cache."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from pathlib import Path

from faceclust.errors import CacheError
from faceclust.files.atomic import write_private_atomically
from faceclust.files.own_files import read_own, stat_own

_SCHEMA_VERSION = 1
_MAX_BYTES = 1_000_000_000


@dataclass(frozen=True)
class FolderSnapshot:
    """A folder whose photos are all in its cache: a digest of its listing and the number of photos.
    `cache_stamp` is the cache's size and modification time (ns), None if there are no photos."""

    digest: str
    photo_count: int
    cache_stamp: tuple[int, int] | None


@dataclass(frozen=True)
class ScanSnapshot:
    """Folder snapshots by POSIX path below the root. `environment` digests everything else that
    affects a scan; a snapshot from another environment is useless."""

    environment: str
    folders: Mapping[str, FolderSnapshot]


def read_scan_snapshot(path: Path) -> ScanSnapshot | None:
    """Read a snapshot; None if it is missing or invalid."""
    try:
        raw = json.loads(read_own(path, _MAX_BYTES))
        if raw["schema"] != _SCHEMA_VERSION:
            return None
        folders = {
            name: FolderSnapshot(digest, index(photos), tuple(cache) if cache else None)
            for name, (digest, photos, cache) in raw["folders"].items()
        }
        return ScanSnapshot(raw["stamp"], folders)
    except (OSError, AttributeError, KeyError, TypeError, ValueError, RecursionError, OverflowError):
        return None


def write_scan_snapshot(path: Path, snapshot: ScanSnapshot) -> None:
    """Write a snapshot. Ignores errors: a missing snapshot only makes the next scan slower."""
    folders = {
        name: (folder.digest, folder.photo_count, folder.cache_stamp) for name, folder in snapshot.folders.items()
    }
    content = json.dumps(
        {"schema": _SCHEMA_VERSION, "stamp": snapshot.environment, "folders": folders}, separators=(",", ":")
    )
    with contextlib.suppress(CacheError):
        write_private_atomically(path, lambda stream: stream.write(content.encode()), durable=False)


def file_stamp(path: Path) -> tuple[int, int] | None:
    """Return size and modification time (ns) of a file; None if it is missing. Raises OSError."""
    status = stat_own(path)
    return (status.st_size, status.st_mtime_ns) if status else None
