"""What stands in an album for a photo: a link, or a copy."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from faceclust.errors import FaceclustError, UsageError

_BLOCK_BYTES = 1 << 20  # bytes


def _symlink(photo: str, link: str, link_target: str) -> None:
    Path(link).symlink_to(link_target)


def _hardlink(photo: str, link: str, link_target: str) -> None:
    os.link(photo, link)


def _copy(photo: str, link: str, link_target: str) -> None:
    # Never into what is there: it could be another name of a photo.
    with open(photo, "rb") as source, open(link, "xb") as target:
        shutil.copyfileobj(source, target, _BLOCK_BYTES)
    _copy_metadata(photo, link)


def _reflink(photo: str, link: str, link_target: str) -> None:
    import reflink_copy

    try:
        reflink_copy.reflink(photo, link)
    except OSError as error:  # it has the system's number in its words only
        words, _, number = str(error).rpartition(" (os error ")
        code = int(number.rstrip(")")) if os.name == "posix" and words else errno.EOPNOTSUPP
        raise OSError(code, words or str(error), link) from error
    _copy_metadata(photo, link)


def _copy_metadata(photo: str, copy: str) -> None:
    """Give a copy the times and rights of its photo, as far as the disk knows such."""
    with contextlib.suppress(OSError):
        shutil.copystat(photo, copy)


_LINK_MAKERS: dict[str, Callable[[str, str, str], None]] = {
    "symlink": _symlink,
    "hardlink": _hardlink,
    "copy": _copy,
    "reflink": _reflink,
}
#: What can stand in an album, and what of that is a file of its own.
LINK_KINDS, COPY_KINDS = tuple(_LINK_MAKERS), ("copy", "reflink")
_HINTS = {
    "symlink": "this disk may know no links; try --link copy",
    "hardlink": "hard links need the albums on the photos' own disk; try --link symlink or --link copy",
    "reflink": "that takes Btrfs, XFS, APFS or ReFS, and the albums on the photos' own disk; try --link hardlink or "
    "--link copy",
    "copy": "is the folder read-only, or gone?",
}
_DISK_HINTS = {
    errno.ENOSPC: "the disk is full; what was made is noted: make room and run it again",
    errno.EDQUOT: "your share of the disk is full; what was made is noted: make room and run it again",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.EACCES: "you may not write there; choose another folder",
}


def require_link_kind(kind: str) -> None:
    """Raises UsageError, with the known ones, for an unknown kind of link."""
    if kind not in LINK_KINDS:
        raise UsageError(f"no link is called {kind!r}", hint=f"known: {', '.join(LINK_KINDS)}")


def make_link(photo: str, link: str, kind: str, link_target: str) -> None:
    """Make a link of this kind, or a copy, where nothing is yet; a symbolic link says `to`. Raises
    OSError."""
    _LINK_MAKERS[kind](photo, link, link_target)


def move_into_place(temporary: str, link: str) -> None:
    """Give a file that is done its name, unless something has that. Raises OSError."""
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
    """What a user is told when a link could not be made."""
    hint = _DISK_HINTS.get(error.errno or 0, _HINTS[kind])
    return FaceclustError(f"{error.filename2 or error.filename or out}: {error.strerror or error}", hint=hint)


class LinkTargets:
    """What symbolic links to the library's photos say: relative paths, which hold as long as both
    folders keep their place to each other, or full ones."""

    def __init__(self, root: Path, out: Path, *, absolute: bool) -> None:
        """Both folders without links in their paths: ".." is counted from where a link really is."""
        try:
            self.library_path = str(root) if absolute else os.path.relpath(root, out)
        except ValueError:  # another drive of Windows
            self.library_path = str(root)
        self._relative = not Path(self.library_path).is_absolute()

    def target_for(self, path: str, photo: str) -> str:
        """What the link at this path below the albums' folder says to lead to the photo."""
        up = ".." + os.sep if self._relative else ""
        below = photo.replace("/", os.sep)
        start = "" if self.library_path == os.curdir else self.library_path + os.sep
        return (
            up * path.count("/") + (self.library_path.rstrip(os.sep) + os.sep if not self._relative else start) + below
        )
