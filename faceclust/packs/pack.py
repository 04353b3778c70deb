"""A pack of models: a detector and an embedder that belong together, as typed values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from faceclust.packs.bundled import embedded_manifest
from faceclust.types import Float32, check_array


@dataclass(frozen=True)
class PackFile:
    """One model file of a pack. `sha256`: None where nobody has published it; the pack is then
    installed from disk only. `url`: where the file can be had, None where it cannot by an address
    of its own; `member`: its path in the zip archive that lies there. `embedded`: it is one of the
    embedded pack's, and lies with these."""

    name: str
    sha256: str | None
    size: int | None
    licence: str
    url: str | None = None
    member: str | None = None
    embedded: bool = False

    @property
    def is_pullable(self) -> bool:
        """Whether it can be had by an address, and known to be the right one."""
        return None not in (self.url, self.sha256, self.size)


@dataclass(frozen=True)
class Archive:
    """A zip that files of a pack are members of: its address, SHA-256 and size in bytes."""

    url: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        return urlsplit(self.url).path.rpartition("/")[2]


#: A number for all channels, or one for each.
ChannelLevels = float | tuple[float, float, float]
COLOURS = ("rgb", "bgr")
LAYOUTS = ("nchw", "nhwc")

#: What was added to `EmbedderSpec` since caches are made: in a fingerprint only where it is set.
_OPTIONAL_FIELDS = ("layout", "margin", "norm", "output", "norm_output")


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
    A chip's channels, RGB or BGR (`colour`), enter the model as (value − mean) / scale; `mean` and
    `scale` are a number, or three in the order of `colour`.
    With `mirror`, a face's embedding is the mean over the chip and its mirror image.
    `radius` is the norm of every embedding, such that squared L2 = 1.1 is the pack's
    operating point. A face the detector scores below `sure_score` is dropped where its
    asymmetry (see `vision.embed`) is above `max_asymmetry`.

    `layout`, "nchw" or "nhwc": the order of the model's input; None: as its shape says. `margin`:
    the chip is the face's box, made a square and grown by this share of its side, and not turned;
    None: it is aligned by the template. `norm`: the embedding's length before it is scaled, of the
    least and of the best face there is; None where it tells nothing of the face's quality.
    `norm_output`: the name of the model's output that holds that length, of models that give a unit
    vector; None: the vector has it. `output`: the name of the model's output that is the embedding;
    None: the only one that is a vector."""

    file: str
    dimension: int
    chip_size: tuple[int, int]
    colour: str
    mean: ChannelLevels
    scale: ChannelLevels
    mirror: bool
    radius: float
    sure_score: float
    max_asymmetry: float
    template: Float32
    layout: str | None = field(default=None, repr=False)
    margin: float | None = field(default=None, repr=False)
    norm: tuple[float, float] | None = field(default=None, repr=False)
    output: str | None = field(default=None, repr=False)
    norm_output: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be meant."""
        check_array("template", self.template, (5, 2), np.float32)
        for name, value, known in (("colour", self.colour, COLOURS), ("layout", self.layout, (None, *LAYOUTS))):
            if value not in known:
                raise ValueError(f"{name} = {value!r}; it is one of {', '.join(filter(None, known))}")
        if not (1 <= self.dimension <= 65_536 and all(8 <= side <= 1024 for side in self.chip_size)):
            raise ValueError(f"{self.dimension} numbers of a chip of {self.chip_size[0]}×{self.chip_size[1]} pixels")
        levels = np.atleast_1d(self.scale)
        with np.errstate(all="ignore"):  # pixels are reckoned with in float32
            levels = 1 / levels.astype(np.float32)
        if not (np.isfinite(levels).all() and (levels != 0).all() and np.isfinite(np.atleast_1d(self.mean)).all()):
            raise ValueError(f"mean {self.mean} and scale {self.scale} bring no pixel to a number")
        if not (np.isfinite(self.radius) and self.radius > 0):
            raise ValueError(f"radius = {self.radius} is no length")
        if self.norm is not None and not self.norm[0] < self.norm[1]:
            raise ValueError(f"norm = [{self.norm[0]:g}, {self.norm[1]:g}]; the least, then the best, is wanted")
        if self.norm_output is not None and (self.norm is None or self.norm_output == self.output):
            raise ValueError("norm_output goes with norm, and is another output than the embedding")
        if self.margin is not None and not -0.5 <= self.margin <= 3:
            raise ValueError(f"margin = {self.margin} is no share of a face's box")


@dataclass(frozen=True)
class Pack:
    """A detector and an embedder that belong together, and where their files lie: `folder`.
    `licence` names the licences; `terms` says in a plain sentence what follows from them;
    `commercial`: whether they allow commercial use, None where that is not known. `radius_source`:
    how the radius was found, "measured" (on labelled faces), "published" (derived from a published
    threshold) or "none". `embedded`: it comes with the program. `archives`: the zips that files are members of."""

    name: str
    title: str
    licence: str
    folder: Path
    files: tuple[PackFile, ...]
    detector: DetectorSpec
    embedder: EmbedderSpec
    terms: str = ""
    commercial: bool | None = None
    radius_source: str = "measured"
    embedded: bool = False
    archives: tuple[Archive, ...] = ()

    @property
    def own_files(self) -> tuple[PackFile, ...]:
        """Those that lie in its folder, and not with the embedded pack's."""
        return tuple(file for file in self.files if not file.embedded)

    @property
    def is_pullable(self) -> bool:
        """Whether all its files can be downloaded."""
        return not self.embedded and all(file.is_pullable for file in self.own_files)

    def path(self, name: str) -> Path:
        """Where the model file of this name lies."""
        embedded = any(file.embedded for file in self.files if file.name == name)
        return (embedded_manifest().parent if embedded else self.folder) / name

    @property
    def fingerprint(self) -> str:
        """Name and hashes in one line: a cache made by another fingerprint is another pack's. Another
        radius does not make another cache (but of the embedded pack, whose radius stays as it is):
        embeddings are brought to it when they are read."""
        files = [f"{file.name}={file.sha256}" for file in self.files]
        embedder = self.embedder if self.embedded else replace(self.embedder, radius=1.0)
        later = [f"{name}={value}" for name in _OPTIONAL_FIELDS if (value := getattr(embedder, name)) is not None]
        settings = hashlib.sha256("".join([repr(self.detector), repr(embedder), *later]).encode()).hexdigest()
        return " ".join([self.name, *files, f"settings={settings[:16]}"])

    @property
    def space(self) -> str:
        """The fingerprint and the radius: where these are the same, so are distances."""
        return self.fingerprint if self.embedded else f"{self.fingerprint} radius={self.embedder.radius:g}"
