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
from faceclust.cluster.two_passes import cluster_in_two_passes
from faceclust.errors import UsageError
from faceclust.evaluation.labelled_folders import LabelledPhotos
from faceclust.evaluation.main_faces import find_main_faces
from faceclust.evaluation.metrics.clustering import bcubed
from faceclust.packs.pack import Pack
from faceclust.progress import Progress, SilentProgress
from faceclust.types import OPERATING_POINT, Float32

MIN_LABELLED_PEOPLE, MIN_REPEATED_PEOPLE = 20, 10  # below these there is nothing to be learnt
UNDERSAMPLED_PEOPLE, UNDERSAMPLED_FACES = 200, 1000  # below these a best cut is not that of a large library
#: A worse best, or cuts as good over more of their middle, set no radius: of twenty people, each of them
#: well apart, they span .7.
MIN_F, MAX_RELATIVE_WIDTH = 0.5, 1.0
_F_TOLERANCE = 0.005  # of BCubed F: cuts this near the best are as good; of few people, one of them more or less
_FINE_STEP, _COARSE_STEP = 0.005, 10  # of the distance of two unlike faces; how many of these at first
_MAX_FINE_STEPS = 250  # of these: a quarter more than the distance of two unlike faces
_MAX_F_DROP = 0.15  # of F below the best: from there on it only falls


@dataclass(frozen=True)
class DistanceScore:
    """How well faces are grouped at a `distance`, squared L2 of unit vectors: BCubed."""

    distance: float
    precision: float
    recall: float
    f: float


@dataclass(frozen=True)
class RadiusEstimate:
    """`radius`: what makes the middle of the best cuts 1.1. `cuts`: all that were tried, rising;
    `best`: the one of the highest F; `low` and `high`: the cuts about as good as that one. `people`
    with at least one face found, `repeated` of them with several; `lost`: photos without a face."""

    radius: float
    cuts: tuple[DistanceScore, ...]
    best: DistanceScore
    low: float
    high: float
    faces: int
    people: int
    people_with_several: int
    photos_without_face: int

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    @property
    def relative_width(self) -> float:
        """The range of the cuts about as good as the best, of their middle."""
        return (self.high - self.low) / self.middle

    @property
    def rejection_reason(self) -> str | None:
        """Why these faces set no radius; None where they do."""
        if self.best.f < MIN_F:
            return f"at the best cut BCubed F is {self.best.f:.2f}, and {MIN_F:g} is the least"
        if self.relative_width > MAX_RELATIVE_WIDTH:
            width, limit = f"{self.relative_width:.0%}", f"{MAX_RELATIVE_WIDTH:.0%}"
            return f"cuts over {width} of their middle do as well, and {limit} is the most"
        return None

    @property
    def is_undersampled(self) -> bool:
        """Whether there were too few faces to set the radius for a large library."""
        return self.people < UNDERSAMPLED_PEOPLE or self.faces < UNDERSAMPLED_FACES


def find_radius(
    labelled: LabelledPhotos, pack: Pack, *, workers: int | None = None, progress: Progress | None = None
) -> RadiusEstimate:
    """The radius that labelled photos ask for. Raises UsageError where there are too few people on
    them, PackError for models that cannot be used."""
    faces = find_main_faces(
        labelled.paths, pack, workers=workers, progress=progress, description="looking at labelled photos"
    )
    units = faces.embeddings(1.0, mirrored=pack.embedder.mirror)
    usable = faces.found & np.isfinite(units).all(axis=1)
    persons = labelled.persons[usable]
    _, counts = np.unique(persons, return_counts=True)
    repeated = int((counts > 1).sum())
    if len(counts) < MIN_LABELLED_PEOPLE or repeated < MIN_REPEATED_PEOPLE:
        raise UsageError(
            f"{labelled.folder}: faces of {len(counts)} people, of {repeated} more than one; "
            f"it takes {MIN_LABELLED_PEOPLE}, and {MIN_REPEATED_PEOPLE} with more than one",
            hint="with fewer people nothing shows which faces are too unlike to be one person's; LFW has 5,749",
        )
    cuts = score_distances(units[usable], persons, progress or SilentProgress())
    best = max(cuts, key=lambda cut: cut.f)
    low, high = find_plateau(cuts, f_tolerance(persons))
    return RadiusEstimate(
        radius=round(math.sqrt(OPERATING_POINT / ((low + high) / 2)), 3),
        cuts=cuts,
        best=best,
        low=low,
        high=high,
        faces=int(usable.sum()),
        people=len(counts),
        people_with_several=repeated,
        photos_without_face=int((~usable).sum()),
    )


def score_distances(
    units: Float32, persons: Sequence[str] | NDArray[np.str_], progress: Progress
) -> tuple[DistanceScore, ...]:
    """Groupings of unit vectors (n, d) at cuts in steps of a twentieth of the distance of two unlike
    faces, then ten times as fine about the best, as far as they are as good; by rising distance."""
    unlike = _median_distance(units)
    tried: dict[int, DistanceScore] = {}

    def f_at(place: int) -> float:
        if place not in tried:
            distance = place * _FINE_STEP * unlike
            score = bcubed(cluster_in_two_passes(units, distance, Constraints()), persons)
            tried[place] = DistanceScore(distance, score.precision, score.recall, score.f)
            progress.advance()
        return tried[place].f

    progress.start("grouping at many cuts", None)
    try:
        best = 0.0
        for place in range(_COARSE_STEP, _MAX_FINE_STEPS + 1, _COARSE_STEP):
            if f_at(place) < best - _MAX_F_DROP:
                break
            best = max(best, f_at(place))
        top = max(tried, key=f_at)
        for place in range(max(1, top - _COARSE_STEP), min(_MAX_FINE_STEPS, top + _COARSE_STEP) + 1):
            f_at(place)
        top = max(tried, key=f_at)
        for way in (-1, 1):
            place = top + way
            while 1 <= place <= _MAX_FINE_STEPS and f_at(place) >= f_at(top) - f_tolerance(persons):
                place += way
    finally:
        progress.finish()
    return tuple(tried[place] for place in sorted(tried))


def f_tolerance(persons: Sequence[str] | NDArray[np.str_]) -> float:
    """How far below the best a BCubed F may be and count as as good: half a point, or what one person
    makes."""
    return max(_F_TOLERANCE, 1 / max(1, len(set(persons))))


def find_plateau(cuts: Sequence[DistanceScore], tolerance: float) -> tuple[float, float]:
    """The lowest and highest distance of the unbroken row of cuts about the best whose F is `same`
    below it at most."""
    top = max(range(len(cuts)), key=lambda i: cuts[i].f)
    good = [cut.f >= cuts[top].f - tolerance for cut in cuts]
    low = high = top
    while low > 0 and good[low - 1]:
        low -= 1
    while high + 1 < len(cuts) and good[high + 1]:
        high += 1
    return cuts[low].distance, cuts[high].distance


def _median_distance(units: Float32) -> float:
    """The median squared L2 of two faces: nearly all pairs are of two people."""
    left, right = np.random.default_rng(0).integers(0, len(units), (2, 20_000))
    apart = ((units[left] - units[right]) ** 2).sum(axis=1)[left != right]
    return max(float(np.median(apart)), 1e-6)
