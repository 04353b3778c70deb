"""Build faces, events, clusterings and groups."""

from __future__ import annotations

import itertools
from datetime import datetime

import numpy as np

from faceclust.people.events import Event, JournalFace
from faceclust.people.fact_changes import FactChanges
from faceclust.people.groups import Groups
from faceclust.types import Box, Clustering, FaceOccurrence

BOX = (0.1, 0.1, 0.3, 0.3)
_numbers = itertools.count()


def make_face(
    id: str, *, confirmed: bool = True, photo: str = "a.jpg", hash: str = "h", box: Box = BOX, taken: str | None = None
) -> JournalFace:
    return JournalFace(id, hash, photo, box, confirmed, taken)


def make_occurrence(
    id: str,
    photo: str = "a.jpg",
    hash: str = "h",
    box: Box = BOX,
    taken: datetime | None = None,
    quality: float = 1.0,
    source: str | None = None,
) -> FaceOccurrence:
    return FaceOccurrence(id, photo, hash, box, (100, 100), quality, 1.0, taken, taken_at_source=source)


def make_event(
    kind: str,
    *faces: JournalFace | str,
    name: str | None = None,
    to: str | None = None,
    rest: tuple[JournalFace | str, ...] = (),
    undoes: str | None = None,
    facts: FactChanges | None = None,
) -> Event:
    """Return an event with a new id and time. A face given by its id alone is confirmed."""

    def to_faces(items: tuple[JournalFace | str, ...]) -> tuple[JournalFace, ...]:
        return tuple(make_face(item) if isinstance(item, str) else item for item in items)

    number = next(_numbers)
    return Event(f"e{number}", f"{number:09}", kind, to_faces(faces), to_faces(rest), name, to, undoes, facts=facts)


def make_clustering(labels: dict[str, int]) -> Clustering:
    """Return a clustering from face id → group number; −1 is a face alone."""
    ids = sorted(labels)
    return Clustering(
        np.array(ids),
        np.array([labels[i] for i in ids], np.int32),
        np.zeros(len(ids), np.float32),
        np.zeros(len(ids), np.int32),
        np.zeros(len(ids), np.float32),
        np.full(len(ids), -1, np.int32),
        highest_number=max(labels.values()),
    )


def make_groups(labels: dict[str, int]) -> Groups:
    """Return the groups of `make_clustering(labels)`."""
    return Groups.from_clustering(make_clustering(labels), labels.keys())
