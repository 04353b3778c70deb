from __future__ import annotations

import numpy as np

from faceclust.cluster.duplicates import find_duplicate_faces
from faceclust.types import FaceTable

HERE, THERE = (0.1, 0.1, 0.3, 0.4), (0.6, 0.1, 0.8, 0.4)


def make_faces(*rows: tuple[str, float, tuple[float, ...], tuple[int, int]]) -> FaceTable:
    """Build a table of faces, each given as (photo, one-dimensional embedding, box, shots)."""
    n = len(rows)
    return FaceTable(
        face_ids=np.array([f"{i:04}" for i in range(n)]),
        photo_ids=np.array([row[0] for row in rows]),
        embeddings=np.array([[row[1]] for row in rows], np.float32),
        quality=np.ones(n, np.float32),
        taken_at=np.full(n, "NaT", "datetime64[s]"),
        boxes=np.array([row[2] for row in rows], np.float32),
        shots=np.array([row[3] for row in rows]),
    )


def find_pairs(table: FaceTable) -> list[list[int]]:
    return [pair.tolist() for pair in find_duplicate_faces(table, 1.0)]


def test_duplicates_share_a_shot_and_a_place_and_are_similar() -> None:
    shot, version = (5, -1), (-1, 3)
    assert find_pairs(make_faces(("a", 0, HERE, shot), ("b", 0.5, HERE, shot))) == [[0, 1]]
    assert find_pairs(make_faces(("a", 0, HERE, version), ("b", 0.5, HERE, version))) == [[0, 1]]
    assert find_pairs(make_faces(("a", 0, HERE, shot), ("b", 0.5, THERE, shot))) == []
    assert find_pairs(make_faces(("a", 0, HERE, shot), ("b", 1.5, HERE, shot))) == []
    assert find_pairs(make_faces(("a", 0, HERE, shot), ("a", 0.5, HERE, shot))) == []
    assert find_pairs(make_faces(("a", 0, HERE, (5, -1)), ("b", 0.5, HERE, (6, -1)))) == []
    assert find_pairs(make_faces(("a", 0, HERE, (-1, -1)), ("b", 0, HERE, (-1, -1)))) == []


def test_two_people_in_a_burst_are_distinguished() -> None:
    shots = [(str(photo), face, box, (1, -1)) for photo in range(3) for face, box in ((0.0, HERE), (5.0, THERE))]
    assert find_pairs(make_faces(*shots)) == [[0, 2], [0, 4], [1, 3], [1, 5], [2, 4], [3, 5]]


def test_a_stopped_camera_clock_makes_no_burst() -> None:
    assert find_pairs(make_faces(*((str(photo), 0.0, HERE, (1, -1)) for photo in range(21)))) == []


def test_no_faces() -> None:
    empty = FaceTable(
        np.array([], "U1"),
        np.array([], "U1"),
        np.empty((0, 4), np.float32),
        np.empty(0, np.float32),
        np.empty(0, "datetime64[s]"),
        np.empty((0, 4), np.float32),
        np.empty((0, 2), np.int64),
    )
    assert find_duplicate_faces(empty, 1.0).shape == (0, 2)
