"""`faceclust verify`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.terminal.printing import print_line
from faceclust.errors import FaceclustError, NoLibraryError, UsageError
from faceclust.library.identification import is_face_id, is_file, verify
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.library.identification import Verification
    from faceclust.library.library import Library


@click.command("verify")
@click.argument("a")
@click.argument("b")
@click.option("--threshold", type=float, default=1.5, show_default=True, help="Largest distance of the same person.")
@library_option
@json_option
@click.pass_context
def command(ctx: click.Context, a: str, b: str, threshold: float, library: Path | None, as_json: bool) -> None:
    """Compare two faces: same person or not.

    A and B are photos, of the library or any others, or face ids of the library (faceclust export
    lists them). If a photo has several faces, the largest is compared; PHOTO#2 is the second from
    the left. A photo of the library may be given by its path there. The distance is squared L2.

    A threshold of 1.5 gives the most right answers for pairs of single faces (99 %); it takes 0.4 %
    of pairs of strangers for the same person. 1.4 lowers that to 0.1 %, and misses 1 in 67 pairs
    of the same person. Grouping and identify compare with several faces, for which 1.1 is right, and
    correct the distance for faces that look like many others of the library; two photos alone have
    no library.

    The exit code is 0 for the same person, 1 for different people, and 2 if there is no answer.

    \b
    Examples:
      faceclust verify passport.jpg selfie.jpg && echo the same
      faceclust verify party.jpg#2 old.jpg --threshold 1.4 --json
    """
    try:
        result = _verify_pair(a, b, threshold, library)
    except UsageError:
        raise
    except FaceclustError as error:  # exit code 1 would mean "different people"
        raise UsageError(str(error), hint=error.hint) from error
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error
    if as_json:
        print_json(asdict(result))
    else:
        answer = "same person" if result.same else "different people"
        print_line(f"{answer}: distance {result.distance:.2f}, threshold {result.threshold:.2f}")
    ctx.exit(0 if result.same else 1)


def _open_library_for(a: str, b: str, library: Path | None) -> Library | None:
    """Open the library if it was named or can tell which faces are meant."""
    if library or is_face_id(a) or is_face_id(b):
        return open_library(library)
    if not (is_file(a) and is_file(b)):
        with suppress(NoLibraryError):
            return open_library(None)
    return None


def _verify_pair(a: str, b: str, threshold: float, library: Path | None) -> Verification:
    opened = _open_library_for(a, b, library)
    result = verify(a, b, threshold=threshold, library=opened)
    for named, face in zip((a, b), result.faces, strict=True):
        if face.count > 1 and named == face.photo:
            photo = face.photo
            print_line(
                f"{photo}: {format_count(face.count, 'face')}; comparing the largest, {photo}#{face.number}", err=True
            )
    return result
