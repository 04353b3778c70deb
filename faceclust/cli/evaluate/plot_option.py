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


def plot_destination(named: Path | None) -> Path | None:
    """The file to draw into. To be called before the work. Raises UsageError for another ending, for
    a file that was not drawn here, and where there is no such folder; FaceclustError without matplotlib."""
    from faceclust.cli.common import require_folder
    from faceclust.cli.terminal.output_file import require_not_kept
    from faceclust.outputs.plots import FORMATS, is_own, require_matplotlib

    if named is None:
        return None
    if named.suffix.lower() not in FORMATS:
        raise UsageError(f"{named}: a plot ends in {', '.join(FORMATS)}")
    require_matplotlib()
    file = require_folder(named)
    require_not_kept(file)
    if file.is_file() and file.stat().st_size and not is_own(file):
        raise UsageError(f"{file} is a photo, or a picture of another program's", hint="name another file")
    return file


def write_plot(file: Path | None, draw: Callable[[BinaryIO, str], None]) -> None:
    """Draw into the `plot_destination`, if there is one, and say so on stderr."""
    from faceclust.files.atomic import write_whole

    if file is not None:
        write_whole(file, lambda stream: draw(stream, file.suffix.lower()), hint="choose another place with --plot")
        click.echo(f"wrote {file}", err=True)
