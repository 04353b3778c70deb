"""What lies below a folder, and stays below it: no link on the way leads out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

FOLDER_IS_LINK = "its folder is a link"
FOLDER_IS_FILE = "a file stands where its folder would be"


def is_path_below(path: str) -> bool:
    """Does a path, as noted in a file that anybody may have changed, lead nowhere but below its folder?
    POSIX ones do that have no backslash, which is a step of Windows."""
    parts = path.split("/")
    bad = any(part in ("", ".", "..") for part in parts) or "\\" in path or "\0" in path
    return not bad and not os.path.splitdrive(path)[0]


def is_among_photos(folder: Path, root: Path, photos: Iterable[str]) -> bool:
    """Does a folder hold some of these photos, paths below `root`, at any depth, or lie in a folder of
    them? In the root itself a folder without photos may lie."""
    real, root = folder.resolve(), root.resolve()
    homes = {(root / home).resolve() for home in {photo.rpartition("/")[0] for photo in photos}}
    return any(home.is_relative_to(real) or (home != root and real.is_relative_to(home)) for home in homes)


def unsafe_parent(base: Path, path: str) -> str:
    """What is wrong with a folder on the way from `base` to the file at this POSIX path below it, in
    words; "" where nothing is. The folders need not be there."""
    folders = list(PurePosixPath(path).parents)[-2::-1]
    return next((wrong for folder in folders if (wrong := unsafe_reason(str(base / folder)))), "")


def unsafe_reason(folder: str) -> str:
    """Why this is no folder to go into, in words; "" where it is one, or is not there."""
    try:
        status = os.lstat(folder)
    except (OSError, ValueError):
        return ""
    if stat.S_ISLNK(status.st_mode) or _is_junction(status):
        return FOLDER_IS_LINK
    return "" if stat.S_ISDIR(status.st_mode) else FOLDER_IS_FILE


def _is_junction(status: os.stat_result) -> bool:
    """A folder of Windows that leads elsewhere."""
    return bool(getattr(status, "st_file_attributes", 0) & 0x400)  # FILE_ATTRIBUTE_REPARSE_POINT
