"""Triplets chosen offline from the embeddings of all faces. This module does not import torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import UsageError
from faceclust.training.data.samplers import WHOLE, Positions, Share, State, group_positions, seeded_random
from faceclust.types import Float32

#: Faces whose distances are compared at once: the negatives of a face are looked for among so many.
_POOL = 2048
#: At most so many of one person's faces are kept together, so that a pool has several people.
_MAX_OF_PERSON = _POOL // 4


class TripletSampler:
    """Batches of triplets: rows 3i are the anchor, 3i + 1 the positive, 3i + 2 the negative.

    FaceNet (Schroff, Kalenichenko and Philbin 2015, section 3.2) chooses triplets "every n steps, using the most
    recent network checkpoint", on a subset of the data. `refresh` does that: each face of a person with at least two
    is an anchor, with a random positive and the nearest negative that is farther than the positive (semi-hard), in a
    subset of about 2,048 faces. If no negative is farther, it is the farthest one. Until the first call negatives are
    random. A call in the middle of an epoch takes effect at the next batch. `batch` is the number of images over all
    processes, rounded down to triplets; `labels` int64 (n,). Raises UsageError if there is no person with two faces,
    or only one person.
    """

    def __init__(self, labels: NDArray[np.int64], batch: int, seed: int, share: Share = WHOLE) -> None:
        if batch < 3:
            raise UsageError(f"a batch of triplets has at least 3 images, not {batch}", hint="raise --batch")
        self._labels, self._seed, self._share = labels, seed, share
        self._triplets_per_batch = share.divide(batch // 3, "triplets") * share.processes
        self._generation = 0
        self._triplets = self._choose(None)
        if not len(self._triplets):
            raise UsageError("triplets need a person with at least two faces, and another person")

    @property
    def steps(self) -> int:
        return max(1, len(self._labels) // self._triplets_per_batch)

    def refresh(self, embeddings: Float32) -> None:
        """Choose triplets by the embeddings float32 (n, d) of all faces, unit vectors, in the order of the set.

        In a distributed run all processes have to pass the same ones.
        """
        if len(embeddings) != len(self._labels):
            raise ValueError(f"embeddings: expected {len(self._labels):,}, not {len(embeddings):,}")
        self._generation += 1
        self._triplets = self._choose(embeddings)

    def batches(self, epoch: int) -> Iterator[Positions]:
        generation, order = -1, np.empty(0, np.int64)
        for step in range(self.steps):
            if generation != self._generation:
                generation = self._generation
                order = seeded_random(self._seed, epoch, generation).permutation(len(self._triplets))
            rows = step * self._triplets_per_batch + np.arange(self._triplets_per_batch)
            chosen = self._triplets[order[rows % len(order)]]
            yield self._share.of(chosen.reshape(-1))

    def state_dict(self) -> State:
        return {"generation": np.array(self._generation), "triplets": self._triplets.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        triplets = np.array(state["triplets"], np.int64)
        if (
            triplets.ndim != 2
            or triplets.shape[1] != 3
            or not len(triplets)
            or not ((triplets >= 0) & (triplets < len(self._labels))).all()
        ):
            raise ValueError(f"triplets: expected positions below {len(self._labels):,}, in three columns")
        self._triplets, self._generation = triplets, int(state["generation"])

    def _choose(self, embeddings: Float32 | None) -> Positions:
        """Return triplets int64 (anchors, 3), one for each face of a person with at least two."""
        random = seeded_random(self._seed, 0, self._generation, 1)
        people = [
            part
            for own in group_positions(self._labels, 1)
            for part in np.array_split(random.permutation(own), -(-len(own) // _MAX_OF_PERSON))
        ]
        pools: list[list[Positions]] = []
        size = _POOL
        for index in random.permutation(len(people)):
            if size >= _POOL:
                pools.append([])
                size = 0
            pools[-1].append(people[index])
            size += len(people[index])
        if len(pools) > 1 and size < _POOL:  # it may have too few negatives
            last = pools.pop()
            pools[-1] += last
        found = [self._choose_in_pool(np.concatenate(pool), embeddings, random) for pool in pools]
        return np.concatenate(found)

    def _choose_in_pool(self, pool: Positions, embeddings: Float32 | None, random: np.random.Generator) -> Positions:
        """Return the triplets of a pool's faces."""
        labels, rows = self._labels[pool], np.arange(len(pool))
        same = labels[:, None] == labels
        may_be_positive = same & ~np.eye(len(pool), dtype=np.bool_)
        draws = random.random(same.shape, np.float32)
        positives = np.where(may_be_positive, draws, -1).argmax(axis=1)
        if embeddings is None:
            negatives = np.where(same, -1, draws).argmax(axis=1)
        else:
            units = np.asarray(embeddings[pool], np.float32)
            distances = 2 - 2 * (units @ units.T)
            is_semi_hard = ~same & (distances > distances[rows, positives][:, None])
            nearest = np.where(is_semi_hard, distances, np.inf).argmin(axis=1)
            farthest = np.where(same, -np.inf, distances).argmax(axis=1)
            negatives = np.where(is_semi_hard.any(axis=1), nearest, farthest)
        triplets = pool[np.stack([rows, positives, negatives], axis=1)]
        chosen: Positions = triplets[may_be_positive.any(axis=1) & ~same.all(axis=1)]
        return chosen
