"""`faceclust scan`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import announce, count, json_option, library_option, print_json
from faceclust.errors import FaceclustError

if TYPE_CHECKING:
    from faceclust.library import Library
    from faceclust.scan import ScanResult


@click.command("scan")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER]...")
@library_option
@click.option("--workers", "-j", type=click.IntRange(1, 256), help="Processes to use. Default: one a core.")
@click.option(
    "--cache-dir",
    type=click.Path(path_type=Path),
    envvar="FACECLUST_CACHE_DIR",
    metavar="FOLDER",
    help="Keep all files there, from now on, and write nothing into the library.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    folders: tuple[Path, ...],
    library: Path | None,
    workers: int | None,
    cache_dir: Path | None,
    as_json: bool,
) -> None:
    """Find the faces in FOLDER and all folders below it.

    Photos are only read. What is found is kept in a small file beside them, so that
    a second scan looks at new and changed photos only. Ctrl-C stops; the next scan goes on.

    \b
    Examples:
      faceclust scan ~/Pictures
      faceclust scan                     the same library again
      faceclust scan ~/Pictures/2024     only this part of it
    """
    from faceclust.cli.interrupt import stop_on_interrupt
    from faceclust.cli.progress import TerminalProgress
    from faceclust.library import Library

    opened = announce(Library.for_scan(folders, library, cache_dir=cache_dir, progress=TerminalProgress()))
    with stop_on_interrupt("finishing the photos in hand …") as stop_asked:
        result = opened.scan(folders, workers=workers, stop_asked=stop_asked)
    print_json(_as_dict(opened, result)) if as_json else _print(result)
    if result.unsaved:
        raise FaceclustError(f"{count(result.unsaved, 'photo')} scanned but not saved: the next scan does them again")
    if result.interrupted:
        click.echo(
            f"stopped: what was done is saved; to go on, type: faceclust scan {shlex.quote(str(opened.root))}", err=True
        )
        ctx.exit(130)


def _print(result: ScanResult) -> None:
    from faceclust.types import EXTRAS

    rate = (result.scanned + len(result.skipped)) / max(result.elapsed, 1e-9)
    done = f"{count(result.photos, 'photo')}: {result.scanned:,} scanned, {result.unchanged:,} unchanged"
    if result.removed:
        done += f", {result.removed:,} gone since"
    if result.left:
        done += f", {result.left:,} left to do"
    click.echo(done)
    if result.scanned:
        click.echo(f"{count(result.faces, 'face')} found in {result.elapsed:.0f} s ({rate:.1f} photos/s)")
    if result.forgotten:
        click.echo(f"{count(result.forgotten, 'forgotten face')} not taken in")
    if result.skipped:
        reasons = ", ".join(f"{number} {reason}" for reason, number in result.skip_counts.items())
        click.echo(f"{count(len(result.skipped), 'file')} skipped: {reasons} (faceclust status lists them)")
    for reason in EXTRAS:
        if number := result.skip_counts.get(reason.value):
            extra = reason.value.removeprefix("needs ")
            click.echo(f"{number:,} of these: pip install '{extra}', then faceclust scan")
    if result.scanned and not result.interrupted:
        click.echo("next: faceclust cluster")


def _as_dict(library: Library, result: ScanResult) -> dict[str, Any]:
    return {
        "library": str(library.root),
        "photos": result.photos,
        "scanned": result.scanned,
        "unchanged": result.unchanged,
        "removed": result.removed,
        "left": result.left,
        "unsaved": result.unsaved,
        "faces": result.faces,
        "forgotten": result.forgotten,
        "interrupted": result.interrupted,
        "elapsed_s": round(result.elapsed, 3),
        "cpu_s": {stage: round(seconds, 3) for stage, seconds in result.seconds.items()},
        "skipped": [
            {"photo": skip.ref.rel_path, "reason": skip.reason.value, "detail": skip.detail} for skip in result.skipped
        ],
        "notes": result.notes,
    }
