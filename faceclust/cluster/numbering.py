"""Numbers for groups that stay the same from run to run, and what has changed between two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.types import Clustering, Indices

ALONE, NEW = -1, -2  # as an earlier group: the face was in none; the face was not there

Numbers = NDArray[np.int32]


def number_groups(
    clusters: Indices,
    min_size: int,
    earlier: Sequence[Indices] = (),
    highest_taken: int = 0,
    anchors: Indices | None = None,
) -> Numbers:
    """Cluster names (a member's position) to group numbers; −1 for the members of clusters
    smaller than `min_size`, and for faces alone.

    The first time groups count from 1 by falling size, then by first member. `earlier` are runs
    before this, the last one first, (n,) each: each face's group then (or ALONE, NEW). A group
    keeps the number of the one it shares most `anchors` with (positions of faces), then most
    faces, each number going to one group only; the others get numbers above these and above
    `taken`, by falling size.
    """
    names, inverse, counts = np.unique(clusters, return_inverse=True, return_counts=True)
    numbers = np.full(len(names), ALONE, np.int32)
    large = counts >= max(min_size, 2)
    anchored = np.zeros(len(clusters), np.bool_)
    anchored[np.empty(0, np.int64) if anchors is None else anchors] = True
    for run in earlier:
        highest_taken = max(highest_taken, int(run.max(initial=0)))
        # Only groups without a number yet take part, and numbers not given yet.
        open_to = large[inverse] & (numbers[inverse] == ALONE) & ~np.isin(run, numbers[numbers != ALONE])
        for cluster, number in _best_matches(inverse, np.where(open_to, run, ALONE), anchored):
            numbers[cluster] = number
    order = np.lexsort((names, -counts))
    rest = order[large[order] & (numbers[order] == ALONE)]
    numbers[rest] = np.arange(highest_taken + 1, highest_taken + len(rest) + 1)
    return np.asarray(numbers[inverse])


def _best_matches(clusters: Indices, earlier: Indices, anchored: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(cluster, earlier number) pairs, each at most once, those with most anchors, then most
    faces in common first."""
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
    """Each face's group in an earlier run, or the part of it, (n,) int64: ALONE where it was in
    none, NEW where the face was not there. Face ids rise."""
    groups = np.full(len(face_ids), NEW, np.int64)
    if earlier is not None and len(face_ids):
        place = np.searchsorted(face_ids, earlier.face_ids)
        place[place == len(face_ids)] = 0
        here = face_ids[place] == earlier.face_ids
        groups[place[here]] = (earlier.parts if parts else earlier.labels)[here]
    return groups


@dataclass(frozen=True)
class Changes:
    """What a run has changed; groups by number, faces by id.

    `added`, `gone`: how many faces are new in the library, or no longer there. `joined`: new
    faces, with the group they are in now, made of earlier ones; `woken`: the same for faces
    that were there, and alone. `new`: groups of such faces.
    `merged`: groups that are now in another. `split`: groups, with the new group some of their
    faces are in. `moved`: faces with their group before and now. `left`: faces alone now.
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
    """What has changed from one run to the next. A group of the one and a group of the other are
    the same where their numbers are."""
    before = earlier_groups(later.face_ids, earlier)
    now = later.labels.astype(np.int64)
    ids = later.face_ids
    old, here = set(before[before >= 0].tolist()), set(now[now >= 0].tolist())
    # Where most of a group's faces come from, and where most of them have gone.
    sources = _majority_groups(now, before, (now >= 0) & (before >= 0))
    targets = _majority_groups(before, now, (now >= 0) & (before >= 0))
    fresh = here - old
    split = {(sources[number], number) for number in fresh if number in sources}
    merged = {(number, targets[number]) for number in old - here if targets.get(number) in old}
    explained = split | merged
    loose = (before >= 0) & (now >= 0) & (before != now)
    moved = [
        (str(ids[i]), int(before[i]), int(now[i]))
        for i in np.flatnonzero(loose).tolist()
        if (int(before[i]), int(now[i])) not in explained
    ]
    taken_in = np.isin(now, list(old | sources.keys()))
    left = (before >= 0) & (now < 0)
    return Changes(
        added=int((before == NEW).sum()),
        removed=int(len(earlier.face_ids) - (before != NEW).sum()),
        joined=tuple((str(ids[i]), int(now[i])) for i in np.flatnonzero(taken_in & (before == NEW)).tolist()),
        no_longer_alone=tuple(
            (str(ids[i]), int(now[i])) for i in np.flatnonzero(taken_in & (before == ALONE)).tolist()
        ),
        new_groups=tuple(sorted(fresh - sources.keys())),
        merged=tuple(sorted(merged)),
        split=tuple(sorted(split)),
        moved=tuple(moved),
        now_alone=tuple((str(ids[i]), int(before[i])) for i in np.flatnonzero(left).tolist()),
    )


def _majority_groups(groups: Indices, others: Indices, where: NDArray[np.bool_]) -> dict[int, int]:
    """For each of `groups` the one of `others` most of its faces are in, ties by number."""
    counts: dict[int, Counter[int]] = {}
    for group, other in zip(groups[where].tolist(), others[where].tolist(), strict=True):
        counts.setdefault(group, Counter())[other] += 1
    return {group: min(found, key=lambda other: (-found[other], other)) for group, found in counts.items()}
