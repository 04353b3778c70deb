"""Read and edit a configuration file. Edits preserve its comments and layout."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from faceclust.errors import CacheError, ConfigReadError, UsageError
from faceclust.files.atomic import make_private_folder, write_private_atomically
from faceclust.files.own_files import is_own_folder, own_exists, read_own
from faceclust.text.toml_text import parse_toml

CONFIG_FILE_NAME = "config.toml"
MAX_CONFIG_BYTES = 100_000  # tomlkit takes quadratic time: one second for this size
_MAX_DEPTH = 10  # printing and editing deeper tables may exceed the recursion limit


def find_config_file(homes: Sequence[Path]) -> Path:
    """Return the first existing configuration file in these homes, else its path in the first home."""
    files = [home / CONFIG_FILE_NAME for home in homes]
    return next(filter(own_exists, files), files[0])


def read_config(file: Path) -> dict[str, Any]:
    """Return the content of a configuration file, empty if it is missing. Raises UsageError if it is
    invalid, ConfigReadError if it cannot be read."""
    hint = "correct or move the file, or ignore it: --no-config"
    try:
        content = parse_toml(read_own(file, MAX_CONFIG_BYTES).decode())
        _require_usual(content)
        return content
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigReadError(f"{file} cannot be read: {error.strerror}", hint=hint) from error
    except ValueError as error:
        raise UsageError(f"{file} cannot be read: {error}", hint=hint) from error


def change_config(file: Path, changes: Mapping[tuple[str, ...], Any], target: Path | None = None) -> None:
    """Set values by their key path, such as ("cluster", "threshold"); None removes a key.

    The rest of the file stays as it is. With `target`, write a changed copy there instead. Raises
    UsageError if the file cannot be read or edited, CacheError if it cannot be written.
    """
    expected = _apply_changes(file, read_config(file), changes)
    text = read_own(file, MAX_CONFIG_BYTES).decode() if own_exists(file) else ""
    try:
        changed = _edit_text(text, changes)
        if parse_toml(changed) != expected:
            raise ValueError("the edit would change other values")
    except Exception as error:  # tomlkit refuses some valid files, with exceptions of several types
        (path, value), *_ = changes.items()
        raise UsageError(
            f"{file} cannot be edited: {error}", hint=f"correct the file, or set {'.'.join(path)} to {value} there"
        ) from error
    target = target or file
    make_private_folder(target.parent)
    encoded = changed.replace("\n", "\r\n" if "\r\n" in text else "\n").encode()
    write_private_atomically(target, lambda stream: stream.write(encoded))


def _apply_changes(file: Path, content: dict[str, Any], changes: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """Apply changes to parsed values. Raises UsageError if a value is where a table belongs."""
    for path, value in changes.items():
        table = content
        for depth, name in enumerate(path[:-1], 1):
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                raise UsageError(
                    f"{file}: {'.'.join(path[:depth])} must be a table, not {table!r:.40}", hint="correct the file"
                )
        if value is None:
            table.pop(path[-1], None)
        else:
            table[path[-1]] = value
    return content


def _edit_text(text: str, changes: Mapping[tuple[str, ...], Any]) -> str:
    """Apply changes to the text of a file. Raises ValueError and other exceptions of tomlkit."""
    import tomlkit
    from tomlkit.items import InlineTable

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
    changed = tomlkit.dumps(content).replace("\r\n", "\n")
    if None in changes.values():  # a removed table leaves an empty line behind
        changed = f"{changed.rstrip()}\n".lstrip("\n")
    return changed


def require_writable_config(file: Path) -> None:
    """Raise UsageError or CacheError before a long computation if `change_config` would fail after it."""
    read_config(file)
    folder = file.parent
    if is_own_folder(folder) and not os.access(folder, os.W_OK):
        raise CacheError(f"{file} cannot be written: its folder is read-only", hint="--dry-run writes nothing")


def _require_usual(content: object) -> None:
    """Raise ValueError for content that later code could not print or edit."""
    level, depth = [content], 0
    while level:
        if depth > _MAX_DEPTH:
            raise ValueError(f"it is nested more than {_MAX_DEPTH} levels deep")
        if any(isinstance(value, int | float) and not abs(value) < 1 << 63 for value in level):
            raise ValueError("it contains a number of more than 64 bits, or one that is not finite")
        containers = [value.values() if isinstance(value, dict) else value for value in level if _is_container(value)]
        level, depth = [item for container in containers for item in container], depth + 1


def _is_container(value: object) -> TypeGuard[dict[str, object] | list[object]]:
    return isinstance(value, dict | list)
