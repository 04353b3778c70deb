"""Write and edit manifest texts. Edits preserve comments and layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tomlkit

from faceclust.files.names import DEFAULT_PACK
from faceclust.installer.spdx import allows_commercial_use, combine_uses
from faceclust.packs.alignment_templates import BOX_TEMPLATE
from faceclust.packs.manifest import SCHEMA_VERSION
from faceclust.packs.pack import ChannelLevels, Pack
from faceclust.packs.registry import load_pack

#: The radius of a pack that has not been calibrated: distances of unit vectors.
UNCALIBRATED_RADIUS = 1.0
#: The largest squared L2 of unit vectors: no face is dropped for its asymmetry (see `vision.embed`).
_UNLIMITED_ASYMMETRY = 4.0


@dataclass(frozen=True)
class UserModel:
    """The user's description of a model. Fields are as in `packs.pack.EmbedderSpec`, with `template`
    by name and `radius` None if unknown. `detector` is the pack whose detector finds the faces. `title` None
    is the file's name; `command` is the one that the manifest's comment names."""

    name: str
    file: str
    dimension: int
    chip_size: tuple[int, int]
    template: str
    colour: str
    mean: ChannelLevels
    scale: ChannelLevels
    mirror: bool = True
    margin: float | None = None
    layout: str | None = None
    output: str | None = None
    radius: float | None = None
    detector: str = DEFAULT_PACK
    licence: str = "not known"
    title: str | None = None
    command: str = "faceclust models add"


def build_manifest(model: UserModel, files: Mapping[str, tuple[str, int]]) -> str:
    """Write the manifest of a pack with the user's embedder. `files` gives SHA-256 and size of each
    file in the pack's folder, by name. Restrictions of the detector's licence apply to the pack."""
    source = load_pack(model.detector)
    document = tomlkit.document()
    document.add(tomlkit.comment(f"Written by `{model.command}`; `faceclust models calibrate` sets the radius."))
    detector = source.detector.kind.upper() if source.embedded else f"the detector of {source.name}"
    title = f"{model.title or model.file}, with {detector}"
    document.update({"schema": SCHEMA_VERSION, "name": model.name, "title": title})
    document["licence"] = model.licence
    commercial = combine_uses(allows_commercial_use(model.licence), source.commercial)
    if commercial is not None:
        document["commercial"] = commercial
    if source.commercial is False and source.terms:
        document["terms"] = source.terms
    document.update({"detector": _detector_table(source), "embedder": _embedder_table(model)})
    entries = tomlkit.aot()
    for file in (*source.files, None):
        name = file.name if file else model.file
        if file and name not in (*source.detector.files.values(), source.detector.landmarks):
            continue
        entry = tomlkit.table()
        entry["name"] = name
        if file and name not in files:
            entry["embedded"] = True
        else:
            entry["sha256"], entry["size"] = files[name]
            entry["licence"] = file.licence if file else model.licence
        entries.append(entry)
    document["file"] = entries
    return tomlkit.dumps(document)


def _detector_table(source: Pack) -> Any:
    spec, table = source.detector, tomlkit.table()
    table.update({"kind": spec.kind, "long_side": spec.long_side, "smallest": spec.smallest})
    if spec.landmarks:
        table["landmarks"] = spec.landmarks
    for key, value in spec.settings.items():
        table[key] = list(value) if isinstance(value, tuple) else value
    files = tomlkit.inline_table()
    files.update(spec.files)
    table["files"] = files
    return table


def _embedder_table(model: UserModel) -> Any:
    table = tomlkit.table()
    table.update({"file": model.file, "dimension": model.dimension, "chip_size": list(model.chip_size)})
    table.update(
        {
            "colour": model.colour,
            "mean": _levels_value(model.mean),
            "scale": _levels_value(model.scale),
            "mirror": model.mirror,
        }
    )
    table["radius"] = round(model.radius, 4) if model.radius else UNCALIBRATED_RADIUS
    table["radius_source"] = "published" if model.radius else "none"
    table.update({"sure_score": 0.0, "max_asymmetry": _UNLIMITED_ASYMMETRY, "template": model.template})
    if model.template == BOX_TEMPLATE:
        table["margin"] = model.margin if model.margin is not None else 0.0
    for key in ("layout", "output"):
        if (value := getattr(model, key)) is not None:
            table[key] = value
    return table


def _levels_value(levels: ChannelLevels) -> Any:
    return list(levels) if isinstance(levels, tuple) else levels


def with_file_hashes(text: str, hashes: Mapping[str, tuple[str, int]], embedded: Mapping[str, str], name: str) -> str:
    """Set the name of a pack, and the SHA-256 and size of its files (`hashes`, by file name).

    Files with the SHA-256 of a file of the embedded packs (`embedded`: names by SHA-256) become
    references to that file. If the manifest leaves `commercial` out, the licences decide.
    """
    document: Any = tomlkit.parse(text)
    document["name"] = name
    if "commercial" not in document:
        own = [entry["licence"] for entry in document["file"] if "licence" in entry]
        commercial = combine_uses(*map(allows_commercial_use, [document["licence"], *own]))
        if commercial is not None:
            document["commercial"] = commercial
    renamed: dict[str, str] = {}
    for entry in document["file"]:
        if not entry.get("embedded") and entry.get("sha256") in embedded:
            renamed[entry["name"]] = embedded[entry["sha256"]]
            for key in list(entry):
                if key != "name":
                    del entry[key]
            entry["name"], entry["embedded"] = renamed[entry["name"]], True
        elif entry["name"] in hashes:
            entry["sha256"], entry["size"] = hashes[entry["name"]]
    detector, embedder = document["detector"], document["embedder"]
    embedder["file"] = renamed.get(embedder["file"], embedder["file"])
    if detector.get("landmarks") in renamed:
        detector["landmarks"] = renamed[detector["landmarks"]]
    for role, file in detector["files"].items():
        detector["files"][role] = renamed.get(file, file)
    return tomlkit.dumps(document)


def with_radius(text: str, radius: float) -> str:
    """Set a measured radius."""
    document: Any = tomlkit.parse(text)
    document["embedder"]["radius"] = radius
    document["embedder"]["radius_source"] = "measured"
    return tomlkit.dumps(document)
