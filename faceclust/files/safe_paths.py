"""Check that a path stays inside a folder (no "..", no symlinks)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

FOLDER_IS_LINK = "its folder is a link"
FOLDER_IS_FILE = "its folder's name is taken by a file"


def relative_posix(base: Path, path: Path) -> str:
    """Return `path` relative to `base` with forward slashes; "" for `base` itself. Raises ValueError
    if it lies outside."""
    below = path.relative_to(base).as_posix()
    return "" if below == "." else below


def is_path_below(path: str) -> bool:
    """Is this a relative path that cannot leave its folder, and that a file can have? For paths from
    untrusted files. The separator is "/", on Windows also a backslash."""
    parts = path.replace(os.sep, "/").split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in path or os.path.splitdrive(path)[0]:
        return False
    try:
        os.fsencode(path)
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def is_absolute_posix(path: str) -> bool:
    """Is this the absolute path of a photo or folder on an additional root, and no path below the library's own?"""
    return path.startswith("/") or bool(os.path.splitdrive(path)[0])


def join_posix(folder: str, name: str) -> str:
    """Return the path of a file in a folder of the library; "" is the library's own root."""
    return f"{folder}/{name}" if folder else name


def is_at_or_below(path: str, folder: str) -> bool:
    """Is this the folder itself, or in it or below it? Both are paths of the library; "" stands for all of it, and
    "." for its own root."""
    if folder == ".":
        return not is_absolute_posix(path)
    return not folder or path == folder or path.startswith(f"{folder}/")


def is_among_photos(folder: Path, root: Path, photos: Iterable[str]) -> bool:
    """Does `folder` contain any of these photos (paths below `root`), or lie in a folder of them?
    A folder without photos directly below the root does not count."""
    real, root = folder.resolve(), root.resolve()
    parents = {(root / parent).resolve() for parent in {photo.rpartition("/")[0] for photo in photos}}
    return any(parent.is_relative_to(real) or (parent != root and real.is_relative_to(parent)) for parent in parents)


def is_photo_folder(path: Path) -> bool:
    """Is there a folder, and not a symlink, which scans do not enter? Raises OSError if that is unknown."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISDIR(status.st_mode) and not is_junction(status)


def unsafe_parent(base: Path, path: str) -> str:
    """Check the folders between `base` and the file at the POSIX path `path` below it.
    Return the reason the first unsafe one is unsafe; "" if all are safe. They need not exist."""
    folders = list(PurePosixPath(path).parents)[-2::-1]
    return next((reason for folder in folders if (reason := unsafe_reason(str(base / folder)))), "")


def unsafe_reason(folder: str) -> str:
    """Return the reason a folder must not be entered; "" if it is an ordinary one or missing. Raises OSError."""
    status = lstat_if_present(folder)
    if status is None:
        return ""
    if stat.S_ISLNK(status.st_mode) or is_junction(status):
        return FOLDER_IS_LINK
    return "" if stat.S_ISDIR(status.st_mode) else FOLDER_IS_FILE


def lstat_if_present(path: str) -> os.stat_result | None:
    """Return the status of a file, of a symlink its own; None if there cannot be such a file. Raises OSError."""
    try:
        return os.lstat(path)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            raise
        return None


def is_junction(status: os.stat_result) -> bool:
    """Is this a reparse point, Windows' kind of symlink to a folder?"""
    return bool(getattr(status, "st_file_attributes", 0) & 0x400)  # FILE_ATTRIBUTE_REPARSE_POINT
