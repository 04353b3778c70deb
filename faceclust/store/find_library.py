"""Which library is meant: by name, by where one is, or the one last scanned."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from faceclust.errors import CacheError, NoLibraryError, UsageError
from faceclust.files.atomic import make_private_folder, write_atomically
from faceclust.store.home import LibraryHome
from faceclust.store.locations import homes_of, saved_cache_dirs

LIBRARY_VARIABLE = "FACECLUST_LIBRARY"


def find_library(library: Path | None) -> Path:
    """The library's root: the one named, else FACECLUST_LIBRARY, else the nearest folder from
    here up that holds `.faceclust/`, else the one last scanned. Raises NoLibraryError."""
    chosen = library or (Path(env) if (env := os.environ.get(LIBRARY_VARIABLE)) else None)
    if chosen is not None:
        root = resolve_folder(chosen)
        if not LibraryHome(root).exists():
            raise NoLibraryError(f"{root} has not been scanned", hint=f"type: faceclust scan {shlex.quote(str(root))}")
        return root
    here = enclosing_library(_working_folder())
    if here is not None:
        return here
    last = _last_scanned_library()
    if last is not None and LibraryHome(last).exists():
        return last
    raise NoLibraryError("no photo library is known yet", hint="type: faceclust scan FOLDER, or name one by --library")


def find_library_for_scan(folders: Sequence[str | os.PathLike[str]], library: str | os.PathLike[str] | None) -> Path:
    """The root of the library that a scan of these folders belongs to: the one named, else the one
    the first folder lies in, else that folder itself, as a new library. Raises UsageError."""
    if library is not None:
        return resolve_folder(Path(library))
    if not folders:
        return find_library(None)
    first = resolve_folder(Path(folders[0]))
    known = library_from_environment(first) or enclosing_library(first)
    if known is None and len(folders) > 1:
        raise UsageError("several folders, and no library that holds them", hint="name their parent by --library")
    return known or first


def relative_folder(root: Path, folder: Path) -> str:
    """The folder as a POSIX path below the library's root. Raises UsageError for one outside it."""
    resolved = resolve_folder(folder)
    if not resolved.is_relative_to(root):
        raise UsageError(
            f"{resolved} is not in the library {root}",
            hint=f"scan it alone: faceclust scan {shlex.quote(str(resolved))}",
        )
    below = resolved.relative_to(root).as_posix()
    return "" if below == "." else below


def library_from_environment(folder: Path) -> Path | None:
    """The library FACECLUST_LIBRARY names, where the folder lies in it."""
    root = os.environ.get(LIBRARY_VARIABLE)
    chosen = resolve_folder(Path(root)) if root else None
    return chosen if chosen and folder.is_relative_to(chosen) else None


def enclosing_library(path: Path) -> Path | None:
    """The nearest folder from `path` up that is a library's root."""
    for folder in (path, *path.parents):
        if saved_cache_dirs(folder) or any(map(os.path.isdir, homes_of(folder))):
            return folder
    return None


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("the folder you are in is gone", hint="cd somewhere else") from None


def resolve_folder(path: Path) -> Path:
    """An absolute folder without links. Raises UsageError where there is none."""
    try:
        path = path.expanduser()
        resolved = path.resolve(strict=True)
    except FileNotFoundError:
        raise UsageError(f"there is no {path}", hint="check the spelling; is the disk mounted?") from None
    except (OSError, RuntimeError) as error:  # no permission, a ring of links, no such user
        raise UsageError(f"{path} cannot be opened: {error}") from error
    if not resolved.is_dir():
        raise UsageError(f"{path} is not a folder")
    try:
        str(resolved).encode()
    except UnicodeEncodeError:
        raise UsageError(f"the name of {resolved!a} is not UTF-8", hint="rename the folder") from None
    return resolved


def remember_library(root: Path) -> None:
    """Note the library last scanned. Failing to is no reason to fail a scan."""
    try:
        note = _last_scanned_file()
        make_private_folder(note.parent)
        write_atomically(note, lambda stream: stream.write(os.fsencode(root)))
    except (OSError, CacheError):
        return


def _last_scanned_library() -> Path | None:
    try:
        return Path(os.fsdecode(_last_scanned_file().read_bytes()))
    except OSError:
        return None


def _last_scanned_file() -> Path:
    return platformdirs.user_state_path("faceclust") / "last-library"
