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
from faceclust.files.names import DEFAULT_PACK, DEFAULT_PRECISION, PACK_NAME, PRECISIONS
from faceclust.store.config import FILE_NAME, change_config, config_in, read_config
from faceclust.store.home import LibraryHome
from faceclust.store.locations import homes_of

_PACK, _PRECISION = ("pack",), ("scan", "precision")
#: Outside the tables stands what holds for every command that has such an option.
_FOR_ALL = {_PRECISION: ("precision",)}
#: Whether the user's own file is asked, and a file that cannot be read is an error.
files_count: ContextVar[bool] = ContextVar("files_count", default=True)


@dataclass(frozen=True)
class Chosen:
    """A choice, and the file that says so; None: no file does."""

    value: str
    file: Path | None


def pack_in_use(root: Path | None = None) -> Chosen:
    """The name of the models used for the library at `root`, or, for None, outside of libraries: as
    the library's file says, else the user's own, else the embedded ones. They may not be there.
    Raises UsageError for a file that cannot be read or says something senseless."""
    for file, value in _said(root, _PACK):
        return Chosen(checked_pack(value, file), file)
    return Chosen(DEFAULT_PACK, None)


def precision_in_use(root: Path) -> Chosen:
    """The precision of the embeddings of the library at `root`, of `conventions.PRECISIONS`. Raises
    UsageError as `pack_in_use` does."""
    for file, value in _said(root, _PRECISION):
        if value not in PRECISIONS:
            raise UsageError(f"{file}: [scan] precision = {value!r} is not one of {', '.join(PRECISIONS)}")
        return Chosen(value, file)
    return Chosen(DEFAULT_PRECISION, None)


def checked_pack(value: Any, file: Path) -> str:
    """A pack's name as a file gives it. Raises UsageError for what cannot be one."""
    if not isinstance(value, str) or not PACK_NAME.fullmatch(value):
        raise UsageError(f"{file}: pack = {value!r} is no name of models", hint='write pack = "dlib"')
    return value


def choose_pack(name: str, home: LibraryHome | None) -> Path:
    """Have a library use these models from now on, or, for None, all libraries that say nothing;
    gives the file that says so. Raises UsageError, CacheError."""
    return _change(home, _PACK, name)


def choose_precision(precision: str, home: LibraryHome) -> None:
    """Have a library keep embeddings in this precision from now on. Raises UsageError, CacheError."""
    if precision_in_use(home.root).value != precision or not _in(home.config, _PRECISION):
        _change(home, _PRECISION, precision)


def user_file() -> Path:
    """Where the user's own configuration file is, or would be."""
    return platformdirs.user_config_path("faceclust") / FILE_NAME


def _said(root: Path | None, key: tuple[str, ...]) -> Iterator[tuple[Path, Any]]:
    files = [config_in(homes_of(root))] if root else []
    if files_count.get():
        files.append(user_file())
    for file in files:
        try:
            found = _in(file, key)
            if found is None and key in _FOR_ALL:
                found = _in(file, _FOR_ALL[key])
        except UsageError:
            if files_count.get():
                raise
            continue
        if found is not None:
            yield file, found


def _in(file: Path, key: tuple[str, ...]) -> Any:
    value: Any = read_config(file)
    for name in key:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _change(home: LibraryHome | None, key: tuple[str, ...], value: str) -> Path:
    if home is None:
        file = user_file()
    else:
        home.create()
        file = home.config_to_change()
    change_config(file, {key: value})
    return file
