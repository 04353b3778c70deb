"""A configuration file, read and changed: what is not changed keeps its words and comments."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faceclust.errors import CacheError, UsageError
from faceclust.files.atomic import make_private_folder, write_atomically

CONFIG_FILE_NAME = "config.toml"
_MAX_SIZE = 1_000_000  # bytes


def find_config_file(homes: Sequence[Path]) -> Path:
    """Of the places where a library's files may be, the own one first: its configuration file, where it
    is, or would be."""
    files = [home / CONFIG_FILE_NAME for home in homes]
    return next(filter(os.path.exists, files), files[0])


def read_config(file: Path) -> dict[str, Any]:
    """What it says; nothing where there is none. Raises UsageError for one that cannot be read."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_SIZE:
            raise ValueError(f"it is no text of up to {_MAX_SIZE:,} bytes")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{file} cannot be read: {said}", hint="mend or move it; --no-config reads none") from error


def change_config(file: Path, changes: Mapping[tuple[str, ...], Any]) -> None:
    """Set values by their path, as ("cluster", "threshold"); None takes one out. Everything else in
    the file stays as it is written. Raises UsageError for one that cannot be read, CacheError where
    the disk does not take it."""
    import tomlkit
    from tomlkit.items import InlineTable

    read_config(file)  # refuses what cannot be kept
    file = Path(os.path.realpath(file))  # a link to a file kept elsewhere stays one
    text = file.read_bytes().decode() if os.path.exists(file) else ""
    content = tomlkit.parse(text)
    for path, value in changes.items():
        place: Any = content
        for name in path[:-1]:
            made = tomlkit.inline_table() if isinstance(place, InlineTable) else tomlkit.table()
            place = place.setdefault(name, made)
        if value is None:
            place.pop(path[-1], None)
        else:
            place[path[-1]] = value
    if not file.parent.exists():
        make_private_folder(file.parent)
    changed = tomlkit.dumps(content).replace("\r\n", "\n")
    if None in changes.values():  # the empty line that stood before what is gone
        changed = f"{changed.rstrip()}\n".lstrip("\n")
    encoded = changed.replace("\n", "\r\n" if "\r\n" in text else "\n").encode()
    write_atomically(file, lambda stream: stream.write(encoded))


def require_writable_config(file: Path) -> None:
    """Raises, before a long work, what `change_config` would raise after it: UsageError, CacheError."""
    read_config(file)
    folder = Path(os.path.realpath(file)).parent
    if folder.exists() and not os.access(folder, os.W_OK):
        raise CacheError(f"{file} cannot be written: its folder is read-only", hint="--dry-run writes nothing")
