"""The destination of a command's output: a file or standard output."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from faceclust.cli.common import require_parent_folder
from faceclust.cli.terminal.printing import data_stream, is_terminal, print_line
from faceclust.errors import UsageError
from faceclust.files.names import HOME_FOLDER, HOME_MARKER, PHOTO_EXTENSIONS, has_cache_prefix
from faceclust.files.output_files import write_output_atomically
from faceclust.files.safe_paths import lstat_if_present
from faceclust.files.user_folders import expand_user
from faceclust.scan.crawl import is_photo_file
from faceclust.store.find_library import enclosing_library

T = TypeVar("T")
#: The value of `-o` that means standard output.
STDOUT = Path("-")


def resolve_output_file(out: Path | None, *, binary: bool) -> Path | None:
    """Return the file to write, or None for standard output ("-" or no file).

    Call it before the work whose result goes into the file. Raises UsageError if the folder does
    not exist, if the file must not be replaced, or if `binary` data would go to a terminal.
    """
    if out is not None and out != STDOUT:
        file = require_parent_folder(out)
        refuse_link_in_library(file)
        _require_replaceable(file)
        return file
    if binary and is_terminal():
        raise UsageError(
            "refusing to write binary data to a terminal", hint="name a file with -o, or pipe it into a program"
        )
    return None


def _require_replaceable(file: Path) -> None:
    """Raises UsageError for a photo and for a file of a library, which a typing error must not destroy."""
    refuse_library_file(file)
    if _looks_like_photo(Path(os.path.realpath(file))):
        raise UsageError(
            f"refusing to overwrite {file}: it is, or is named like, a photo", hint="name another file with -o"
        )


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


def write_output(out: Path | None, write: Callable[[BinaryIO], T]) -> T:
    """Write to the file from `resolve_output_file`; return what `write` returns. Raises FaceclustError."""
    if out is None:
        stream = data_stream()
        result = write(stream)
        stream.flush()
        return result
    return write_output_atomically(out, write, hint="choose another file with -o")


def print_written(out: Path | None, summary: str) -> None:
    """Name the written file on stderr, unless the output went to standard output."""
    if out is not None:
        print_line(f"wrote {out}: {summary}", err=True)
