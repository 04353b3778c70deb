"""`faceclust duplicates`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import folder_option, json_option, library_option, open_library, print_json
from faceclust.cli.output.photos import print_away, print_path_sets
from faceclust.cli.terminal.printing import print_line
from faceclust.errors import UsageError
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.library.duplicates import DuplicateSet
    from faceclust.library.library import Library


@click.command("duplicates")
@click.option("--bytes", "same_bytes", is_flag=True, help="Only photos with the same bytes.")
@click.option("--omit-first", is_flag=True, help="Leave out the photo to keep of each set, and the empty lines.")
@folder_option
@click.option("--null", "-0", "null", is_flag=True, help="End each path and each set with NUL, for xargs -0.")
@library_option
@json_option
def command(
    same_bytes: bool, omit_first: bool, folder: Path | None, null: bool, library: Path | None, as_json: bool
) -> None:
    """List photos that are the same picture, one path a line. Nothing is deleted.

    These are photos with the same bytes, and photos that were taken in the same second and have the same
    faces at the same places: smaller copies, other file formats, edits. Photos without faces need the
    same bytes.

    An empty line ends each set. The photo to keep comes first: the one with the most pixels, then one
    with a known camera, then the oldest file. Paths are relative if you are in or above the library.
    With -0, an empty path ends each set; add --omit-first for a plain list.

    The exit code is 0 if sets were found, 1 if none was, and 2 for a mistake.

    \b
    Examples:
      faceclust duplicates
      faceclust duplicates --bytes --omit-first -0 | xargs -0 ls -l
      faceclust duplicates --folder 2019 --json
    """
    if as_json and (null or omit_first):
        raise UsageError("--json cannot be combined with -0 or --omit-first", hint="leave one of them out")
    opened = open_library(library)
    found = opened.duplicates(same_bytes=same_bytes, folder=folder)
    if as_json:
        print_json({"library": str(opened.root), "sets": [_set_record(one, opened) for one in found]})
    else:
        print_path_sets([[file.photo for file in one.photos] for one in found], opened.root, null, omit_first)
        _print_summary(found)
        print_away([file.photo for one in found for file in one.photos], opened.roots)
    if not found:
        click.get_current_context().exit(1)


def _set_record(found: DuplicateSet, library: Library) -> dict[str, Any]:
    """A set for `--json`; the first photo is the one to keep."""
    photos = [
        {
            "path": str(library.root / file.photo),
            "photo": file.photo,
            "width": file.size[0],
            "height": file.size[1],
            "bytes": file.file_size,
            "taken_at": file.taken_at.isoformat() if file.taken_at else None,
            "photo_hash": file.photo_hash,
        }
        for file in found.photos
    ]
    return {"reason": found.reason, "photos": photos}


def _print_summary(found: Sequence[DuplicateSet]) -> None:
    """Print the numbers of sets by reason, and the size of all photos but the first ones, on stderr."""
    if not found:
        print_line("no two photos are the same picture", err=True)
        return
    reasons = [one.reason for one in found]
    counts = ", ".join(f"{reasons.count(reason):,} with the {reason}" for reason in sorted({*reasons}))
    others = [file.file_size for one in found for file in one.photos[1:]]
    print_line(
        f"{format_count(len(found), 'set')} ({counts}); {format_count(len(others), 'photo')} beside the first ones, "
        f"{sum(others) / 1e6:,.1f} MB; nothing was deleted",
        err=True,
    )
