"""The order in which faces are learnt from: batches of positions in a `FaceSet`. This module does not import torch.

Every sampler is deterministic: the same seed, epoch and state give the same batches. All processes of a
distributed run have the same sampler except for their `Share`, and get as many batches of the same size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import UsageError

Positions = NDArray[np.int64]
State = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Share:
    """The part of each batch that process `rank` of `processes` gets: consecutive and as large as the others'."""

    rank: int = 0
    processes: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.processes:
            raise ValueError(f"rank: expected 0 to {self.processes - 1}, not {self.rank}")

    def divide(self, count: int, what: str) -> int:
        """Return how many of `count` things in a batch each process gets. Raises UsageError if they differ."""
        if count < self.processes or count % self.processes:
            raise UsageError(
                f"a batch of {count:,} {what} cannot be divided evenly among {self.processes:,} processes",
                hint=f"choose a multiple of {self.processes:,}",
            )
        return count // self.processes

    def of(self, batch: Positions) -> Positions:
        """Return this process's part of a batch."""
        size = len(batch) // self.processes
        return batch[self.rank * size : (self.rank + 1) * size]


#: The share of a run without other processes.
WHOLE = Share()


class Sampler(Protocol):
    """Yields the batches of an epoch."""

    @property
    def steps(self) -> int:
        """The number of batches in each epoch."""

    def batches(self, epoch: int) -> Iterator[Positions]:
        """Yield positions int64 (batch,), this process's share of each batch."""

    def state_dict(self) -> State:
        """Return what the batches depend on besides seed and epoch, as arrays."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `state_dict`. Raises ValueError if it belongs to other faces."""


class _Stateless:
    """A sampler whose batches depend on the seed and the epoch alone."""

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state:
            raise ValueError(f"unexpected state of a sampler: {', '.join(state)}")


def seeded_random(seed: int, *parts: int) -> np.random.Generator:
    """Return a generator for one use, such as an epoch."""
    return np.random.default_rng([seed, *parts])


class _InOrder:
    """Batches of consecutive positions of an order. The last incomplete batch of an epoch is left out, so that
    batch normalisation never sees a few faces only; with fewer faces than a batch needs, all are one batch."""

    def __init__(self, count: int, batch: int, seed: int, share: Share) -> None:
        share.divide(batch, "images")
        self.count, self.seed, self.share = count, seed, share
        self.batch = min(batch, count - count % share.processes)
        if self.batch < 1:
            raise UsageError(f"{count:,} faces are too few for {share.processes:,} processes")

    @property
    def steps(self) -> int:
        return self.count // self.batch

    def batches(self, epoch: int) -> Iterator[Positions]:
        order = self._order(epoch)
        for start in range(0, self.steps * self.batch, self.batch):
            yield self.share.of(order[start : start + self.batch])

    def _order(self, epoch: int) -> Positions:
        """Return the `count` positions of an epoch."""
        raise NotImplementedError


class Shuffled(_Stateless, _InOrder):
    """All `count` faces in a random order, new in each epoch, in batches of `batch` over all processes."""

    def __init__(self, count: int, batch: int, seed: int, share: Share = WHOLE) -> None:
        super().__init__(count, batch, seed, share)

    def _order(self, epoch: int) -> Positions:
        return seeded_random(self.seed, epoch).permutation(self.count).astype(np.int64, copy=False)


class AdaptiveSampler(_InOrder):
    """Adaptive data sampling (ADS) of AdaptiveFace (Liu et al. 2019).

    A face that is classified rightly is drawn less often from then on, one that is not more often again. An epoch
    has `count` draws, each face's expected number proportional to its weight, drawn systematically (Madow 1949): with
    equal weights it is each face once. `decay` and `floor` are our choice. `weights` float64 (count,) start at 1 and
    stay between `floor` and 1.
    """

    def __init__(
        self,
        count: int,
        batch: int,
        seed: int,
        share: Share = WHOLE,
        *,
        decay: float = 0.8,
        floor: float = 0.1,
    ) -> None:
        super().__init__(count, batch, seed, share)
        for name, value in (("decay", decay), ("floor", floor)):
            if not 0 < value <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, not {value:g}")
        self.decay, self.floor = decay, floor
        self.weights = np.ones(count)

    def observe(self, positions: NDArray[np.int64], correct: NDArray[np.bool_]) -> None:
        """Take note of which faces (n,) were classified rightly. In a distributed run each process has to observe
        the faces of all, in the same order."""
        faces, draws = np.unique(positions, return_inverse=True)
        changes = np.bincount(draws, np.where(correct, 1, -1))
        self.weights[faces] = np.clip(self.weights[faces] * self.decay**changes, self.floor, 1.0)

    def _order(self, epoch: int) -> Positions:
        random = seeded_random(self.seed, epoch)
        ends = np.cumsum(self.weights)
        places = (np.arange(self.count) + random.random()) * (ends[-1] / self.count)
        drawn = np.minimum(np.searchsorted(ends, places, side="right"), self.count - 1)
        return random.permutation(drawn).astype(np.int64, copy=False)

    def state_dict(self) -> State:
        return {"weights": self.weights.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        weights = np.array(state["weights"], np.float64)
        if weights.shape != (self.count,) or not ((weights >= 0) & (weights <= 1)).all():
            raise ValueError(f"weights: expected {self.count:,} numbers from 0 to 1")
        self.weights = weights


class PeopleBatches(_Stateless):
    """Batches of `people` different people with `faces` faces of each, one person's after the other's.

    An epoch shows every face about once. A person with many faces comes several times, in different batches;
    the last group of a person is filled up with others of the same person, and people with fewer faces repeat them.
    Faces are left out if they fill no whole batch, or if one person has more than all batches take; others in each
    epoch. People with one face are left out unless `allow_single`. `labels` int64 (n,). Raises UsageError if there
    are fewer than `people` people.
    """

    def __init__(
        self,
        labels: NDArray[np.int64],
        people: int,
        faces: int,
        seed: int,
        share: Share = WHOLE,
        *,
        allow_single: bool = False,
    ) -> None:
        if faces < 2:
            raise UsageError(
                f"batches need at least two faces of each person, not {faces}",
                hint="raise --batch, or lower --people-per-batch",
            )
        share.divide(people, "people")
        self.people, self.faces, self.seed, self.share = people, faces, seed, share
        self._members = group_positions(labels, 1 if allow_single else 2)
        if len(self._members) < people:
            least = "a face" if allow_single else "at least two faces"
            raise UsageError(
                f"batches of {people:,} people need as many with {least}; there are {len(self._members):,}",
                hint="lower --people-per-batch",
            )
        self._groups = np.array([-(-len(own) // faces) for own in self._members])
        self._steps = _most_batches(self._groups, people)

    @property
    def steps(self) -> int:
        return self._steps

    def batches(self, epoch: int) -> Iterator[Positions]:
        # A person's groups are consecutive and at most as many as there are batches, so that dealing them out like
        # cards gives no batch two groups of one person.
        random = seeded_random(self.seed, epoch)
        order = random.permutation(len(self._members))
        cards = np.repeat(order, np.minimum(self._groups, self._steps)[order])
        owners = cards[: self._steps * self.people].reshape(self.people, self._steps).T
        groups = {int(owner): self._draw_groups(self._members[owner], random) for owner in np.unique(owners)}
        for step in random.permutation(self._steps):
            batch = np.concatenate([next(groups[int(owner)]) for owner in random.permutation(owners[step])])
            yield self.share.of(batch)

    def _draw_groups(self, members: Positions, random: np.random.Generator) -> Iterator[Positions]:
        """Return the groups of one person in this epoch."""
        order = random.permutation(members)
        missing = -len(order) % self.faces
        others = order[: len(order) // self.faces * self.faces] if len(order) > self.faces else order
        order = np.concatenate([order, np.resize(random.permutation(others), missing)])
        return iter(order.reshape(-1, self.faces))


def group_positions(labels: NDArray[np.int64], least: int) -> list[Positions]:
    """Return the positions of each person with at least `least` faces, by label."""
    order = np.argsort(labels, kind="stable").astype(np.int64, copy=False)
    _, starts = np.unique(labels[order], return_index=True)
    return [part for part in np.split(order, starts[1:]) if len(part) >= least]


def _most_batches(groups: NDArray[np.int64], people: int) -> int:
    """Return the largest number of batches that can be filled with groups of `people` different people each."""
    low, high = 1, int(groups.sum()) // people + 1
    while high - low > 1:
        middle = (low + high) // 2
        if np.minimum(groups, middle).sum() >= middle * people:
            low = middle
        else:
            high = middle
    return low
