"""Find the date of a photo in the JSON of Google Takeout beside it."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from pathlib import Path

from faceclust.files.own_files import list_own, read_own, stat_own
from faceclust.photos.takeout import (
    MAX_TAKEOUT_BYTES,
    BadTakeoutError,
    belongs_to_photo,
    find_takeout_json,
    index_takeout_names,
    read_takeout,
)


def read_takeout_date(photo: Path) -> datetime | None:
    """Return when a photo was taken according to its JSON: see `TakeoutFacts.taken_at`.

    Never raises: symlinks, huge files and damaged ones have no date.
    """
    folder = photo.parent
    try:
        status = stat_own(folder)
        name = find_takeout_json(photo.name, _index_folder(folder, status.st_mtime_ns)) if status else None
        facts = read_takeout(read_own(folder / name, MAX_TAKEOUT_BYTES)) if name else None
    except (OSError, BadTakeoutError):
        return None
    return facts.taken_at if name and facts and belongs_to_photo(facts, name, photo.name) else None


@lru_cache(maxsize=8)
def _index_folder(folder: Path, changed_ns: int) -> dict[str, list[str]]:
    """List a folder once for all its photos, until it changes. Raises OSError."""
    return index_takeout_names(list_own(folder))
