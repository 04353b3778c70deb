"""What `faceclust models add` makes of its arguments, and what it says."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.terminal.text import format_count, printable
from faceclust.errors import PackError, UsageError

if TYPE_CHECKING:
    from faceclust.installer.add import AddedPack
    from faceclust.packs.pack import ChannelLevels

#: What says how a model of one's own is fed; each has to be said.
_PREPROCESSING_OPTIONS = {"template": "--template", "colour": "--input", "mean": "--mean", "scale": "--scale"}
_CUSTOM_MODEL_OPTIONS = (*_PREPROCESSING_OPTIONS, "margin", "chip", "layout", "output", "threshold", "radius")


def install_from_options(
    files: list[Path],
    *,
    pack: str | None,
    name: str | None,
    replace: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **model_options: Any,
) -> AddedPack:
    """Put in what the arguments say. Raises UsageError where they do not go together, PackError."""
    from faceclust.cli.models.common import require_licence_agreement
    from faceclust.installer.add import add_known_pack, add_pack_from_manifest
    from faceclust.packs.pack import Pack

    def agreed(asked: Pack) -> None:
        require_licence_agreement(asked, yes=yes, can_ask=not as_json)

    how: dict[str, Any] = {"overwrite": replace, "dry_run": dry_run, "accept_terms": agreed}
    if lacking := next((file for file in files if not file.is_file()), None):
        what = "it is a folder" if lacking.is_dir() else "there is no such file"
        raise PackError(f"{lacking} cannot be read: {what}", hint="name the files themselves")
    is_manifest = files[0].suffix.lower() == ".toml"
    given = [
        f"--{'input' if key == 'colour' else key}" for key in _CUSTOM_MODEL_OPTIONS if model_options[key] is not None
    ]
    if pack is not None or is_manifest:
        if given:
            what = f"the pack {pack!r}" if pack else str(files[0])
            raise UsageError(f"{', '.join(given)}: {what} says that itself", hint="they are for a model of your own")
        if pack is None:
            return add_pack_from_manifest(files[0], files[1:], name, **how)
        if name is not None or is_manifest:
            raise UsageError("--pack goes with the pack's files alone", hint="leave --name and manifests out")
        return add_known_pack(pack, files, **how)
    return _install_custom_model(files, name, model_options, how)


def _install_custom_model(
    files: list[Path], name: str | None, model_options: dict[str, Any], install_options: dict[str, Any]
) -> AddedPack:
    from faceclust.files.names import DEFAULT_PACK
    from faceclust.installer.add import add_custom_model, find_known_pack
    from faceclust.installer.manifest_text import UserModel

    lacking = [option for key, option in _PREPROCESSING_OPTIONS.items() if model_options[key] is None]
    if lacking and (known := find_known_pack(files[0])):
        raise UsageError(
            f"{files[0]} belongs to the pack {known!r}", hint=f"type: faceclust models add --pack {known} FILE..."
        )
    if lacking or len(files) > 1:
        raise UsageError(
            f"how {files[0]} is fed is not said: {', '.join(lacking)}" if lacking else "one model makes one pack",
            hint="where the model comes from it is told; or use --pack NAME, or a manifest my.toml",
        )
    if model_options["margin"] is not None and model_options["template"] != "box":
        raise UsageError("--margin goes with --template box")
    if not model_options["licence"].isprintable() or not 1 <= len(model_options["licence"]) <= 300:
        raise UsageError("--licence takes a line of 1 to 300 characters", hint="the licence's name, as MIT")
    if model_options["threshold"] is not None and model_options["radius"] is not None:
        raise UsageError("--threshold and --radius say the same", hint="leave one out")
    if model_options["threshold"] is not None:
        from faceclust.types import OPERATING_POINT

        model_options["radius"] = (OPERATING_POINT / model_options["threshold"]) ** 0.5
    model = UserModel(
        name=name or _default_pack_name(files[0]),
        file=files[0].name,
        dimension=0,
        chip_size=_parse_chip_size(model_options["chip"]),
        mean=_parse_levels_option("--mean", model_options["mean"]),
        scale=_parse_levels_option("--scale", model_options["scale"], allow_zero=False),
        detector=DEFAULT_PACK if model_options["detector"] == "mtcnn" else model_options["detector"],
        margin=(0.2 if model_options["margin"] is None else model_options["margin"])
        if model_options["template"] == "box"
        else None,
        **{
            key: model_options[key] for key in ("template", "colour", "mirror", "layout", "output", "radius", "licence")
        },
    )
    return add_custom_model(files[0], model, **install_options)


def _default_pack_name(file: Path) -> str:
    return re.sub("[^a-z0-9_-]+", "-", file.stem.lower()).strip("-_")[:41]


def _parse_chip_size(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 0
    found = re.fullmatch(r"(\d{1,4})[x×](\d{1,4})", text)
    if not found or not all(8 <= int(side) <= 1024 for side in found.groups()):
        raise UsageError(f"--chip {text} is no size", hint="as --chip 112x112: width and height, 8 to 1024 pixels")
    return int(found[1]), int(found[2])


def _parse_levels_option(option: str, text: str, *, allow_zero: bool = True) -> ChannelLevels:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    sane = all(abs(value) <= 1e6 and (allow_zero or abs(value) > 1e-30) for value in values)  # nan is not
    if len(values) not in (1, 3) or not sane:
        raise UsageError(f"{option} {text}: a number is wanted, or three with commas between", hint="as 127.5")
    return values[0] if len(values) == 1 else (values[0], values[1], values[2])


def print_added_pack(added: AddedPack, dry_run: bool, *, err: bool = False) -> None:
    """What was put in, or would be; on stderr with `err`."""
    say: Callable[[str], None] = lambda text: click.echo(printable(text), err=err)  # noqa: E731
    pack, spec = added.pack, added.pack.embedder
    say(f"{pack.name}: {pack.title}")
    say(f"licence: {pack.licence}{' (not for commercial use)' if pack.commercial is False else ''}")
    if pack.terms:
        say(pack.terms)
    colours = f"{spec.colour.upper()}, (x − {_format_levels(spec.mean)}) / {_format_levels(spec.scale)}"
    say(f"detector {pack.detector.kind}; chips of {spec.chip_size[0]}×{spec.chip_size[1]}, {colours}")
    say(f"tried: {added.trial.dimension} numbers a face, {added.trial.milliseconds:.1f} ms a face on one core")
    for name, source in added.files.items():
        say(f"{'would copy' if dry_run else 'copied'} {source} as {name}")
    if pack.radius_source == "none":
        say("its radius is not known: 1.1 means nothing for it until it is calibrated on labelled photos")
    if dry_run:
        click.echo("nothing was written: --dry-run", err=err)


def _format_levels(levels: ChannelLevels) -> str:
    return ",".join(f"{level:g}" for level in levels) if isinstance(levels, tuple) else f"{levels:g}"


def added_pack_record(added: AddedPack, *, written: bool) -> dict[str, Any]:
    """The same as `--json` has it."""
    pack = added.pack
    return {
        "pack": pack.name,
        "folder": str(added.folder),
        "detector": pack.detector.kind,
        "dimension": added.trial.dimension,
        "milliseconds": round(added.trial.milliseconds, 2),
        "radius": pack.embedder.radius,
        "radius_source": pack.radius_source,
        "files": {name: str(path) for name, path in added.files.items()},
        "written": written,
    }


def calibrate_added_pack(added: AddedPack, folder: Path | None, *, as_json: bool) -> None:
    """Find the radius on labelled photos: of `folder`, or one that is asked for in a terminal."""
    from faceclust.cli.models.calibrate_output import calibrate_pack

    name = added.pack.name
    if folder is None and added.pack.radius_source == "none" and sys.stdin.isatty() and sys.stdout.isatty():
        answer = click.prompt("A folder of <person>/<photo> to calibrate it on (Enter: later)", "", show_default=False)
        folder = Path(answer.strip()).expanduser() if answer.strip() else None
    if folder is not None:
        calibrate_pack(name, folder.expanduser(), None, dry_run=False, as_json=as_json)
    elif added.pack.radius_source == "none":
        click.echo(f"next: faceclust models calibrate {name} FOLDER", err=True)
    else:
        click.echo(
            f"put in: {format_count(len(added.files), 'file')}; to use it, type: faceclust models use {name}", err=True
        )
