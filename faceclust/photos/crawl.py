"""Finds the photo files of a library, folder by folder, always in the same order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from faceclust.photos.formats import is_photo
from faceclust.photos.reading import read_head
from faceclust.types import ALBUMS_NOTES, PHOTO_ENDINGS, SYSTEM_FOLDERS, PhotoRef


@dataclass(frozen=True)
class PhotoFolder:
    """One folder: POSIX path below the root ("" for the root), its photos sorted by name, or
    `error`, in words, where it could not be listed."""

    rel_path: str
    photos: tuple[PhotoRef, ...]
    error: str | None = None


def holds_photo(path: Path) -> bool:
    """Whether a file's first bytes are a photo's. No other byte is read."""
    return is_photo(read_head(path))


def crawl(root: Path, start: str = "", sniff: Callable[[Path], bool] = holds_photo) -> Iterator[PhotoFolder]:
    """Every folder from `start` (POSIX path below `root`) down, parents first, sorted.

    A photo is known by its name's ending; a file whose name has none is one where `sniff` says so.
    Hidden and system folders are passed by. No symbolic link is followed: one inside the
    library leads to what is found anyway, one outside leads out of it, and none can go in
    a circle.
    """
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        if not _is_utf8(folder):
            yield PhotoFolder(folder, (), error="its name is not UTF-8; rename it to have it scanned")
            continue
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError as error:
            yield PhotoFolder(folder, (), error=error.strerror or str(error))
            continue
        if folder and any(entry.name == ALBUMS_NOTES for entry in entries):
            continue
        photos, subfolders = [], []
        for entry in entries:
            rel_path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith(".") and entry.name not in SYSTEM_FOLDERS:
                    subfolders.append(rel_path)
            elif _may_be_photo(entry.name) and entry.is_file(follow_symlinks=False):
                ref = _ref(entry, rel_path)
                if ref and (_ending(entry.name) or sniff(root / rel_path)):
                    photos.append(ref)
        yield PhotoFolder(folder, tuple(photos))
        waiting.extend(reversed(subfolders))


def single_photo(root: Path, rel_path: str) -> PhotoRef:
    """The reference to one file. Raises OSError where it is not there."""
    status = (root / rel_path).stat()
    return PhotoRef(rel_path, status.st_size, status.st_mtime_ns)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _may_be_photo(name: str) -> bool:
    return not name.startswith(".") and _ending(name) in PHOTO_ENDINGS | {""}


def _ending(name: str) -> str:
    """The ending in lower case, "" for none: in "12.5 km" and "photo.1" the dot begins no ending."""
    ending = PurePath(name).suffix.lower()
    return ending if ending[1:].isalnum() and not ending[1:].isdigit() else ""


def _ref(entry: os.DirEntry[str], rel_path: str) -> PhotoRef | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:  # gone since it was listed
        return None
    return PhotoRef(rel_path, status.st_size, status.st_mtime_ns)
