"""The groups at each of many thresholds, for less than as many groupings cost.

Average linkage cut at a threshold is where it stands on its way to a higher one: merges come in
the order of their distances, whatever the cut, and so they do where cannot-links forbid some. So
each cut begins with the clusters of the one below it. (The second pass does not go on from the
second pass below, for the allowances are others; it begins with the clusters of the first.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.distances import Indices
from faceclust.cluster.group import ALGORITHMS, check, with_links
from faceclust.cluster.labels import groups_of
from faceclust.cluster.linkage import agglomerate
from faceclust.cluster.parts import likeness_alone
from faceclust.cluster.two_passes import second_pass
from faceclust.progress import Silent
from faceclust.types import ClusterParams, Float32


def sweep(
    embeddings: Float32, params: ClusterParams, constraints: Mapping[float, Constraints]
) -> Iterator[tuple[float, Indices]]:
    """Each threshold that there are `constraints` for, rising, and each face's cluster there, (n,)
    int64, named by a member's position: as `group_faces` makes them anew, with `params` but for
    their threshold. The exclusions are the same at every threshold; faces linked at one (seen
    twice, within it) are at the higher ones. HDBSCAN, which knows no threshold, is given the
    constraints of the first, and has the same clusters at each. Raises UsageError for a senseless
    number."""
    for threshold in constraints:
        check(replace(params, threshold=threshold))
    make = _average if params.algorithm == "average" else _each
    yield from make(embeddings, params, constraints)


def _average(
    embeddings: Float32, params: ClusterParams, constraints: Mapping[float, Constraints]
) -> Iterator[tuple[float, Indices]]:
    below: Sequence[Indices] = ()
    for threshold in sorted(constraints):
        limits = constraints[threshold]
        exclusions = likeness_alone(limits, len(embeddings)).exclusions
        clusters = agglomerate(embeddings, threshold, "average", Constraints(below, exclusions))
        below = groups_of(clusters)
        if params.second_pass:
            clusters = second_pass(embeddings, clusters, threshold, Constraints((), exclusions))
        if limits.must_link:
            clusters = with_links(clusters, embeddings, replace(params, threshold=threshold), limits).clusters
        yield threshold, clusters


def _each(
    embeddings: Float32, params: ClusterParams, constraints: Mapping[float, Constraints]
) -> Iterator[tuple[float, Indices]]:
    clusters = None
    for threshold in sorted(constraints):
        if clusters is None or params.algorithm != "hdbscan":
            now = replace(params, threshold=threshold)
            clusters = ALGORITHMS[params.algorithm](embeddings, now, constraints[threshold], Silent())
        yield threshold, clusters
