"""Find the library a command works on: named, around the working folder, or last scanned."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from faceclust.errors import CacheError, FaceclustError, NoLibraryError, UsageError
from faceclust.files.atomic import make_private_folder, write_private_atomically
from faceclust.files.own_files import is_own_folder, read_own, translate_os_errors
from faceclust.files.safe_paths import relative_posix
from faceclust.files.user_folders import expand_user, state_folder
from faceclust.store.home import LibraryHome
from faceclust.store.locations import homes_of, saved_cache_dirs
from faceclust.store.ownership import require_trusted_library

LIBRARY_VARIABLE = "FACECLUST_LIBRARY"
#: Errors of a path that leads nowhere, whatever the disk does.
_WRONG_PATH = (errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_MAX_PATH_SIZE = 1 << 16  # bytes


def find_library(library: str | os.PathLike[str] | None) -> Path:
    """Find a library's root. Precedence: `library`, FACECLUST_LIBRARY, the nearest library around
    the working folder, the library last scanned.

    Raises NoLibraryError, UsageError: also if the library around the working folder belongs to
    another user.
    """
    chosen = library or os.environ.get(LIBRARY_VARIABLE)
    if chosen:
        root = resolve_folder(chosen)
        if not LibraryHome(root).exists():
            raise NoLibraryError(f"{root} has not been scanned", hint=f"faceclust scan {shlex.quote(str(root))}")
        return root
    enclosing = enclosing_library(_working_folder())
    if enclosing is not None:
        _require_trusted(enclosing)
        return enclosing
    last = _last_scanned_library()
    if last is not None and LibraryHome(last).exists():
        return last
    raise NoLibraryError("no photo library is known yet", hint="faceclust scan FOLDER, or name one: --library")


def find_library_for_scan(folders: Sequence[str | os.PathLike[str]], library: str | os.PathLike[str] | None) -> Path:
    """Find the root of the library that a scan of these folders belongs to. Precedence: `library`,
    the library around the first folder, the first folder as a new library. Raises UsageError."""
    if library is not None:
        return resolve_folder(library)
    if not folders:
        return find_library(None)
    first = resolve_folder(folders[0])
    known = library_from_environment(first)
    if known is None:
        known = enclosing_library(first)
        if known not in (None, first):  # `first` itself was named
            _require_trusted(known)
    if known is None and len(folders) > 1:
        raise UsageError("these folders are not in one library", hint="name their parent folder: --library FOLDER")
    return known or first


def relative_folder(root: Path, folder: str | os.PathLike[str]) -> str:
    """Return a folder as a POSIX path below the library's root. Raises UsageError if it is outside."""
    resolved = resolve_folder(folder)
    if not resolved.is_relative_to(root):
        raise UsageError(
            f"{resolved} is not in the library {root}",
            hint=f"scan it separately: faceclust scan {shlex.quote(str(resolved))}",
        )
    return relative_posix(root, resolved)


def library_from_environment(folder: Path) -> Path | None:
    """Return the root that FACECLUST_LIBRARY names if `folder` lies in it, else None."""
    root = os.environ.get(LIBRARY_VARIABLE)
    chosen = resolve_folder(root) if root else None
    return chosen if chosen and folder.is_relative_to(chosen) else None


def enclosing_library(path: Path) -> Path | None:
    """Return `path` or its nearest parent that is a library's root; None if there is no such folder.
    Raises CacheError."""
    with translate_os_errors():
        candidates = (path, *path.parents)
        return next(
            (one for one in candidates if saved_cache_dirs(one) or any(map(is_own_folder, homes_of(one)))), None
        )


def _require_trusted(root: Path) -> None:
    """Raise UsageError if a library that was not named belongs to another user. The one last scanned
    was named then."""
    if root != _last_scanned_library():
        require_trusted_library(root)


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("the working folder no longer exists", hint="cd to another folder") from None


def resolve_folder(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of an existing folder, symlinks resolved. Raises UsageError, and
    FaceclustError if the disk does not tell."""
    try:
        path = expand_user(path)
        resolved = path.resolve(strict=True)
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist", hint="check the spelling; is the disk mounted?") from None
    except RuntimeError:  # of Python before 3.13
        raise UsageError(f"{path} cannot be opened: its symlinks form a circle") from None
    except OSError as error:
        kind = UsageError if error.errno in _WRONG_PATH else FaceclustError
        raise kind(f"{path} cannot be opened: {error.strerror}") from error
    if not resolved.is_dir():
        raise UsageError(f"{path} is not a folder", hint="name the folder that contains it")
    try:
        str(resolved).encode()
    except UnicodeEncodeError:
        raise UsageError(f"the name of {resolved!a} is not UTF-8", hint="rename the folder") from None
    return resolved


def remember_library(root: Path) -> None:
    """Record the library last scanned. Ignores errors: they must not fail the scan."""
    try:
        note = _last_scanned_file()
        make_private_folder(note.parent)
        write_private_atomically(note, lambda stream: stream.write(os.fsencode(root)))
    except (OSError, CacheError):
        return


def _last_scanned_library() -> Path | None:
    try:
        path = os.fsdecode(read_own(_last_scanned_file(), _MAX_PATH_SIZE))
    except FileNotFoundError:
        return None
    return last if "\0" not in path and (last := Path(path)).is_absolute() else None


def _last_scanned_file() -> Path:
    return state_folder() / "last-library"
