"""Locate a library's home: inside the library, in the user's data folder, or in a cache directory.

The cache directory of a library is recorded in the user's data folder, because a read-only
library could not hold the record.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from faceclust.errors import CacheError, UsageError
from faceclust.files.atomic import make_private_folder, remove_file, write_private_atomically
from faceclust.files.names import HOME_FOLDER
from faceclust.files.own_files import is_own_folder, list_own, read_own, stat_own, translate_os_errors
from faceclust.files.user_folders import data_folder, expand_user

CACHE_DIR_VARIABLE = "FACECLUST_CACHE_DIR"
_MAX_RECORD_BYTES = 1_000_000


@dataclass(frozen=True)
class CachePaths:
    """The paths of one folder's cache: the one to write, others to read if that is missing, and the
    one to move an unusable cache to. Files in `protected_paths` are never removed."""

    write_path: Path
    other_paths: tuple[Path, ...]
    set_aside_path: Path
    protected_paths: frozenset[Path] = frozenset()

    @property
    def existing_path(self) -> Path | None:
        """The cache to read, perhaps not a regular file; None if it is missing. Raises CacheError."""
        with translate_os_errors():
            return next((path for path in (self.write_path, *self.other_paths) if stat_own(path) is not None), None)


def homes_of(root: Path) -> list[Path]:
    """Return every possible home of the library at `root`, the one to write to first."""
    inside, outside = root / HOME_FOLDER, outside_home(root)
    with translate_os_errors():
        writable = os.access(inside if is_own_folder(inside) else root, os.W_OK)
    defaults = [inside, outside] if writable else [outside, inside]
    return list(dict.fromkeys([*(home_below(folder, root) for folder in cache_dirs_of(root)), *defaults]))


def outside_home(root: Path) -> Path:
    """Return the home of a read-only library, in the user's data folder."""
    return home_below(libraries_folder(), root)


def home_below(folder: Path, root: Path) -> Path:
    """Return the home of the library at `root` in a folder that may hold several homes."""
    return folder / _home_name(str(root))


class NestedHomes:
    """Finds the homes of folders that used to be libraries. Create one for each walk: it lists the
    homes outside the library once, not for every folder."""

    def __init__(self) -> None:
        from_environment = os.environ.get(CACHE_DIR_VARIABLE)
        external = [libraries_folder(), saved_cache_dirs_folder()]
        if from_environment:
            external.append(Path(from_environment))
        self._external_names = {name for folder in external for name in list_own(folder)}

    def find(self, folder: Path, subfolders: Collection[str]) -> list[Path]:
        """Return the possible homes of `folder`, which contains these subfolders."""
        if _home_name(str(folder)) in self._external_names:
            return homes_of(folder)
        return [folder / HOME_FOLDER] if HOME_FOLDER in subfolders else []


def cache_dirs_of(root: Path) -> list[Path]:
    """Return the cache directories of the library at `root`: FACECLUST_CACHE_DIR first, then the
    recorded ones, the latest first."""
    from_environment = os.environ.get(CACHE_DIR_VARIABLE)
    first = [Path(os.path.realpath(expand_user(from_environment)))] if from_environment else []
    return list(dict.fromkeys([*first, *saved_cache_dirs(root)]))


def saved_cache_dirs(root: Path) -> list[Path]:
    """Return the recorded cache directories of the library at `root`, the latest first. Raises CacheError."""
    with translate_os_errors():
        try:
            lines = read_own(_saved_cache_dirs_file(root), _MAX_RECORD_BYTES).split(b"\0")
        except FileNotFoundError:
            return []
    return [Path(os.path.realpath(os.fsdecode(line))) for line in lines if line]


def save_cache_dir(root: Path, folder: Path) -> None:
    """Record `folder` as the cache directory of the library at `root`. Raises CacheError."""
    saved = saved_cache_dirs(root)
    if saved[:1] != [folder]:
        file = _saved_cache_dirs_file(root)
        content = b"\0".join(map(os.fsencode, [folder, *(other for other in saved if other != folder)]))
        make_private_folder(file.parent)
        write_private_atomically(file, lambda stream: stream.write(content))


def forget_cache_dirs(root: Path) -> None:
    """Delete the record of the cache directories of a library that no longer exists. Raises CacheError."""
    remove_file(_saved_cache_dirs_file(root))


def saved_added_roots(root: Path) -> dict[str, str]:
    """Return the additional roots, path by id, that the user added to the library at `root` on this machine.
    Raises CacheError."""
    with translate_os_errors():
        try:
            content = read_own(_added_roots_file(root), _MAX_RECORD_BYTES)
        except FileNotFoundError:
            return {}
    fields = [os.fsdecode(field) for field in content.split(b"\0")]
    return dict(zip(fields[::2], fields[1::2], strict=False))


def save_added_roots(root: Path, paths: Mapping[str, str]) -> None:
    """Record the additional roots, path by id, that the user added on this machine. Raises CacheError."""
    file = _added_roots_file(root)
    if not paths:
        remove_file(file)
    elif saved_added_roots(root) != dict(paths):
        content = b"\0".join(os.fsencode(field) for pair in paths.items() for field in pair)
        make_private_folder(file.parent)
        write_private_atomically(file, lambda stream: stream.write(content))


def _added_roots_file(root: Path) -> Path:
    return home_below(Path(os.path.realpath(data_folder() / "roots")), root)


def resolve_cache_dir(root: Path, folder: Path) -> Path:
    """Return a cache directory as an absolute path. Raises UsageError if it lies in the library or
    is not a folder."""
    try:
        folder = expand_user(folder).resolve()
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{folder} cannot be opened: {error}") from error
    if folder.is_relative_to(root):
        raise UsageError(f"{folder} lies in the library {root}", hint="choose a folder outside the library")
    status = stat_own(folder)
    if status is not None and not stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{folder} is not a folder")
    return folder


def require_cache_dir(root: Path) -> None:
    """Raise CacheError if the recorded cache directory is missing. Going on without it would look
    as if all names were lost."""
    if os.environ.get(CACHE_DIR_VARIABLE):
        return
    for folder in saved_cache_dirs(root)[:1]:
        with translate_os_errors():
            exists = is_own_folder(folder)
        if not exists:
            raise CacheError(
                f"the cache directory {folder} of the library {root} is missing",
                hint="is the disk mounted? to use another one: faceclust scan --cache-dir FOLDER",
            )


def _saved_cache_dirs_file(root: Path) -> Path:
    return home_below(saved_cache_dirs_folder(), root)


def saved_cache_dirs_folder() -> Path:
    """Return the folder that records the cache directory of each library."""
    return Path(os.path.realpath(data_folder() / "cache-dirs"))


def libraries_folder() -> Path:
    """Return the folder with the homes of read-only libraries."""
    return Path(os.path.realpath(data_folder() / "libraries"))


def _home_name(root: str) -> str:
    digest = hashlib.blake2b(root.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    return f"{os.path.basename(root) or 'root'}-{digest}"  # noqa: PTH119 - called for every folder
