"""A configuration file, read and changed: what is not changed keeps its words and comments."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faceclust.errors import UsageError
from faceclust.store.files import private_folder, write_atomically

FILE_NAME = "config.toml"
_LARGEST = 1_000_000  # bytes


def read_config(file: Path) -> dict[str, Any]:
    """What it says; nothing where there is none. Raises UsageError for one that cannot be read."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            raise ValueError(f"it is no text of up to {_LARGEST:,} bytes")
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

    read_config(file)  # refuses what cannot be kept
    text = file.read_text(encoding="utf-8") if os.path.exists(file) else ""
    content = tomlkit.parse(text)
    for path, value in changes.items():
        place: Any = content
        for name in path[:-1]:
            place = place.setdefault(name, tomlkit.table())
        if value is None:
            place.pop(path[-1], None)
        else:
            place[path[-1]] = value
    if not file.parent.exists():
        private_folder(file.parent)
    encoded = tomlkit.dumps(content).encode()
    write_atomically(file, lambda stream: stream.write(encoded))
