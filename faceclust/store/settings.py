"""What a library is looked at with: its models, and the numbers that embeddings are kept as.

Both stand in configuration files: that of the library goes before the user's own. They are no
options of a command but a property of the library, so `--no-config` passes by the user's file, and
a file that cannot be read, and no more. Nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from faceclust.errors import UsageError
from faceclust.files.names import DEFAULT_PACK, DEFAULT_PRECISION, PACK_NAME_PATTERN, PRECISIONS
from faceclust.store.config import CONFIG_FILE_NAME, change_config, find_config_file, read_config
from faceclust.store.home import LibraryHome
from faceclust.store.locations import homes_of

_PACK_KEY, _PRECISION_KEY = ("pack",), ("scan", "precision")
#: Outside the tables stands what holds for every command that has such an option.
_TOP_LEVEL_KEYS = {_PRECISION_KEY: ("precision",)}
#: Whether the user's own file is asked, and a file that cannot be read is an error.
user_config_enabled: ContextVar[bool] = ContextVar("files_count", default=True)


@dataclass(frozen=True)
class ConfiguredValue:
    """A choice, and the file that says so; None: no file does."""

    value: str
    file: Path | None


def pack_in_use(root: Path | None = None) -> ConfiguredValue:
    """The name of the models used for the library at `root`, or, for None, outside of libraries: as
    the library's file says, else the user's own, else the embedded ones. They may not be there.
    Raises UsageError for a file that cannot be read or says something senseless."""
    for file, value in _configured_values(root, _PACK_KEY):
        return ConfiguredValue(validate_pack_name(value, file), file)
    return ConfiguredValue(DEFAULT_PACK, None)


def precision_in_use(root: Path) -> ConfiguredValue:
    """The precision of the embeddings of the library at `root`, of `conventions.PRECISIONS`. Raises
    UsageError as `pack_in_use` does."""
    for file, value in _configured_values(root, _PRECISION_KEY):
        if value not in PRECISIONS:
            raise UsageError(f"{file}: [scan] precision = {value!r} is not one of {', '.join(PRECISIONS)}")
        return ConfiguredValue(value, file)
    return ConfiguredValue(DEFAULT_PRECISION, None)


def validate_pack_name(name: Any, file: Path) -> str:
    """A pack's name as a file gives it. Raises UsageError for what cannot be one."""
    if not isinstance(name, str) or not PACK_NAME_PATTERN.fullmatch(name):
        raise UsageError(f"{file}: pack = {name!r} is no name of models", hint='write pack = "dlib"')
    return name


def set_pack(name: str, home: LibraryHome | None) -> Path:
    """Have a library use these models from now on, or, for None, all libraries that say nothing;
    gives the file that says so. Raises UsageError, CacheError."""
    return _write_setting(home, _PACK_KEY, name)


def set_precision(precision: str, home: LibraryHome) -> None:
    """Have a library keep embeddings in this precision from now on. Raises UsageError, CacheError."""
    if precision_in_use(home.root).value != precision or not _read_key(home.config_file, _PRECISION_KEY):
        _write_setting(home, _PRECISION_KEY, precision)


def user_config_file() -> Path:
    """Where the user's own configuration file is, or would be."""
    return platformdirs.user_config_path("faceclust") / CONFIG_FILE_NAME


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


def _write_setting(home: LibraryHome | None, key: tuple[str, ...], value: str) -> Path:
    if home is None:
        file = user_config_file()
    else:
        home.create()
        file = home.writable_config_file()
    change_config(file, {key: value})
    return file
