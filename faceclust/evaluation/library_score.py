"""How good a library's grouping is, by the names its user has confirmed.

The names take part in grouping, so groups that they have mended would only say that. What is
scored is made with the same choices by likeness and photos alone. It still flatters: the faces
that were confirmed were mostly shown because they lay in one group, and strangers, whom nobody has
named, may be among them unseen.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import FaceclustError
from faceclust.evaluation.library_calibration import count_same_person_pairs, label_confirmed_faces
from faceclust.evaluation.metrics.clustering import Score, bcubed
from faceclust.evaluation.metrics.joined_pairs import JoinedPairs, bootstrap_people, weighted_bcubed
from faceclust.evaluation.thresholds import cluster_unconstrained
from faceclust.store.calibrations import MAX_THRESHOLD, MIN_THRESHOLD
from faceclust.types import ClusterParams, Float64, Indices

#: Fewer tell nothing: where all of m people are right, as few as 0.025^(1/m) of all may be, which for
#: five is a half.
MIN_PEOPLE, MIN_PAIRS = 5, 50
_STEP = 0.05
_MAX_LISTED = 10
#: A threshold is better where it is so in all draws but this share, divided by how many are tried.
_SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class ConfidenceInterval:
    """A value with its 95 % confidence interval, by a bootstrap over people (percentiles; Efron 1979)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Confusion:
    """Faces of two people that likeness puts into one group: how many of each (`faces`); `groups`: the
    numbers of the groups they are in now; `command` shows them, or takes them apart."""

    names: tuple[str, str]
    faces: tuple[int, int]
    groups: tuple[int, ...]
    command: str


@dataclass(frozen=True)
class ThresholdComparison:
    """What another threshold would be worth. `better`: the share of draws of people in which its
    BCubed F is above that of the present one."""

    threshold: float
    bcubed: Score
    pairwise: Score
    better_share: float


@dataclass(frozen=True)
class LibraryScore:
    """`people` who have `faces` confirmed, `pairs` of them one person's; grouped as `params` say.
    `spread`: people whose faces likeness leaves in several groups, and in how many. `cuts`: other
    thresholds, rising; none where the algorithm knows none. `best`: of those, the one that is better
    beyond chance, if there is one."""

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
    """Score the present way of grouping by the confirmed names: precision and recall, BCubed and
    pairwise. Raises FaceclustError where nothing is grouped, or the names are too few."""
    if library.clustering is None:
        raise FaceclustError("the faces are not grouped yet", hint="type: faceclust cluster")
    params, labelled = library.clustering.params, label_confirmed_faces(library)
    at = np.flatnonzero(labelled.known)
    persons, counts = labelled.persons[at], np.unique(labelled.persons[at], return_counts=True)[1]
    people, pairs = int(np.count_nonzero(counts > 1)), count_same_person_pairs(persons)
    if people < MIN_PEOPLE or pairs < MIN_PAIRS:
        raise FaceclustError(
            f"too few names to say anything: {people} people with two confirmed faces or more, {pairs} pairs of "
            f"them; from {MIN_PEOPLE} people and {MIN_PAIRS} pairs on there is something to say",
            hint="type: faceclust label",
        )
    thresholds = [params.threshold]
    if params.algorithm != "hdbscan":
        steps = np.arange(MIN_THRESHOLD, MAX_THRESHOLD + _STEP / 2, _STEP).round(3).tolist()
        thresholds = sorted({*thresholds, *steps})
    progress = library.progress
    progress.start("grouping", len(thresholds), "groupings")
    clusters: dict[float, Indices] = {}
    for threshold, found in cluster_unconstrained(labelled.faces, replace(params), thresholds):
        clusters[threshold] = found[at]
        progress.advance()
    progress.finish()
    draws = bootstrap_people(len(counts))
    now, cuts = clusters[params.threshold], _compare_thresholds(clusters, persons, params.threshold, draws)
    better = [cut for cut in cuts if cut.better_share >= 1 - _SIGNIFICANCE / max(1, len(cuts) - 1)]
    joins = JoinedPairs.from_groups(now, persons)
    face_ids = labelled.faces.face_ids[at]
    return LibraryScore(
        params,
        len(counts),
        len(at),
        pairs,
        bcubed=_confidence_intervals(bcubed(now, persons), weighted_bcubed(now, persons, draws), len(counts)),
        pairwise=_confidence_intervals(joins.score(), (joins.precision(draws), joins.recall(draws)), len(counts)),
        confusions=_find_confusions(library, now, persons, face_ids),
        split_people=_find_split_people(now, persons),
        comparisons=cuts if len(thresholds) > 1 else (),
        best=max(better, key=lambda cut: cut.bcubed.f, default=None),
    )


def _confidence_intervals(
    score: Score, draws: tuple[Float64, Float64], people: int
) -> tuple[ConfidenceInterval, ConfidenceInterval]:
    return (
        _confidence_interval(score.precision, draws[0], people),
        _confidence_interval(score.recall, draws[1], people),
    )


def _confidence_interval(value: float, draws: Float64, people: int) -> ConfidenceInterval:
    """Where every draw is without a mistake, the lower end is that of people who are all right."""
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
    found: dict[tuple[str, str], list[tuple[list[str], list[str]]]] = defaultdict(list)
    for cluster in np.unique(clusters):
        inside = clusters == cluster
        names = np.unique(persons[inside]).tolist()
        for i, name in enumerate(names):
            for other in names[i + 1 :]:
                pair = [face_ids[inside & (persons == one)].tolist() for one in (name, other)]
                found[name, other].append((pair[0], pair[1]))
    confusions = [_describe_confusion(library, names, parts) for names, parts in found.items()]
    return tuple(sorted(confusions, key=lambda one: (-min(one.faces), -sum(one.faces), one.names))[:_MAX_LISTED])


def _describe_confusion(
    library: Catalogue, names: tuple[str, str], parts: Sequence[tuple[list[str], list[str]]]
) -> Confusion:
    sides = [face for one, _ in parts for face in one], [face for _, other in parts for face in other]
    numbers = [{library.group_of[face] for face in side if face in library.group_of} for side in sides]
    command = "faceclust label"
    if both := sorted(numbers[0] & numbers[1]):
        fewer = min(sides, key=len)
        leaving = [face for face in fewer if library.group_of.get(face) == both[0]]
        command = f"faceclust split {both[0]} {shlex.join(leaving)}"
    return Confusion(names, (len(sides[0]), len(sides[1])), tuple(sorted(numbers[0] | numbers[1])), command)


def _find_split_people(clusters: Indices, persons: NDArray[np.str_]) -> tuple[tuple[str, int], ...]:
    groups: dict[str, set[int]] = defaultdict(set)
    for person, cluster in zip(persons.tolist(), clusters.tolist(), strict=True):
        groups[person].add(cluster)
    several = [(name, len(found)) for name, found in groups.items() if len(found) > 1]
    return tuple(sorted(several, key=lambda one: (-one[1], one[0]))[:_MAX_LISTED])
