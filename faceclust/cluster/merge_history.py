"""The merges of an agglomerative clustering, so that some can be undone later."""

from __future__ import annotations

import numpy as np

from faceclust.cluster.labels import resolve_roots
from faceclust.types import Float64, Indices

#: Rounding errors of a distance that a merge is judged by again.
_TOLERANCE = 1e-9


class MergeHistory:
    """The merges of one run, or of several runs that continue each other.

    `start` (n,) are the clusters before the first merge. Each of the `rounds` merges cluster
    `others[i]` into `into[i]` at `distance[i]`; no cluster occurs twice in a round. Clusters are
    named by their first member's position.
    """

    def __init__(self, n: int) -> None:
        self.start: Indices = np.arange(n)
        self.rounds: list[tuple[Indices, Indices, Float64]] = []

    def undo_merges(self, offsets: Float64, threshold: float) -> Indices:
        """Return the clusters (n,) that remain if merges above the threshold had not taken place.

        The mean of the `offsets` (n,) of both clusters' points is added to the distance of each
        merge. A merge of a cluster that is itself the result of an undone merge is undone, too.
        """
        n = len(self.start)
        sums, sizes = np.bincount(self.start, offsets, n), np.bincount(self.start, minlength=n)
        holds, parent = np.ones(n, np.bool_), self.start.copy()
        for into, others, distance in self.rounds:
            scaled = distance + sums[into] / sizes[into] + sums[others] / sizes[others]
            kept = holds[into] & holds[others] & (scaled <= threshold + _TOLERANCE)
            parent[others[kept]] = into[kept]
            holds[into] = kept
            sums[into] += sums[others]
            sizes[into] += sizes[others]
        return resolve_roots(parent)
