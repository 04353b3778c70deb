"""Remove an installed pack's files, and nothing else."""

from __future__ import annotations

import contextlib
from pathlib import Path

from faceclust.errors import PackError, UsageError
from faceclust.files.output_files import is_abandoned_output
from faceclust.installer.partial_file import PartialFile
from faceclust.installer.staging import PERMISSIONS_HINT, lock_pack
from faceclust.packs.pack import Pack
from faceclust.packs.registry import clear_pack_cache
from faceclust.packs.toml_table import RESERVED_NAMES


def files_to_remove(pack: Pack) -> list[Path]:
    """List the existing files of a pack: models, partial downloads, manifest and recorded agreement.
    Raises UsageError for an embedded pack, PackError if its folder cannot be read."""
    if pack.embedded:
        raise UsageError(f"the pack {pack.name!r} is part of faceclust", hint="pip uninstall faceclust removes both")
    names = {*RESERVED_NAMES}
    for name in [file.name for file in pack.own_files] + [archive.name for archive in pack.archives]:
        names |= {name, *(path.name for path in PartialFile(pack.folder / name).paths)}
    try:
        present = sorted(pack.folder.iterdir()) if pack.folder.is_dir() else []
        own = [path for path in present if path.name in names or is_abandoned_output(path)]
        return [path for path in own if path.is_symlink() or path.is_file()]
    except OSError as error:
        raise PackError(f"{pack.folder} cannot be read: {error.strerror or error}") from error


def remove_pack(pack: Pack) -> list[Path]:
    """Delete a pack's files, and its folder if it is then empty; return the deleted files.

    Raises as `files_to_remove` does, and PackError if another process is changing the pack or a
    file cannot be deleted.
    """
    files_to_remove(pack)  # fail before taking the lock
    with lock_pack(pack.name):
        files = files_to_remove(pack)
        try:
            for path in files:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise PackError(
                f"{error.filename} cannot be deleted: {error.strerror or error}", hint=PERMISSIONS_HINT
            ) from error
        finally:
            clear_pack_cache()
        with contextlib.suppress(OSError):  # the user's own files are in it, or it is a symlink
            pack.folder.rmdir()
    return files
