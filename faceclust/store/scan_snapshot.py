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

_SCHEMA = 1


@dataclass(frozen=True)
class SeenFolder:
    """A folder all of whose photos are in its cache: the digest of its listing, the number of its
    photos, and size and time of the cache (None where no photo is in it)."""

    digest: str
    photos: int
    cache: tuple[int, int] | None


@dataclass(frozen=True)
class Seen:
    """Folders by POSIX path below the root. `stamp` stands for all else that was looked at: what
    was seen under another one counts for nothing."""

    stamp: str
    folders: Mapping[str, SeenFolder]


def read_seen(path: Path) -> Seen | None:
    """None where there is nothing to be read."""
    try:
        raw = json.loads(path.read_bytes())
        if raw["schema"] != _SCHEMA:
            return None
        folders = {
            name: SeenFolder(digest, index(photos), tuple(cache) if cache else None)
            for name, (digest, photos, cache) in raw["folders"].items()
        }
        return Seen(raw["stamp"], folders)
    except (OSError, AttributeError, KeyError, TypeError, ValueError):
        return None


def write_seen(path: Path, seen: Seen) -> None:
    """Failing to costs the next scan some time, and nothing else."""
    folders = {name: (folder.digest, folder.photos, folder.cache) for name, folder in seen.folders.items()}
    content = json.dumps({"schema": _SCHEMA, "stamp": seen.stamp, "folders": folders}, separators=(",", ":"))
    with contextlib.suppress(CacheError):
        write_atomically(path, lambda stream: stream.write(content.encode()), durable=False)


def file_stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of a file, None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
