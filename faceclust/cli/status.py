"""`faceclust status`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.terminal.text import format_count, printable
from faceclust.library.status import library_status


@click.command("status")
@library_option
@json_option
def command(library: Path | None, as_json: bool) -> None:
    """Say what is known of the library: photos, faces, skipped files, groups, people.

    \b
    Example:
      faceclust status
    """
    opened = open_library(library)
    status = library_status(opened)
    if as_json:
        print_json(status)
    else:
        _print_status(status)


def _print_status(status: dict[str, Any]) -> None:
    copies = f" ({format_count(status['copies'], 'copy', 'copies')} of others)" if status["copies"] else ""
    click.echo(f"{format_count(status['photos'], 'photo')}{copies}, {format_count(status['faces'], 'face')}")
    click.echo(
        f"last scanned {_format_local_time(status['last_scanned'])}, models: {status['pack']} ({status['precision']})"
    )
    if status["groups"] is None:
        click.echo("not grouped yet; type: faceclust cluster")
    else:
        alone = format_count(status["alone"], "face")
        cut = "" if status["algorithm"] == "hdbscan" else f", threshold {status['threshold']:g}"
        click.echo(f"{format_count(status['groups'], 'group')}, {alone} alone ({status['algorithm']}{cut})")
        if status["grouped_by"] != status["pack"]:
            click.echo(f"these are groups of faces that {status['grouped_by']} found; type: faceclust cluster")
        elif status["not_grouped"]:
            click.echo(f"{format_count(status['not_grouped'], 'face')} since then not grouped; type: faceclust cluster")
    people, unnamed = status["people"], status["unnamed_groups"]
    click.echo(f"{format_count(people, 'person', 'people')} named, {format_count(unnamed, 'group')} without a name")
    if status["waiting"]:
        click.echo(f"{format_count(status['waiting'], 'named face')} on photos that are not here now")
    if status["forgotten_faces"]:
        click.echo(f"{format_count(status['forgotten_faces'], 'forgotten face')}: known by place alone")
    if status["skipped"]:
        click.echo(f"{format_count(len(status['skipped']), 'file')} skipped:")
        for skip in status["skipped"]:
            click.echo(f"  {printable(skip['photo'])}: {skip['reason']} ({printable(skip['detail'])})")


def _format_local_time(timestamp: str | None) -> str:
    """A moment as the clock on the wall has it."""
    return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M") if timestamp else "never"
