"""A pack's manifest, `<pack>.toml`: read into typed values, and written."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from faceclust.errors import PackError
from faceclust.packs.pack import DetectorSpec, EmbedderSpec, Levels, Pack, PackFile
from faceclust.packs.shipped import embedded_manifest
from faceclust.packs.templates import BOX, template_points

SCHEMA = 1


def read_manifest(path: Path, folder: Path | None = None) -> Pack:
    """Parse a manifest; `folder`: where the files lie, by default beside it. Raises PackError that
    names the file and what is wrong in it."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        if raw["schema"] != SCHEMA:
            raise PackError(f"{path}: schema {raw['schema']}, this version reads {SCHEMA}", hint="update faceclust")
        pack = Pack(
            name=raw["name"],
            title=raw["title"],
            licence=raw["licence"],
            folder=folder or path.parent,
            files=tuple(_file(file) for file in raw["file"]),
            detector=_detector(dict(raw["detector"])),
            embedder=_embedder(raw["embedder"]),
            terms=raw.get("terms", ""),
            commercial=raw.get("commercial", True),
            radius_source=raw["embedder"].get("radius_source", "measured"),
            embedded=raw.get("embedded", False),
        )
        listed = {file.name for file in pack.files}
        used = {*pack.detector.files.values(), pack.detector.landmarks or pack.embedder.file, pack.embedder.file}
        if used - listed:
            raise ValueError(f"no [[file]] says what {', '.join(sorted(used - listed))} is")
        return pack
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OSError) as error:
        raise PackError(f"{path}: not a usable pack manifest ({type(error).__name__}: {error})") from error


def _file(raw: dict[str, Any]) -> PackFile:
    name = _file_name(raw["name"])
    if raw.get("embedded"):
        found = [file for file in _embedded_files() if file["name"] == name]
        if not found:
            raise ValueError(f"{name} is no file of the embedded models")
        raw = {**found[0], "embedded": True}
    return PackFile(
        name=name,
        sha256=raw.get("sha256"),
        size=raw.get("size"),
        licence=raw["licence"],
        url=raw.get("url"),
        member=raw.get("member"),
        embedded=raw.get("embedded", False),
    )


def _file_name(name: str) -> str:
    """A manifest may come from anywhere: its files lie in its folder."""
    if name != Path(name).name or "\\" in name or ":" in name or name in ("", ".", ".."):
        raise ValueError(f"{name!r} is not the name of a file")
    return name


@cache
def _embedded_files() -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = tomllib.loads(embedded_manifest().read_text(encoding="utf-8"))["file"]
    return files


def _detector(raw: dict[str, Any]) -> DetectorSpec:
    return DetectorSpec(
        kind=raw.pop("kind"),
        long_side=raw.pop("long_side"),
        smallest=raw.pop("smallest"),
        landmarks=raw.pop("landmarks", None),
        files=raw.pop("files"),
        settings=raw,
    )


def _embedder(raw: dict[str, Any]) -> EmbedderSpec:
    norm = raw.get("norm")
    size = (int(raw["chip_size"][0]), int(raw["chip_size"][1]))
    template, margin = raw["template"], raw.get("margin")
    if isinstance(template, str):
        if (template == BOX) != (margin is not None):
            raise ValueError(f'template = "{BOX}" and a margin go together')
        points = template_points(template, size)
    else:
        points = np.array(template, dtype=np.float32)
    return EmbedderSpec(
        file=raw["file"],
        dimension=raw["dimension"],
        chip_size=size,
        colour=raw["colour"],
        mean=_levels(raw["mean"]),
        scale=_levels(raw["scale"]),
        mirror=raw["mirror"],
        radius=raw["radius"],
        sure_score=raw["sure_score"],
        max_asymmetry=raw["max_asymmetry"],
        template=points,
        layout=raw.get("layout"),
        margin=margin,
        norm=(norm[0], norm[1]) if norm else None,
        output=raw.get("output"),
    )


def _levels(raw: Any) -> Levels:
    if isinstance(raw, list):
        red, green, blue = (float(value) for value in raw)
        return red, green, blue
    return float(raw)
