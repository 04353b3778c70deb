"""`faceclust models add`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import complete_packs, json_option, print_json
from faceclust.cli.models.add_output import added_pack_record, print_added_pack
from faceclust.cli.models.calibrate_output import calibrate_pack
from faceclust.cli.models.user_model import install_from_options
from faceclust.cli.terminal.printing import ask, can_ask, is_terminal, print_line
from faceclust.errors import UsageError
from faceclust.evaluation.labelled_folders import find_labelled_photos
from faceclust.files.user_folders import expand_user
from faceclust.installer.add import AddedPack
from faceclust.text.plural import format_count

_FILE = click.Path(path_type=Path)


@click.command("add")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@click.option(
    "--pack",
    metavar="NAME",
    shell_complete=complete_packs,
    help="The known pack the files belong to. They may be in zip files.",
)
@click.option("--template", type=click.Choice(["arcface", "sphereface", "dlib", "box"]), help="How chips are aligned.")
@click.option("--input", "colour", type=click.Choice(["rgb", "bgr"]), help="The channel order of a chip.")
@click.option("--mean", metavar="N[,N,N]", help="Subtracted from each value, 0 to 255; one number or one a channel.")
@click.option("--scale", metavar="N[,N,N]", help="The divisor after that; one number or one a channel.")
@click.option("--margin", type=click.FloatRange(-0.5, 3), help="Margin around the face's box for --template box: 0.2.")
@click.option("--chip", metavar="WxH", help="The size of a chip, if the model does not define it.")
@click.option("--layout", type=click.Choice(["nchw", "nhwc"]), help="The input layout, if it is ambiguous.")
@click.option("--output", metavar="NAME", help="The output that holds the embedding, if there are several.")
@click.option(
    "--mirror/--no-mirror", default=True, show_default=True, help="Average with the mirror image's embedding."
)
@click.option(
    "--detector",
    metavar="mtcnn|PACK",
    default="mtcnn",
    show_default=True,
    shell_complete=complete_packs,
    help="The detector that finds the faces.",
)
@click.option("--threshold", type=click.FloatRange(1e-5, 4), help="The published threshold, squared L2.")
@click.option("--radius", type=click.FloatRange(0.001, 1000), help="The norm at which 1.1 is the threshold.")
@click.option(
    "--licence", metavar="TEXT", default="not known", show_default=True, help="The model's licence, best as SPDX."
)
@click.option("--name", metavar="NAME", help="The name of the new pack. Default: the file's name.")
@click.option("--calibrate", "folder", type=_FILE, metavar="DIR", help="Then run `models calibrate` on this folder.")
@click.option("--replace", is_flag=True, help="Replace an existing pack of this name.")
@click.option("--dry-run", "-n", is_flag=True, help="Test the models and show what would be installed.")
@click.option("--yes", "-y", is_flag=True, help="Accept the licence terms.")
@json_option
def command(files: tuple[Path, ...], folder: Path | None, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Install a pack from files on this disk: tested, then copied into your data folder.

    There are three ways. With --pack: the files of a pack that faceclust knows. A manifest
    (my.toml) with its files beside it, or named after it. Or one ONNX embedder of your own, with
    --template, --input, --mean and --scale. Its threshold is unknown until --threshold states it
    or --calibrate finds it.

    \b
    Examples:
      faceclust models add --pack sface yunet.onnx face_recognition_sface_2021dec.onnx
      faceclust models add --pack buffalo_l ~/Downloads/buffalo_l.zip
      faceclust models add my.onnx --template arcface --input rgb --mean 127.5 --scale 127.5
      faceclust models add adaface.onnx --template arcface --input bgr --mean 127.5 --scale 127.5 --licence MIT
      faceclust models add my.toml
    """
    if folder is not None:
        if dry_run:
            raise UsageError("--calibrate and --dry-run cannot be combined", hint="leave one out")
        find_labelled_photos(expand_user(folder))  # fails before anything is installed
    added = install_from_options([expand_user(file) for file in files], dry_run=dry_run, as_json=as_json, **options)
    if as_json and folder is None:
        print_json(added_pack_record(added, written=not dry_run))
        return
    print_added_pack(added, dry_run, err=as_json)
    if not dry_run:
        _calibrate_added_pack(added, folder, as_json=as_json)


def _calibrate_added_pack(added: AddedPack, folder: Path | None, *, as_json: bool) -> None:
    """Calibrate on `folder` or, for an uncalibrated pack in a terminal, on one the user types."""
    name, is_uncalibrated = added.pack.name, added.pack.radius_source == "none"
    if folder is None and is_uncalibrated and can_ask() and is_terminal():
        answer = ask("Folder of <person>/<photo> to calibrate on (Enter to skip)")
        folder = Path(answer.strip()) if answer.strip() else None
    if folder is not None:
        calibrate_pack(name, expand_user(folder), None, dry_run=False, as_json=as_json)
    elif is_uncalibrated:
        print_line(f"next: faceclust models calibrate {name} FOLDER", err=True)
    else:
        print_line(f"added {format_count(len(added.files), 'file')}; next: faceclust models use {name}", err=True)
