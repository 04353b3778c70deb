"""Measure a new pack beside the pack in use, on people that the embedder was not trained on.

One half of the held-out people sets the radius. Everything else is measured on the other half, the test half, with
both packs on the same pictures. The new pack is better if its BCubed F at 1.1 is higher with 95 % confidence. This
module does not import torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.three_passes import cluster_in_three_passes
from faceclust.errors import UsageError
from faceclust.evaluation.library_score import ConfidenceInterval, confidence_interval
from faceclust.evaluation.main_faces import MainFaces, find_main_faces
from faceclust.evaluation.metrics.clustering import bcubed
from faceclust.evaluation.metrics.joined_pairs import bootstrap_people, weighted_bcubed
from faceclust.evaluation.metrics.verification import AllPairsScores, verify_all_pairs
from faceclust.evaluation.radius import MIN_LABELLED_PEOPLE, MIN_REPEATED_PEOPLE, estimate_radius
from faceclust.evaluation.score_pairs import PairScores, VerificationPairs, load_pairs, score_pairs
from faceclust.installer.manifest_text import UNCALIBRATED_RADIUS
from faceclust.packs.pack import Pack
from faceclust.progress import Progress, SilentProgress
from faceclust.training.data.face_set import HeldOutPictures
from faceclust.training.data.split import halve_people
from faceclust.training.held_out_pairs import TARGET_FAR, draw_pairs
from faceclust.types import ClusterParams, Float64, Indices

#: The false accept rates reported over all pairs of faces.
ALL_PAIRS_FARS = (1e-2, 1e-3, 1e-4)
_NORM_PERCENTILES = (5, 95)


@dataclass(frozen=True)
class Calibration:
    """The radius that the calibration half sets, from `faces` of `people`.

    `source` is "measured", or "none" with the `problem` because of which the radius is a guess. `norms` are the 5th and
    the 95th percentile of the raw vectors' norms, None if no face was found or all norms are equal. A radius that is
    `undersampled` may be too small for a large library, which has more people to confuse.
    """

    radius: float
    source: str
    problem: str | None
    people: int
    faces: int
    norms: tuple[float, float] | None
    undersampled: bool = False


@dataclass(frozen=True)
class PairFigures:
    """The figures over `same` and `different` pairs: means over the folds with standard errors, None for one fold.

    `name` is the file's or "held-out people"; of those, the accuracy is over as many pairs of each kind. `val` is
    measured at a false accept rate of 0.001, None if there are too few pairs.
    """

    name: str
    same: int
    different: int
    accuracy: float
    accuracy_error: float | None
    val: float | None
    val_error: float | None


@dataclass(frozen=True)
class PackFigures:
    """The figures of one pack on the test half.

    `without_face` counts the pictures on which it found no face; they count as groups of their own. `precision`,
    `recall` and `f` are BCubed's for the clustering at 1.1. `pairs` are of people that are disjoint between ten folds,
    None if there are too few people. `lists` are the pairs of `.bin` files.
    """

    pack: str
    radius: float
    radius_source: str
    without_face: int
    precision: ConfidenceInterval
    recall: ConfidenceInterval
    f: ConfidenceInterval
    all_pairs: AllPairsScores
    pairs: PairFigures | None
    lists: tuple[PairFigures, ...]


@dataclass(frozen=True)
class Comparison:
    """Both packs on `faces` pictures of `people`, of whom `people_with_several` have at least two pictures.

    `difference` is the BCubed F of `new` less that of `baseline`, with the interval over the same draws of people.
    """

    people: int
    people_with_several: int
    faces: int
    new: PackFigures
    baseline: PackFigures
    difference: ConfidenceInterval

    @property
    def has_enough_people(self) -> bool:
        """False if a few people decide: an interval over them means nothing."""
        return self.people >= MIN_LABELLED_PEOPLE and self.people_with_several >= MIN_REPEATED_PEOPLE

    @property
    def verdict(self) -> str:
        """The new pack is "better", "worse" or "undecided"."""
        if not self.has_enough_people or self.difference.low <= 0 <= self.difference.high:
            return "undecided"
        return "better" if self.difference.low > 0 else "worse"


def split_held_out(held_out: HeldOutPictures) -> tuple[HeldOutPictures, HeldOutPictures]:
    """Split pictures by person into the calibration half and the test half."""
    first = halve_people(held_out.persons)
    calibration, test = (_take(held_out, np.flatnonzero(mask)) for mask in (first, ~first))
    return calibration, test


def _take(held_out: HeldOutPictures, positions: NDArray[np.intp]) -> HeldOutPictures:
    pictures = tuple(held_out.pictures[i] for i in positions.tolist())
    return replace(held_out, pictures=pictures, persons=held_out.persons[positions])


def calibrate(
    pack: Pack, half: HeldOutPictures, *, workers: int | None = None, progress: Progress | None = None
) -> Calibration:
    """Find the radius of a new pack on the calibration half. Raises PackError if the models cannot be used."""
    faces = find_main_faces(
        half.pictures,
        pack,
        aligned=half.aligned,
        workers=workers,
        progress=progress,
        description=f"calibrating {pack.name}",
    )
    norms = faces.norms[faces.found]
    low, high = np.percentile(norms, _NORM_PERCENTILES).tolist() if len(norms) else (0.0, 0.0)
    people = len(set(half.persons[faces.found].tolist()))
    radius, problem, undersampled = UNCALIBRATED_RADIUS, None, True
    try:
        found = estimate_radius(faces, half.persons, mirrored=pack.embedder.mirror, progress=progress)
        radius, problem, undersampled = found.radius, found.rejection_reason, found.is_undersampled
    except UsageError as error:
        problem = str(error)
    return Calibration(
        radius,
        "none" if problem else "measured",
        problem,
        people,
        int(faces.found.sum()),
        (low, high) if low < high else None,
        undersampled,
    )


def compare_packs(
    new: Pack,
    baseline: Pack,
    half: HeldOutPictures,
    lists: Sequence[Path] = (),
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Comparison | None:
    """Measure both packs on the test half, and on the `.bin` files `lists`.

    Return None if no pack finds a face there. A list that cannot be read is skipped with a note. Raises PackError if
    the models cannot be used.
    """
    packs = (new, baseline)
    faces = [
        find_main_faces(
            half.pictures,
            pack,
            aligned=half.aligned,
            workers=workers,
            progress=progress,
            description=f"measuring {pack.name}",
        )
        for pack in packs
    ]
    scored = faces[0].found | faces[1].found
    persons = half.persons[scored]
    counts = np.unique(persons, return_counts=True)[1]
    if not len(counts):
        return None
    pairs = draw_pairs(half, scored)
    read_lists = list(_read_lists(lists, progress or SilentProgress()))
    draws, figures, drawn = bootstrap_people(len(counts)), [], []
    for pack, found in zip(packs, faces, strict=True):
        groups = _cluster(found, pack, progress)[scored]
        draw = _score_draws(groups, persons, draws)
        score = bcubed(groups, persons)
        precision, recall, f = (
            confidence_interval(value, values, len(counts))
            for value, values in zip((score.precision, score.recall, score.f), draw, strict=True)
        )
        vectors = found.embeddings(pack.embedder.radius, mirrored=pack.embedder.mirror)
        figures.append(
            PackFigures(
                pack.name,
                pack.embedder.radius,
                pack.radius_source,
                int((scored & ~found.found).sum()),
                precision,
                recall,
                f,
                verify_all_pairs(vectors[found.found], half.persons[found.found], ALL_PAIRS_FARS, progress),
                _score(pairs.pairs, "held-out people", found, pack, pairs.balanced) if pairs else None,
                tuple(_score_list(name, one, pack, workers, progress) for name, one in read_lists),
            )
        )
        drawn.append(draw[2])
    difference = figures[0].f.value - figures[1].f.value
    low, high = np.quantile(drawn[0] - drawn[1], (0.025, 0.975)).tolist()
    return Comparison(
        people=len(counts),
        people_with_several=int((counts > 1).sum()),
        faces=len(persons),
        new=figures[0],
        baseline=figures[1],
        difference=ConfidenceInterval(difference, min(low, difference), max(high, difference)),
    )


def _read_lists(lists: Sequence[Path], progress: Progress) -> Iterator[tuple[str, VerificationPairs]]:
    for path in lists:
        try:
            yield path.name, load_pairs(None, path)
        except UsageError as error:
            progress.note(f"skipped a list of pairs: {error}")


def _cluster(faces: MainFaces, pack: Pack, progress: Progress | None) -> Indices:
    """Return each picture's group (n,) at 1.1, −1 for one without a face."""
    vectors = faces.embeddings(pack.embedder.radius, mirrored=pack.embedder.mirror)[faces.found]
    groups = np.full(len(faces.found), -1, np.int64)
    if len(vectors):
        groups[faces.found] = cluster_in_three_passes(vectors, ClusterParams(), Constraints(), progress)[0]
    return groups


def _score_draws(
    groups: Indices, persons: NDArray[np.str_], draws: NDArray[np.int64]
) -> tuple[Float64, Float64, Float64]:
    """Return BCubed precision, recall and F (draws,) of each draw of people."""
    precision, recall = weighted_bcubed(groups, persons, draws)
    return precision, recall, np.asarray(2 * precision * recall / (precision + recall))


def _score_list(
    name: str, pairs: VerificationPairs, pack: Pack, workers: int | None, progress: Progress | None
) -> PairFigures:
    faces = find_main_faces(
        pairs.pictures,
        pack,
        aligned=pairs.aligned,
        workers=workers,
        progress=progress,
        description=f"measuring {pack.name} on {name}",
    )
    return _score(pairs, name, faces, pack)


def _score(
    pairs: VerificationPairs, name: str, faces: MainFaces, pack: Pack, balanced: NDArray[np.bool_] | None = None
) -> PairFigures:
    """Score pairs; the accuracy is over the `balanced` ones, all by default."""

    def score(some: VerificationPairs) -> PairScores:
        return score_pairs(some, faces, pack.embedder.radius, mirrored=pack.embedder.mirror, fars=(TARGET_FAR,))

    scores = score(pairs)
    protocol = scores.protocol if balanced is None else score(pairs.select(balanced)).protocol
    at_far = scores.rates[0].by_folds
    return PairFigures(
        name,
        scores.same,
        scores.different,
        protocol.accuracy,
        protocol.accuracy_error,
        at_far.val if at_far else None,
        at_far.val_error if at_far else None,
    )
