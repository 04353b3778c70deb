"""What the commands share: options, the library in use, JSON."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from faceclust.errors import FaceclustError, UsageError

if TYPE_CHECKING:
    from faceclust.library.library import Library

F = TypeVar("F", bound=Callable[..., Any])
#: What a shell asks in.
COMPLETION_VARIABLE = "_FACECLUST_COMPLETE"
#: How Python holds such bytes in a text.
_SURROGATE_ESCAPE = re.compile("[\udc80-\udcff]")


def library_option(function: F) -> F:
    """`--library FOLDER`."""
    return click.option(
        "--library",
        "-l",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="The photo library. Default: $FACECLUST_LIBRARY, else this folder's, else the last one scanned.",
    )(function)


def json_option(function: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def open_library(folder: Path | None) -> Library:
    """The library in use, named on the first line of stderr."""
    from faceclust.cli.terminal.progress import TerminalProgress
    from faceclust.library.library import Library

    return announce_library(Library.find(folder, progress=TerminalProgress()))


def announce_library(library: Library) -> Library:
    """Say on stderr which library a command uses."""
    click.echo(f"library: {library.root}", err=True)
    return library


def remind_to_cluster(library: Library) -> None:
    """Say on stderr that nobody can be shown as a person yet, where faces are not grouped."""
    if library.groups is None and library.occurrences:
        click.echo("the faces are not grouped yet; type: faceclust cluster", err=True)
    else:
        remind_to_regroup(library)


def remind_to_regroup(library: Library) -> None:
    """Say on stderr that the groups are those of other models, where these have not grouped yet."""
    if library.groups is not None and library.clustering_pack != library.pack_name:
        click.echo(f"the groups are of faces that {library.clustering_pack} found; type: faceclust cluster", err=True)


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout. Bytes of file names that are not UTF-8 are written as caches
    have them, as \\xNN."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str, allow_nan=False)
    click.echo(_SURROGATE_ESCAPE.sub(lambda found: rf"\\x{ord(found[0]) - 0xDC00:02x}", text))


def complete_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """For the shell: the names of the library in use that begin so."""
    from faceclust.library.library import Library

    try:
        people = Library.find(context.params.get("library")).people()
    except (FaceclustError, OSError):
        return []
    names = [person.label for person in people if person.label.casefold().startswith(incomplete.casefold())]
    # zsh and fish quote what they put in themselves.
    return [shlex.quote(name) for name in names] if os.environ.get(COMPLETION_VARIABLE) == "bash_complete" else names


def complete_packs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """For the shell: the packs of models whose names begin so."""
    from faceclust.packs.registry import pack_names

    return [name for name in pack_names() if name.startswith(incomplete)]


def require_parent_folder(file: Path) -> Path:
    """The path without "~", once the folder it is to lie in is there. Raises UsageError, before
    the work whose outcome could not be kept."""
    file = file.expanduser()
    if not file.absolute().parent.is_dir():
        raise UsageError(
            f"{file} cannot be written: there is no folder {file.parent}", hint="make it, or choose another"
        )
    return file
