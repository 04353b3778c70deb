"""`faceclust face add`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library
from faceclust.cli.doubts import AskedDoubts, new_option, yes_option
from faceclust.cli.face.boxes import parse_box
from faceclust.cli.output.answers import record_and_print
from faceclust.cli.output.drawn_faces import print_drawn_face
from faceclust.errors import UsageError
from faceclust.library.drawn_faces import find_scanned_photo


@click.command("add")
@click.argument("photo")
@click.argument("box", required=False, metavar="[LEFT,TOP,RIGHT,BOTTOM]")
@click.argument("name", required=False, shell_complete=complete_names)
@click.option("--whole", metavar="NAME", shell_complete=complete_names, help="NAME is on the photo, but no face is.")
@new_option
@yes_option
@library_option
@json_option
def command(
    photo: str,
    box: str | None,
    name: str | None,
    whole: str | None,
    is_new: bool,
    yes: bool,
    library: Path | None,
    as_json: bool,
) -> None:
    """Draw the face of NAME on PHOTO, where no scan has found it.

    The box is given in pixels of the upright photo. Without NAME, the face is grouped and asked about
    like others. A face of too low a quality to be compared only keeps its name. Detected faces under the box
    are hidden. Scans keep what is drawn, with other models, too; `faceclust undo` takes it back.

    With --whole, NAME is on the photo although no face is to be seen.

    \b
    Examples:
      faceclust face add party.jpg 310,120,390,220 Anna
      faceclust face add party.jpg 310,120,390,220
      faceclust face add party.jpg --whole Anna
    """
    if (box is None) == (whole is None):
        raise UsageError(
            "either a box or --whole NAME is needed",
            hint="faceclust face add party.jpg 310,120,390,220 Anna, or faceclust face add party.jpg --whole Anna",
        )
    opened = open_library(library)
    opened.doubts = AskedDoubts.on_terminal(as_json=as_json, is_new=is_new, yes=yes)
    if whole is not None:
        record_and_print(opened, as_json, lambda: opened.add_whole(photo, whole))
        return
    drawn = parse_box(box or "", find_scanned_photo(opened, photo).size)
    event = record_and_print(opened, as_json, lambda: opened.add_face(photo, drawn, name))
    print_drawn_face(opened, as_json, event)
