"""`roots.json` in a library's home: the additional roots, such as other disks.

The file may come from somebody else's disk, so that it cannot make faceclust read a folder by itself: a root is
used only if the user added it on this machine, which is recorded in the user's data folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from faceclust.errors import CacheError
from faceclust.files.atomic import remove_file, write_private_atomically
from faceclust.files.library_roots import AdditionalRoot, LibraryRoots, is_root_path
from faceclust.files.own_files import UnsafeFileError, is_own_folder, read_own
from faceclust.store.locations import save_added_roots, saved_added_roots

#: The file with the roots, and the folder in which their caches are kept; both in the home.
ROOTS_FILE_NAME, ROOTS_NAME = "roots.json", "roots"
MAX_ROOTS = 100
_SCHEMA_VERSION = 1
_MAX_BYTES = 1_000_000
_ID = re.compile(r"[0-9a-f]{8}")


def read_roots(own: Path, homes: Iterable[Path]) -> LibraryRoots:
    """Read the roots of the library at `own` from the first of its homes that lists some.

    Raises CacheError if the file is damaged or cannot be read.
    """
    for home in homes:
        file = home / ROOTS_FILE_NAME
        try:
            content = read_own(file, _MAX_BYTES)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CacheError(f"{file} cannot be read: {error.strerror or error}") from error
        try:
            listed = _parse(content)
        except (ValueError, RecursionError) as error:
            raise CacheError(
                f"{file} is damaged: {error}",
                hint="restore it from a backup; or delete it, then add each root again: faceclust scan --add-root PATH",
            ) from error
        return _check_on_this_machine(own, listed)
    return LibraryRoots(own)


def _parse(content: bytes) -> dict[str, str]:
    """Return the path of each root by its id. Raises ValueError."""
    record: Any = json.loads(content)
    if not isinstance(record, dict) or record.get("schema") != _SCHEMA_VERSION:
        raise ValueError("its version is unknown")
    roots = record.get("roots")
    if not isinstance(roots, list) or len(roots) > MAX_ROOTS:
        raise ValueError(f"its roots are not a list of at most {MAX_ROOTS}")
    found: dict[str, str] = {}
    for root in roots:
        name, path = (root.get("id"), root.get("path")) if isinstance(root, dict) else (None, None)
        if not isinstance(name, str) or not _ID.fullmatch(name) or name in found:
            raise ValueError("the id of a root is invalid")
        if not is_root_path(path) or path in found.values():
            raise ValueError("the path of a root is invalid")
        found[name] = path
    return found


def _check_on_this_machine(own: Path, listed: dict[str, str]) -> LibraryRoots:
    """Find out which roots were added on this machine and whose disks are mounted. One that overlaps another, or
    the library, counts as not added."""
    added = saved_added_roots(own) if listed else {}
    roots: list[AdditionalRoot] = []
    for name, path in listed.items():
        is_added = added.get(name) == path and not any(overlaps(path, other) for other in [own, *_paths(roots)])
        roots.append(AdditionalRoot(name, path, is_added, is_added and is_mounted(Path(path))))
    return LibraryRoots(own, tuple(roots))


def _paths(roots: Iterable[AdditionalRoot]) -> list[Path]:
    return [Path(root.path) for root in roots]


def overlaps(path: str | Path, other: Path) -> bool:
    """Is one of these absolute folders the other one, or in it?"""
    return Path(path).is_relative_to(other) or other.is_relative_to(path)


def is_mounted(folder: Path) -> bool:
    """Is there a folder that is not empty, reached without a symlink? An empty one is a mount point without its
    disk. Hidden files do not count: systems put them there."""
    try:
        if not is_own_folder(folder):
            return False
        with os.scandir(folder) as entries:
            return any(not entry.name.startswith(".") for entry in entries)
    except (OSError, UnsafeFileError):
        return False


def new_root(path: str, known: Iterable[AdditionalRoot]) -> AdditionalRoot:
    """Return a root with an id that no other one has."""
    ids = {root.id for root in known}
    while (name := secrets.token_hex(4)) in ids:
        pass
    return AdditionalRoot(name, path)


def write_roots(home: Path, roots: LibraryRoots) -> None:
    """Write the additional roots of a library, and record on this machine those that were added here.
    Without any, the file is deleted. Raises CacheError."""
    save_added_roots(roots.own, {root.id: root.path for root in roots.additional if root.is_added})
    if not roots.additional:
        remove_file(home / ROOTS_FILE_NAME)
        return
    listed = [{"id": root.id, "path": root.path} for root in roots.additional]
    content = json.dumps({"schema": _SCHEMA_VERSION, "roots": listed}, indent=1, ensure_ascii=False)
    write_private_atomically(home / ROOTS_FILE_NAME, lambda stream: stream.write(f"{content}\n".encode()))


def list_added_folders(own: Path) -> list[Path]:
    """Return the additional roots that the user added to the library at `own` on this machine; none if that cannot
    be found out."""
    with contextlib.suppress(CacheError):
        return [Path(path) for path in saved_added_roots(own).values()]
    return []
