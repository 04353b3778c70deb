"""Shared by the commands: options, the library in use, JSON."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import faceclust
from faceclust.cli.config_files import is_on_command_line
from faceclust.cli.terminal.printing import print_line, print_lines
from faceclust.cli.terminal.progress import TerminalProgress
from faceclust.engines.dask.address import DaskOptions
from faceclust.errors import FaceclustError, UsageError
from faceclust.store.find_library import find_library
from faceclust.text.json_text import to_json

if TYPE_CHECKING:
    from faceclust.library.library import Library

F = TypeVar("F", bound=Callable[..., Any])
#: The environment variable in which a shell asks for completions.
COMPLETION_VARIABLE = "_FACECLUST_COMPLETE"


def library_option(function: F) -> F:
    """Add the option `--library FOLDER`."""
    return click.option(
        "--library",
        "-l",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="Photo library. Default: $FACECLUST_LIBRARY, else the one this folder is in, else the last one scanned.",
    )(function)


def json_option(function: F) -> F:
    """Add the option `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


class _DaskAddressType(click.ParamType):  # type: ignore[type-arg] # of some versions of click
    """The address of a Dask cluster."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return DaskOptions(str(value)).address
        except UsageError as error:
            self.fail(f"{error}; {error.hint}", param, ctx)


def dask_options(function: F) -> F:
    """Add the options `--dask ADDRESS`, `--dask-root FOLDER` and `--dask-insecure`; see `read_dask_options`."""
    for option in (
        click.option(
            "--dask-insecure", is_flag=True, help="Allow an unencrypted connection to another machine, tcp://HOST."
        ),
        click.option("--dask-root", metavar="FOLDER", help="Where the machines of the Dask cluster find the library."),
        click.option(
            "--dask",
            type=_DaskAddressType(),
            metavar="ADDRESS",
            envvar="FACECLUST_DASK",
            help="Work on a Dask cluster: tls://HOST:8786 of its scheduler, or local:N for N processes here.",
        ),
    ):
        function = option(function)
    return function


def read_dask_options(dask: str | None, dask_root: str | None, dask_insecure: bool) -> DaskOptions | None:
    """Return the cluster to work on, None for this machine alone.

    Raises UsageError if an option for a cluster was typed, but no cluster.
    """
    if dask:
        return DaskOptions(dask, dask_insecure, dask_root or "")
    for name, option in (("dask_root", "--dask-root"), ("dask_insecure", "--dask-insecure")):
        if is_on_command_line(name):
            raise UsageError(f"{option} needs --dask", hint="add --dask ADDRESS, or leave it out")
    return None


def format_dask_options() -> str:
    """Return the options for a cluster that were typed, to be typed again."""
    params = click.get_current_context().params
    typed = {name: params[name] for name in ("dask", "dask_root", "dask_insecure") if is_on_command_line(name)}
    return "".join(
        f" --{name.replace('_', '-')}" + ("" if value is True else f" {shlex.quote(value)}")
        for name, value in typed.items()
    )


def folder_option(function: F) -> F:
    """Add the option `--folder FOLDER`."""
    return click.option(
        "--folder",
        metavar="FOLDER",
        type=click.Path(path_type=Path),
        help="Only photos in FOLDER and below it.",
    )(function)


def face_filter_options(function: F) -> F:
    """Add the options that choose faces: `--since`, `--until`, `--folder`, `--min-quality` and `--confirmed`."""
    for decorate in (
        click.option("--confirmed", is_flag=True, help="Only confirmed faces, not suggested ones."),
        click.option(
            "--min-quality", metavar="Q", type=float, default=0.0, help="Only faces of this quality or better, 0 to 1."
        ),
        folder_option,
        click.option("--until", metavar="DATE", help="Taken on or before DATE; 2021 means the end of 2021."),
        click.option("--since", metavar="DATE", help="Taken on or after DATE: 2019, 2019-05 or 2019-05-17."),
    ):  # the last one is listed first
        function = decorate(function)
    return function


def device_option(text: str) -> Callable[[F], F]:
    """Add the option `--device DEVICE`, which `text` describes."""
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda", "coreml", "directml", "openvino"]),
        default="auto",
        show_default=True,
        help=text,
    )


def open_library(folder: Path | None) -> Library:
    """Find the library in use, and print its folder on the first line of stderr.

    If the working folder is a part of it, say so, and how to limit the command to that part.
    """
    library = faceclust.Library.find(folder, progress=TerminalProgress())
    context = click.get_current_context()
    note = ""
    if folder is None and is_in_part_of(library.root):
        has_option = any(option.name == "folder" for option in context.command.params)
        limit = "; for this part only: --folder ." if has_option and not context.params.get("folder") else ""
        note = f" (this folder is a part of it{limit})"
    print_line(f"library: {library.root}{note}", err=True)
    return library


def is_in_part_of(root: Path) -> bool:
    """Is the working folder below the library's root?"""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return False
    return here != root and here.is_relative_to(root)


def command_for(root: Path, command: str) -> str:
    """Return a command to type next, with `--library` if it would work on another library otherwise."""
    try:
        is_default = find_library(None) == root
    except UsageError:
        is_default = False
    except (FaceclustError, OSError):
        is_default = True  # unknown: the next command will say what is wrong
    return command if is_default else f"{command} --library {shlex.quote(str(root))}"


def remind_to_cluster(library: Library) -> None:
    """Remind on stderr that the faces have to be grouped first, or again after a change of models."""
    if library.groups is None and library.occurrences:
        print_line(f"the faces are not grouped yet; next: {command_for(library.root, 'faceclust cluster')}", err=True)
    else:
        remind_to_regroup(library)


def remind_to_regroup(library: Library) -> None:
    """Remind on stderr if the groups were made with another model pack than the one in use."""
    if library.groups is not None and library.clustering_pack != library.pack_name:
        print_line(
            f"the groups were made with {library.clustering_pack}, the models in use are {library.pack_name}; "
            f"next: {command_for(library.root, 'faceclust cluster')}",
            err=True,
        )


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout."""
    print_lines(to_json(value, indent=2).split("\n"))


def complete_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """For the shell: the names and aliases in the library in use that start with `incomplete`."""
    try:
        people = faceclust.Library.find(context.params.get("library")).people()
    except (FaceclustError, OSError):
        return []
    names = [name for person in people for name in (person.label, *person.facts.aliases)]
    names = [name for name in names if name.casefold().startswith(incomplete.casefold())]
    # zsh and fish quote the names themselves; bash does not.
    return list(map(_quote_for_bash, names)) if os.environ.get(COMPLETION_VARIABLE) == "bash_complete" else names


def _quote_for_bash(name: str) -> str:
    """Quote a completion, or escape it if the word to complete begins with a quotation mark already."""
    words, number = os.environ.get("COMP_WORDS", "").split("\n"), os.environ.get("COMP_CWORD", "")
    word = words[int(number)] if number.isdecimal() and int(number) < len(words) else ""
    if word.startswith('"'):
        name = re.sub(r'[\\"$`]', r"\\\g<0>", name)
    elif word.startswith("'"):
        name = name.replace("'", "'\\''")
    else:
        name = shlex.quote(name)
    return name.replace("\\", "\\\\")  # the shell's function reads the lines with `read`, which removes one level


def complete_packs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """For the shell: the model packs whose names start with `incomplete`."""
    from faceclust.packs.registry import pack_names  # loads numpy, which most commands can do without

    return [name for name in pack_names() if name.startswith(incomplete)]
