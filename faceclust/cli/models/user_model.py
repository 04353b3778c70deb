"""The options of `faceclust models add`, checked and carried out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypedDict

from faceclust.cli.models.common import require_licence_agreement
from faceclust.errors import PackError, UsageError
from faceclust.files.names import DEFAULT_PACK
from faceclust.installer.add import (
    AcceptTerms,
    AddedPack,
    add_custom_model,
    add_known_pack,
    add_pack_from_manifest,
    find_known_pack,
)
from faceclust.installer.manifest_text import UserModel
from faceclust.installer.usual_inputs import USUAL_INPUTS
from faceclust.packs.onnx_file import read_onnx
from faceclust.packs.other_formats import saved_model_hint
from faceclust.packs.pack import ChannelLevels, Pack
from faceclust.types import OPERATING_POINT

#: Options that a model of the user's own requires: the preprocessing that it was trained with.
_PREPROCESSING_OPTIONS = {"template": "--template", "colour": "--input", "mean": "--mean", "scale": "--scale"}
#: Options for a model of the user's own only; a manifest answers them for a pack.
_CUSTOM_MODEL_OPTIONS = _PREPROCESSING_OPTIONS | {
    name: f"--{name}" for name in ("margin", "chip", "layout", "output", "threshold", "radius")
}
_DEFAULT_MARGIN = 0.2
_MAX_LICENCE_LENGTH = 300  # characters
_MAX_LEVEL, _MIN_SCALE = 1e6, 1e-30


class _InstallOptions(TypedDict):
    overwrite: bool
    dry_run: bool
    accept_terms: AcceptTerms


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
    """Install a known pack, a manifest or a model of the user's own.

    Raises UsageError if the options cannot be combined, PackError if the files cannot be installed.
    """

    def accept_terms(offered: Pack) -> None:
        require_licence_agreement(offered, yes=yes, may_ask=not as_json)

    install: _InstallOptions = {"overwrite": replace, "dry_run": dry_run, "accept_terms": accept_terms}
    for file in files:
        _require_file(file)
    manifest = files[0] if files[0].suffix.lower() == ".toml" else None
    if pack is None and manifest is None:
        return _install_custom_model(files, name, model_options, install)
    if given := [option for key, option in _CUSTOM_MODEL_OPTIONS.items() if model_options[key] is not None]:
        source = f"the pack {pack!r}" if pack else str(manifest)
        raise UsageError(
            f"{', '.join(given)} cannot be combined with {source}", hint="they are for a model of your own"
        )
    if pack is None:
        return add_pack_from_manifest(files[0], files[1:], name, **install)
    if name is not None or manifest is not None:
        raise UsageError("--pack cannot be combined with --name or a manifest", hint="name only the pack's files")
    return add_known_pack(pack, files, **install)


def _require_file(file: Path) -> None:
    if (file / "saved_model.pb").is_file():
        raise PackError(f"{file} is a folder with a TensorFlow SavedModel", hint=saved_model_hint(file))
    if not file.is_file():
        problem = "it is a folder" if file.is_dir() else "no such file"
        raise PackError(f"{file} cannot be read: {problem}", hint="name the files themselves")


def _install_custom_model(
    files: list[Path], name: str | None, options: dict[str, Any], install: _InstallOptions
) -> AddedPack:
    missing = [option for key, option in _PREPROCESSING_OPTIONS.items() if options[key] is None]
    if missing and (known := find_known_pack(files[0])):
        raise UsageError(
            f"{files[0]} belongs to the pack {known!r}", hint=f"faceclust models add --pack {known} FILE..."
        )
    if missing:
        read_onnx(files[0])  # a file in another format is refused first
        raise UsageError(f"{files[0]}: missing {', '.join(missing)}", hint=_describe_usual_inputs())
    if len(files) > 1:
        raise UsageError(
            f"a pack of your own is made from one model, not {len(files)} files", hint="add them one by one"
        )
    return add_custom_model(files[0], _build_user_model(files[0], name, options), **install)


def _describe_usual_inputs() -> str:
    usual = "; ".join(f"{each.family} {each.colour} {each.mean:g} {each.scale:g}" for each in USUAL_INPUTS)
    return (
        "see the model's documentation; most take --template arcface, FaceNet box; "
        f"usual --input, --mean and --scale are: {usual}"
    )


def _build_user_model(file: Path, name: str | None, options: dict[str, Any]) -> UserModel:
    """The model that the options describe; 0 for what its file defines. Raises UsageError."""
    if options["margin"] is not None and options["template"] != "box":
        raise UsageError("--margin needs --template box", hint="leave --margin out, or add --template box")
    if not options["licence"].isprintable() or not 1 <= len(options["licence"]) <= _MAX_LICENCE_LENGTH:
        raise UsageError(
            f"--licence must be one line of 1 to {_MAX_LICENCE_LENGTH} characters",
            hint="the licence's name, such as MIT",
        )
    if options["threshold"] is not None and options["radius"] is not None:
        raise UsageError("--threshold and --radius cannot be combined", hint="leave one out")
    margin = _DEFAULT_MARGIN if options["margin"] is None else options["margin"]
    return UserModel(
        name=name or _default_pack_name(file),
        file=file.name,
        dimension=0,
        chip_size=_parse_chip_size(options["chip"]),
        template=options["template"],
        colour=options["colour"],
        mean=_parse_levels_option("--mean", options["mean"]),
        scale=_parse_levels_option("--scale", options["scale"], min_size=_MIN_SCALE),
        mirror=options["mirror"],
        margin=margin if options["template"] == "box" else None,
        layout=options["layout"],
        output=options["output"],
        radius=_radius_for(options["threshold"]) if options["threshold"] is not None else options["radius"],
        detector=DEFAULT_PACK if options["detector"] == "mtcnn" else options["detector"],
        licence=options["licence"],
    )


def _radius_for(threshold: float) -> float:
    """The norm that turns a threshold on unit vectors, squared L2, into the operating point."""
    return float((OPERATING_POINT / threshold) ** 0.5)


def _default_pack_name(file: Path) -> str:
    return re.sub("[^a-z0-9_-]+", "-", file.stem.lower()).strip("-_")[:41]


def _parse_chip_size(text: str | None) -> tuple[int, int]:
    """Width and height; 0×0 for None. Raises UsageError."""
    if text is None:
        return 0, 0
    found = re.fullmatch(r"(\d{1,4})[x×](\d{1,4})", text)
    if not found or not all(8 <= int(side) <= 1024 for side in found.groups()):
        raise UsageError(f"--chip must be WxH, 8 to 1024 pixels each, not {text!r}", hint="such as --chip 112x112")
    return int(found[1]), int(found[2])


def _parse_levels_option(option: str, text: str, *, min_size: float = 0.0) -> ChannelLevels:
    """One number, or one for each channel. Raises UsageError if one is out of range."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    in_range = all(min_size <= abs(value) <= _MAX_LEVEL for value in values)  # false for nan
    if len(values) not in (1, 3) or not in_range:
        other = " other than 0" if min_size else ""
        raise UsageError(f"{option} must be one number{other} or three with commas, not {text!r}", hint="such as 127.5")
    return values[0] if len(values) == 1 else (values[0], values[1], values[2])
