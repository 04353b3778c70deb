"""What may not be put together, and what must be.

An *exclusion* is a set of faces no two of which are one person: the faces of one photo, or
the faces standing for all named persons. A cluster holds an exclusion once one of its faces
does, and two clusters that hold the same one never merge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from faceclust.types import Float32, Indices

_MIN_BLOCK_PAIRS = 4096  # pairs from which an exclusion is hidden as a block, not pair by pair


@dataclass(frozen=True)
class Constraints:
    """`must_link`: groups of face positions that are one person each, disjoint.
    `exclusions`: sets of face positions no two of which are one person, except where a
    must-link says so. `anchors`: faces whose groups keep their numbers before others do."""

    must_link: Sequence[Indices] = ()
    exclusions: Sequence[Indices] = field(default_factory=tuple)
    anchors: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    def restrict_to(self, faces: Indices) -> Constraints:
        """The same constraints over a subset of the faces, renumbered by position in it."""
        if not len(faces):
            return Constraints()
        last = max(int(group.max()) for group in (faces, *self.must_link, *self.exclusions) if len(group))
        position = np.full(last + 1, -1)
        position[faces] = np.arange(len(faces))

        def renumber(groups: Sequence[Indices]) -> list[Indices]:
            number, members = _flatten_groups(groups)
            inside = position[members] >= 0
            several = np.bincount(number[inside], minlength=len(groups)) > 1
            inside &= several[number]
            number, members = number[inside], position[members[inside]]
            return np.split(members, np.flatnonzero(np.diff(number)) + 1) if len(members) else []

        return Constraints(renumber(self.must_link), renumber(self.exclusions))


def _flatten_groups(groups: Sequence[Indices]) -> tuple[Indices, Indices]:
    """Each member's group, by number, and the members."""
    number = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return number, np.concatenate([np.empty(0, np.int64), *groups])


def same_photo_exclusions(photo_ids: NDArray[np.str_]) -> list[Indices]:
    """The exclusions that say: two faces of one photo are two people."""
    _, photo, counts = np.unique(photo_ids, return_inverse=True, return_counts=True)
    order = np.argsort(photo, kind="stable").astype(np.int64)
    return [group for group in np.split(order, np.cumsum(counts)[:-1]) if len(group) > 1]


def _one_face_per_cluster(told: Indices, exclusions: Sequence[Indices]) -> tuple[Indices, Indices]:
    """The exclusions' numbers and faces, of faces in one of the clusters `describe_pack` the first alone."""
    number, faces = _flatten_groups(exclusions)
    _, kept = np.unique(np.stack([number, told[faces]]), axis=1, return_index=True)
    kept.sort()
    return number[kept], faces[kept]


def collapse_linked(exclusions: Sequence[Indices], linked: Indices) -> list[Indices]:
    """The exclusions with one face standing for all that are in one of the clusters `describe_pack`."""
    number, faces = _one_face_per_cluster(linked, exclusions)
    parts = np.split(faces, np.flatnonzero(np.diff(number)) + 1)
    return [part for part in parts if len(part) > 1]


def find_contradictions(clusters: Indices, linked: Indices, exclusions: Sequence[Indices]) -> list[Indices]:
    """Faces of one cluster that exclude each other, a set for each time that happens. Faces that
    are in one of the clusters `describe_pack` do not, and the first stands for all."""
    number, faces = _one_face_per_cluster(linked, exclusions)
    order = np.lexsort((faces, clusters[faces], number))
    number, faces = number[order], faces[order]
    together = (np.diff(number) == 0) & (np.diff(clusters[faces]) == 0)
    parts = np.split(faces, np.flatnonzero(~together) + 1)
    return [part for part in parts if len(part) > 1]


class ExclusionIndex:
    """Answers, while clusters merge, which clusters may not meet.

    Clusters are named by a member's position; `find` gives the clusters that faces have become
    part of.
    """

    def __init__(self, exclusions: Sequence[Indices], find: Callable[[Indices], Indices], n: int) -> None:
        self._find = find
        self._faces = [np.asarray(group, dtype=np.int64) for group in exclusions]
        self._exclusions_of: dict[int, set[int]] = {}
        self._has_exclusions = np.zeros(n, np.bool_)  # whether a cluster is in _held
        # The same for blocks of clusters: each face in an exclusion, and the exclusion's number.
        self._member_exclusions, self._members = _flatten_groups(self._faces)
        for cluster, number in zip(find(self._members).tolist(), self._member_exclusions.tolist(), strict=True):
            self._exclusions_of.setdefault(cluster, set()).add(number)
        self._has_exclusions[list(self._exclusions_of)] = True

    def merge(self, into: int, others: Iterable[int]) -> None:
        for other in others:
            if other in self._exclusions_of:
                held, more = self._exclusions_of.pop(into, set()), self._exclusions_of.pop(other)
                if len(held) < len(more):
                    held, more = more, held
                held.update(more)
                self._exclusions_of[into] = held
                self._has_exclusions[into] = True

    def conflicts(self, a: Indices, b: Indices) -> NDArray[np.bool_]:
        """Whether the clusters a[i] and b[i] may not meet; b[i] = −1 is none."""
        out = self._has_exclusions[a] & self._has_exclusions[b] & (b >= 0)
        for i in np.flatnonzero(out).tolist():
            out[i] = not self._exclusions_of[int(a[i])].isdisjoint(self._exclusions_of[int(b[i])])
        return out

    def excluded_clusters(self, cluster: int) -> Indices:
        """The clusters this one may not merge with, sorted."""
        held = self._exclusions_of.get(cluster)
        if not held:
            return np.empty(0, np.int64)
        found = np.unique(self._find(np.concatenate([self._faces[number] for number in held])))
        return np.asarray(found[found != cluster], dtype=np.int64)

    def has_contradiction(self, clusters: Indices) -> bool:
        """Whether some of these clusters may not meet."""
        seen: set[int] = set()
        for cluster in clusters[self._has_exclusions[clusters]].tolist():
            held = self._exclusions_of[cluster]
            if not seen.isdisjoint(held):
                return True
            seen |= held
        return False

    def build_tile_mask(self, rows: Indices, columns: Indices) -> Callable[[Float32, slice, slice], None] | None:
        """Puts nan, which is below no limit, over the pairs of clusters `rows` and `columns`
        that may not meet, in a tile of the matrix of their distances. Both rise."""
        clusters = self._find(self._members)
        row_numbers, row_places = self._exclusions_held_by(clusters, rows)
        column_numbers, column_places = self._exclusions_held_by(clusters, columns)
        first = np.searchsorted(column_numbers, row_numbers)
        many = np.searchsorted(column_numbers, row_numbers, side="right") - first
        wide_ones = np.flatnonzero(np.bincount(row_numbers, many, len(self._faces)) > _MIN_BLOCK_PAIRS)
        wide = [(row_places[row_numbers == k], column_places[column_numbers == k]) for k in wide_ones.tolist()]
        many[np.isin(row_numbers, wide_ones)] = 0
        hidden_rows = np.repeat(row_places, many)
        offsets = np.arange(len(hidden_rows)) - np.repeat(np.cumsum(many) - many, many)
        hidden_columns = column_places[np.repeat(first, many) + offsets]
        order = np.argsort(hidden_rows, kind="stable")
        hidden_rows, hidden_columns = hidden_rows[order], hidden_columns[order]
        if not wide and not len(hidden_rows):
            return None

        def hide(tile: Float32, r: slice, c: slice) -> None:
            first, last = np.searchsorted(hidden_rows, (r.start, r.stop))
            row, column = hidden_rows[first:last] - r.start, hidden_columns[first:last]
            inside = (column >= c.start) & (column < c.stop)
            tile[row[inside], column[inside] - c.start] = np.nan
            for some_rows, some_columns in wide:
                i = some_rows[np.searchsorted(some_rows, r.start) : np.searchsorted(some_rows, r.stop)] - r.start
                j = some_columns[slice(*np.searchsorted(some_columns, (c.start, c.stop)))] - c.start
                tile[np.ix_(i, j)] = np.nan

        return hide

    def _exclusions_held_by(self, clusters: Indices, some: Indices) -> tuple[Indices, Indices]:
        """Which exclusions each of `some` clusters (rising) holds: numbers, rising, and places in
        `some`. `clusters` are those of `_incident`."""
        place = np.searchsorted(some, clusters)
        inside = place < len(some)
        inside[inside] = some[place[inside]] == clusters[inside]
        pairs = np.unique(self._member_exclusions[inside] * np.int64(len(some)) + place[inside])
        return np.divmod(pairs, max(len(some), 1))
