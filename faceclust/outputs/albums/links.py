"""Create links to photos, or copies of them."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from faceclust.errors import FaceclustError, UsageError
from faceclust.files.own_files import PRIVATE_FILE_MODE, open_own
from faceclust.files.safe_paths import is_absolute_posix

_BLOCK_BYTES = 1 << 20


def _symlink(photo: str, link: str, link_target: str) -> None:
    Path(link).symlink_to(link_target)


def _hardlink(photo: str, link: str, link_target: str) -> None:
    with _open_photo(photo) as source:
        os.link(photo, link, follow_symlinks=False)
        if not os.path.samestat(os.fstat(source.fileno()), os.lstat(link)):  # replaced meanwhile
            Path(link).unlink()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), photo)


def _copy(photo: str, link: str, link_target: str) -> None:
    # "x": never write into an existing file, which could be a hard link of a photo.
    with _open_photo(photo) as source, open(link, "xb", opener=_open_private) as target:
        shutil.copyfileobj(source, target, _BLOCK_BYTES)
    _copy_metadata(photo, link)


def _open_photo(photo: str) -> BinaryIO:
    """Open a photo, but nothing that a symlink leads to. Raises OSError."""
    return os.fdopen(open_own(Path(photo)), "rb")


def _open_private(path: str, flags: int) -> int:
    # The photo may be private, and the copy gets its permissions only when it is complete.
    return os.open(path, flags, PRIVATE_FILE_MODE)


def _reflink(photo: str, link: str, link_target: str) -> None:
    import reflink_copy

    _open_photo(photo).close()
    try:
        reflink_copy.reflink(photo, link)
    except OSError as error:  # reflink_copy has the error number only in its message
        message, _, number = str(error).rpartition(" (os error ")
        code = int(number.rstrip(")")) if os.name == "posix" and message else errno.EOPNOTSUPP
        raise OSError(code, message or str(error), link) from error
    _copy_metadata(photo, link)


def _copy_metadata(photo: str, copy: str) -> None:
    """Copy the times and permissions of a photo, as far as the disk supports them."""
    with contextlib.suppress(OSError):
        shutil.copystat(photo, copy)


_LINK_MAKERS: dict[str, Callable[[str, str, str], None]] = {
    "symlink": _symlink,
    "hardlink": _hardlink,
    "copy": _copy,
    "reflink": _reflink,
}
#: All kinds of links, and those that are files of their own.
LINK_KINDS, COPY_KINDS = tuple(_LINK_MAKERS), ("copy", "reflink")
_HINTS = {
    "symlink": "this disk may not support links; try --link copy",
    "hardlink": "hard links need the albums on the photos' own disk; try --link symlink or --link copy",
    "reflink": "reflinks need Btrfs, XFS, APFS or ReFS, and the albums on the photos' own disk; try --link hardlink "
    "or --link copy",
    "copy": "is the folder read-only, or gone?",
}
_DISK_HINTS = {
    errno.ENOSPC: "the disk is full; finished links are recorded: free some space and run it again",
    errno.EDQUOT: "your disk quota is used up; finished links are recorded: free some space and run it again",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.EACCES: "you have no permission to write there; choose another folder",
}


def require_link_kind(kind: str) -> None:
    """Raises UsageError, with the known kinds, for an unknown kind of link."""
    if kind not in LINK_KINDS:
        raise UsageError(f"unknown kind of link {kind!r}", hint=f"known: {', '.join(LINK_KINDS)}")


def make_link(photo: str, link: str, kind: str, link_target: str) -> None:
    """Create a link or copy of a photo at a free path. Raises OSError.

    `link_target` is the text of a symbolic link.
    """
    _LINK_MAKERS[kind](photo, link, link_target)


def move_into_place(temporary: str, link: str) -> None:
    """Rename a finished file, but never over an existing one. Raises OSError."""
    try:
        os.link(temporary, link, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # a disk without hard links
        if os.path.lexists(link):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), link) from None
        Path(temporary).rename(link)
    else:
        Path(temporary).unlink()


def link_error(error: OSError, kind: str, out: Path) -> FaceclustError:
    """Convert an OSError into an error with a hint for this kind of link."""
    hint = _DISK_HINTS.get(error.errno or 0, _HINTS[kind])
    return FaceclustError(f"{error.filename2 or error.filename or out}: {error.strerror or error}", hint=hint)


class LinkTargets:
    """Targets of symbolic links to the library's photos, relative or absolute.

    Relative targets stay valid if both folders move together.
    """

    def __init__(self, root: Path, out: Path, *, absolute: bool) -> None:
        """Both folders must be resolved: the system counts ".." from a link's real folder."""
        try:
            self.library_path = str(root) if absolute else os.path.relpath(root, out)
        except ValueError:  # another drive on Windows
            self.library_path = str(root)
        self._relative = not Path(self.library_path).is_absolute()

    def target_for(self, path: str, photo: str) -> str:
        """Return the target of a link at `path` below the albums folder to a photo of the library. That of a photo
        on an additional root is absolute: the other disk does not move with the albums."""
        is_elsewhere = is_absolute_posix(photo)
        photo = photo.replace("/", os.sep)
        if is_elsewhere:
            return photo
        if not self._relative:
            return self.library_path.rstrip(os.sep) + os.sep + photo
        base = "" if self.library_path == os.curdir else self.library_path + os.sep
        return (".." + os.sep) * path.count("/") + base + photo
