"""Reads a pack's manifest (`models/<pack>.toml`) into typed values."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from faceclust.errors import PackError
from faceclust.types import Float32, check_array

SCHEMA = 1


@dataclass(frozen=True)
class PackFile:
    """One model file of a pack."""

    name: str
    sha256: str
    size: int
    licence: str


@dataclass(frozen=True)
class DetectorSpec:
    """`kind` names the decoder; `files` its model files by role; `settings` are its numbers.
    By default the detector looks at a copy whose longer side is at most `long_side` pixels; the
    faces it finds are at least `smallest` pixels wide on the copy it is given. `landmarks`: the
    model file that refines what it says of the landmarks; None where its own are the best."""

    kind: str
    long_side: int
    smallest: int
    landmarks: str | None
    files: Mapping[str, str]
    settings: Mapping[str, Any]

    def min_face(self, long_side: int) -> float:
        """The width, in its pixels, of the smallest face looked for by default in a photo whose
        longer side is `long_side`."""
        return self.smallest * max(1.0, long_side / self.long_side)


@dataclass(frozen=True)
class EmbedderSpec:
    """`template` (5, 2): where the landmarks lie on a chip of `chip_size` (width, height).
    A chip's channels, RGB or BGR (`colour`), enter the model as (value − mean) / scale.
    With `mirror`, a face's embedding is the mean over the chip and its mirror image.
    `radius` is the norm of every embedding, such that squared L2 = 1.1 is the pack's
    operating point. A face the detector scores below `sure_score` is dropped where its
    asymmetry (see `vision.embed`) is above `max_asymmetry`."""

    file: str
    dimension: int
    chip_size: tuple[int, int]
    colour: str
    mean: float
    scale: float
    mirror: bool
    radius: float
    sure_score: float
    max_asymmetry: float
    template: Float32

    def __post_init__(self) -> None:
        check_array("template", self.template, (5, 2), np.float32)


@dataclass(frozen=True)
class Pack:
    """A detector and an embedder that belong together, and where their files lie."""

    name: str
    title: str
    licence: str
    folder: Path
    files: tuple[PackFile, ...]
    detector: DetectorSpec
    embedder: EmbedderSpec

    def path(self, name: str) -> Path:
        return self.folder / name

    @property
    def fingerprint(self) -> str:
        """Name and hashes in one line: a cache made by another fingerprint is another pack's."""
        files = [f"{file.name}={file.sha256}" for file in self.files]
        settings = hashlib.sha256(f"{self.detector}{self.embedder}".encode()).hexdigest()
        return " ".join([self.name, *files, f"settings={settings[:16]}"])


def pack_folders() -> list[Path]:
    """Where manifests are looked for: inside the installed package, then in the source tree."""
    package = Path(__file__).resolve().parent.parent
    return [folder for folder in (package / "models", package.parent / "models") if folder.is_dir()]


def pack_names() -> list[str]:
    """The packs there are manifests of."""
    return sorted({path.stem for folder in pack_folders() for path in folder.glob("*.toml")})


@cache
def load_pack(name: str) -> Pack:
    """The pack called `name`. Raises PackError for an unknown name or an unreadable manifest."""
    for folder in pack_folders():
        path = folder / f"{name}.toml"
        if path.is_file():
            return read_manifest(path)
    raise PackError(f"no model pack called {name!r}", hint=f"known packs: {', '.join(pack_names()) or 'none'}")


def read_manifest(path: Path) -> Pack:
    """Parse a manifest. Raises PackError that names the file and what is wrong in it."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        if raw["schema"] != SCHEMA:
            raise PackError(f"{path}: schema {raw['schema']}, this version reads {SCHEMA}", hint="update faceclust")
        detector, embedder = dict(raw["detector"]), raw["embedder"]
        return Pack(
            name=raw["name"],
            title=raw["title"],
            licence=raw["licence"],
            folder=path.parent,
            files=tuple(PackFile(f["name"], f["sha256"], f["size"], f["licence"]) for f in raw["file"]),
            detector=DetectorSpec(
                kind=detector.pop("kind"),
                long_side=detector.pop("long_side"),
                smallest=detector.pop("smallest"),
                landmarks=detector.pop("landmarks", None),
                files=detector.pop("files"),
                settings=detector,
            ),
            embedder=EmbedderSpec(
                file=embedder["file"],
                dimension=embedder["dimension"],
                chip_size=(embedder["chip_size"][0], embedder["chip_size"][1]),
                colour=embedder["colour"],
                mean=embedder["mean"],
                scale=embedder["scale"],
                mirror=embedder["mirror"],
                radius=embedder["radius"],
                sure_score=embedder["sure_score"],
                max_asymmetry=embedder["max_asymmetry"],
                template=np.array(embedder["template"], dtype=np.float32),
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PackError(f"{path}: not a usable pack manifest ({type(error).__name__}: {error})") from error
