"""The settings of a library: its model pack, the precision of its stored embeddings, the folders to scan although
another program keeps copies of photos there, and whether videos are scanned.

They come from configuration files; the library's takes precedence over the user's. They are
properties of the library, not options of a command. So `--no-config` ignores the user's file and
unreadable files, but still reads the library's. This module imports nothing heavy.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceclust.errors import UsageError
from faceclust.files.bundled import default_pack
from faceclust.files.library_roots import is_root_path
from faceclust.files.names import (
    DEFAULT_PACK,
    DEFAULT_PRECISION,
    FORMER_DEFAULT_PACK,
    PACK_NAME_PATTERN,
    PRECISIONS,
    snapshot_file_name,
)
from faceclust.files.own_files import own_exists, translate_os_errors
from faceclust.files.safe_paths import is_path_below
from faceclust.files.user_folders import config_folder
from faceclust.store.config import CONFIG_FILE_NAME, change_config, find_config_file, read_config
from faceclust.store.home import LibraryHome
from faceclust.store.locations import homes_of

#: The key of the user's file that lists trusted libraries of other users.
SAFE_LIBRARIES_KEY = "safe-libraries"
_PACK_KEY, _PRECISION_KEY, _INCLUDE_KEY = ("pack",), ("scan", "precision"), ("scan", "include")
_VIDEOS_KEY = ("scan", "videos")
#: Top-level keys apply to every command with such an option; they are the fallback.
_TOP_LEVEL_KEYS = {_PRECISION_KEY: ("precision",)}
#: False with `--no-config`: ignore the user's file and unreadable files.
user_config_enabled: ContextVar[bool] = ContextVar("user_config_enabled", default=True)


@dataclass(frozen=True)
class ConfiguredValue:
    """A setting and the file it comes from; None for the default."""

    value: str
    file: Path | None


def pack_in_use(root: Path | None = None) -> ConfiguredValue:
    """Return the name of the pack in use for the library at `root`, or outside of libraries (None).

    Precedence: library file, user file, the former default pack if the library was scanned with it and
    not with the default one, the default pack. The pack need not be installed. Raises UsageError if a
    file cannot be read or its value is invalid, CacheError if the disk does not tell.
    """
    for file, value in _configured_values(root, _PACK_KEY):
        return ConfiguredValue(validate_pack_name(value, file), file)
    return ConfiguredValue(FORMER_DEFAULT_PACK if root and _keeps_former_pack(root) else default_pack(), None)


def _keeps_former_pack(root: Path) -> bool:
    """Does the library at `root`, which has chosen no pack, stay with the default of earlier versions?
    Raises CacheError if that cannot be found out."""
    homes = homes_of(root)
    with translate_os_errors():
        former, current = (
            any(own_exists(home / snapshot_file_name(pack)) for home in homes)
            for pack in (FORMER_DEFAULT_PACK, DEFAULT_PACK)
        )
    return former and not current


def precision_in_use(root: Path) -> ConfiguredValue:
    """Return the precision of the embeddings of the library at `root`, one of PRECISIONS. Raises
    UsageError as `pack_in_use` does."""
    for file, value in _configured_values(root, _PRECISION_KEY):
        if value not in PRECISIONS:
            raise UsageError(f"{file}: [scan] precision must be one of {', '.join(PRECISIONS)}, not {value!r}")
        return ConfiguredValue(value, file)
    return ConfiguredValue(DEFAULT_PRECISION, None)


def included_folders(root: Path) -> tuple[str, ...]:
    """Return the folders (POSIX paths below the root) of other programs that scans of the library at `root`
    include. Raises UsageError as `pack_in_use` does."""
    for file, folders in _configured_values(root, _INCLUDE_KEY):
        if not isinstance(folders, list) or not all(map(_is_library_folder, folders)):
            raise UsageError(
                f"{file}: [scan] include must be a list of folders of the library, not {folders!r}",
                hint='write, for example: include = ["immich/thumbs"]',
            )
        return tuple(folders)
    return ()


def _is_library_folder(path: Any) -> bool:
    """Can this be a folder of a library: a path below its root, or the absolute one of a folder on another disk?"""
    return isinstance(path, str) and (is_path_below(path) or is_root_path(path))


def scans_videos(root: Path) -> bool:
    """Do scans of the library at `root` look at videos, too? Raises UsageError as `pack_in_use` does."""
    for file, value in _configured_values(root, _VIDEOS_KEY):
        if not isinstance(value, bool):
            raise UsageError(f"{file}: [scan] videos must be true or false, not {value!r}")
        return value
    return False


def validate_pack_name(name: Any, file: Path) -> str:
    """Check a pack name read from `file` and return it. Raises UsageError if it is invalid."""
    if not isinstance(name, str) or not PACK_NAME_PATTERN.fullmatch(name):
        raise UsageError(f"{file}: pack = {name!r} is not a pack name", hint='write, for example: pack = "dlib"')
    return name


def set_pack(name: str, home: LibraryHome | None) -> Path:
    """Set the pack of a library, or the user's default pack (None); return the file changed.
    Raises UsageError, CacheError."""
    return _write_setting(home, _PACK_KEY, name)


def set_precision(precision: str, home: LibraryHome) -> None:
    """Set the precision of a library's embeddings. Raises UsageError, CacheError."""
    if precision_in_use(home.root).value != precision or not _read_key(home.config_file, _PRECISION_KEY):
        _write_setting(home, _PRECISION_KEY, precision)


def include_folders(folders: Iterable[str], home: LibraryHome) -> None:
    """Have all scans of a library include these folders (POSIX paths below the root) of other programs.
    Raises UsageError, CacheError."""
    before = included_folders(home.root)
    included = list(dict.fromkeys([*before, *folders]))
    if included != list(before):
        _write_setting(home, _INCLUDE_KEY, included)


def set_videos(home: LibraryHome, *, are_scanned: bool) -> None:
    """Have all scans of a library look at videos, or at none. Raises UsageError, CacheError."""
    if scans_videos(home.root) != are_scanned:
        _write_setting(home, _VIDEOS_KEY, are_scanned)


def copy_config_including(folders: list[str], file: Path, target: Path) -> None:
    """Copy a library's configuration file, with these as the folders of other programs that scans include.
    Raises UsageError, CacheError."""
    change_config(file, {_INCLUDE_KEY: folders}, target)


def safe_libraries() -> list[str]:
    """Return the libraries of other users that the user trusts: folders, or "*" for all.

    They come from the user's own file; a library cannot vouch for itself. Raises UsageError if the
    file cannot be read or the value is invalid.
    """
    if not user_config_enabled.get():
        return []
    file = user_config_file()
    folders = _read_key(file, (SAFE_LIBRARIES_KEY,)) or []
    if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
        raise UsageError(
            f"{file}: {SAFE_LIBRARIES_KEY} must be a list of folders, not {folders!r}",
            hint=f'write, for example: {SAFE_LIBRARIES_KEY} = ["/srv/photos"]',
        )
    return folders


def user_config_file() -> Path:
    """Return the path of the user's configuration file; it may not exist.
    It may be a link of the user's, which is resolved."""
    return Path(os.path.realpath(config_folder() / CONFIG_FILE_NAME))


def _configured_values(root: Path | None, key: tuple[str, ...]) -> Iterator[tuple[Path, Any]]:
    files = [find_config_file(homes_of(root))] if root else []
    if user_config_enabled.get():
        files.append(user_config_file())
    for file in files:
        try:
            found = _read_key(file, key)
            if found is None and key in _TOP_LEVEL_KEYS:
                found = _read_key(file, _TOP_LEVEL_KEYS[key])
        except UsageError:
            if user_config_enabled.get():
                raise
            continue
        if found is not None:
            yield file, found


def _read_key(file: Path, key: tuple[str, ...]) -> Any:
    value: Any = read_config(file)
    for name in key:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _write_setting(home: LibraryHome | None, key: tuple[str, ...], value: str | bool | list[str]) -> Path:
    if home is None:
        file = user_config_file()
    else:
        home.create()
        file = home.writable_config_file()
    change_config(file, {key: value})
    return file
