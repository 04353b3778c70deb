"""Where a plot goes: into a file that is no photo of the user's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import click

from faceclust.errors import UsageError


def plot_option(function: Callable[..., None]) -> Callable[..., None]:
    """`--plot FILE`."""
    return click.option(
        "--plot",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Draw it too: a .png, .svg or .pdf. Needs faceclust[plot].",
    )(function)


def resolve_plot_file(path: Path | None) -> Path | None:
    """The file to draw into. To be called before the work. Raises UsageError for another ending, for
    a file that was not drawn here, and where there is no such folder; FaceclustError without matplotlib."""
    from faceclust.cli.common import require_parent_folder
    from faceclust.cli.terminal.output_file import refuse_library_file
    from faceclust.outputs.plots import PLOT_SUFFIXES, is_own_plot, require_matplotlib

    if path is None:
        return None
    if path.suffix.lower() not in PLOT_SUFFIXES:
        raise UsageError(f"{path}: a plot ends in {', '.join(PLOT_SUFFIXES)}")
    require_matplotlib()
    file = require_parent_folder(path)
    refuse_library_file(file)
    if file.is_file() and file.stat().st_size and not is_own_plot(file):
        raise UsageError(f"{file} is a photo, or a picture of another program's", hint="name another file")
    return file


def write_plot(file: Path | None, draw: Callable[[BinaryIO, str], None]) -> None:
    """Draw into the `resolve_plot_file`, if there is one, and say so on stderr."""
    from faceclust.files.atomic import write_output_atomically

    if file is not None:
        write_output_atomically(
            file, lambda stream: draw(stream, file.suffix.lower()), hint="choose another place with --plot"
        )
        click.echo(f"wrote {file}", err=True)
