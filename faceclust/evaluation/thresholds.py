"""Groupings of labelled faces, scored: by each algorithm, at each threshold."""

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
from faceclust.people.replay import ReplayedAnswers
from faceclust.progress import Progress, SilentProgress
from faceclust.types import ClusterParams, FaceTable, Indices

#: The ways to group that are compared, by name.
METHODS = {
    "average": ClusterParams(),
    "one-pass": ClusterParams(second_pass=False),
    "complete": ClusterParams(algorithm="complete"),
    "single": ClusterParams(algorithm="single"),
    "hdbscan": ClusterParams(algorithm="hdbscan"),
}
#: Methods that begin anew at each threshold, and from how many faces on that takes long.
SLOW_METHODS, SLOW_FROM_FACES = ("complete", "single"), 10_000
MAX_THRESHOLDS = 500


@dataclass(frozen=True)
class LabelledFaces:
    """Faces, and who they are: `persons` (n,), "" for a face that nobody has said that of.
    `missed`: faces that were labelled and not found; `elsewhere`: labels of photos that are not there.
    `photos_known`: whether `photo_ids` tell which faces share one."""

    faces: FaceTable
    persons: NDArray[np.str_]
    missed: int = 0
    unknown_photos: int = 0
    photos_known: bool = True

    def __post_init__(self) -> None:
        if self.persons.shape != (len(self.faces),):
            raise ValueError(f"persons: expected shape ({len(self.faces)},), got {self.persons.shape}")

    @property
    def known(self) -> NDArray[np.bool_]:
        return np.asarray(self.persons != "")

    def sample(self, min_faces: int, seed: int = 0) -> LabelledFaces:
        """Whole people, in an order drawn by lot, until they have this many faces; faces of
        nobody known are left out."""
        names, counts = np.unique(self.persons[self.known], return_counts=True)
        order = np.random.default_rng(seed).permutation(len(names))
        chosen = order[: int(np.searchsorted(np.cumsum(counts[order]), min_faces)) + 1]
        some = np.flatnonzero(np.isin(self.persons, names[chosen]) & self.known)
        columns = {name: getattr(self.faces, name)[some] for name in self.faces.__dataclass_fields__}
        return replace(self, faces=FaceTable(**columns), persons=self.persons[some])


@dataclass(frozen=True)
class GroupingScores:
    """What one grouping is worth. `threshold`: None where the method knows none. The scores are
    over the faces somebody is known of; `groups` (of two faces and more), `alone` (faces in none)
    and `count_conflicts` (groups that hold two faces of one photo; None where the photos are not known) are
    over all that were grouped."""

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
    """The faces' clusters at each threshold, rising, by likeness and photos alone: as `cluster` makes
    them anew before the user has said anything."""
    limits: dict[float, Constraints] = {}
    for threshold in thresholds:
        limits[threshold] = build_constraints(faces, ReplayedAnswers({}), replace(params, threshold=threshold))[0]
    return sweep_thresholds(faces.embeddings, faces.quality, params, limits)


def score_groupings(
    labelled: LabelledFaces,
    methods: Sequence[str],
    thresholds: Sequence[float],
    progress: Progress | None = None,
    *,
    allow_same_photo: bool = False,
) -> Iterator[GroupingScores]:
    """Group the faces by each of the METHODS at each threshold, all of them, and score the ones that
    somebody is known of. Raises UsageError where that is nobody."""
    if not labelled.known.any():
        raise UsageError("of none of these faces the truth says who it is", hint="are these the photos it is about?")
    progress = progress or SilentProgress()
    progress.start("grouping", sum(1 if name == "hdbscan" else len(thresholds) for name in methods), "groupings")
    for name in methods:
        params = replace(METHODS[name], allow_same_photo=allow_same_photo)
        # HDBSCAN knows none; but poor faces join its groups at one, the same wherever a sweep begins.
        cuts = [params.threshold] if name == "hdbscan" else thresholds
        for threshold, clusters in cluster_unconstrained(labelled.faces, params, cuts):
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


#: The scores that a cut can be best by.
MEASURES = {
    "BCubed F": lambda cut: cut.bcubed.f,
    "pairwise F": lambda cut: cut.pairwise.f,
    "NMI": lambda cut: cut.information.nmi,
    "V": lambda cut: cut.information.v_measure,
}


def best_groupings(cuts: Sequence[GroupingScores]) -> dict[str, dict[str, GroupingScores]]:
    """For each method the cut that is best by each of the MEASURES; of equal ones the lowest."""
    by_method: dict[str, list[GroupingScores]] = {}
    for cut in cuts:
        by_method.setdefault(cut.method, []).append(cut)
    return {
        method: {measure: max(of_method, key=score) for measure, score in MEASURES.items()}
        for method, of_method in by_method.items()
    }


def parse_thresholds(text: str) -> list[float]:
    """The thresholds that a user names: "0.6:1.6:0.05" (from, to, step), or "1,1.1,1.2". Raises
    UsageError."""
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
            f"{text!r} names no thresholds",
            hint=f"write 0.6:1.6:0.05 (from, to, step; {MAX_THRESHOLDS} at most) or 1,1.1,1.2",
        ) from None
