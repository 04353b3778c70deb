"""Faces, events and groups made for tests."""

from __future__ import annotations

import itertools
from datetime import datetime

import numpy as np

from faceclust.people.events import Event, JournalFace
from faceclust.people.groups import Groups
from faceclust.types import Box, Clustering, FaceOccurrence

BOX = (0.1, 0.1, 0.3, 0.3)
_numbers = itertools.count()


def make_face(
    id: str, *, confirmed: bool = True, photo: str = "a.jpg", hash: str = "h", box: Box = BOX, taken: str | None = None
) -> JournalFace:
    return JournalFace(id, hash, photo, box, confirmed, taken)


def make_occurrence(
    id: str, photo: str = "a.jpg", hash: str = "h", box: Box = BOX, taken: datetime | None = None, quality: float = 1.0
) -> FaceOccurrence:
    return FaceOccurrence(id, photo, hash, box, (100, 100), quality, 1.0, taken)


def make_event(
    kind: str,
    *faces: JournalFace | str,
    name: str | None = None,
    to: str | None = None,
    rest: tuple[JournalFace | str, ...] = (),
    undoes: str | None = None,
) -> Event:
    """An event; a face given by its id alone is a confirmed one."""

    def known(given: tuple[JournalFace | str, ...]) -> tuple[JournalFace, ...]:
        return tuple(make_face(one) if isinstance(one, str) else one for one in given)

    number = next(_numbers)
    return Event(f"e{number}", f"{number:09}", kind, known(faces), known(rest), name, to, undoes)


def make_clustering(labels: dict[str, int]) -> Clustering:
    """Faces in groups by number; −1: alone."""
    ids = sorted(labels)
    return Clustering(
        np.array(ids),
        np.array([labels[i] for i in ids], np.int32),
        np.zeros(len(ids), np.float32),
        np.zeros(len(ids), np.int32),
        highest_number=max(labels.values()),
    )


def make_groups(labels: dict[str, int]) -> Groups:
    """The groups of such a clustering."""
    return Groups.from_clustering(make_clustering(labels), labels.keys())
