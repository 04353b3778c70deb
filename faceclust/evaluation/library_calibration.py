"""The threshold that suits a library, from the names its user has confirmed."""

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
from faceclust.types import ClusterParams, Float64

_MAX_FAR = 0.1
#: m people form m (m − 1) / 2 pairs. With much fewer pairs than 1 / far, joining a single pair decides
#: the outcome; this many pairs are required for each 1 / far.
_PERSON_PAIRS_TIMES_FAR = 0.4
_MIN_PEOPLE, _MIN_PAIRS = 10, 50
#: Steps between the thresholds tried; the wide one for more than _WIDE_STEP_FACES faces.
_STEP, _WIDE_STEP, _WIDE_STEP_FACES = 0.02, 0.05, 10_000
#: A larger library is sampled: its confirmed faces, and this many of the others.
_MAX_SAMPLED_FACES = 30_000
#: The histogram of distances is over at most this many confirmed faces.
_MAX_HISTOGRAM_FACES = 3000


@dataclass(frozen=True)
class DistanceHistogram:
    """Squared L2 distances between pairs of confirmed faces, counted in bins between `edges` (b + 1,).

    `same` and `different` (b,) count the pairs of one person and of different people.
    """

    edges: Float64
    same: NDArray[np.int64]
    different: NDArray[np.int64]


@dataclass(frozen=True)
class LibraryCalibration:
    """A threshold calibrated at the rate `far` on people with at least two confirmed faces.

    `people` and `faces` count these people and their confirmed faces, `pairs` the pairs of one person.
    `distances` is the histogram between the faces. It holds with this weight of `local_scaling`.
    """

    calibrated: CalibratedThreshold
    far: float
    people: int
    faces: int
    pairs: int
    distances: DistanceHistogram
    local_scaling: float


def label_confirmed_faces(library: Catalogue, min_faces: int = 1) -> LabelledFaces:
    """Label the library's faces with confirmed names, never suggested ones.

    People with fewer than `min_faces` confirmed faces stay unlabelled.
    """
    label_of = library.answers.labels
    labels = (label_of.get(face) for face in library.faces.face_ids.tolist())
    names = [label.name if label and label.confirmed and label.name else "" for label in labels]
    persons = np.array(names, dtype=np.str_)
    known, counts = np.unique(persons, return_counts=True)
    return LabelledFaces(library.faces, np.where(np.isin(persons, known[counts >= min_faces]), persons, ""))


def count_same_person_pairs(persons: Iterable[str]) -> int:
    """Count the pairs of faces of one person; "" is nobody."""
    names, counts = np.unique(np.asarray(list(persons), dtype=np.str_), return_counts=True)
    counts = counts[names != ""]
    return int((counts * (counts - 1) // 2).sum())


def min_people(far: float) -> int:
    """The number of people needed to measure a rate of wrong joins of `far`."""
    return max(_MIN_PEOPLE, int(np.ceil(0.5 + np.sqrt(0.25 + 2 * _PERSON_PAIRS_TIMES_FAR / far))))


def _last_params(library: Catalogue) -> ClusterParams:
    """The parameters of the last clustering if it was average linkage in two passes, else the defaults."""
    params = library.clustering.params if library.clustering else ClusterParams()
    return params if params.algorithm == "average" and params.second_pass else ClusterParams()


def calibrate_library(library: Catalogue, far: float, default_threshold: float) -> LibraryCalibration:
    """Calibrate a threshold on the confirmed names; see `evaluation.metrics.calibration.choose_threshold`.

    All faces are clustered by average linkage as last time, without links from the user's answers.
    The faces of people with at least two confirmed faces are counted. Raises UsageError if `far` is
    out of range, FaceclustError if there are too few names.
    """
    if not 0 < far <= _MAX_FAR:
        raise UsageError(
            f"--far must be above 0 and at most {_MAX_FAR:g}, not {far:g}", hint="0.001 is one pair in a thousand"
        )
    labelled = label_confirmed_faces(library, min_faces=2)
    known = labelled.persons[labelled.known]
    people, pairs = len(np.unique(known)), count_same_person_pairs(known)
    if people < (needed := min_people(far)) or pairs < _MIN_PAIRS:
        hint = "name more people (faceclust label), or confirm suggested faces (faceclust confirm NAME)"
        if people >= _MIN_PEOPLE and pairs >= _MIN_PAIRS:
            hint += f"; or allow more wrong joins: --far {_resolvable_rate(people):g}"
        raise FaceclustError(
            f"too few names to calibrate: {people} people with at least two confirmed faces and {pairs} pairs of "
            f"them; --far {far:g} needs {needed} people and {_MIN_PAIRS} pairs",
            hint=hint,
        )
    sample = _sample_faces(labelled)
    step = _STEP if len(sample.faces) <= _WIDE_STEP_FACES else _WIDE_STEP
    thresholds = np.arange(MIN_THRESHOLD, MAX_THRESHOLD + step / 2, step).round(3).tolist()
    progress = library.progress
    progress.start("grouping", len(thresholds), "thresholds")
    joined: dict[float, JoinedPairs] = {}
    params = _last_params(library)
    for threshold, clusters in cluster_unconstrained(sample.faces, params, thresholds):
        joined[threshold] = JoinedPairs.from_groups(clusters[sample.known], sample.persons[sample.known])
        progress.advance()
    progress.finish()
    calibrated = choose_threshold(joined, far, default_threshold)
    distances = build_distance_histogram(sample.faces.embeddings[sample.known], known)
    return LibraryCalibration(calibrated, far, people, len(known), pairs, distances, params.local_scaling)


def _resolvable_rate(people: int) -> float:
    """The lowest round rate that this many people can measure."""
    return next(rate for rate in (0.001, 0.002, 0.005, 0.01, 0.02) if min_people(rate) <= people)


def _sample_faces(labelled: LabelledFaces) -> LabelledFaces:
    """All faces, or the labelled ones and a sample of the others."""
    if len(labelled.faces) <= _MAX_SAMPLED_FACES:
        return labelled
    others = np.flatnonzero(~labelled.known)
    drawn = np.random.default_rng(0).permutation(others)[:_MAX_SAMPLED_FACES]
    return labelled.take(np.sort(np.concatenate([np.flatnonzero(labelled.known), drawn])))


def build_distance_histogram(
    embeddings: NDArray[np.float32], persons: NDArray[np.str_], bin_width: float = 0.2
) -> DistanceHistogram:
    """Count the squared L2 distances between all pairs of faces, of embeddings (n, d), in bins of `bin_width`."""
    if len(embeddings) > _MAX_HISTOGRAM_FACES:
        drawn = np.random.default_rng(0).permutation(len(embeddings))[:_MAX_HISTOGRAM_FACES]
        embeddings, persons = embeddings[drawn], persons[drawn]
    i, j = np.triu_indices(len(embeddings), 1)
    x = embeddings.astype(np.float64)
    squares = np.einsum("ij,ij->i", x, x)
    distances = (squares[:, None] + squares - 2 * x @ x.T)[i, j]
    same = persons[i] == persons[j]
    bins = int(np.ceil(float(distances.max(initial=bin_width)) / bin_width + 1e-9))
    edges = np.asarray(np.arange(bins + 1) * bin_width, np.float64)
    return DistanceHistogram(edges, np.histogram(distances[same], edges)[0], np.histogram(distances[~same], edges)[0])
