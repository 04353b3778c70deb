"""`faceclust identify`."""

from __future__ import annotations

import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.terminal.printing import print_failure, print_lines
from faceclust.text.visible import make_visible
from faceclust.types import OPERATING_POINT, WHOLE_PHOTO
from faceclust.types.face_numbers import format_face_address
from faceclust.types.frames import format_frame_time

if TYPE_CHECKING:
    from faceclust.library.identification import IdentifiedFace, IdentifiedPhoto


@click.command("identify")
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--threshold", type=float, default=OPERATING_POINT, show_default=True, help="Largest distance of a known face."
)
@click.option(
    "-k", type=int, default=10, show_default=True, metavar="N", help="Compare with each person's N nearest faces."
)
@library_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, /, photos: tuple[Path, ...], library: Path | None, as_json: bool, **options: Any
) -> None:
    """Name the people on photos, of the library or any others.

    Prints one line for each face; PHOTO#2 is the second face from the left. Type it as it is printed
    to name or reject that face, if the photo is in the library. A face of the library gets the name
    you gave it. Any other face is compared with confirmed faces, or with the suggested ones of
    people without confirmed faces. The distance is squared L2 to the mean of the N nearest faces
    of a person. Two faces on one photo are two people. Nobody is recognised on a photo dated before
    their birth.

    With as many strangers as known people, more than 99 % of the names marked "close" are right, and 95 % of
    those marked "likely"; check those marked "possible". At 1.1, 1 % of strangers get a name if 100
    people are known, 3 % if 420 are. One in five faces of people with a single confirmed face is
    missed: confirm more faces, or try --threshold 1.3.

    The exit code is 1 if a photo could not be read.

    \b
    Examples:
      faceclust identify party.jpg
      faceclust identify --threshold 1.0 --json ~/Downloads/*.jpg
    """
    opened = open_library(library)
    identified = []
    for photo in opened.identify(photos, **options):
        identified.append(photo)
        if photo.problem:
            print_failure(f"{photo.photo}: {photo.problem}")
        elif not as_json:
            print_lines(_identified_photo_lines(photo))
    if as_json:
        records = [_identified_photo_record(photo) for photo in identified]
        print_json({"library": str(opened.root), **options, "photos": records})
    ctx.exit(1 if any(photo.problem for photo in identified) else 0)


def _identified_photo_lines(photo: IdentifiedPhoto) -> list[str]:
    path = str(photo.photo)
    names = [make_visible(face.name or face.how.value) for face in photo.faces]
    width = max(map(len, names), default=0)
    pairs = enumerate(zip(names, photo.faces, strict=True), start=1)
    return [
        f"{_quote(path, i)}{_at_time(face)}  {name:{width}}  {_describe_match(face)}".rstrip()
        for i, (name, face) in pairs
    ] or [f"{path}  no face found"]


def _at_time(face: IdentifiedFace) -> str:
    return "" if face.frame_time is None else f" at {format_frame_time(face.frame_time)}"


def _quote(photo: str, number: int) -> str:
    """Return PHOTO#N as it is typed: in quotes if the path needs them."""
    address = format_face_address(photo, number)
    return address if shlex.quote(photo) == photo else shlex.quote(address)


def _describe_match(face: IdentifiedFace) -> str:
    if face.name is None:
        nearest = [f"nearest: {near.name} {near.distance:.2f}" for near in face.nearest[:1] if face.how == "unknown"]
        group = [f"group {face.group}"] if face.group is not None else []
        unborn = [f"born later: {' and '.join(face.before_birth)}"] if face.before_birth else []
        drawn = ["drawn by hand"] if face.by_hand else []
        details = nearest + unborn + group + drawn
        return f"({', '.join(details)})" if details else ""
    distance = [f"{face.distance:.2f}"] if face.distance is not None else []
    others = [near for near in face.nearest if near.name != face.name]
    doubt = [f"(next: {others[0].name} {others[0].distance:.2f})"] if others and face.certainty == "possible" else []
    drawn = ["(no face to be seen)" if face.box == WHOLE_PHOTO else "(drawn by hand)"] if face.by_hand else []
    return "  ".join([*distance, face.certainty or face.how.value, *doubt, *drawn])


def _identified_photo_record(photo: IdentifiedPhoto) -> dict[str, Any]:
    name = os.fsencode(photo.photo).decode("utf-8", "replace")  # JSON is UTF-8, a file name need not be
    return {**asdict(photo), "photo": name, "faces": [asdict(face) for face in photo.faces]}
