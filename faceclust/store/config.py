"""Read and edit a configuration file. Edits preserve its comments and layout."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faceclust.errors import CacheError, UsageError
from faceclust.files.atomic import make_private_folder, write_private_atomically
from faceclust.files.own_files import is_own_folder, own_exists, read_own

CONFIG_FILE_NAME = "config.toml"
MAX_CONFIG_BYTES = 1_000_000


def find_config_file(homes: Sequence[Path]) -> Path:
    """Return the first existing configuration file in these homes, else its path in the first home."""
    files = [home / CONFIG_FILE_NAME for home in homes]
    return next(filter(own_exists, files), files[0])


def read_config(file: Path) -> dict[str, Any]:
    """Return the content of a configuration file, empty if it is missing. Raises UsageError if it
    cannot be read."""
    try:
        return tomllib.loads(read_own(file, MAX_CONFIG_BYTES).decode())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"{file} cannot be read: {reason}", hint="correct or move the file, or ignore it: --no-config"
        ) from error


def change_config(file: Path, changes: Mapping[tuple[str, ...], Any]) -> None:
    """Set values by their key path, such as ("cluster", "threshold"); None removes a key.

    The rest of the file stays as it is. Raises UsageError if the file cannot be read, CacheError if
    it cannot be written.
    """
    import tomlkit
    from tomlkit.items import InlineTable

    read_config(file)  # raises if the file is not valid
    text = read_own(file, MAX_CONFIG_BYTES).decode() if own_exists(file) else ""
    content = tomlkit.parse(text)
    for path, value in changes.items():
        table: Any = content
        for name in path[:-1]:
            empty = tomlkit.inline_table() if isinstance(table, InlineTable) else tomlkit.table()
            table = table.setdefault(name, empty)
        if value is None:
            table.pop(path[-1], None)
        else:
            table[path[-1]] = value
    make_private_folder(file.parent)
    changed = tomlkit.dumps(content).replace("\r\n", "\n")
    if None in changes.values():  # a removed table leaves an empty line behind
        changed = f"{changed.rstrip()}\n".lstrip("\n")
    encoded = changed.replace("\n", "\r\n" if "\r\n" in text else "\n").encode()
    write_private_atomically(file, lambda stream: stream.write(encoded))


def require_writable_config(file: Path) -> None:
    """Raise UsageError or CacheError before a long computation if `change_config` would fail after it."""
    read_config(file)
    folder = file.parent
    if is_own_folder(folder) and not os.access(folder, os.W_OK):
        raise CacheError(f"{file} cannot be written: its folder is read-only", hint="--dry-run writes nothing")
