"""Must-links and cannot-links.

Cannot-links come as *exclusions*: sets of faces of which no two are the same person, such as the
faces of one photo, or one confirmed face of each named person. A cluster holds an exclusion as
soon as one of its faces does. Two clusters that hold the same exclusion never merge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.labels import groups_of
from faceclust.types import Indices

_MIN_BLOCK_PAIRS = 4096  # an exclusion of more pairs is masked as a block, which is faster


@dataclass(frozen=True)
class Constraints:
    """Groups of face positions. `must_link`: disjoint groups, each of one person. `exclusions`: sets
    of which no two faces are the same person, unless a must-link joins them. `anchors`: faces whose
    groups take precedence when group numbers are kept from an earlier run."""

    must_link: Sequence[Indices] = ()
    exclusions: Sequence[Indices] = field(default_factory=tuple)
    anchors: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    def restrict_to(self, faces: Indices) -> Constraints:
        """Return the constraints among these faces, renumbered by position in `faces`."""
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
    """Return each member's group number, and the members."""
    number = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return number, np.concatenate([np.empty(0, np.int64), *groups])


def same_photo_exclusions(photo_ids: NDArray[np.str_]) -> list[Indices]:
    """Return one exclusion for each photo with several faces: they are different people."""
    return groups_of(np.unique(photo_ids, return_inverse=True)[1].astype(np.int64))


def _one_face_per_cluster(linked: Indices, exclusions: Sequence[Indices]) -> tuple[Indices, Indices]:
    """Return the exclusions' numbers and faces, keeping only the first face of each `linked` cluster."""
    number, faces = _flatten_groups(exclusions)
    _, kept = np.unique(np.stack([number, linked[faces]]), axis=1, return_index=True)
    kept.sort()
    return number[kept], faces[kept]


def collapse_linked(exclusions: Sequence[Indices], linked: Indices) -> list[Indices]:
    """Return the exclusions with one face for each `linked` cluster; linked faces do not exclude each other."""
    number, faces = _one_face_per_cluster(linked, exclusions)
    parts = np.split(faces, np.flatnonzero(np.diff(number)) + 1)
    return [part for part in parts if len(part) > 1]


def find_contradictions(clusters: Indices, linked: Indices, exclusions: Sequence[Indices]) -> list[Indices]:
    """Return sets of faces that share a cluster although they exclude each other.

    Faces of one `linked` cluster do not exclude each other; the first represents them all.
    """
    number, faces = _one_face_per_cluster(linked, exclusions)
    order = np.lexsort((faces, clusters[faces], number))
    number, faces = number[order], faces[order]
    together = (np.diff(number) == 0) & (np.diff(clusters[faces]) == 0)
    parts = np.split(faces, np.flatnonzero(~together) + 1)
    return [part for part in parts if len(part) > 1]


class ExclusionIndex:
    """The exclusions that each cluster holds, while clusters merge.

    Clusters are named by a member's position. `find` maps faces to their current clusters.
    """

    def __init__(self, exclusions: Sequence[Indices], find: Callable[[Indices], Indices], n: int) -> None:
        self._find = find
        self._faces = [np.asarray(group, dtype=np.int64) for group in exclusions]
        self._exclusions_of: dict[int, set[int]] = {}
        self._has_exclusions = np.zeros(n, np.bool_)  # whether a cluster is in _exclusions_of
        self._member_exclusions, self._members = _flatten_groups(self._faces)
        for cluster, number in zip(find(self._members).tolist(), self._member_exclusions.tolist(), strict=True):
            self._exclusions_of.setdefault(cluster, set()).add(number)
        self._has_exclusions[list(self._exclusions_of)] = True

    def merge(self, into: int, others: Iterable[int]) -> None:
        """Let cluster `into` hold the exclusions of the `others`, which it absorbs."""
        for other in others:
            if other in self._exclusions_of:
                held, more = self._exclusions_of.pop(into, set()), self._exclusions_of.pop(other)
                if len(held) < len(more):
                    held, more = more, held
                held.update(more)
                self._exclusions_of[into] = held
                self._has_exclusions[into] = True

    def conflicts(self, a: Indices, b: Indices) -> NDArray[np.bool_]:
        """Return which pairs of clusters (a[i], b[i]) hold a common exclusion; b[i] = −1 means no cluster."""
        out = self._has_exclusions[a] & self._has_exclusions[b] & (b >= 0)
        for i in np.flatnonzero(out).tolist():
            out[i] = not self._exclusions_of[int(a[i])].isdisjoint(self._exclusions_of[int(b[i])])
        return out

    def excluded_clusters(self, cluster: int) -> Indices:
        """Return the clusters that this one must not merge with, in ascending order."""
        held = self._exclusions_of.get(cluster)
        if not held:
            return np.empty(0, np.int64)
        found = np.unique(self._find(np.concatenate([self._faces[number] for number in held])))
        return np.asarray(found[found != cluster], dtype=np.int64)

    def has_contradiction(self, clusters: Indices) -> bool:
        """Return whether two of these clusters hold the same exclusion."""
        seen: set[int] = set()
        for cluster in clusters[self._has_exclusions[clusters]].tolist():
            held = self._exclusions_of[cluster]
            if not seen.isdisjoint(held):
                return True
            seen |= held
        return False

    def build_tile_mask(self, rows: Indices, columns: Indices) -> TileMask | None:
        """Build a mask of the pairs of clusters that must not merge, for the matrix of their distances.

        `rows` and `columns` are clusters in ascending order. Returns None if no pair is excluded.
        """
        clusters = self._find(self._members)
        row_exclusions, row_positions = self._exclusions_held_by(clusters, rows)
        column_exclusions, column_positions = self._exclusions_held_by(clusters, columns)
        # The columns that hold the same exclusion as an entry of the rows are a run of entries.
        starts = np.searchsorted(column_exclusions, row_exclusions)
        counts = np.searchsorted(column_exclusions, row_exclusions, side="right") - starts
        large = np.flatnonzero(np.bincount(row_exclusions, counts, len(self._faces)) > _MIN_BLOCK_PAIRS)
        blocks = [
            (row_positions[row_exclusions == number], column_positions[column_exclusions == number])
            for number in large.tolist()
        ]
        counts[np.isin(row_exclusions, large)] = 0
        pair_rows = np.repeat(row_positions, counts)
        pair_columns = column_positions[_expand_runs(starts, counts)]
        order = np.argsort(pair_rows, kind="stable")
        mask = TileMask(pair_rows[order], pair_columns[order], blocks)
        return mask if blocks or len(pair_rows) else None

    def _exclusions_held_by(self, clusters: Indices, some: Indices) -> tuple[Indices, Indices]:
        """Return exclusion numbers (ascending) and positions in `some` of the clusters that hold them.

        `some` are clusters in ascending order; `clusters` are the current clusters of `_members`.
        """
        place = np.searchsorted(some, clusters)
        inside = place < len(some)
        inside[inside] = some[place[inside]] == clusters[inside]
        pairs = np.unique(self._member_exclusions[inside] * np.int64(len(some)) + place[inside])
        return np.divmod(pairs, max(len(some), 1))


def _expand_runs(starts: Indices, counts: Indices) -> Indices:
    """Return the concatenation of the ranges `starts[k]` to `starts[k] + counts[k]`."""
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.repeat(starts, counts) + offsets)


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
        first, last = np.searchsorted(self.rows, (row_range.start, row_range.stop))
        row, column = self.rows[first:last] - row_range.start, self.columns[first:last]
        inside = (column >= column_range.start) & (column < column_range.stop)
        parts = [(row[inside], column[inside] - column_range.start)]
        for rows, columns in self.blocks:
            row, column = _within(rows, row_range), _within(columns, column_range)
            parts.append((np.repeat(row, len(column)), np.tile(column, len(row))))
        row, column = (np.concatenate(sides) for sides in zip(*parts, strict=True))
        return row, column

    def __call__(self, tile: NDArray[Any], row_range: slice, column_range: slice) -> None:
        """Set the excluded entries of this tile to nan, which is below no limit, or to the lowest integer."""
        excluded = np.nan if tile.dtype.kind == "f" else np.iinfo(tile.dtype).min
        first, last = np.searchsorted(self.rows, (row_range.start, row_range.stop))
        row, column = self.rows[first:last] - row_range.start, self.columns[first:last]
        inside = (column >= column_range.start) & (column < column_range.stop)
        tile[row[inside], column[inside] - column_range.start] = excluded
        for rows, columns in self.blocks:
            tile[np.ix_(_within(rows, row_range), _within(columns, column_range))] = excluded


def _within(positions: Indices, bounds: slice) -> Indices:
    """Return the ascending positions that lie in a range, relative to its start."""
    first, last = np.searchsorted(positions, (bounds.start, bounds.stop))
    return np.asarray(positions[first:last] - bounds.start)
