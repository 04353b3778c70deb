"""Find the library a command works on: named, around the working folder, or last scanned."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from faceclust.errors import CacheError, FaceclustError, NoLibraryError, UsageError
from faceclust.files.atomic import make_private_folder, write_private_atomically
from faceclust.files.library_roots import LibraryRoots
from faceclust.files.own_files import is_own_folder, read_own, translate_os_errors
from faceclust.files.user_folders import expand_user, state_folder
from faceclust.store.home import LibraryHome
from faceclust.store.locations import homes_of, saved_cache_dirs
from faceclust.store.ownership import require_trusted_library
from faceclust.store.roots_file import list_added_folders

LIBRARY_VARIABLE = "FACECLUST_LIBRARY"
#: Errors of a path that leads nowhere, whatever the disk does.
_WRONG_PATH = (errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_MAX_LIST_SIZE = 1 << 16  # bytes


def find_library(library: str | os.PathLike[str] | None) -> Path:
    """Find a library's root. Precedence: `library`, FACECLUST_LIBRARY, the nearest library around
    the working folder, the library with an additional root around it, the library last scanned.

    Raises NoLibraryError, UsageError: also if the library around the working folder belongs to
    another user.
    """
    chosen = library or os.environ.get(LIBRARY_VARIABLE)
    if chosen:
        root = resolve_folder(chosen)
        if not LibraryHome(root).exists():
            raise _not_a_library(root)
        return root
    here = _working_folder()
    enclosing = enclosing_library(here) or library_with_root_around(here)
    if enclosing is not None:
        _require_trusted(enclosing)
        return enclosing
    last = default_library()
    if last is not None and LibraryHome(last).exists():
        return last
    raise NoLibraryError("no photo library is known yet", hint="faceclust scan FOLDER, or name one: --library")


def _not_a_library(root: Path) -> NoLibraryError:
    """An error that names the library above or below this folder, which a scan of it would not change."""
    above = enclosing_library(root)
    if above is not None:
        return NoLibraryError(f"{root} is a part of the library {above}", hint=f"--library {shlex.quote(str(above))}")
    scan = f"faceclust scan {shlex.quote(str(root))}"
    below = next((known for known in known_libraries() if known.is_relative_to(root)), None)
    if below is not None:
        hint = f"--library {shlex.quote(str(below))}; or, to make one library of the whole: {scan}"
        return NoLibraryError(f"{root} is not a library, but contains the library {below}", hint=hint)
    return NoLibraryError(f"{root} has not been scanned", hint=scan)


def find_library_for_scan(folders: Sequence[str | os.PathLike[str]], library: str | os.PathLike[str] | None) -> Path:
    """Find the root of the library that a scan of these folders belongs to. Precedence: `library`,
    the library around the first folder, the library with an additional root around it, the first folder as a new
    library. Raises UsageError."""
    if library is not None:
        return resolve_folder(library)
    if not folders:
        return find_library(None)
    first = resolve_folder(folders[0])
    known = library_from_environment(first)
    if known is None:
        known = enclosing_library(first) or library_with_root_around(first)
        if known not in (None, first):  # `first` itself was named
            _require_trusted(known)
    if known is None and len(folders) > 1:
        others = "".join(f" --add-root {shlex.quote(str(resolve_folder(folder)))}" for folder in folders[1:])
        raise UsageError(
            "these folders are not in one library",
            hint=f"name their parent folder: --library FOLDER; or, for several disks: faceclust scan "
            f"{shlex.quote(str(first))}{others}",
        )
    return known or first


def relative_folder(roots: LibraryRoots, folder: str | os.PathLike[str]) -> str:
    """Return a folder as the library has it: a POSIX path below its own root, or the absolute one on an additional
    root. Raises UsageError if it is outside."""
    resolved = resolve_folder(folder)
    found = roots.path_in_library(resolved)
    if found is None:
        other = enclosing_library(resolved)
        quoted = shlex.quote(str(resolved))
        add = f"faceclust scan --add-root {quoted} --library {shlex.quote(str(roots.own))}"
        scan = f"to make it a part of that library: {add}; or scan it separately: faceclust scan {quoted}"
        hint = f"it is in another library: --library {shlex.quote(str(other))}" if other else scan
        raise UsageError(f"{resolved} is not in the library {roots.own}", hint=hint)
    return found


def library_from_environment(folder: Path) -> Path | None:
    """Return the root that FACECLUST_LIBRARY names if `folder` lies in it or in an additional root, else None."""
    root = os.environ.get(LIBRARY_VARIABLE)
    chosen = resolve_folder(root) if root else None
    places = [chosen, *list_added_folders(chosen)] if chosen else []
    return chosen if any(folder.is_relative_to(place) for place in places) else None


def library_with_root_around(path: Path) -> Path | None:
    """Return the library that has an additional root at `path` or around it, as recorded on this machine; None if
    there is none. Raises CacheError."""
    for known in known_libraries():
        if any(path.is_relative_to(folder) for folder in list_added_folders(known)) and LibraryHome(known).exists():
            return known
    return None


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
    if root != last_scanned_library():
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
    _change_known_libraries(lambda known: [root, *(one for one in known if one != root)])


def forget_library(root: Path) -> None:
    """Remove a library that no longer exists from the record. Ignores errors, as `remember_library` does."""
    _change_known_libraries(lambda known: [one for one in known if one != root])


def _change_known_libraries(change: Callable[[list[Path]], list[Path]]) -> None:
    note, before, content = _last_scanned_file(), list[Path](), b""
    with contextlib.suppress(OSError):
        before = known_libraries()
    for path in map(os.fsencode, change(before)):
        if len(content) + len(path) < _MAX_LIST_SIZE:  # the others were scanned long ago
            content += (b"\0" if content else b"") + path
    with contextlib.suppress(OSError, CacheError):
        make_private_folder(note.parent)
        write_private_atomically(note, lambda stream: stream.write(content))


def known_libraries() -> list[Path]:
    """Return the libraries scanned on this machine, the last one first. Their folders may be gone."""
    try:
        content = read_own(_last_scanned_file(), _MAX_LIST_SIZE)
    except FileNotFoundError:
        return []
    paths = [Path(os.fsdecode(path)) for path in content.split(b"\0") if path]
    return [path for path in dict.fromkeys(paths) if path.is_absolute()]


def last_scanned_library() -> Path | None:
    """Return the library last scanned; None if none has been. Its folder may be gone."""
    return next(iter(known_libraries()), None)


def default_library() -> Path | None:
    """Return the library that commands work on outside of all libraries: that of FACECLUST_LIBRARY, else the one
    last scanned. Its folder may be gone."""
    chosen = os.environ.get(LIBRARY_VARIABLE)
    return resolve_folder(chosen) if chosen else last_scanned_library()


def _last_scanned_file() -> Path:
    return state_folder() / "last-library"
