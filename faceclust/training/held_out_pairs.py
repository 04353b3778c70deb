"""Pairs of held-out faces in folds of disjoint people, in the manner of Labeled Faces in the Wild, "view 2"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.evaluation.radius import MIN_LABELLED_PEOPLE, MIN_REPEATED_PEOPLE
from faceclust.evaluation.score_pairs import VerificationPairs
from faceclust.training.data.face_set import HeldOutPictures

#: The false accept rate at which VAL is reported.
TARGET_FAR = 1e-3
_FOLDS = 10
_PAIRS_PER_FOLD = 300  # of each kind, as LFW has
_PAIRS_PER_PERSON = 30  # so that no person decides a fold


@dataclass(frozen=True)
class HeldOutPairs:
    """Drawn pairs. `balanced` (n,) is true for as many pairs of two people in each fold as it has of one person: an
    accuracy needs both kinds alike, and a false accept rate all pairs of two people."""

    pairs: VerificationPairs
    balanced: NDArray[np.bool_]


def draw_pairs(half: HeldOutPictures, usable: NDArray[np.bool_], seed: int = 0) -> HeldOutPairs | None:
    """Draw pairs of the usable pictures (n,): in each of ten folds up to 300 of one person and 300 of two people.

    No person is in two folds. The same pictures and seed give the same pairs. Return None if there are too few people.
    """
    rng = np.random.default_rng(seed)
    positions = np.flatnonzero(usable)
    names, codes, counts = np.unique(half.persons[positions], return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(counts > 1)
    if len(names) < MIN_LABELLED_PEOPLE or len(repeated) < MIN_REPEATED_PEOPLE:
        return None
    fold_of = np.empty(len(names), np.int64)
    for people in (repeated, np.flatnonzero(counts == 1)):
        fold_of[rng.permutation(people)] = np.arange(len(people)) % _FOLDS
    faces_of = np.split(positions[np.argsort(codes, kind="stable")], np.cumsum(counts)[:-1])
    left, right, same, folds, balanced = [], [], [], [], []
    for fold in range(_FOLDS):
        people = np.flatnonzero(fold_of == fold)
        matching = [pair for one in people for pair in _draw_same(faces_of[one], rng)]
        matching = [matching[i] for i in rng.permutation(len(matching))[:_PAIRS_PER_FOLD]]
        differing = _draw_different(people, faces_of, rng)
        for kind, drawn in ((True, matching), (False, differing)):
            left += [a for a, _ in drawn]
            right += [b for _, b in drawn]
            same += [kind] * len(drawn)
            folds += [fold] * len(drawn)
            balanced += [i < min(len(matching), len(differing)) for i in range(len(drawn))]
    pairs = VerificationPairs(
        half.pictures,
        tuple(f"{person}/{i}" for i, person in enumerate(half.persons.tolist())),
        np.array(left, np.intp),
        np.array(right, np.intp),
        np.array(same, np.bool_),
        np.array(folds, np.int32),
        half.aligned,
    )
    return HeldOutPairs(pairs, np.array(balanced, np.bool_))


def _draw_same(faces: NDArray[np.intp], rng: np.random.Generator) -> list[tuple[int, int]]:
    """Draw up to `_PAIRS_PER_PERSON` distinct pairs of one person's faces."""
    k = len(faces)
    total = k * (k - 1) // 2
    chosen = rng.choice(total, min(total, _PAIRS_PER_PERSON), replace=False, shuffle=False)
    # Pair number t of (0, 1), (0, 2), (1, 2), (0, 3) …: its larger index is j with j (j − 1) / 2 ≤ t.
    second = ((1 + np.sqrt(1 + 8 * chosen)) // 2).astype(np.int64)
    first = chosen - second * (second - 1) // 2
    return list(zip(faces[first].tolist(), faces[second].tolist(), strict=True))


def _draw_different(
    people: NDArray[np.intp], faces_of: list[NDArray[np.intp]], rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Draw up to `_PAIRS_PER_FOLD` distinct pairs of faces of two people, each person with the same probability."""
    if len(people) < 2:
        return []
    draws = 20 * _PAIRS_PER_FOLD  # few faces have fewer pairs
    one, other = rng.integers(len(people), size=draws), rng.integers(len(people) - 1, size=draws)
    other += other >= one  # every other person with the same probability
    drawn = people[np.sort([one, other], axis=0)]
    sizes = np.array([len(faces) for faces in faces_of])[drawn]
    places = rng.integers(sizes)
    faces = [
        (int(faces_of[a][i]), int(faces_of[b][j]))
        for (a, b), (i, j) in zip(drawn.T.tolist(), places.T.tolist(), strict=True)
    ]
    return list(dict.fromkeys(faces))[:_PAIRS_PER_FOLD]
