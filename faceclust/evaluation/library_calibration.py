"""How well a library is grouped, by the names its user has confirmed, and the threshold that suits them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import FaceclustError, UsageError
from faceclust.evaluation.metrics.calibration import CalibratedThreshold, choose_threshold
from faceclust.evaluation.metrics.joined_pairs import JoinedPairs
from faceclust.evaluation.thresholds import LabelledFaces, cluster_unconstrained
from faceclust.store.calibrations import MAX_THRESHOLD, MIN_THRESHOLD
from faceclust.types import ClusterParams, FaceTable, Float64

#: Two people of m wholly joined are one in m (m − 1) / 2 pairs of people. Where that is far more than
#: the rate asked for, one mistake decides: so many of such pairs are needed for each 1 / rate.
_PERSON_PAIRS_TIMES_FAR = 0.4
_MIN_PEOPLE, _MIN_PAIRS = 10, 50
#: Steps between the thresholds tried, the wider one from this many faces on.
_STEP, _WIDE_STEP, _WIDE_STEP_FACES = 0.02, 0.05, 10_000
#: Of larger libraries the confirmed faces, and of the others as many as this, drawn by lot.
_MAX_SAMPLED_FACES = 30_000
#: Confirmed faces whose distances are shown; of more some are drawn by lot.
_MAX_HISTOGRAM_FACES = 3000


@dataclass(frozen=True)
class DistanceHistogram:
    """The squared L2 of pairs of confirmed faces, in bins between `edges` (b + 1,): how many pairs of
    one person, and of different people, (b,) each."""

    edges: Float64
    same: NDArray[np.int64]
    different: NDArray[np.int64]


@dataclass(frozen=True)
class LibraryCalibration:
    """`found`: what the names of `people` (with two confirmed `faces` or more, `pairs` of one person)
    bear out. `distances`: between these faces."""

    calibrated: CalibratedThreshold
    far: float
    people: int
    faces: int
    pairs: int
    distances: DistanceHistogram


def label_confirmed_faces(library: Catalogue, min_faces: int = 1) -> LabelledFaces:
    """The library's faces, and the names that the user has confirmed, of people who have `fewest` such
    faces or more; never suggested ones."""
    said = library.answers.labels
    words = (said.get(face) for face in library.faces.face_ids.tolist())
    names = [word.name if word and word.confirmed and word.name else "" for word in words]
    persons = np.array(names, dtype=np.str_)
    known, counts = np.unique(persons, return_counts=True)
    return LabelledFaces(library.faces, np.where(np.isin(persons, known[counts >= min_faces]), persons, ""))


def count_same_person_pairs(persons: Iterable[str]) -> int:
    """How many pairs of faces are one person's; "" is nobody."""
    names, counts = np.unique(np.asarray(list(persons), dtype=np.str_), return_counts=True)
    counts = counts[names != ""]
    return int((counts * (counts - 1) // 2).sum())


def min_people(far: float) -> int:
    """How many people it takes to tell of such a rate of wrong joins."""
    return max(_MIN_PEOPLE, int(np.ceil(0.5 + np.sqrt(0.25 + 2 * _PERSON_PAIRS_TIMES_FAR / far))))


def _last_params(library: Catalogue) -> ClusterParams:
    """How the library was grouped last, where that was by average linkage in two passes."""
    made = library.clustering.params if library.clustering else ClusterParams()
    return made if made.algorithm == "average" and made.second_pass else ClusterParams()


def calibrate_library(library: Catalogue, far: float, default_threshold: float) -> LibraryCalibration:
    """The threshold that the confirmed names bear out, see `evaluation.metrics.calibration.calibrate`: by
    average linkage in two passes over all faces, by likeness alone, of which those of people with two
    confirmed faces or more are counted. Raises UsageError for a senseless rate, FaceclustError where
    the names are too few."""
    if not 0 < far <= 0.1:
        raise UsageError(f"a rate of wrong joins of {far:g} is not sensible", hint="0.001 is one pair in a thousand")
    labelled = label_confirmed_faces(library, min_faces=2)
    known = labelled.persons[labelled.known]
    people, pairs = len(np.unique(known)), count_same_person_pairs(known)
    if people < (needed := min_people(far)) or pairs < _MIN_PAIRS:
        less = people >= _MIN_PEOPLE and pairs >= _MIN_PAIRS
        raise FaceclustError(
            f"too few names to calibrate: {people} people with two confirmed faces or more, {pairs} pairs of them; "
            f"a rate of {far:g} takes {needed} people and {_MIN_PAIRS} pairs",
            hint="faceclust label asks for more; faceclust confirm NAME takes in suggested faces"
            + (f"; or ask less: --far {_resolvable_rate(people):g}" if less else ""),
        )
    some = _sample_faces(labelled)
    step = _STEP if len(some.faces) <= _WIDE_STEP_FACES else _WIDE_STEP
    thresholds = np.arange(MIN_THRESHOLD, MAX_THRESHOLD + step / 2, step).round(3).tolist()
    progress = library.progress
    progress.start("grouping", len(thresholds), "groupings")
    cuts: dict[float, JoinedPairs] = {}
    for threshold, clusters in cluster_unconstrained(some.faces, _last_params(library), thresholds):
        cuts[threshold] = JoinedPairs.from_groups(clusters[some.known], some.persons[some.known])
        progress.advance()
    progress.finish()
    found = choose_threshold(cuts, far, default_threshold)
    distances = build_distance_histogram(some.faces.embeddings[some.known], known)
    return LibraryCalibration(found, far, people, len(known), pairs, distances)


def _resolvable_rate(people: int) -> float:
    """A round rate that so many people can tell of."""
    return next(rate for rate in (0.001, 0.002, 0.005, 0.01, 0.02) if min_people(rate) <= people)


def _sample_faces(labelled: LabelledFaces) -> LabelledFaces:
    """All faces, or those that are known and some others."""
    if len(labelled.faces) <= _MAX_SAMPLED_FACES:
        return labelled
    others = np.flatnonzero(~labelled.known)
    drawn = np.random.default_rng(0).permutation(others)[:_MAX_SAMPLED_FACES]
    at = np.sort(np.concatenate([np.flatnonzero(labelled.known), drawn]))
    return LabelledFaces(
        FaceTable(**{name: getattr(labelled.faces, name)[at] for name in FaceTable.__dataclass_fields__}),
        labelled.persons[at],
    )


def build_distance_histogram(
    embeddings: NDArray[np.float32], persons: NDArray[np.str_], bin_width: float = 0.2
) -> DistanceHistogram:
    """How far apart faces of one person are, and of different people; bins of this width."""
    if len(embeddings) > _MAX_HISTOGRAM_FACES:
        some = np.random.default_rng(0).permutation(len(embeddings))[:_MAX_HISTOGRAM_FACES]
        embeddings, persons = embeddings[some], persons[some]
    i, j = np.triu_indices(len(embeddings), 1)
    x = embeddings.astype(np.float64)
    squares = np.einsum("ij,ij->i", x, x)
    apart = (squares[:, None] + squares - 2 * x @ x.T)[i, j]
    same = persons[i] == persons[j]
    bins = int(np.ceil(float(apart.max(initial=bin_width)) / bin_width + 1e-9))
    edges = np.asarray(np.arange(bins + 1) * bin_width, np.float64)
    return DistanceHistogram(edges, np.histogram(apart[same], edges)[0], np.histogram(apart[~same], edges)[0])
