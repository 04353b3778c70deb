"""Options shared by the commands of `evaluate` that measure photos."""

from __future__ import annotations

from collections.abc import Callable

import click

from faceclust.cli.common import complete_packs

_Command = Callable[..., None]


def pack_option(function: _Command) -> _Command:
    """`--pack NAME`."""
    return click.option(
        "--pack", metavar="NAME", shell_complete=complete_packs, help="The pack to measure. Default: the one in use."
    )(function)


def workers_option(function: _Command) -> _Command:
    """`--workers N`."""
    return click.option(
        "--workers", "-w", metavar="N", type=click.IntRange(1), help="Number of processes. Default: one a core."
    )(function)
