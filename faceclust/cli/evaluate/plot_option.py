"""The option `--plot`, which never overwrites a photo or a plot of another program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import click

from faceclust.cli.terminal.printing import print_line
from faceclust.errors import UsageError
from faceclust.files.output_files import write_output_atomically
from faceclust.library.destinations import refuse_library_file, refuse_link_in_library, require_parent_folder
from faceclust.outputs.plots import PLOT_SUFFIXES, is_own_plot, require_matplotlib


def plot_option(function: Callable[..., None]) -> Callable[..., None]:
    """`--plot FILE`."""
    return click.option(
        "--plot",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Also draw a plot: .png, .svg or .pdf. Needs faceclust[plot].",
    )(function)


def resolve_plot_file(path: Path | None) -> Path | None:
    """Check the file to draw into, before the work begins.

    Raises UsageError for another suffix, a missing folder, or a file that faceclust did not draw;
    FaceclustError if matplotlib is missing.
    """
    if path is None:
        return None
    if path.suffix.lower() not in PLOT_SUFFIXES:
        raise UsageError(f"{path}: a plot must end in {', '.join(PLOT_SUFFIXES)}")
    require_matplotlib()
    file = require_parent_folder(path)
    refuse_link_in_library(file)
    refuse_library_file(file)
    if file.is_file() and file.stat().st_size and not is_own_plot(file):
        raise UsageError(f"refusing to overwrite {file}: not a plot by faceclust", hint="choose another file name")
    return file


def write_plot(file: Path | None, draw: Callable[[BinaryIO, str], None]) -> None:
    """Draw into the file that `resolve_plot_file` returned, and name it on stderr; nothing for None."""
    if file is not None:
        write_output_atomically(
            file, lambda stream: draw(stream, file.suffix.lower()), hint="choose another place with --plot"
        )
        print_line(f"wrote {file}", err=True)
