"""What may not be put together, and what must be.

An *exclusion* is a set of faces no two of which are one person: the faces of one photo, or
the faces standing for all named persons. A cluster holds an exclusion once one of its faces
does, and two clusters that hold the same one never merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Constraints:
    """`must_link`: groups of face positions that are one person each, disjoint.
    `exclusions`: sets of face positions no two of which are one person, except where a
    must-link says so."""

    must_link: Sequence[Indices] = ()
    exclusions: Sequence[Indices] = field(default_factory=tuple)

    def within(self, faces: Indices) -> Constraints:
        """The same constraints over a subset of the faces, renumbered by position in it."""
        order = np.argsort(faces)

        def renumber(groups: Iterable[Indices]) -> list[Indices]:
            kept = []
            for group in groups:
                inside = group[np.isin(group, faces)]
                if len(inside) > 1:
                    kept.append(order[np.searchsorted(faces, inside, sorter=order)])
            return kept

        return Constraints(renumber(self.must_link), renumber(self.exclusions))


def one_person_a_photo(photo_ids: NDArray[np.str_]) -> list[Indices]:
    """The exclusions that say: two faces of one photo are two people."""
    _, photo, counts = np.unique(photo_ids, return_inverse=True, return_counts=True)
    order = np.argsort(photo, kind="stable").astype(np.int64)
    return [group for group in np.split(order, np.cumsum(counts)[:-1]) if len(group) > 1]


class ExclusionIndex:
    """Answers, while clusters merge, which clusters may not meet.

    Clusters are named by a member's position; `cluster_of` (n,) gives each face's cluster and
    is kept up to date by the caller.
    """

    def __init__(self, exclusions: Sequence[Indices], cluster_of: Indices) -> None:
        self._cluster_of = cluster_of
        self._faces = [np.asarray(group) for group in exclusions]
        self._held: dict[int, set[int]] = {}
        for number, group in enumerate(self._faces):
            for cluster in cluster_of[group].tolist():
                self._held.setdefault(cluster, set()).add(number)

    def __bool__(self) -> bool:
        return bool(self._held)

    def merge(self, into: int, other: int) -> None:
        if other in self._held:
            self._held.setdefault(into, set()).update(self._held.pop(other))

    def rivals(self, cluster: int) -> Indices:
        """The clusters this one may not merge with, sorted."""
        held = self._held.get(cluster)
        if not held:
            return np.empty(0, np.int64)
        found = np.unique(self._cluster_of[np.concatenate([self._faces[number] for number in held])])
        return np.asarray(found[found != cluster], dtype=np.int64)

    def rival_pairs(self, clusters: Indices) -> tuple[Indices, Indices]:
        """For each of `clusters`, its rivals: (position in `clusters`, rival) pairs."""
        lists = [self.rivals(cluster) for cluster in clusters.tolist()]
        rows = np.repeat(np.arange(len(lists)), [len(found) for found in lists])
        return rows, np.concatenate([np.empty(0, np.int64), *lists])

    def conflict(self, a: int, b: int) -> bool:
        held, other = self._held.get(a), self._held.get(b)
        return bool(held and other and not held.isdisjoint(other))
