"""The accuracy of a library's clustering, by the names its user has confirmed.

Confirmed names take part in clustering, so the user's own groups would score themselves. The scored
clustering uses the same parameters without the user's answers. The score is still optimistic: most
confirmed faces were shown because they lay in one group, and unnamed strangers among them go unnoticed.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import FaceclustError
from faceclust.evaluation.library_calibration import count_same_person_pairs, label_confirmed_faces
from faceclust.evaluation.metrics.clustering import Score, bcubed
from faceclust.evaluation.metrics.joined_pairs import JoinedPairs, bootstrap_people, weighted_bcubed
from faceclust.evaluation.thresholds import LabelledFaces, cluster_unconstrained
from faceclust.store.calibrations import MAX_THRESHOLD, MIN_THRESHOLD
from faceclust.types import ClusterParams, Float64, Indices

#: With all of m people right, the 95 % interval of the share right begins at 0.025^(1/m): a half for five.
MIN_PEOPLE, MIN_PAIRS = 5, 50
_STEP = 0.05
_MAX_LISTED = 10
#: A threshold is significantly better if at most this share of draws disagrees, over the number tried.
_SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class ConfidenceInterval:
    """A value with its 95 % confidence interval: percentiles of a bootstrap over people (Efron 1979)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Confusion:
    """Two people whose faces the clustering puts into one group.

    `faces` counts the confused faces of each. `groups` are the numbers of the groups that hold them now.
    `command` shows the faces or splits them.
    """

    names: tuple[str, str]
    faces: tuple[int, int]
    groups: tuple[int, ...]
    command: str


@dataclass(frozen=True)
class ThresholdComparison:
    """The scores at another threshold.

    `better_share` is the share of bootstrap draws in which its BCubed F is above the present one's.
    """

    threshold: float
    bcubed: Score
    pairwise: Score
    better_share: float


@dataclass(frozen=True)
class LibraryScore:
    """Precision and recall of a clustering with `params`, over `faces` confirmed faces of `people`.

    `pairs` counts the pairs of one person. `split_people` are people whose faces lie in several groups,
    with the number of groups. `comparisons` are other thresholds in rising order, none if the algorithm
    has no threshold. `best` is the best of those that are significantly better, if any.
    """

    params: ClusterParams
    people: int
    faces: int
    pairs: int
    bcubed: tuple[ConfidenceInterval, ConfidenceInterval]
    pairwise: tuple[ConfidenceInterval, ConfidenceInterval]
    confusions: tuple[Confusion, ...]
    split_people: tuple[tuple[str, int], ...]
    comparisons: tuple[ThresholdComparison, ...]
    best: ThresholdComparison | None


def score_library(library: Catalogue) -> LibraryScore:
    """Score the present way of clustering by the confirmed names: BCubed and pairwise precision and recall.

    Raises FaceclustError if there is no clustering yet, or if there are too few names.
    """
    if library.clustering is None:
        raise FaceclustError("the faces are not grouped yet", hint="faceclust cluster")
    params, labelled = library.clustering.params, label_confirmed_faces(library)
    persons = labelled.persons[labelled.known]
    counts = np.unique(persons, return_counts=True)[1]
    people, pairs = int(np.count_nonzero(counts > 1)), count_same_person_pairs(persons)
    if people < MIN_PEOPLE or pairs < MIN_PAIRS:
        raise FaceclustError(
            f"too few names to score: {people} people with at least two confirmed faces and {pairs} pairs of "
            f"them; {MIN_PEOPLE} people and {MIN_PAIRS} pairs are needed",
            hint="faceclust label",
        )
    clusters = _cluster_at_thresholds(library, labelled, params)
    draws = bootstrap_people(len(counts))
    now, comparisons = clusters[params.threshold], _compare_thresholds(clusters, persons, params.threshold, draws)
    significant = 1 - _SIGNIFICANCE / max(1, len(comparisons) - 1)
    joins = JoinedPairs.from_groups(now, persons)
    return LibraryScore(
        params,
        len(counts),
        len(persons),
        pairs,
        bcubed=_confidence_intervals(bcubed(now, persons), weighted_bcubed(now, persons, draws), len(counts)),
        pairwise=_confidence_intervals(joins.score(), (joins.precision(draws), joins.recall(draws)), len(counts)),
        confusions=_find_confusions(library, now, persons, labelled.faces.face_ids[labelled.known]),
        split_people=_find_split_people(now, persons),
        comparisons=comparisons if len(clusters) > 1 else (),
        best=max(
            (other for other in comparisons if other.better_share >= significant),
            key=lambda other: other.bcubed.f,
            default=None,
        ),
    )


def _cluster_at_thresholds(library: Catalogue, labelled: LabelledFaces, params: ClusterParams) -> dict[float, Indices]:
    """The clusters of labelled faces at the present threshold and, unless it is HDBSCAN, at many others."""
    thresholds = [params.threshold]
    if params.algorithm != "hdbscan":
        steps = np.arange(MIN_THRESHOLD, MAX_THRESHOLD + _STEP / 2, _STEP).round(3).tolist()
        thresholds = sorted({*thresholds, *steps})
    progress = library.progress
    progress.start("grouping", len(thresholds), "thresholds")
    clusters: dict[float, Indices] = {}
    for threshold, found in cluster_unconstrained(labelled.faces, params, thresholds):
        clusters[threshold] = found[labelled.known]
        progress.advance()
    progress.finish()
    return clusters


def _confidence_intervals(
    score: Score, draws: tuple[Float64, Float64], people: int
) -> tuple[ConfidenceInterval, ConfidenceInterval]:
    return (
        confidence_interval(score.precision, draws[0], people),
        confidence_interval(score.recall, draws[1], people),
    )


def confidence_interval(value: float, draws: Float64, people: int) -> ConfidenceInterval:
    """The interval between the 2.5 % and 97.5 % quantiles of the draws.

    If no draw has a mistake, the lower end is the one for people who are all right: 0.025^(1 / people).
    """
    draws = draws[np.isfinite(draws)]
    low, high = np.quantile(draws, (0.025, 0.975)).tolist() if len(draws) else (0.0, 1.0)
    return ConfidenceInterval(value, min(low, value, 0.025 ** (1 / people) if low >= 1 else 1.0), max(high, value))


def _compare_thresholds(
    clusters: Mapping[float, Indices], persons: NDArray[np.str_], present: float, draws: NDArray[np.int64]
) -> tuple[ThresholdComparison, ...]:
    def f(threshold: float) -> Float64:
        precision, recall = weighted_bcubed(clusters[threshold], persons, draws)
        return np.asarray(2 * precision * recall / (precision + recall))

    base = f(present)
    return tuple(
        ThresholdComparison(
            threshold,
            bcubed(groups, persons),
            JoinedPairs.from_groups(groups, persons).score(),
            float((f(threshold) > base + 1e-12).mean()),
        )
        for threshold, groups in clusters.items()
    )


def _find_confusions(
    library: Catalogue, clusters: Indices, persons: NDArray[np.str_], face_ids: NDArray[np.str_]
) -> tuple[Confusion, ...]:
    """The pairs of people confused most, by their faces in shared clusters."""
    faces_of: dict[tuple[str, str], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for cluster in np.unique(clusters):
        inside = clusters == cluster
        members = {name: face_ids[inside & (persons == name)].tolist() for name in np.unique(persons[inside]).tolist()}
        for first, second in combinations(members, 2):
            faces_of[first, second][0].extend(members[first])
            faces_of[first, second][1].extend(members[second])
    confusions = [_describe_confusion(library, names, faces) for names, faces in faces_of.items()]
    return tuple(sorted(confusions, key=lambda one: (-min(one.faces), -sum(one.faces), one.names))[:_MAX_LISTED])


def _describe_confusion(library: Catalogue, names: tuple[str, str], faces: tuple[list[str], list[str]]) -> Confusion:
    numbers = [{library.group_of[face] for face in side if face in library.group_of} for side in faces]
    command = "faceclust label"
    if shared := sorted(numbers[0] & numbers[1]):
        fewer = min(faces, key=len)
        leaving = [face for face in fewer if library.group_of.get(face) == shared[0]]
        command = f"faceclust split {shared[0]} {shlex.join(leaving)}"
    return Confusion(names, (len(faces[0]), len(faces[1])), tuple(sorted(numbers[0] | numbers[1])), command)


def _find_split_people(clusters: Indices, persons: NDArray[np.str_]) -> tuple[tuple[str, int], ...]:
    groups: dict[str, set[int]] = defaultdict(set)
    for person, cluster in zip(persons.tolist(), clusters.tolist(), strict=True):
        groups[person].add(cluster)
    split = [(name, len(found)) for name, found in groups.items() if len(found) > 1]
    return tuple(sorted(split, key=lambda person: (-person[1], person[0]))[:_MAX_LISTED])
