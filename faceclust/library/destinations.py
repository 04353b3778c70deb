"""Check where the user wants output, before the work whose result goes there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from faceclust.errors import UsageError
from faceclust.files.names import HOME_FOLDER, HOME_MARKER, PHOTO_EXTENSIONS, has_cache_prefix
from faceclust.files.safe_paths import lstat_if_present
from faceclust.files.user_folders import expand_user
from faceclust.scan.crawl import is_photo_file
from faceclust.store.find_library import enclosing_library


def require_output_file(out: str | os.PathLike[str]) -> Path:
    """Return the file to write, with "~" expanded.

    Raises UsageError if its folder does not exist, or if it must not be replaced: a photo, a file of a
    library, or what a link in a library leads to.
    """
    file = require_parent_folder(out)
    refuse_link_in_library(file)
    _require_replaceable(file)
    return file


def require_parent_folder(file: str | os.PathLike[str]) -> Path:
    """Return the path with "~" expanded.

    Raises UsageError if its folder does not exist.
    """
    file = expand_user(file)
    if not file.absolute().parent.is_dir():
        raise UsageError(
            f"cannot write {file}: there is no folder {file.parent}", hint="create the folder, or choose another file"
        )
    return file


def _require_replaceable(file: Path) -> None:
    """Raises UsageError for a photo and for a file of a library, which a typing error must not destroy."""
    refuse_library_file(file)
    if _looks_like_photo(Path(os.path.realpath(file))):
        raise UsageError(f"refusing to overwrite {file}: it is, or is named like, a photo", hint="name another file")


def _looks_like_photo(file: Path) -> bool:
    """Whether the file is a photo by its name or its content."""
    if file.suffix.lower() in PHOTO_EXTENSIONS:
        return True
    try:
        return file.is_file() and is_photo_file(file)
    except OSError:
        return False  # writing it fails, too, and says why


def refuse_library_file(file: Path) -> None:
    """Raises UsageError for a file in which faceclust keeps the data of a library."""
    real = Path(os.path.realpath(file))
    is_library_file = has_cache_prefix(real.name) or any(
        folder.name == HOME_FOLDER or lstat_if_present(str(folder / HOME_MARKER)) is not None for folder in real.parents
    )
    if is_library_file:
        raise UsageError(f"refusing to overwrite {file}: faceclust keeps its data there", hint="name another file")


def refuse_link_in_library(path: Path) -> None:
    """Raises UsageError if a path to write to goes through a symlink, pipe or device in a library: whoever
    made the library may have put it there, to have another file overwritten."""
    path = expand_user(path).absolute()
    for step in (*reversed(path.parents), path):
        status = lstat_if_present(str(step))
        if status is None or stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
            continue
        if enclosing_library(step.parent.resolve()):
            is_link = stat.S_ISLNK(status.st_mode)
            target = f"it leads to {path.resolve()}; " if is_link else ""
            raise UsageError(
                f"refusing to write through {step}, a {'symlink' if is_link else 'pipe'} in a library",
                hint=f"{target}name another file or folder",
            )
