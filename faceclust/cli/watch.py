"""`faceclust watch`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import device_option, json_option, library_option, open_library
from faceclust.cli.output.grouping import join_truncated
from faceclust.cli.terminal.interrupt import stop_on_interrupt
from faceclust.cli.terminal.printing import print_failure, print_lines
from faceclust.cli.terminal.progress import progress_in_background
from faceclust.text.json_text import to_json
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.library.watched_batch import WatchedBatch

#: Run at low priority.
_NICENESS = 10


@click.command("watch")
@library_option
@click.option(
    "--settle",
    type=click.FloatRange(0.1, 3600),
    metavar="SECONDS",
    default=10.0,
    show_default=True,
    help="Process photos once nothing has changed for this long.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 86_400),
    metavar="SECONDS",
    help="Look through all folders this often. Default: 300, or 30 on disks without change events.",
)
@click.option("--poll", is_flag=True, help="Look through all folders instead of waiting for change events.")
@click.option("--once", is_flag=True, help="Process what is new now, then end.")
@click.option("--workers", "-j", type=click.IntRange(1, 256), help="Number of processes. Default: one for each core.")
@click.option(
    "--min-face", type=click.IntRange(10, 30_000), metavar="PIXELS", help="Width of the smallest face, as of scan."
)
@device_option("Hardware that runs the models, as of scan.")
@json_option
@click.pass_context
def command(ctx: click.Context, /, library: Path | None, as_json: bool, **options: Any) -> None:
    """Scan and group new photos as they arrive.

    Waits until a photo, or a copy of many, has settled. Then it does the work of scan and cluster, and
    prints one line: the new photos and faces, and whom they look like. All other commands can be used
    meanwhile. Press Ctrl-C to end; photos in progress are finished and saved.

    \b
    Examples:
      faceclust watch
      faceclust watch --library /mnt/nas/photos --poll
      faceclust watch --settle 60              photos are copied slowly
      faceclust watch --once                   for cron: what is new, once
      faceclust watch --json | jq .suggested   one line of JSON for each batch
    """
    opened = open_library(library)
    opened.progress = progress_in_background()
    _lower_priority()
    with stop_on_interrupt("finishing the photos already started …", on_hangup=True) as stop:
        for batch in opened.watch(**options, should_stop=stop):
            _print_batch(batch, as_json=as_json)
    if stop.signal == signal.SIGINT:
        ctx.exit(130)


def _lower_priority() -> None:
    """Let other programs go first. The workers inherit the priority."""
    if hasattr(os, "nice"):
        os.nice(max(0, _NICENESS - os.nice(0)))


def _print_batch(batch: WatchedBatch, *, as_json: bool) -> None:
    if batch.problem:
        hint = f"; {batch.hint}" if batch.hint else ""
        print_failure(f"{batch.at:%H:%M}  {batch.problem}{hint}")
    elif as_json:
        print_lines([to_json(_batch_record(batch))])
    else:
        print_lines([f"{batch.at:%H:%M}  {_describe_batch(batch)}"])


def _batch_record(batch: WatchedBatch) -> dict[str, Any]:
    return {
        "at": batch.at.isoformat(timespec="seconds"),
        "scanned": batch.scanned,
        "copied": batch.copied,
        "removed": batch.removed,
        "skipped": batch.skipped,
        "faces": batch.faces,
        "suggested": [{"name": name, "faces": faces} for name, faces in batch.suggested],
        "joined": batch.joined,
        "new": list(batch.new_groups),
        "alone": batch.alone,
    }


def _describe_batch(batch: WatchedBatch) -> str:
    """Describe a batch in a line, as in "12 photos, 9 new faces: 4 look like Anna, 2 like Ben, 1 new group"."""
    photos = [format_count(batch.scanned, "photo")] if batch.scanned else []
    photos += [format_count(batch.faces, "new face")] if batch.faces or batch.scanned else []
    for number, what in ((batch.copied, "moved or copied"), (batch.removed, "deleted"), (batch.skipped, "skipped")):
        if number:
            photos.append(f"{number:,} {what}" if photos else f"{format_count(number, 'photo')} {what}")
    found = [
        f"{number:,} {'' if place else 'looks ' if number == 1 else 'look '}like {name}"
        for place, (name, number) in enumerate(batch.suggested)
    ]
    faces = [join_truncated(found)] if found else []
    faces += [f"{batch.joined:,} in unnamed groups"] if batch.joined else []
    faces += [format_count(len(batch.new_groups), "new group")] if batch.new_groups else []
    faces += [f"{batch.alone:,} alone"] if batch.alone else []
    return ": ".join(filter(None, (", ".join(photos), ", ".join(faces))))
