"""Where a command's outcome goes: into a file, or to standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import click

from faceclust.cli.common import require_parent_folder
from faceclust.errors import UsageError
from faceclust.files.atomic import write_output_atomically
from faceclust.files.names import HOME_FOLDER, HOME_MARKER, PHOTO_EXTENSIONS, has_cache_prefix
from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import HEAD_BYTES, detect_format

#: What `-o` takes for standard output.
STDOUT = Path("-")


def resolve_output_file(out: Path | None, *, binary: bool) -> Path | None:
    """The file to write, None for standard output ("-", or none named). To be called before the
    work whose outcome could not be kept. Raises UsageError where there is no such folder, or
    something `binary` would go to a terminal."""
    if out is not None and out != STDOUT:
        file = require_parent_folder(out)
        _require_replaceable(file)
        return file
    if binary and sys.stdout and sys.stdout.isatty():
        raise UsageError("this is not for a terminal to show", hint="name a file with -o, or pipe it into a program")
    return None


def _require_replaceable(file: Path) -> None:
    """Raises UsageError for a photo, and for what faceclust keeps of a library: neither is to be lost
    by a slip of the keyboard."""
    refuse_library_file(file)
    real = Path(os.path.realpath(file))
    if real.suffix.lower() in PHOTO_EXTENSIONS or (real.is_file() and has_photo_content(real)):
        raise UsageError(f"{file} is a photo, or is called as one", hint="name another file with -o")


def refuse_library_file(file: Path) -> None:
    """Raises UsageError for what faceclust keeps of a library."""
    real = Path(os.path.realpath(file))
    kept = has_cache_prefix(real.name) or any(
        folder.name == HOME_FOLDER or (folder / HOME_MARKER).exists() for folder in real.parents
    )
    if kept:
        raise UsageError(f"{file} is where faceclust keeps what it knows", hint="name another file")


def has_photo_content(file: Path) -> bool:
    """Is this a photo, by its content?"""
    try:
        with file.open("rb") as stream:
            detect_format(stream.read(HEAD_BYTES))
    except (UndecodableError, OSError):
        return False
    return True


def write_output(out: Path | None, write: Callable[[BinaryIO], object], summary: str) -> None:
    """Write to the `resolve_output_file`, and say on stderr `what` was written. Raises FaceclustError."""
    if out is None:
        if sys.stdout is None:  # closed from the start, as by >&-
            return
        write(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    write_output_atomically(out, write, hint="choose another place with -o")
    click.echo(f"wrote {out}: {summary}", err=True)
