"""What the last scan saw: so that the next one knows a folder in which nothing has changed by its
listing alone. Derived; without it a scan reads every cache."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from pathlib import Path

from faceclust.errors import CacheError
from faceclust.files.atomic import write_atomically

_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class FolderSnapshot:
    """A folder all of whose photos are in its cache: the digest of its listing, the number of its
    photos, and size and time of the cache (None where no photo is in it)."""

    digest: str
    photo_count: int
    cache_stamp: tuple[int, int] | None


@dataclass(frozen=True)
class ScanSnapshot:
    """Folders by POSIX path below the root. `stamp` stands for all else that was looked at: what
    was seen under another one counts for nothing."""

    environment: str
    folders: Mapping[str, FolderSnapshot]


def read_scan_snapshot(path: Path) -> ScanSnapshot | None:
    """None where there is nothing to be read."""
    try:
        raw = json.loads(path.read_bytes())
        if raw["schema"] != _SCHEMA_VERSION:
            return None
        folders = {
            name: FolderSnapshot(digest, index(photos), tuple(cache) if cache else None)
            for name, (digest, photos, cache) in raw["folders"].items()
        }
        return ScanSnapshot(raw["stamp"], folders)
    except (OSError, AttributeError, KeyError, TypeError, ValueError):
        return None


def write_scan_snapshot(path: Path, snapshot: ScanSnapshot) -> None:
    """Failing to costs the next scan some time, and nothing else."""
    folders = {
        name: (folder.digest, folder.photo_count, folder.cache_stamp) for name, folder in snapshot.folders.items()
    }
    content = json.dumps(
        {"schema": _SCHEMA_VERSION, "stamp": snapshot.environment, "folders": folders}, separators=(",", ":")
    )
    with contextlib.suppress(CacheError):
        write_atomically(path, lambda stream: stream.write(content.encode()), durable=False)


def file_stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of a file, None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
