"""Number groups so that numbers persist from run to run, and compare two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.types import Clustering, Indices

ALONE, NEW = -1, -2  # in place of an earlier group: the face was in no group; the face did not exist
_CHUNK = 1 << 16  # face ids or matches processed at a time, which bounds the memory

Numbers = NDArray[np.int32]


def number_groups(
    clusters: Indices,
    min_size: int,
    earlier: Sequence[Indices] = (),
    highest_taken: int = 0,
    anchors: Indices | None = None,
) -> Numbers:
    """Number the clusters (n,), named by a member's position; returns each face's number, int32 (n,).

    Members of clusters smaller than `min_size`, and faces alone, get −1. In the first run, groups are
    numbered from 1 by descending size, then by first member. `earlier` holds each face's group in
    earlier runs, the last one first, (n,) each (or ALONE, NEW). A group keeps the number of the
    earlier group with which it shares most `anchors` (positions of faces), then most faces. Each
    number goes to one group only. The remaining groups get numbers above all of these and above
    `highest_taken`, by descending size.
    """
    names, inverse, counts = np.unique(clusters, return_inverse=True, return_counts=True)
    numbers = np.full(len(names), ALONE, np.int32)
    large = counts >= max(min_size, 2)
    anchored = np.zeros(len(clusters), np.bool_)
    anchored[np.empty(0, np.int64) if anchors is None else anchors] = True
    for run in earlier:
        highest_taken = max(highest_taken, int(run.max(initial=0)))
        # Only groups without a number compete, for numbers that are still free.
        open_to = large[inverse] & (numbers[inverse] == ALONE) & ~np.isin(run, numbers[numbers != ALONE])
        _take_best_matches(numbers, inverse, np.where(open_to, run, ALONE), anchored)
    order = np.lexsort((names, -counts))
    rest = order[large[order] & (numbers[order] == ALONE)]
    numbers[rest] = np.arange(highest_taken + 1, highest_taken + len(rest) + 1)
    return np.asarray(numbers[inverse])


def _take_best_matches(numbers: Numbers, clusters: Indices, earlier: Indices, anchored: NDArray[np.bool_]) -> None:
    """Match clusters to earlier numbers, each at most once, and write these to `numbers`, by cluster.

    The pair with most common anchors comes first, then the one with most common faces.
    """
    shared = np.flatnonzero(earlier >= 0)
    bound = int(earlier.max(initial=0)) + 1
    pairs, place, common = np.unique(
        clusters[shared] * bound + earlier[shared], return_inverse=True, return_counts=True
    )
    anchors = np.bincount(place, anchored[shared], len(pairs))
    names, taken = np.divmod(pairs, bound)
    order = np.lexsort((names, taken, -common, -anchors))
    is_matched, is_taken = bytearray(len(numbers)), bytearray(bound)
    for start in range(0, len(order), _CHUNK):
        some = order[start : start + _CHUNK]
        for cluster, number in zip(names[some].tolist(), taken[some].tolist(), strict=True):
            if not is_matched[cluster] and not is_taken[number]:
                is_matched[cluster] = is_taken[number] = 1
                numbers[cluster] = number


def earlier_groups(face_ids: NDArray[np.str_], earlier: Clustering | None, *, parts: bool = False) -> Indices:
    """Return each face's group (or part) in an earlier run, (n,) int64.

    It is ALONE if the face was in no group, and NEW if it did not exist. Face ids are ascending.
    """
    groups = np.full(len(face_ids), NEW, np.int64)
    if earlier is not None:
        place = find_sorted(face_ids, earlier.face_ids)
        present = place >= 0
        groups[place[present]] = (earlier.parts if parts else earlier.labels)[present]
    return groups


def find_sorted(ids: NDArray[np.str_], wanted: NDArray[np.str_]) -> Indices:
    """Return the position of each wanted id (m,) among ids (n,) in ascending order; −1 if it is missing."""
    place = np.searchsorted(ids, wanted)
    place[place == len(ids)] = -1
    for start in range(0, len(wanted) if len(ids) else 0, _CHUNK):  # texts take much memory
        part = slice(start, start + _CHUNK)
        place[part][ids[place[part]] != wanted[part]] = -1
    return place


@dataclass(frozen=True)
class Changes:
    """The changes between two runs; groups by number, faces by id.

    `added`, `removed`: the number of faces that are new in the library, and of those no longer in it.
    `joined`: new faces and the earlier group they joined.
    `no_longer_alone`: the same for faces that were alone.
    `new_groups`: groups made only of new faces and faces that were alone.
    `merged`: groups and the group they merged into.
    `split`: groups and the new group that some of their faces formed.
    `moved`: faces with their group before and after.
    `now_alone`: faces that are alone now, and their group before.
    """

    added: int
    removed: int
    joined: tuple[tuple[str, int], ...]
    no_longer_alone: tuple[tuple[str, int], ...]
    new_groups: tuple[int, ...]
    merged: tuple[tuple[int, int], ...]
    split: tuple[tuple[int, int], ...]
    moved: tuple[tuple[str, int, int], ...]
    now_alone: tuple[tuple[str, int], ...]

    def __bool__(self) -> bool:
        return bool(
            self.joined
            or self.no_longer_alone
            or self.new_groups
            or self.merged
            or self.split
            or self.moved
            or self.now_alone
        )


def compare_clusterings(earlier: Clustering, later: Clustering) -> Changes:
    """Return the changes from one run to the next. Groups of the same number are the same group."""
    before = earlier_groups(later.face_ids, earlier)
    now = later.labels.astype(np.int64)
    ids = later.face_ids
    old_groups, current_groups = np.unique(before[before >= 0]), np.unique(now[now >= 0])
    stayed = (now >= 0) & (before >= 0)
    # The group that most of a group's faces come from, and the one that most of them went to.
    with_source, sources = _majority_groups(now[stayed], before[stayed])
    with_target, targets = _majority_groups(before[stayed], now[stayed])
    new_groups = np.setdiff1d(current_groups, old_groups, assume_unique=True)
    is_split = np.isin(with_source, new_groups)
    split = set(zip(sources[is_split].tolist(), with_source[is_split].tolist(), strict=True))
    is_merged = ~np.isin(with_target, current_groups) & np.isin(targets, old_groups)
    merged = set(zip(with_target[is_merged].tolist(), targets[is_merged].tolist(), strict=True))
    explained = split | merged
    moved = [
        (str(ids[i]), int(before[i]), int(now[i]))
        for i in np.flatnonzero(stayed & (before != now)).tolist()
        if (int(before[i]), int(now[i])) not in explained
    ]
    in_earlier_group = np.isin(now, np.union1d(old_groups, with_source))
    now_alone = (before >= 0) & (now < 0)
    return Changes(
        added=int((before == NEW).sum()),
        removed=int(len(earlier.face_ids) - (before != NEW).sum()),
        joined=tuple((str(ids[i]), int(now[i])) for i in np.flatnonzero(in_earlier_group & (before == NEW)).tolist()),
        no_longer_alone=tuple(
            (str(ids[i]), int(now[i])) for i in np.flatnonzero(in_earlier_group & (before == ALONE)).tolist()
        ),
        new_groups=tuple(np.setdiff1d(new_groups, with_source, assume_unique=True).tolist()),
        merged=tuple(sorted(merged)),
        split=tuple(sorted(split)),
        moved=tuple(moved),
        now_alone=tuple((str(ids[i]), int(before[i])) for i in np.flatnonzero(now_alone).tolist()),
    )


def _majority_groups(groups: Indices, others: Indices) -> tuple[Indices, Indices]:
    """Return each distinct one of `groups` and the one of `others` that most of its faces are in (ties: by number)."""
    bound = int(others.max(initial=0)) + 1
    pairs, counts = np.unique(groups * bound + others, return_counts=True)
    names, found = np.divmod(pairs, bound)
    order = np.lexsort((found, -counts, names))
    names, first = np.unique(names[order], return_index=True)
    return names, found[order[first]]
