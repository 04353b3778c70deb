"""Where a command's outcome goes: into a file, or to standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import click

from faceclust.cli.common import require_folder
from faceclust.errors import UsageError

#: What `-o` takes for standard output.
STDOUT = Path("-")


def destination(out: Path | None, *, binary: bool) -> Path | None:
    """The file to write, None for standard output ("-", or none named). To be called before the
    work whose outcome could not be kept. Raises UsageError where there is no such folder, or
    something `binary` would go to a terminal."""
    if out is not None and out != STDOUT:
        return require_folder(out)
    if binary and sys.stdout.isatty():
        raise UsageError("this is not for a terminal to show", hint="name a file with -o, or pipe it into a program")
    return None


def write_out(out: Path | None, write: Callable[[BinaryIO], object], what: str) -> None:
    """Write to the `destination`, and say on stderr `what` was written. Raises FaceclustError."""
    from faceclust.outputs.writing import write_whole

    if out is None:
        write(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    write_whole(out, write, hint="choose another place with -o")
    click.echo(f"wrote {out}: {what}", err=True)
