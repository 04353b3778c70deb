"""`faceclust verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.terminal.text import format_count, printable
from faceclust.errors import FaceclustError, UsageError
from faceclust.library.identification import is_face_id, verify

if TYPE_CHECKING:
    from faceclust.library.identification import Verification


@click.command("verify")
@click.argument("a")
@click.argument("b")
@click.option("--threshold", type=float, default=1.8, show_default=True, help="Up to this distance: the same person.")
@library_option
@json_option
@click.pass_context
def command(ctx: click.Context, a: str, b: str, threshold: float, library: Path | None, as_json: bool) -> None:
    """Say whether A and B are the same person. The exit code is 0 for the same, 1 for different.

    A and B are photos, of the library or any other, or ids of faces of the library (faceclust
    export has them). Of several faces on a photo the largest counts; PHOTO#2 is the second from the
    left. The distance is squared L2. The exit code is 2 where no answer can be given.

    1.8 gives the most right answers for pairs of single faces (99 %); 1 pair of strangers in 100
    is then taken for the same person. 1.45 makes it 1 in 1,000, and misses 1 pair in 23. Grouping
    and identify compare with several faces, for which 1.1 is right.

    \b
    Examples:
      faceclust verify passport.jpg selfie.jpg && echo the same
      faceclust verify party.jpg#2 old.jpg --threshold 1.45 --json
    """
    try:
        found = _verify_pair(a, b, threshold, library)
    except UsageError:
        raise
    except FaceclustError as error:  # the exit code must not say "different"
        raise UsageError(str(error), hint=error.hint) from error
    if as_json:
        print_json(asdict(found))
    else:
        said = "same person" if found.same else "different people"
        click.echo(f"{said}: distance {found.distance:.2f}, threshold {found.threshold:.2f}")
    ctx.exit(0 if found.same else 1)


def _verify_pair(a: str, b: str, threshold: float, library: Path | None) -> Verification:
    opened = open_library(library) if library or is_face_id(a) or is_face_id(b) else None
    found = verify(a, b, threshold=threshold, library=opened)
    for named, face in zip((a, b), found.faces, strict=True):
        if face.count > 1 and named == face.photo:
            photo = printable(face.photo)
            click.echo(
                f"{photo}: {format_count(face.count, 'face')}; taken: the largest, {photo}#{face.number}", err=True
            )
    return found
