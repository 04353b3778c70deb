"""Taking a pack's files off this machine, and nothing else."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from faceclust.errors import PackError, UsageError
from faceclust.installer.partial_file import PartialFile
from faceclust.installer.staging import lock_pack
from faceclust.packs.pack import Pack
from faceclust.packs.registry import clear_pack_cache
from faceclust.packs.toml_table import RESERVED_NAMES


def files_to_remove(pack: Pack) -> list[Path]:
    """What there is of a pack in its folder: its models, those on their way, the manifest and the
    note of what was agreed to. Raises UsageError for the embedded pack, PackError for a folder that
    cannot be read."""
    if pack.embedded:
        raise UsageError(f"the pack {pack.name!r} is a part of faceclust", hint="pip uninstall faceclust removes both")
    names = {*RESERVED_NAMES}
    for name in [file.name for file in pack.own_files] + [archive.name for archive in pack.archives]:
        names |= {name, *(path.name for path in PartialFile(pack.folder / name).paths)}
    try:
        there = sorted(pack.folder.iterdir()) if os.path.isdir(pack.folder) else []
        mine = [path for path in there if _strip_temporary_suffix(path.name) in names]
        return [path for path in mine if path.is_symlink() or path.is_file()]
    except OSError as error:
        raise PackError(f"{pack.folder} cannot be read: {error.strerror or error}") from error


def remove_pack(pack: Pack) -> list[Path]:
    """Delete them, and the folder, where nothing else lies in it; gives what was deleted. Raises as
    `files_to_remove` does, and PackError where another faceclust is at work on it or the disk does not
    do it."""
    files_to_remove(pack)
    with lock_pack(pack.name):
        files = files_to_remove(pack)
        try:
            for path in files:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise PackError(
                f"{error.filename} cannot be deleted: {error.strerror or error}", hint="may you write there?"
            ) from error
        finally:
            clear_pack_cache()
        with contextlib.suppress(OSError):  # somebody's own file is in it, or the folder is a link
            pack.folder.rmdir()
    return files


def _strip_temporary_suffix(name: str) -> str:
    """The name of the file that this one was to become, where a killed run left it behind."""
    return re.sub(r"(\.part\.json)\.[0-9a-f]{8}\.tmp$", r"\1", name)
