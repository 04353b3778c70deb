"""A pack's manifest, `<pack>.toml`: read into typed values, and written."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from faceclust.errors import PackError
from faceclust.packs.pack import DetectorSpec, EmbedderSpec, Pack, PackFile

SCHEMA = 1


def read_manifest(path: Path, folder: Path | None = None) -> Pack:
    """Parse a manifest; `folder`: where the files lie, by default beside it. Raises PackError that
    names the file and what is wrong in it."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        if raw["schema"] != SCHEMA:
            raise PackError(f"{path}: schema {raw['schema']}, this version reads {SCHEMA}", hint="update faceclust")
        return Pack(
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
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise PackError(f"{path}: not a usable pack manifest ({type(error).__name__}: {error})") from error


def _file(raw: dict[str, Any]) -> PackFile:
    return PackFile(
        name=raw["name"],
        sha256=raw.get("sha256"),
        size=raw.get("size"),
        licence=raw["licence"],
        url=raw.get("url"),
        member=raw.get("member"),
    )


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
    return EmbedderSpec(
        file=raw["file"],
        dimension=raw["dimension"],
        chip_size=(raw["chip_size"][0], raw["chip_size"][1]),
        colour=raw["colour"],
        mean=raw["mean"],
        scale=raw["scale"],
        mirror=raw["mirror"],
        radius=raw["radius"],
        sure_score=raw["sure_score"],
        max_asymmetry=raw["max_asymmetry"],
        template=np.array(raw["template"], dtype=np.float32),
        layout=raw.get("layout"),
        margin=raw.get("margin"),
        norm=(norm[0], norm[1]) if norm else None,
    )
