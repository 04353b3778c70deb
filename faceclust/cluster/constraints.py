"""Must-links and cannot-links.

Cannot-links come as *exclusions*: sets of faces of which no two are the same person, such as the
faces of one photo, or one confirmed face of each named person. A cluster holds an exclusion as
soon as one of its faces does. Two clusters that hold the same exclusion never merge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.face_sets import FaceSets, expand_runs
from faceclust.cluster.labels import groups_of
from faceclust.types import Indices

_MIN_BLOCK_PAIRS = 4096  # an exclusion of more pairs is masked as a block, which is faster
_CHUNK = 1 << 13  # pairs of clusters compared at a time, which bounds the memory
_FEW_CLUSTERS = 32  # the exclusions of so few clusters are listed one cluster at a time, which is faster


class Constraints:
    """Sets of face positions. `must_link`: disjoint groups, each of one person. `exclusions`: sets
    of which no two faces are the same person, unless a must-link joins them. `anchors`: faces whose
    groups take precedence when group numbers are kept from an earlier run."""

    def __init__(
        self,
        must_link: Sequence[Indices] = (),
        exclusions: Sequence[Indices] = (),
        anchors: Indices | None = None,
    ) -> None:
        self.must_link, self.exclusions = FaceSets.of(must_link), FaceSets.of(exclusions)
        self.anchors = np.empty(0, np.int64) if anchors is None else anchors

    def restrict_to(self, faces: Indices) -> Constraints:
        """Return the constraints among these faces, renumbered by position in `faces`."""
        if not len(faces):
            return Constraints()
        last = max(int(some.max(initial=0)) for some in (faces, self.must_link.members, self.exclusions.members))
        position = np.full(last + 1, -1)
        position[faces] = np.arange(len(faces))

        def renumber(sets: FaceSets) -> FaceSets:
            places = position[sets.members]
            inside = places >= 0
            return FaceSets.of_runs(sets.numbers[inside], places[inside])

        return Constraints(renumber(self.must_link), renumber(self.exclusions))


def same_photo_exclusions(photo_ids: NDArray[Any]) -> FaceSets:
    """Return one exclusion for each photo with several faces: they are different people."""
    return groups_of(np.unique(photo_ids, return_inverse=True)[1].astype(np.int64))


def _one_face_per_cluster(linked: Indices, exclusions: FaceSets) -> tuple[Indices, Indices]:
    """Return the exclusions' numbers and faces, keeping only the first face of each `linked` cluster."""
    number, faces = exclusions.numbers, exclusions.members
    _, kept = np.unique(number * len(linked) + linked[faces], return_index=True)
    kept.sort()
    return number[kept], faces[kept]


def collapse_linked(exclusions: Sequence[Indices], linked: Indices) -> FaceSets:
    """Return the exclusions with one face for each `linked` cluster; linked faces do not exclude each other."""
    return FaceSets.of_runs(*_one_face_per_cluster(linked, FaceSets.of(exclusions)))


def find_contradictions(clusters: Indices, linked: Indices, exclusions: Sequence[Indices]) -> FaceSets:
    """Return sets of faces that share a cluster although they exclude each other.

    Faces of one `linked` cluster do not exclude each other; the first represents them all.
    """
    number, faces = _one_face_per_cluster(linked, FaceSets.of(exclusions))
    both = number * len(clusters) + clusters[faces]
    order = np.lexsort((faces, both))
    return FaceSets.of_runs(both[order], faces[order])


class ExclusionIndex:
    """The exclusions that each cluster holds, while clusters merge.

    Clusters are named by a member's position. `find` maps faces to their current clusters. Each
    member of an exclusion is an *entry*. The entries of a cluster form a ring: a linked list whose last
    one leads to the first. So clusters merge in constant time, and the index takes 14 bytes a face.
    """

    def __init__(self, exclusions: Sequence[Indices], find: Callable[[Indices], Indices], n: int) -> None:
        self._find, self._sets = find, FaceSets.of(exclusions)
        self._number = self._sets.numbers.astype(np.int32)  # of the exclusion of each entry
        clusters = find(self._sets.members)
        order = np.argsort(clusters, kind="stable").astype(np.int32)
        first = np.flatnonzero(np.diff(clusters[order], prepend=-1))
        following = np.roll(order, -1)
        following[np.append(first, len(order))[1:] - 1] = order[first]
        self._next = np.empty(len(order), np.int32)
        self._next[order] = following
        self._entry = np.full(n, -1, np.int32)  # one entry of each cluster, -1 without any
        self._entry[clusters[order[first]]] = order[first]
        self._count = np.bincount(clusters, minlength=n).astype(np.int32)  # of entries of each cluster

    def merge(self, into: int, others: Iterable[int]) -> None:
        """Let cluster `into` hold the exclusions of the `others`, which it absorbs."""
        clusters = np.array([into, *others], np.int64)
        entries = self._entry[clusters]
        entries = entries[entries >= 0]
        if len(entries):
            self._next[entries] = self._next[np.roll(entries, 1)]  # all rings become one
            count = self._count[clusters].sum()
            self._entry[clusters], self._count[clusters] = -1, 0
            self._entry[into], self._count[into] = entries[0], count

    def merge_pairs(self, into: Indices, others: Indices) -> None:
        """Let cluster `into[i]` hold the exclusions of `others[i]`, for each i; no cluster may occur twice."""
        a, b = self._entry[into], self._entry[others]
        self._entry[into] = np.where(a >= 0, a, b)
        both = (a >= 0) & (b >= 0)
        a, b = a[both], b[both]
        self._next[a], self._next[b] = self._next[b], self._next[a]  # two rings become one
        self._count[into] += self._count[others]
        self._entry[others], self._count[others] = -1, 0

    def conflicts(self, a: Indices, b: Indices) -> NDArray[np.bool_]:
        """Return which pairs of clusters (a[i], b[i]) hold a common exclusion; b[i] = −1 means no cluster."""
        out = (b >= 0) & (self._entry[a] >= 0) & (self._entry[b] >= 0)
        candidates = np.flatnonzero(out)
        for start in range(0, len(candidates), _CHUNK):
            some = candidates[start : start + _CHUNK]
            out[some] = self._have_common(a[some], b[some])
        return out

    def _have_common(self, a: Indices, b: Indices) -> NDArray[np.bool_]:
        """Return which pairs of clusters hold a common exclusion.

        The exclusions of the cluster with fewer entries are looked up in the other one: by the clusters of
        their members, or in the list of the other one's exclusions, whichever is shorter.
        """
        swapped = self._count[a] > self._count[b]
        fewer, more = np.where(swapped, b, a), np.where(swapped, a, b)
        out = np.zeros(len(a), np.bool_)
        owner, number = self._exclusions_of(fewer)
        sizes = self._sets.sizes_of(number)
        listed = np.bincount(owner, sizes, len(a)) > self._count[more]
        by_members = ~listed[owner]
        sizes = sizes[by_members]
        members = self._sets.members[expand_runs(self._sets.starts[number[by_members]], sizes)]
        pair = np.repeat(owner[by_members], sizes)
        out[pair[self._find(members) == more[pair]]] = True
        if listed.any():
            other, place = np.unique(more[listed], return_inverse=True)
            place_of = np.zeros(len(a), np.int64)
            place_of[listed] = place
            held, held_numbers = self._exclusions_of(other)
            keys = held * len(self._sets) + held_numbers
            owner, number = owner[~by_members], number[~by_members]
            out[owner[np.isin(place_of[owner] * len(self._sets) + number, keys)]] = True
        return out

    def _exclusions_of(self, clusters: Indices) -> tuple[Indices, Indices]:
        """Return the exclusions that these clusters hold: each one's position in `clusters`, and its number.

        A cluster may hold an exclusion twice.
        """
        owners: list[NDArray[np.integer]] = [np.empty(0, np.int64)]
        entries: list[NDArray[np.integer]] = [np.empty(0, np.int32)]
        owner = np.flatnonzero(self._entry[clusters] >= 0)
        first = entry = self._entry[clusters[owner]]
        while len(owner) > _FEW_CLUSTERS:
            owners.append(owner)
            entries.append(entry)
            entry = self._next[entry]
            more = entry != first
            owner, first, entry = owner[more], first[more], entry[more]
        following = self._next.data
        for place, start, current in zip(owner.tolist(), first.tolist(), entry.tolist(), strict=True):
            ring = [current]
            while (current := following[current]) != start:
                ring.append(current)
            owners.append(np.full(len(ring), place))
            entries.append(np.array(ring, np.int32))
        return np.concatenate(owners), self._number[np.concatenate(entries)].astype(np.int64)

    def excluded_clusters(self, cluster: int) -> Indices:
        """Return the clusters that this one must not merge with, in ascending order."""
        numbers = np.unique(self._exclusions_of(np.array([cluster]))[1])
        found = np.unique(self._members_of(numbers)[1])
        return np.asarray(found[found != cluster], dtype=np.int64)

    def _members_of(self, numbers: Indices) -> tuple[Indices, Indices]:
        """Return the exclusion's number and the current cluster of each member of these exclusions."""
        sizes = self._sets.sizes_of(numbers)
        members = self._sets.members[expand_runs(self._sets.starts[numbers], sizes)]
        return np.repeat(numbers, sizes), self._find(members)

    def has_contradiction(self, clusters: Indices) -> bool:
        """Return whether two of these clusters hold the same exclusion."""
        owner, number = self._exclusions_of(clusters)
        held = np.unique(number * len(clusters) + owner) // max(len(clusters), 1)
        return bool((np.diff(held) == 0).any())

    def build_tile_mask(self, rows: Indices, columns: Indices) -> TileMask | None:
        """Build a mask of the pairs of clusters that must not merge, for the matrix of their distances.

        `rows` and `columns` are clusters in ascending order. Returns None if no pair is excluded. The cost
        is proportional to the members of the exclusions that the rows hold.
        """
        row_positions, row_exclusions = self._exclusions_of(rows)
        row_exclusions, row_positions = _sort_unique(row_exclusions, row_positions, len(rows))
        column_exclusions, column_positions = self._positions_in(columns, np.unique(row_exclusions))
        # The columns that hold the same exclusion as an entry of the rows are a run of entries.
        starts = np.searchsorted(column_exclusions, row_exclusions)
        counts = np.searchsorted(column_exclusions, row_exclusions, side="right") - starts
        held, place = np.unique(row_exclusions, return_inverse=True)
        large = held[np.bincount(place, counts, len(held)) > _MIN_BLOCK_PAIRS]
        blocks = [
            (row_positions[_run_of(row_exclusions, number)], column_positions[_run_of(column_exclusions, number)])
            for number in large.tolist()
        ]
        counts[np.isin(row_exclusions, large)] = 0
        pair_rows = np.repeat(row_positions, counts)
        pair_columns = column_positions[expand_runs(starts, counts)]
        order = np.argsort(pair_rows, kind="stable")
        mask = TileMask(pair_rows[order], pair_columns[order], blocks)
        return mask if blocks or len(pair_rows) else None

    def _positions_in(self, clusters: Indices, exclusions: Indices) -> tuple[Indices, Indices]:
        """Return exclusion numbers (ascending) and positions in `clusters` of those that hold them.

        `clusters` and `exclusions` are in ascending order.
        """
        number, holder = self._members_of(exclusions)
        place = np.searchsorted(clusters, holder)
        inside = place < len(clusters)
        inside[inside] = clusters[place[inside]] == holder[inside]
        return _sort_unique(number[inside], place[inside], len(clusters))


def _sort_unique(numbers: Indices, positions: Indices, count: int) -> tuple[Indices, Indices]:
    """Sort pairs by number, then position (below `count`), and drop duplicates."""
    return np.divmod(np.unique(numbers * count + positions), max(count, 1))


def _run_of(ascending: Indices, value: int) -> slice:
    return slice(*np.searchsorted(ascending, (value, value + 1)))


@dataclass(frozen=True)
class TileMask:
    """Excluded entries of a matrix that is computed in tiles.

    `rows` (ascending) and `columns` list single entries. `blocks` are pairs of row and column
    positions, each in ascending order, whose combinations are all excluded.
    """

    rows: Indices
    columns: Indices
    blocks: Sequence[tuple[Indices, Indices]]

    def entries_in(self, row_range: slice, column_range: slice) -> tuple[Indices, Indices]:
        """Return the excluded entries of a tile: rows and columns relative to its start, some of them repeated."""
        parts = [self._single_entries_in(row_range, column_range)]
        for rows, columns in self.blocks:
            row, column = _within(rows, row_range), _within(columns, column_range)
            parts.append((np.repeat(row, len(column)), np.tile(column, len(row))))
        row, column = (np.concatenate(sides) for sides in zip(*parts, strict=True))
        return row, column

    def __call__(self, tile: NDArray[Any], row_range: slice, column_range: slice) -> None:
        """Set the excluded entries of this tile to nan, which is below no limit, or to the lowest integer."""
        excluded = np.nan if tile.dtype.kind == "f" else np.iinfo(tile.dtype).min
        tile[self._single_entries_in(row_range, column_range)] = excluded
        for rows, columns in self.blocks:
            tile[np.ix_(_within(rows, row_range), _within(columns, column_range))] = excluded

    def _single_entries_in(self, row_range: slice, column_range: slice) -> tuple[Indices, Indices]:
        first, last = np.searchsorted(self.rows, (row_range.start, row_range.stop))
        row, column = self.rows[first:last] - row_range.start, self.columns[first:last]
        inside = (column >= column_range.start) & (column < column_range.stop)
        return row[inside], column[inside] - column_range.start


def _within(positions: Indices, bounds: slice) -> Indices:
    """Return the ascending positions that lie in a range, relative to its start."""
    first, last = np.searchsorted(positions, (bounds.start, bounds.stop))
    return np.asarray(positions[first:last] - bounds.start)
