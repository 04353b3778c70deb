"""The date of a photo in the JSON that Google Takeout puts beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from faceclust.files.own_files import list_own, read_own
from faceclust.photos.takeout import (
    MAX_TAKEOUT_BYTES,
    BadTakeoutError,
    belongs_to_photo,
    find_takeout_json,
    index_takeout_names,
    read_takeout,
)


def read_takeout_date(photo: Path) -> datetime | None:
    """Return the date in a photo's JSON, see `TakeoutFacts`; None if it has none.

    Never raises: symlinks, huge files and damaged JSON have no date.
    """
    try:
        index = _index_folder(photo.parent, photo.parent.stat().st_mtime_ns)
        name = find_takeout_json(photo.name, index)
        facts = read_takeout(read_own(photo.with_name(name), MAX_TAKEOUT_BYTES)) if name else None
    except (OSError, BadTakeoutError):
        return None
    return facts.taken_at if name and facts and belongs_to_photo(facts, name, photo.name) else None


@lru_cache(maxsize=4)  # the photos of a folder follow one another
def _index_folder(folder: Path, mtime_ns: int) -> Mapping[str, list[str]]:
    """Index the JSON files in a folder. `mtime_ns` is its time of change now."""
    return index_takeout_names(list_own(folder))
