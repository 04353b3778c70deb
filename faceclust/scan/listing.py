"""The folders of a library and what lies in them, by names, sizes and times alone.

Nothing heavy is imported here: a scan that finds nothing changed needs no more than this.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from faceclust.files.names import (
    EXCLUDED_FOLDER_MARKERS,
    HOME_FOLDER,
    PHOTO_EXTENSIONS,
    SYSTEM_FOLDERS,
    is_cache_file_name,
)

#: (name, bytes, time of the last change in ns) of a file.
FileEntry = tuple[str, int, int]


@dataclass
class FolderListing:
    """One folder: POSIX path below the root ("" for the root), or `error`, in words, where it could
    not be listed. `files`, sorted by name, may be photos by their names; `caches` are faceclust's.
    `is_library`: it holds a library's home."""

    rel_path: str
    files: list[FileEntry] = field(default_factory=list)
    caches: list[FileEntry] = field(default_factory=list)
    is_library: bool = False
    error: str | None = None

    @cached_property
    def digest(self) -> str:
        """Of all names, sizes and times of the files: another one where any of them changes."""
        return hashlib.blake2b(repr(self.files).encode(), digest_size=16).hexdigest()


def list_folders(root: Path, start: str = "") -> Iterator[FolderListing]:
    """Every folder from `start` (POSIX path below `root`) down, parents first, sorted.

    Hidden and system folders are passed by. No symbolic link is followed: one inside the library
    leads to what is found anyway, one outside leads out of it, and none can go in a circle.
    """
    base = f"{root}/"
    waiting = [start]
    while waiting:
        folder = FolderListing(waiting.pop())
        if not _is_utf8(folder.rel_path):
            folder.error = "its name is not UTF-8; rename it to have it scanned"
            yield folder
            continue
        try:
            subfolders = _list_folder(base + folder.rel_path, folder)
        except OSError as error:
            yield FolderListing(folder.rel_path, error=error.strerror or str(error))
            continue
        if subfolders is None:
            continue
        folder.files.sort()
        yield folder
        prefix = f"{folder.rel_path}/" if folder.rel_path else ""
        waiting.extend(prefix + name for name in sorted(subfolders, reverse=True))


def _list_folder(path: str, folder: FolderListing) -> list[str] | None:
    """Fill in the folder; gives the subfolders to look at, None for a folder of albums or
    of what faceclust keeps of another library."""
    subfolders = []
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if entry.is_dir(follow_symlinks=False):
                if name[0] != "." and name not in SYSTEM_FOLDERS:
                    subfolders.append(name)
                elif name == HOME_FOLDER:
                    folder.is_library = True
            elif name in EXCLUDED_FOLDER_MARKERS and folder.rel_path:
                return None
            elif may_be_photo(name):
                if entry.is_file(follow_symlinks=False):
                    _append_entry(entry, folder.files)
            elif is_cache_file_name(name):
                _append_entry(entry, folder.caches)
    return subfolders


def _append_entry(entry: os.DirEntry[str], files: list[FileEntry]) -> None:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:  # gone since it was listed
        return
    files.append((entry.name, status.st_size, status.st_mtime_ns))


def may_be_photo(name: str) -> bool:
    """Whether a file's name ends as a photo's does, or has no ending."""
    if name[0] == ".":
        return False
    ending = name[name.rfind(".") :].lower() if "." in name else ""
    return ending in PHOTO_EXTENSIONS or _is_not_extension(ending)


def has_extension(name: str) -> bool:
    """Whether the name has an ending. In "12.5 km" and "photo.1" the dot begins none."""
    return not _is_not_extension(name[name.rfind(".") :] if "." in name else "")


def _is_not_extension(ending: str) -> bool:
    return not ending[1:].isalnum() or ending[1:].isdigit()


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
