"""The split of people into those to train on and those to measure with, by hashes of their names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import UsageError
from faceclust.evaluation.radius import MIN_LABELLED_PEOPLE, MIN_REPEATED_PEOPLE
from faceclust.text.plural import format_count

#: The radius is set on one half of the held-out people, and everything else is measured on the other.
MIN_HELD_OUT_PEOPLE, MIN_HELD_OUT_REPEATED = 2 * MIN_LABELLED_PEOPLE, 2 * MIN_REPEATED_PEOPLE
#: More faces than this make no figure better, and are missing from training.
MAX_HELD_OUT_FACES = 20_000
MIN_TRAINING_PEOPLE = 2
MAX_SHARE = 0.5


def require_valid_share(share: float) -> None:
    """Raise UsageError if this share of people cannot be held out."""
    if not 0 < share <= MAX_SHARE:
        raise UsageError(
            f"--held-out must be above 0 and at most {MAX_SHARE:g}, not {share:g}",
            hint="without held-out people nothing about the new pack can be measured",
        )


def choose_held_out_people(face_counts: Mapping[str, int], share: float) -> frozenset[str]:
    """Return the people to hold out, given the number of faces of each person.

    A person is held out if the hash of the name, as a fraction, is below `share`: whatever the order of files, and
    whoever else is there. If those are too few to measure with, people with the next higher hashes are added; if they
    have more than MAX_HELD_OUT_FACES faces, those with the highest hashes are trained on. Raises UsageError if there
    are too few people.
    """
    require_valid_share(share)
    chosen: list[str] = []
    repeated = faces = 0
    for name in sorted(face_counts, key=_hash_fraction):
        is_enough = len(chosen) >= MIN_HELD_OUT_PEOPLE and repeated >= MIN_HELD_OUT_REPEATED
        if is_enough and (_hash_fraction(name) >= share or faces + face_counts[name] > MAX_HELD_OUT_FACES):
            break
        chosen.append(name)
        repeated += face_counts[name] > 1
        faces += face_counts[name]
    held_out = frozenset(chosen)
    rest = [count for name, count in face_counts.items() if name not in held_out]
    if (
        len(held_out) < MIN_HELD_OUT_PEOPLE
        or repeated < MIN_HELD_OUT_REPEATED
        or len(rest) < MIN_TRAINING_PEOPLE
        or max(rest) < 2
    ):
        raise UsageError(
            _describe_lack(face_counts, len(held_out)),
            hint="a useful model takes thousands of people: see faceclust help training",
        )
    return held_out


def _describe_lack(face_counts: Mapping[str, int], held_out: int) -> str:
    people, repeated = len(face_counts), sum(count > 1 for count in face_counts.values())
    needed, needed_repeated = MIN_HELD_OUT_PEOPLE + MIN_TRAINING_PEOPLE, MIN_HELD_OUT_REPEATED + 1
    if people >= needed and repeated >= needed_repeated:
        return f"too few people are left to train on: {held_out:,} of {people:,} are needed to measure with"
    return (
        f"too few people to train on and to measure with: {format_count(people, 'person', 'people')}, {repeated:,} "
        f"with several faces; at least {needed} and {needed_repeated} are needed"
    )


def halve_people(persons: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return which faces belong to the first half of the people, (n,), given the person of each face.

    People with several faces, and those with one, are divided evenly each, in the order of another hash of the name.
    """
    names, counts = np.unique(persons, return_counts=True)
    order = sorted(range(len(names)), key=lambda i: _hash_fraction(str(names[i]), b"half"))
    first = set[str]()
    for is_repeated in (True, False):
        stratum = [str(names[i]) for i in order if (counts[i] > 1) == is_repeated]
        first.update(stratum[not is_repeated :: 2])  # an odd person each goes to the one half and to the other
    return np.array([str(person) in first for person in persons], np.bool_)


def _hash_fraction(name: str, purpose: bytes = b"") -> float:
    """Return the BLAKE2b hash of a name as a number from 0 to 1."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, person=purpose).digest()
    return int.from_bytes(digest, "big") / 2**64
