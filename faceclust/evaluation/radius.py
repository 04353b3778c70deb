"""A pack's radius: the norm at which 1.1 clusters labelled faces best.

The faces are clustered as `cluster` does it (average linkage in three passes) at many squared L2
distances of unit vectors. Each clustering is scored by BCubed F against the labels. The middle of the
range of about equally good distances is taken, because a single best distance may be luck.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.three_passes import cluster_in_three_passes
from faceclust.errors import UsageError
from faceclust.evaluation.labelled_folders import LabelledPhotos
from faceclust.evaluation.main_faces import MainFaces, find_main_faces
from faceclust.evaluation.metrics.clustering import bcubed
from faceclust.packs.pack import Pack
from faceclust.progress import Progress, SilentProgress
from faceclust.types import OPERATING_POINT, ClusterParams, Float32

MIN_LABELLED_PEOPLE, MIN_REPEATED_PEOPLE = 20, 10  # with fewer, a best distance means nothing
UNDERSAMPLED_PEOPLE, UNDERSAMPLED_FACES = 200, 1000  # with fewer, it is too large for a large library
#: Limits beyond which the faces set no radius. The good distances of twenty easy people span 0.7 of their middle.
MIN_F, MAX_RELATIVE_WIDTH = 0.5, 1.0
_F_TOLERANCE = 0.005  # BCubed F this near to the best counts as equally good
_FINE_STEP, _COARSE_STEP = 0.005, 10  # a share of the median distance of two faces; a number of fine steps
_MAX_FINE_STEPS = 250  # up to 1.25 times the median distance of two faces
_MAX_F_DROP = 0.15  # an F so far below the best ends the search: it only falls from there


@dataclass(frozen=True)
class DistanceScore:
    """BCubed precision, recall and F of the clustering at `distance`, squared L2 of unit vectors."""

    distance: float
    precision: float
    recall: float
    f: float


@dataclass(frozen=True)
class RadiusEstimate:
    """A radius and the evidence for it.

    `radius` makes the middle of the best distances 1.1. `cuts` are the scores of all distances tried, in
    rising order; `best` has the highest F. Distances from `low` to `high` are about as good. `people`
    counts people with a found face, `people_with_several` those with at least two.
    `photos_without_face` counts photos on which no face was found.
    """

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
        """The middle of the good distances."""
        return (self.low + self.high) / 2

    @property
    def relative_width(self) -> float:
        """The width of the range of good distances, relative to its middle."""
        return (self.high - self.low) / self.middle

    @property
    def rejection_reason(self) -> str | None:
        """The reason to reject the estimate; None if it is usable."""
        if self.best.f < MIN_F:
            return f"the best BCubed F is {self.best.f:.2f}, and at least {MIN_F:g} is needed"
        if self.relative_width > MAX_RELATIVE_WIDTH:
            width, limit = f"{self.relative_width:.0%}", f"{MAX_RELATIVE_WIDTH:.0%}"
            return f"the good distances span {width} of their middle, and at most {limit} is allowed"
        return None

    @property
    def is_undersampled(self) -> bool:
        """True if there are too few people or faces to set the radius for a large library."""
        return self.people < UNDERSAMPLED_PEOPLE or self.faces < UNDERSAMPLED_FACES


def find_radius(
    labelled: LabelledPhotos, pack: Pack, *, workers: int | None = None, progress: Progress | None = None
) -> RadiusEstimate:
    """Estimate a pack's radius on labelled photos.

    Raises UsageError if there are too few people, PackError if the models cannot be used.
    """
    faces = find_main_faces(
        labelled.paths, pack, workers=workers, progress=progress, description="finding labelled faces"
    )
    try:
        return estimate_radius(faces, labelled.persons, mirrored=pack.embedder.mirror, progress=progress)
    except UsageError as error:
        raise UsageError(
            f"{labelled.folder}: {error}", hint="choose a larger collection, such as LFW with 5,749 people"
        ) from error


def estimate_radius(
    faces: MainFaces, persons: NDArray[np.str_], *, mirrored: bool, progress: Progress | None = None
) -> RadiusEstimate:
    """Estimate a radius from the main faces of labelled photos and each photo's person (n,).

    `mirrored` tells whether an embedding is the mean with the mirror image's. Raises UsageError if there are too few
    people.
    """
    units = faces.embeddings(1.0, mirrored=mirrored)
    usable = faces.found & np.isfinite(units).all(axis=1)
    persons = persons[usable]
    _, counts = np.unique(persons, return_counts=True)
    repeated = int((counts > 1).sum())
    if len(counts) < MIN_LABELLED_PEOPLE or repeated < MIN_REPEATED_PEOPLE:
        raise UsageError(
            f"too few people: {len(counts)} with a face, {repeated} with at least two; "
            f"{MIN_LABELLED_PEOPLE} and {MIN_REPEATED_PEOPLE} are needed"
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
    """Score clusterings of unit vectors (n, d) at many distances; return them in rising order.

    The first steps are a twentieth of the median distance of two faces. Around the best one, the
    steps are ten times finer, as far as the scores are about as good.
    """
    median = _median_distance(units)
    tolerance = f_tolerance(persons)
    tried: dict[int, DistanceScore] = {}

    def f_at(step: int) -> float:
        if step not in tried:
            distance = step * _FINE_STEP * median
            clusters, _ = cluster_in_three_passes(units, ClusterParams(threshold=distance), Constraints())
            score = bcubed(clusters, persons)
            tried[step] = DistanceScore(distance, score.precision, score.recall, score.f)
            progress.advance()
        return tried[step].f

    progress.start("grouping at many distances", None)
    try:
        best = 0.0
        for step in range(_COARSE_STEP, _MAX_FINE_STEPS + 1, _COARSE_STEP):
            if f_at(step) < best - _MAX_F_DROP:
                break
            best = max(best, f_at(step))
        top = max(tried, key=f_at)
        for step in range(max(1, top - _COARSE_STEP), min(_MAX_FINE_STEPS, top + _COARSE_STEP) + 1):
            f_at(step)
        top = max(tried, key=f_at)
        for direction in (-1, 1):
            step = top + direction
            while 1 <= step <= _MAX_FINE_STEPS and f_at(step) >= f_at(top) - tolerance:
                step += direction
    finally:
        progress.finish()
    return tuple(tried[step] for step in sorted(tried))


def f_tolerance(persons: Sequence[str] | NDArray[np.str_]) -> float:
    """The distance from the best BCubed F that counts as equally good: 0.005, or one person's share."""
    return max(_F_TOLERANCE, 1 / max(1, len(set(persons))))


def find_plateau(cuts: Sequence[DistanceScore], tolerance: float) -> tuple[float, float]:
    """The lowest and highest distance of the unbroken run around the best with an F within `tolerance`."""
    top = max(range(len(cuts)), key=lambda i: cuts[i].f)
    good = [cut.f >= cuts[top].f - tolerance for cut in cuts]
    low = high = top
    while low > 0 and good[low - 1]:
        low -= 1
    while high + 1 < len(cuts) and good[high + 1]:
        high += 1
    return cuts[low].distance, cuts[high].distance


def _median_distance(units: Float32) -> float:
    """The median squared L2 of random pairs of faces, which nearly all are of two people."""
    left, right = np.random.default_rng(0).integers(0, len(units), (2, 20_000))
    distances = ((units[left] - units[right]) ** 2).sum(axis=1)[left != right]
    return max(float(np.median(distances)), 1e-6)
