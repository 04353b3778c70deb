"""Scores of clusterings of labelled faces, by algorithm and threshold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faceclust.catalogue.constraints import build_constraints
from faceclust.cluster.constraints import Constraints
from faceclust.cluster.sweep import sweep_thresholds
from faceclust.errors import UsageError
from faceclust.evaluation.metrics.clustering import (
    InformationScores,
    Score,
    bcubed,
    count_conflicts,
    information_scores,
    pairwise,
)
from faceclust.evaluation.metrics.verification import AllPairsScores, verify_all_pairs
from faceclust.people.replay import ReplayedAnswers
from faceclust.progress import Progress, SilentProgress
from faceclust.types import ClusterParams, FaceTable, Indices

#: The clustering methods compared, by name.
METHODS = {
    "average": ClusterParams(),
    "unscaled": ClusterParams(local_scaling=0),
    "one-pass": ClusterParams(second_pass=False, local_scaling=0),
    "complete": ClusterParams(algorithm="complete"),
    "single": ClusterParams(algorithm="single"),
    "hdbscan": ClusterParams(algorithm="hdbscan"),
}
#: Methods that start from scratch at each threshold, and the number of faces from which that takes long.
SLOW_METHODS, SLOW_FROM_FACES = ("complete", "single"), 10_000
MAX_THRESHOLDS = 500


@dataclass(frozen=True)
class LabelledFaces:
    """Faces and their persons: `persons` (n,) is "" for a face without a label.

    `missed` counts labelled faces that were not found, `unknown_photos` labels whose photo is unknown.
    `photos_known` is true if `photo_ids` tell which faces share a photo.
    """

    faces: FaceTable
    persons: NDArray[np.str_]
    missed: int = 0
    unknown_photos: int = 0
    photos_known: bool = True

    def __post_init__(self) -> None:
        if self.persons.shape != (len(self.faces),):
            raise ValueError(f"persons: expected shape ({len(self.faces)},), got {self.persons.shape}")

    def score_all_pairs(self, progress: Progress | None = None) -> AllPairsScores:
        """Score all pairs of labelled faces."""
        return verify_all_pairs(self.faces.embeddings[self.known], self.persons[self.known], progress=progress)

    @property
    def known(self) -> NDArray[np.bool_]:
        """True for each face with a label, (n,)."""
        return np.asarray(self.persons != "")

    def take(self, positions: NDArray[np.intp]) -> LabelledFaces:
        """The faces at these positions."""
        columns = {name: getattr(self.faces, name)[positions] for name in FaceTable.__dataclass_fields__}
        return replace(self, faces=FaceTable(**columns), persons=self.persons[positions])

    def sample(self, min_faces: int, seed: int = 0) -> LabelledFaces:
        """All faces of people drawn at random until there are `min_faces`, without unlabelled faces."""
        names, counts = np.unique(self.persons[self.known], return_counts=True)
        order = np.random.default_rng(seed).permutation(len(names))
        chosen = order[: int(np.searchsorted(np.cumsum(counts[order]), min_faces)) + 1]
        return self.take(np.flatnonzero(np.isin(self.persons, names[chosen]) & self.known))


@dataclass(frozen=True)
class GroupingScores:
    """The scores of one clustering; `threshold` is None for a method without one.

    `bcubed`, `pairwise` and `information` are over the labelled faces, the counts over all faces:
    `groups` of at least two faces, `singletons` in no group, and `conflicts`, groups with two faces of one
    photo (None if the photos are unknown).
    """

    method: str
    threshold: float | None
    bcubed: Score
    pairwise: Score
    information: InformationScores
    groups: int
    singletons: int
    conflicts: int | None


def cluster_unconstrained(
    faces: FaceTable, params: ClusterParams, thresholds: Iterable[float]
) -> Iterator[tuple[float, Indices]]:
    """Yield the clusters (n,) at each threshold, in rising order, without links from the user's answers.

    Faces of one photo still cannot be one person, unless the parameters allow it.
    """
    limits: dict[float, Constraints] = {}
    for threshold in thresholds:
        limits[threshold] = build_constraints(faces, ReplayedAnswers({}), replace(params, threshold=threshold))[0]
    return sweep_thresholds(faces.embeddings, faces.quality, params, limits, faces.may_start_group)


def score_groupings(
    labelled: LabelledFaces,
    methods: Sequence[str],
    thresholds: Sequence[float],
    progress: Progress | None = None,
    *,
    allow_same_photo: bool = False,
) -> Iterator[GroupingScores]:
    """Cluster all faces by each of the METHODS at each threshold, and score the labelled ones.

    Raises UsageError if no face has a label.
    """
    if not labelled.known.any():
        raise UsageError("the truth names none of these faces", hint="check that it is about these photos")
    progress = progress or SilentProgress()
    progress.start("grouping", sum(1 if name == "hdbscan" else len(thresholds) for name in methods), "thresholds")
    for name in methods:
        params = replace(METHODS[name], allow_same_photo=allow_same_photo)
        # HDBSCAN has no threshold; only low-quality faces join its groups at one, the same for any sweep.
        tried = [params.threshold] if name == "hdbscan" else thresholds
        for threshold, clusters in cluster_unconstrained(labelled.faces, params, tried):
            yield _score_grouping(name, None if name == "hdbscan" else threshold, clusters, labelled)
            progress.advance()
    progress.finish()


def _score_grouping(method: str, threshold: float | None, clusters: Indices, labelled: LabelledFaces) -> GroupingScores:
    known, sizes = labelled.known, np.unique(clusters, return_counts=True)[1]
    groups, persons = clusters[known], labelled.persons[known]
    return GroupingScores(
        method,
        threshold,
        bcubed(groups, persons),
        pairwise(groups, persons),
        information_scores(groups, persons),
        groups=int(np.count_nonzero(sizes > 1)),
        singletons=int(np.count_nonzero(sizes == 1)),
        conflicts=count_conflicts(clusters, labelled.faces.photo_ids) if labelled.photos_known else None,
    )


#: The scores by which a clustering can be the best.
MEASURES = {
    "BCubed F": lambda scores: scores.bcubed.f,
    "pairwise F": lambda scores: scores.pairwise.f,
    "NMI": lambda scores: scores.information.nmi,
    "V": lambda scores: scores.information.v_measure,
}


def best_groupings(scores: Sequence[GroupingScores]) -> dict[str, dict[str, GroupingScores]]:
    """The best clustering of each method by each of the MEASURES; on a tie, the first."""
    by_method: dict[str, list[GroupingScores]] = {}
    for one in scores:
        by_method.setdefault(one.method, []).append(one)
    return {
        method: {measure: max(of_method, key=score) for measure, score in MEASURES.items()}
        for method, of_method in by_method.items()
    }


def parse_thresholds(text: str) -> list[float]:
    """Parse thresholds: "0.6:1.6:0.05" (from, to, step) or "1,1.1,1.2".

    Raises UsageError if they are not numbers between 0 and 1000, or too many.
    """
    try:
        if ":" in text:
            start, stop, step = (float(part) for part in text.split(":"))
            if not (step > 0 and 0 < start <= stop < 1000 and (stop - start) / step < MAX_THRESHOLDS):
                raise ValueError
            count = int((stop - start) / step + 1e-6) + 1
            return [round(start + i * step, 6) for i in range(count)]
        found = sorted({float(part) for part in text.split(",")})
        if not all(0 < threshold < 1000 for threshold in found) or len(found) > MAX_THRESHOLDS:
            raise ValueError
        return found
    except ValueError:
        raise UsageError(
            f"invalid thresholds: {text!r}",
            hint=f"type 0.6:1.6:0.05 (from, to, step; at most {MAX_THRESHOLDS}) or 1,1.1,1.2",
        ) from None
