"""The destination of a command's output: a file or standard output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from faceclust.cli.terminal.printing import data_stream, is_terminal, print_line
from faceclust.errors import UsageError
from faceclust.files.output_files import write_output_atomically
from faceclust.library.destinations import require_output_file

T = TypeVar("T")
#: The value of `-o` that means standard output.
STDOUT = Path("-")


def resolve_output_file(out: Path | None, *, binary: bool) -> Path | None:
    """Return the file to write, or None for standard output ("-" or no file).

    Call it before the work whose result goes into the file. Raises UsageError if the folder does
    not exist, if the file must not be replaced, or if `binary` data would go to a terminal.
    """
    if out is not None and out != STDOUT:
        return require_output_file(out)
    if binary and is_terminal():
        raise UsageError(
            "refusing to write binary data to a terminal", hint="name a file with -o, or pipe it into a program"
        )
    return None


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
