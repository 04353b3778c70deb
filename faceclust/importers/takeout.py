"""Collect the names in the JSON files of Google Takeout, which lie beside their photos."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from faceclust.importers.small_files import UnreadableFileError, read_small_file
from faceclust.importers.values import PhotoNames, UnreadableSource
from faceclust.photos.takeout import (
    MAX_TAKEOUT_BYTES,
    BadTakeoutError,
    TakeoutFacts,
    belongs_to_photo,
    find_takeout_json,
    index_takeout_names,
    normalise_title,
    read_takeout,
)

TAKEOUT = "Google Takeout"


def is_takeout_file(path: Path) -> bool:
    """Is this a photo's JSON from Google Takeout?"""
    try:
        return path.suffix.lower() == ".json" and read_takeout(read_small_file(path, MAX_TAKEOUT_BYTES)) is not None
    except (UnreadableFileError, BadTakeoutError):
        return False


def collect_takeout(
    path: Path, folder: str, names: Iterable[str], photos: Collection[str], only: str | None = None
) -> tuple[list[PhotoNames], list[UnreadableSource]]:
    """Return the names of people for photos in a folder, and the JSON files that cannot be read.

    `path` has the files `names`. `folder` is the folder of the `photos`, which are file names, below the
    library's root. `only` is the one JSON to read.
    """
    found, unreadable = list[PhotoNames](), list[UnreadableSource]()

    def read(name: str) -> TakeoutFacts | None:
        try:
            return read_takeout(read_small_file(path / name, MAX_TAKEOUT_BYTES)) if only in (None, name) else None
        except (UnreadableFileError, BadTakeoutError) as error:
            unreadable.append(UnreadableSource(str(path / name), str(error)))
            return None

    if photos:
        for name, facts, owners in match_takeout(photos, names, read):
            for owner in owners if facts.people else ():
                photo, where = posixpath.join(folder, owner), str(path / name)
                found.append(PhotoNames(photo, TAKEOUT, where, people=facts.people))
    return found, unreadable


def match_takeout(
    photos: Iterable[str], names: Iterable[str], read: Callable[[str], TakeoutFacts | None]
) -> Iterator[tuple[str, TakeoutFacts, list[str]]]:
    """Yield the JSON files in a folder, their facts and their photos: none, one, or also its edited versions.

    `photos` are the names of the folder's photos and `names` those of its files. `read` returns the facts in
    a JSON, None if it is another one or cannot be read. A JSON that is named like no photo goes by its title.
    """
    index = index_takeout_names(names)
    photos_of: dict[str, list[str]] = {name: [] for same_key in index.values() for name in same_key}
    without_json: dict[str, list[str]] = {}
    for photo in sorted(photos) if index else ():
        if (name := find_takeout_json(photo, index)) is not None:
            photos_of[name].append(photo)
        else:
            without_json.setdefault(normalise_title(photo), []).append(photo)
    for name, candidates in sorted(photos_of.items()):
        if (candidates or without_json) and (facts := read(name)) is not None:
            owners = [photo for photo in candidates if belongs_to_photo(facts, name, photo)]
            by_title = without_json.get(normalise_title(facts.title), [])
            yield name, facts, owners or (by_title if len(by_title) == 1 else [])
