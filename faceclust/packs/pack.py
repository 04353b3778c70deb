"""The model pack: a detector and an embedder that belong together, as typed values."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from faceclust.files.bundled import find_bundled_file
from faceclust.packs.training_record import TrainingRecord
from faceclust.types import Float32, check_array


@dataclass(frozen=True)
class PackFile:
    """One model file of a pack.

    `sha256` and `size` (bytes) are None if no official hash is published; such a pack is installed
    from disk only. `url` is the download URL of the file, or of the zip that contains it as
    `member`; None if it is missing. `embedded` files belong to an embedded pack and lie there.
    `former_sha256`: that of an earlier version of the file with the same output, for fingerprints.
    """

    name: str
    sha256: str | None
    size: int | None
    licence: str
    url: str | None = None
    member: str | None = None
    embedded: bool = False
    former_sha256: str | None = None

    @property
    def is_pullable(self) -> bool:
        """Can the file be downloaded and verified?"""
        return None not in (self.url, self.sha256, self.size)


@dataclass(frozen=True)
class Archive:
    """A zip that contains files of a pack: its URL, SHA-256 and size in bytes."""

    url: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        return urlsplit(self.url).path.rpartition("/")[2]


#: One number for all channels, or one per channel.
ChannelLevels = float | tuple[float, float, float]
COLOURS = ("rgb", "bgr")
LAYOUTS = ("nchw", "nhwc")

#: Fields added to `EmbedderSpec` after the first release. The fingerprint includes them only if they
#: are set, so that older caches stay valid.
_OPTIONAL_FIELDS = ("layout", "margin", "norm", "output", "norm_output")


@dataclass(frozen=True)
class DetectorSpec:
    """The detector of a pack.

    `kind` names the decoder, `files` maps its roles to model files, `settings` are its parameters.
    By default, photos are scaled to a longer side of at most `long_side` px for detection, and
    panoramas to as many pixels as a square of that side has. The smallest faces found are `smallest`
    px wide on the scaled photo. `landmarks` is a model file that refines the landmarks; None if the
    detector's own are used.

    `Pack.fingerprint` hashes the repr of this class: renaming it or a field invalidates every cache.
    """

    kind: str
    long_side: int
    smallest: int
    landmarks: str | None
    files: Mapping[str, str]
    settings: Mapping[str, Any]

    def min_face(self, size: tuple[int, int]) -> float:
        """Return the default width, in px, of the smallest face to search for in a photo of this width
        and height in px: a fixed part of its longer side, or of √(width × height) if that is more than
        twice as long as the shorter one, as in a panorama."""
        short, long = sorted(size)
        return self.smallest * max(1.0, (long if long <= 2 * short else math.sqrt(long * short)) / self.long_side)


@dataclass(frozen=True)
class EmbedderSpec:
    """The embedder of a pack.

    `template`, float32 (5, 2), holds the landmark positions on a chip of `chip_size` (width,
    height), px. The chip's channels, in the order `colour` ("rgb" or "bgr"), enter the model as
    (value − mean) / scale; `mean` and `scale` are one number, or one per channel in that order.
    With `mirror`, an embedding is the mean over the chip and its mirror image. `radius` is the norm
    of every embedding, chosen so that squared L2 = 1.1 is the pack's operating point. A face with a
    detection score below `sure_score` is dropped if its asymmetry (see `vision.embed`) exceeds
    `max_asymmetry`.

    Optional fields:
    `layout`: "nchw" or "nhwc"; None to infer it from the model's input shape.
    `margin`: crop the face's box without alignment, squared and grown by this fraction of its side;
    None to align by the template.
    `norm`: the raw embedding's norm for the worst and the best faces; None if norms do not
    reflect quality.
    `output`: the model output with the embedding; None for the only output that is a vector.
    `norm_output`: the model output with the norm, for models that output unit vectors; None to use
    the embedding's own norm.

    `Pack.fingerprint` hashes the repr of this class: renaming it or a field invalidates every cache.
    """

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
        """Raise ValueError if a field is invalid."""
        check_array("template", self.template, (5, 2), np.float32)
        for name, value, choices in (("colour", self.colour, COLOURS), ("layout", self.layout, (None, *LAYOUTS))):
            if value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(filter(None, choices))}, not {value!r}")
        if not 1 <= self.dimension <= 65_536:
            raise ValueError(f"dimension must be from 1 to 65,536, not {self.dimension}")
        if not all(8 <= side <= 1024 for side in self.chip_size):
            raise ValueError(f"chip_size must be from 8 to 1024 px a side, not {self.chip_size[0]}×{self.chip_size[1]}")
        with np.errstate(all="ignore"):  # pixels are normalised in float32
            factors = 1 / np.atleast_1d(self.scale).astype(np.float32)
        if not (np.isfinite(factors).all() and (factors != 0).all() and np.isfinite(np.atleast_1d(self.mean)).all()):
            raise ValueError(f"mean {self.mean} and scale {self.scale} do not map pixels to finite numbers")
        if not (np.isfinite(self.radius) and self.radius > 0):
            raise ValueError(f"radius must be above 0, not {self.radius}")
        if self.norm is not None and not self.norm[0] < self.norm[1]:
            raise ValueError(f"norm must be the lower, then the higher norm, not {self.norm[0]:g}, {self.norm[1]:g}")
        if self.norm_output is not None and (self.norm is None or self.norm_output == self.output):
            raise ValueError("norm_output needs norm, and must differ from output")
        if self.margin is not None and not -0.5 <= self.margin <= 3:
            raise ValueError(f"margin must be from -0.5 to 3, not {self.margin}")


@dataclass(frozen=True)
class Pack:
    """A detector and an embedder that belong together, with their files in `folder`.

    `licence` names the licences, `terms` summarises them in a sentence, and `commercial` is true if
    they allow commercial use (None: unknown). `radius_source` is "measured" (on labelled
    faces), "published" (derived from a published threshold) or "none". An `embedded` pack ships
    with faceclust. `archives` are the zips that contain files of the pack. `former_fingerprint`: that
    of an earlier version, if its caches stay valid. `training` records how `faceclust train` made the
    embedder; None for other packs.
    """

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
    former_fingerprint: str | None = None
    training: TrainingRecord | None = None

    @property
    def own_files(self) -> tuple[PackFile, ...]:
        """The files in the pack's own folder, without those of the embedded packs."""
        return tuple(file for file in self.files if not file.embedded)

    @property
    def is_pullable(self) -> bool:
        """Can all the pack's files be downloaded?"""
        return not self.embedded and all(file.is_pullable for file in self.own_files)

    def path(self, name: str) -> Path:
        """Return the path of the model file called `name`."""
        embedded = any(file.embedded for file in self.files if file.name == name)
        return (embedded and find_bundled_file(name)) or self.folder / name

    @property
    def fingerprint(self) -> str:
        """The identity of a pack for caches, in one line: name, file hashes, digest of the settings.
        A cache with another fingerprint is outdated.

        The radius is left out, because embeddings are scaled to it when they are read. Only the
        embedded packs, whose radius never changes, include it.
        """
        if self.former_fingerprint:
            return self.former_fingerprint
        files = [f"{file.name}={file.former_sha256 or file.sha256}" for file in self.files]
        embedder = self.embedder if self.embedded else replace(self.embedder, radius=1.0)
        optional = [f"{name}={value}" for name in _OPTIONAL_FIELDS if (value := getattr(embedder, name)) is not None]
        # The reprs contain class and field names: renaming one would make every cache outdated.
        settings = hashlib.sha256("".join([repr(self.detector), repr(embedder), *optional]).encode()).hexdigest()
        return " ".join([self.name, *files, f"settings={settings[:16]}"])

    @property
    def space(self) -> str:
        """The identity of the embedding space: fingerprint and radius. Equal spaces give equal distances."""
        return self.fingerprint if self.embedded else f"{self.fingerprint} radius={self.embedder.radius:g}"
