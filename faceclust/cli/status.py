"""`faceclust status`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import command_for, json_option, library_option, open_library, print_json
from faceclust.cli.terminal.printing import print_line
from faceclust.library.status import library_status
from faceclust.text.plural import format_count

_STATES = {
    "here": "here",
    "away": "away (its photos stay known)",
    "another disk": "none of the known photos is there; is another disk mounted?",
    "not added": "listed in the library, but not added on this machine: faceclust scan --add-root PATH",
}


@click.command("status")
@library_option
@json_option
def command(library: Path | None, as_json: bool) -> None:
    """Summarise the library: photos, faces, skipped files, groups, people.

    \b
    Example:
      faceclust status
    """
    status = library_status(open_library(library))
    if as_json:
        print_json(status)
    else:
        _print_status(status)


def _print_status(status: dict[str, Any]) -> None:
    copies = f" ({format_count(status['copies'], 'duplicate')})" if status["copies"] else ""
    print_line(f"{format_count(status['photos'], 'photo')}{copies}, {format_count(status['faces'], 'face')}")
    if len(status["roots"]) > 1:
        for root in status["roots"]:
            print_line(f"  {root['path']}: {format_count(root['photos'], 'photo')}, {_STATES[root['state']]}")
    print_line(
        f"last scanned {_format_local_time(status['last_scanned'])}, models: {status['pack']} ({status['precision']})"
    )
    _print_groups(status)
    people = format_count(status["people"], "person", "people")
    print_line(f"{people} named, {format_count(status['unnamed_groups'], 'unnamed group')}")
    if status["waiting"]:
        print_line(f"{format_count(status['waiting'], 'named face')} on missing photos")
    if status["forgotten_faces"]:
        print_line(f"{format_count(status['forgotten_faces'], 'forgotten face')}: only the position is known")
    if status["skipped"]:
        print_line(f"{format_count(len(status['skipped']), 'file')} skipped:")
        for skip in status["skipped"]:
            print_line(f"  {skip['photo']}: {skip['reason']} ({skip['detail']})")


def _print_groups(status: dict[str, Any]) -> None:
    next_command = command_for(Path(status["library"]), "faceclust cluster")
    if status["groups"] is None:
        print_line(f"not grouped yet; next: {next_command}")
        return
    alone = format_count(status["alone"], "face")
    threshold = "" if status["algorithm"] == "hdbscan" else f", threshold {status['threshold']:g}"
    print_line(f"{format_count(status['groups'], 'group')}, {alone} alone ({status['algorithm']}{threshold})")
    if status["grouped_by"] != status["pack"]:
        print_line(f"the groups were made with {status['grouped_by']}; next: {next_command}")
    elif status["not_grouped"]:
        print_line(f"{format_count(status['not_grouped'], 'new face')} not grouped yet; next: {next_command}")


def _format_local_time(timestamp: str | None) -> str:
    return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M") if timestamp else "never"
