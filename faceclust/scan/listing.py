"""List a library's folders by names, sizes and times alone.

Imports nothing heavy, because a scan without changes needs no more than this.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from faceclust.files.names import (
    EXCLUDED_FOLDER_MARKERS,
    HOME_FOLDER,
    PHOTO_EXTENSIONS,
    is_cache_file_name,
    is_hidden_or_system_folder,
    is_utf8,
    is_video_name,
)
from faceclust.files.program_folders import program_of_folder
from faceclust.files.safe_paths import is_absolute_posix, is_at_or_below

#: A file's name, size in bytes and modification time in ns.
FileEntry = tuple[str, int, int]


@dataclass
class FolderListing:
    """One folder's files.

    `rel_path`: POSIX path below the root, "" for the root, or the absolute one on an additional root.
    `files`: possible photos by name, sorted. `caches`: faceclust's cache files. `is_library`: the folder
    contains a library home. `error`: the reason why it could not be listed, None if it was. `is_unreadable`:
    that reason is a fault of the disk or a missing permission. `program_folders`: its skipped subfolders, each
    with the program that keeps copies of photos there.
    """

    rel_path: str
    files: list[FileEntry] = field(default_factory=list)
    caches: list[FileEntry] = field(default_factory=list)
    is_library: bool = False
    error: str | None = None
    is_unreadable: bool = False
    program_folders: list[tuple[str, str]] = field(default_factory=list)

    @cached_property
    def digest(self) -> str:
        """Hash of the names, sizes and times of all files."""
        return hashlib.blake2b(repr(self.files).encode(), digest_size=16).hexdigest()


def list_folders(
    root: Path, start: str = "", included: Collection[str] = (), *, videos: bool = False
) -> Iterator[FolderListing]:
    """Yield every folder from `start` down, parents first, sorted.

    `start`: POSIX path below `root`, or the absolute one of a folder on an additional root.

    Hidden and system folders are skipped, and folders in which other programs keep copies of photos,
    unless they are at or below one of the `included` folders. Symbolic links are not followed: those inside the library
    lead to folders that are found anyway, others lead out of it, and cycles are impossible. `videos`: list videos, too.
    """
    base = "" if is_absolute_posix(start) else f"{root}/"
    waiting = [start]
    while waiting:
        folder = FolderListing(waiting.pop())
        if not is_utf8(folder.rel_path):
            folder.error = "its name is not UTF-8; rename it to scan it"
            yield folder
            continue
        try:
            subfolders = _list_folder(base + folder.rel_path, folder, videos=videos)
        except OSError as error:
            yield FolderListing(folder.rel_path, error=error.strerror or str(error), is_unreadable=True)
            continue
        if subfolders is None:
            continue
        folder.files.sort()
        prefix = f"{folder.rel_path}/" if folder.rel_path else ""
        children: list[str] = []
        for path in (prefix + name for name in sorted(subfolders)):
            if not (program := program_of_folder(base + path)) or any(is_at_or_below(path, one) for one in included):
                children.append(path)
                continue
            folder.program_folders.append((path, program))
            children += _outermost(one for one in included if is_at_or_below(one, path))
        yield folder
        waiting.extend(reversed(children))


def _outermost(folders: Iterable[str]) -> list[str]:
    """Return the folders that are not below another one of them, sorted."""
    found: list[str] = []
    for folder in sorted(set(folders), key=lambda one: one.split("/")):
        if not found or not is_at_or_below(folder, found[-1]):
            found.append(folder)
    return found


def _list_folder(path: str, folder: FolderListing, *, videos: bool) -> list[str] | None:
    """Fill in the listing and return the subfolders to visit.

    None for folders to skip: albums, and files that faceclust keeps of another library.
    """
    subfolders = []
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if entry.is_dir(follow_symlinks=False):
                if not is_hidden_or_system_folder(name):
                    subfolders.append(name)
                elif name == HOME_FOLDER:
                    folder.is_library = True
            elif name in EXCLUDED_FOLDER_MARKERS and folder.rel_path:
                return None
            elif may_be_photo(name) or (videos and name[0] != "." and is_video_name(name)):
                if entry.is_file(follow_symlinks=False):
                    _append_entry(entry, folder.files)
            elif is_cache_file_name(name):
                _append_entry(entry, folder.caches)
    return subfolders


def _append_entry(entry: os.DirEntry[str], files: list[FileEntry]) -> None:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # deleted since it was listed
        return
    files.append((entry.name, status.st_size, status.st_mtime_ns))


def may_be_photo(name: str) -> bool:
    """Return whether a file name has a photo's extension, or none."""
    if name[0] == ".":
        return False
    extension = name[name.rfind(".") :].lower() if "." in name else ""
    return extension in PHOTO_EXTENSIONS or _is_not_extension(extension)


def has_extension(name: str) -> bool:
    """Return whether the name has an extension. "12.5 km" and "photo.1" have none."""
    return not _is_not_extension(name[name.rfind(".") :] if "." in name else "")


def _is_not_extension(extension: str) -> bool:
    return not extension[1:].isalnum() or extension[1:].isdigit()
