"""`faceclust models add`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import complete_packs, json_option
from faceclust.errors import UsageError

_FILE = click.Path(path_type=Path)


@click.command("add", short_help="Put in models from files on this disk.")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@click.option(
    "--pack",
    metavar="NAME",
    shell_complete=complete_packs,
    help="The files are those of this pack, single or in the zips they come in.",
)
@click.option("--template", type=click.Choice(["arcface", "sphereface", "dlib", "box"]), help="How chips are cut.")
@click.option("--input", "colour", type=click.Choice(["rgb", "bgr"]), help="The order of a chip's colours.")
@click.option("--mean", metavar="N[,N,N]", help="Taken off each value of 0 to 255; one for all colours, or three.")
@click.option("--scale", metavar="N[,N,N]", help="Divides what is left.")
@click.option("--margin", type=click.FloatRange(-0.5, 3), help="With --template box: what a face's box grows by, 0.2.")
@click.option("--chip", metavar="WxH", help="The size of a chip, where the model does not say.")
@click.option("--layout", type=click.Choice(["nchw", "nhwc"]), help="The order of its input, where it does not say.")
@click.option("--output", metavar="NAME", help="Which of its outputs is the embedding, where there are several.")
@click.option("--mirror/--no-mirror", default=True, show_default=True, help="Embed a face's mirror image as well.")
@click.option(
    "--detector",
    metavar="mtcnn|PACK",
    default="mtcnn",
    show_default=True,
    shell_complete=complete_packs,
    help="What finds the faces.",
)
@click.option("--threshold", type=click.FloatRange(1e-5, 4), help="Its published threshold, squared L2.")
@click.option("--radius", type=click.FloatRange(0.001, 1000), help="The norm that makes 1.1 its threshold.")
@click.option("--licence", metavar="TEXT", default="not known", show_default=True, help="The model's licence.")
@click.option("--name", metavar="NAME", help="What the pack is called. Default: the file's name.")
@click.option("--calibrate", "folder", type=_FILE, metavar="DIR", help="Then find its radius: `models calibrate`.")
@click.option("--replace", is_flag=True, help="In place of the pack of that name.")
@click.option("--dry-run", "-n", is_flag=True, help="Try the models and say what would be put in.")
@click.option("--yes", "-y", is_flag=True, help="Agree to the licence's terms.")
@json_option
def command(files: tuple[Path, ...], folder: Path | None, dry_run: bool, as_json: bool, **choices: Any) -> None:
    """Put in models from files on this disk: copied, tried, then kept in your data folder.

    With --pack, the files of a pack that faceclust knows. A manifest (my.toml) with its files
    beside it, or named after it. Or one ONNX model of your own that turns a face into a vector,
    with --template, --input, --mean and --scale; its threshold is then not known until it
    is said (--threshold) or found (--calibrate).

    \b
    Examples:
      faceclust models add --pack sface yunet.onnx face_recognition_sface_2021dec.onnx
      faceclust models add --pack buffalo_l ~/Downloads/buffalo_l.zip
      faceclust models add my.onnx --template arcface --input rgb --mean 127.5 --scale 127.5
      faceclust models add my.toml
    """
    from faceclust.cli.models.add_output import (
        added_pack_record,
        calibrate_added_pack,
        install_from_options,
        print_added_pack,
    )

    if folder is not None:
        from faceclust.evaluation.labelled_folders import find_labelled_photos

        if dry_run:
            raise UsageError("--calibrate and --dry-run do not go together", hint="leave one out")
        find_labelled_photos(folder.expanduser())  # before there is anything to undo
    added = install_from_options([file.expanduser() for file in files], dry_run=dry_run, as_json=as_json, **choices)
    if as_json and folder is None:
        from faceclust.cli.common import print_json

        print_json(added_pack_record(added, written=not dry_run))
        return
    print_added_pack(added, dry_run, err=as_json)
    if not dry_run:
        calibrate_added_pack(added, folder, as_json=as_json)
