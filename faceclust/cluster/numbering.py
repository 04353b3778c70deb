"""Number groups so that numbers persist from run to run, and compare two runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.types import Clustering, Indices

ALONE, NEW = -1, -2  # in place of an earlier group: the face was in no group; the face did not exist

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
        for cluster, number in _best_matches(inverse, np.where(open_to, run, ALONE), anchored):
            numbers[cluster] = number
    order = np.lexsort((names, -counts))
    rest = order[large[order] & (numbers[order] == ALONE)]
    numbers[rest] = np.arange(highest_taken + 1, highest_taken + len(rest) + 1)
    return np.asarray(numbers[inverse])


def _best_matches(clusters: Indices, earlier: Indices, anchored: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Match clusters to earlier numbers, each at most once; returns (cluster, number) pairs.

    The pair with most common anchors comes first, then the one with most common faces.
    """
    shared = earlier >= 0
    both = np.stack([clusters[shared], earlier[shared]])
    pairs, place, common = np.unique(both, axis=1, return_inverse=True, return_counts=True)
    anchors = np.bincount(place.ravel(), anchored[shared], pairs.shape[1])
    used: tuple[set[int], set[int]] = (set(), set())
    found = []
    for k in np.lexsort((pairs[0], pairs[1], -common, -anchors)).tolist():
        cluster, number = int(pairs[0, k]), int(pairs[1, k])
        if cluster not in used[0] and number not in used[1]:
            used[0].add(cluster)
            used[1].add(number)
            found.append((cluster, number))
    return found


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
    return np.where(ids[place] == wanted, place, -1) if len(ids) else place


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
    old_groups, current_groups = set(before[before >= 0].tolist()), set(now[now >= 0].tolist())
    # The group that most of a group's faces come from, and the one that most of them went to.
    sources = _majority_groups(now, before, (now >= 0) & (before >= 0))
    targets = _majority_groups(before, now, (now >= 0) & (before >= 0))
    new_groups = current_groups - old_groups
    split = {(sources[number], number) for number in new_groups if number in sources}
    merged = {(number, targets[number]) for number in old_groups - current_groups if targets.get(number) in old_groups}
    explained = split | merged
    changed_group = (before >= 0) & (now >= 0) & (before != now)
    moved = [
        (str(ids[i]), int(before[i]), int(now[i]))
        for i in np.flatnonzero(changed_group).tolist()
        if (int(before[i]), int(now[i])) not in explained
    ]
    in_earlier_group = np.isin(now, list(old_groups | sources.keys()))
    now_alone = (before >= 0) & (now < 0)
    return Changes(
        added=int((before == NEW).sum()),
        removed=int(len(earlier.face_ids) - (before != NEW).sum()),
        joined=tuple((str(ids[i]), int(now[i])) for i in np.flatnonzero(in_earlier_group & (before == NEW)).tolist()),
        no_longer_alone=tuple(
            (str(ids[i]), int(now[i])) for i in np.flatnonzero(in_earlier_group & (before == ALONE)).tolist()
        ),
        new_groups=tuple(sorted(new_groups - sources.keys())),
        merged=tuple(sorted(merged)),
        split=tuple(sorted(split)),
        moved=tuple(moved),
        now_alone=tuple((str(ids[i]), int(before[i])) for i in np.flatnonzero(now_alone).tolist()),
    )


def _majority_groups(groups: Indices, others: Indices, where: NDArray[np.bool_]) -> dict[int, int]:
    """Map each of `groups` to the one of `others` that most of its faces are in (ties: by number)."""
    counts: dict[int, Counter[int]] = {}
    for group, other in zip(groups[where].tolist(), others[where].tolist(), strict=True):
        counts.setdefault(group, Counter())[other] += 1
    return {group: min(found, key=lambda other: (-found[other], other)) for group, found in counts.items()}
