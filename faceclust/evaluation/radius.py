"""A pack's radius: where average linkage groups labelled faces best becomes 1.1.

The faces are grouped as `cluster` does it (average linkage in two passes) at many cuts of the squared
L2 of unit vectors; each grouping is scored by BCubed F against the labels. Where F is about as good
as it gets over a range of cuts, the middle of that range is taken: one best cut may be luck.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.two_passes import two_passes
from faceclust.errors import UsageError
from faceclust.evaluation.labelled_folders import LabelledPhotos
from faceclust.evaluation.main_faces import main_faces
from faceclust.evaluation.metrics.clustering import bcubed
from faceclust.packs.pack import Pack
from faceclust.progress import Progress, Silent
from faceclust.types import Float32

OPERATING_POINT = 1.1  # squared L2, of every pack
FEWEST_PEOPLE, FEWEST_REPEATED = 20, 10  # below these there is nothing to be learnt
FEW_PEOPLE, FEW_FACES = 200, 1000  # below these a best cut is not that of a large library
#: A worse best, or cuts as good over more of their middle, set no radius: of twenty people, each of them
#: well apart, they span .7.
LEAST_F, MOST_BREADTH = 0.5, 1.0
_SAME = 0.005  # of BCubed F: cuts this near the best are as good; of few people, one of them more or less
_FINE, _STEP = 0.005, 10  # of the distance of two unlike faces; how many of these at first
_LAST = 250  # of these: a quarter more than the distance of two unlike faces
_HOPELESS = 0.15  # of F below the best: from there on it only falls


@dataclass(frozen=True)
class Cut:
    """How well faces are grouped at a `distance`, squared L2 of unit vectors: BCubed."""

    distance: float
    precision: float
    recall: float
    f: float


@dataclass(frozen=True)
class RadiusFound:
    """`radius`: what makes the middle of the best cuts 1.1. `cuts`: all that were tried, rising;
    `best`: the one of the highest F; `low` and `high`: the cuts about as good as that one. `people`
    with at least one face found, `repeated` of them with several; `lost`: photos without a face."""

    radius: float
    cuts: tuple[Cut, ...]
    best: Cut
    low: float
    high: float
    faces: int
    people: int
    repeated: int
    lost: int

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    @property
    def breadth(self) -> float:
        """The range of the cuts about as good as the best, of their middle."""
        return (self.high - self.low) / self.middle

    @property
    def doubt(self) -> str | None:
        """Why these faces set no radius; None where they do."""
        if self.best.f < LEAST_F:
            return f"at the best cut BCubed F is {self.best.f:.2f}, and {LEAST_F:g} is the least"
        if self.breadth > MOST_BREADTH:
            return f"cuts over {self.breadth:.0%} of their middle do as well, and {MOST_BREADTH:.0%} is the most"
        return None

    @property
    def is_little(self) -> bool:
        """Whether there were too few faces to set the radius for a large library."""
        return self.people < FEW_PEOPLE or self.faces < FEW_FACES


def find_radius(
    labelled: LabelledPhotos, pack: Pack, *, workers: int | None = None, progress: Progress | None = None
) -> RadiusFound:
    """The radius that labelled photos ask for. Raises UsageError where there are too few people on
    them, PackError for models that cannot be used."""
    faces = main_faces(labelled.paths, pack, workers=workers, progress=progress, doing="looking at labelled photos")
    units = faces.embeddings(1.0, mirrored=pack.embedder.mirror)
    usable = faces.found & np.isfinite(units).all(axis=1)
    persons = labelled.persons[usable]
    _, counts = np.unique(persons, return_counts=True)
    repeated = int((counts > 1).sum())
    if len(counts) < FEWEST_PEOPLE or repeated < FEWEST_REPEATED:
        raise UsageError(
            f"{labelled.folder}: faces of {len(counts)} people, of {repeated} more than one; "
            f"it takes {FEWEST_PEOPLE}, and {FEWEST_REPEATED} with more than one",
            hint="with fewer people nothing shows which faces are too unlike to be one person's; LFW has 5,749",
        )
    cuts = sweep(units[usable], persons, progress or Silent())
    best = max(cuts, key=lambda cut: cut.f)
    low, high = plateau(cuts, same_within(persons))
    return RadiusFound(
        radius=round(math.sqrt(OPERATING_POINT / ((low + high) / 2)), 3),
        cuts=cuts,
        best=best,
        low=low,
        high=high,
        faces=int(usable.sum()),
        people=len(counts),
        repeated=repeated,
        lost=int((~usable).sum()),
    )


def sweep(units: Float32, persons: Sequence[str] | NDArray[np.str_], progress: Progress) -> tuple[Cut, ...]:
    """Groupings of unit vectors (n, d) at cuts in steps of a twentieth of the distance of two unlike
    faces, then ten times as fine about the best, as far as they are as good; by rising distance."""
    unlike = _unlike(units)
    tried: dict[int, Cut] = {}

    def f_at(place: int) -> float:
        if place not in tried:
            distance = place * _FINE * unlike
            score = bcubed(two_passes(units, distance, Constraints()), persons)
            tried[place] = Cut(distance, score.precision, score.recall, score.f)
            progress.advance()
        return tried[place].f

    progress.start("grouping at many cuts", None)
    try:
        best = 0.0
        for place in range(_STEP, _LAST + 1, _STEP):
            if f_at(place) < best - _HOPELESS:
                break
            best = max(best, f_at(place))
        top = max(tried, key=f_at)
        for place in range(max(1, top - _STEP), min(_LAST, top + _STEP) + 1):
            f_at(place)
        top = max(tried, key=f_at)
        for way in (-1, 1):
            place = top + way
            while 1 <= place <= _LAST and f_at(place) >= f_at(top) - same_within(persons):
                place += way
    finally:
        progress.finish()
    return tuple(tried[place] for place in sorted(tried))


def same_within(persons: Sequence[str] | NDArray[np.str_]) -> float:
    """How far below the best a BCubed F may be and count as as good: half a point, or what one person
    makes."""
    return max(_SAME, 1 / max(1, len(set(persons))))


def plateau(cuts: Sequence[Cut], same: float) -> tuple[float, float]:
    """The lowest and highest distance of the unbroken row of cuts about the best whose F is `same`
    below it at most."""
    top = max(range(len(cuts)), key=lambda i: cuts[i].f)
    good = [cut.f >= cuts[top].f - same for cut in cuts]
    low = high = top
    while low > 0 and good[low - 1]:
        low -= 1
    while high + 1 < len(cuts) and good[high + 1]:
        high += 1
    return cuts[low].distance, cuts[high].distance


def _unlike(units: Float32) -> float:
    """The median squared L2 of two faces: nearly all pairs are of two people."""
    left, right = np.random.default_rng(0).integers(0, len(units), (2, 20_000))
    apart = ((units[left] - units[right]) ** 2).sum(axis=1)[left != right]
    return max(float(np.median(apart)), 1e-6)
