"""Sets of face positions in two arrays: a library has millions of them, too many for objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from faceclust.types import Indices


class FaceSets(Sequence[Indices]):
    """Sets of face positions. Set k is `members[starts[k] : starts[k + 1]]`.

    `starts` (k + 1,) and `members` (m,) are int64. Iterating yields a view of each set.
    """

    def __init__(self, starts: Indices, members: Indices) -> None:
        self.starts, self.members = starts, members

    @classmethod
    def of(cls, sets: Sequence[Indices]) -> FaceSets:
        """Return the sets themselves if they are FaceSets, else a copy of them in two arrays."""
        return sets if isinstance(sets, FaceSets) else cls.join(sets)

    @classmethod
    def join(cls, *several: Sequence[Indices]) -> FaceSets:
        """Return all these sets, one sequence after the other."""
        sizes, members = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for sets in several:
            if isinstance(sets, FaceSets):
                sizes.append(sets.sizes)
                members.append(sets.members)
            else:
                sizes.append(np.fromiter(map(len, sets), np.int64, len(sets)))
                members += sets
        return cls(_starts_of(np.concatenate(sizes)), np.concatenate(members).astype(np.int64, copy=False))

    @classmethod
    def of_pairs(cls, pairs: Indices) -> FaceSets:
        """Return pairs (k, 2) as sets."""
        return cls(2 * np.arange(len(pairs) + 1), pairs.reshape(-1))

    @classmethod
    def of_runs(cls, numbers: Indices, members: Indices) -> FaceSets:
        """Return each run of equal `numbers` (m,) as a set of its `members` (m,), without runs of one."""
        starts = np.concatenate([[0], np.flatnonzero(np.diff(numbers)) + 1, [len(numbers)]])
        sizes = np.diff(starts)
        kept = sizes > 1
        return cls(_starts_of(sizes[kept]), members[np.repeat(kept, sizes)])

    @property
    def sizes(self) -> Indices:
        """The number of members of each set, (k,)."""
        return np.diff(self.starts)

    def sizes_of(self, numbers: Indices) -> Indices:
        """Return the number of members of some sets."""
        return self.starts[numbers + 1] - self.starts[numbers]

    @property
    def numbers(self) -> Indices:
        """The number of each member's set, (m,)."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[k] for k in range(*number.indices(len(self)))]
        place = range(len(self))[number]
        return self.members[self.starts[place] : self.starts[place + 1]]

    def __iter__(self) -> Iterator[Indices]:
        for first, end in pairwise(map(int, self.starts)):
            yield self.members[first:end]


def _starts_of(sizes: Indices) -> Indices:
    starts = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=starts[1:])
    return starts


def expand_runs(starts: Indices, counts: Indices) -> Indices:
    """Return the concatenation of the ranges `starts[k]` to `starts[k] + counts[k]`."""
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.repeat(starts, counts) + offsets)
