"""A library of four people whose faces are told apart easily, without photos."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import numpy as np

from faceclust import Library
from tests.support.synthetic_library import write_caches

#: Person → number of faces in the person's group.
PEOPLE = {"anna": 9, "ben": 6, "carl": 4, "dora": 3}


def make_four_people(root: Path, taken_at: Mapping[int, datetime] | None = None) -> tuple[Library, dict[str, str]]:
    """Return a library of four people, with two more faces of Anna outside her group; and face id → person.

    `taken_at`: the dates of some of the photos, by number.
    """
    rng = np.random.default_rng(11)
    base = np.linalg.qr(rng.normal(size=(128, 6)))[0].T
    people = [name for name, count in PEOPLE.items() for _ in range(count)] + ["anna"] * 2
    centre = dict(zip(PEOPLE, base, strict=False))
    points = np.array([centre[name] + rng.normal(size=128) * 0.2 / np.sqrt(128) for name in people])
    points[-2:] += 0.28 * base[4:]
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    dates = [taken_at.get(number) for number in range(len(people))] if taken_at else None
    library = write_caches(root, points, np.arange(len(people)), taken_at=dates)
    library.cluster(1.1, local_scaling=0)
    by_photo = {occurrence.photo: occurrence.face_id for occurrence in library.occurrences}
    return library, {by_photo[f"photos/IMG_{n:07d}.jpg"]: name for n, name in enumerate(people)}
