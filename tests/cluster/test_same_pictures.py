from __future__ import annotations

import numpy as np
import pytest

from faceclust.cluster.same_pictures import find_same_pictures, turn_boxes
from faceclust.types import FaceTable

Box = tuple[float, float, float, float]
LEFT, RIGHT, SMALL = (0.1, 0.1, 0.3, 0.4), (0.6, 0.1, 0.8, 0.4), (0.45, 0.5, 0.5, 0.56)


def make_faces(*rows: tuple[int, float, Box, int | None, int]) -> FaceTable:
    """Build a table of faces, each given as (photo, one-dimensional embedding, box, second, camera)."""
    n = len(rows)
    return FaceTable(
        face_ids=np.array([f"{i:05}" for i in range(n)]),
        photo_ids=np.array([row[0] for row in rows], np.int64),
        embeddings=np.array([[row[1]] for row in rows], np.float32).reshape(n, 1),
        quality=np.ones(n, np.float32),
        taken_at=np.array(["NaT" if row[3] is None else row[3] for row in rows], "datetime64[s]"),
        boxes=np.array([row[2] for row in rows], np.float32).reshape(n, 4),
        shots=np.array([(row[4], -1) for row in rows], np.int64).reshape(n, 2),
    )


def find_pairs(*rows: tuple[int, float, Box, int | None, int]) -> list[list[int]]:
    return sorted(find_same_pictures(make_faces(*rows)).photos.tolist())


def test_pictures_share_the_second_the_camera_and_the_place_of_a_face() -> None:
    assert find_pairs((1, 0, LEFT, 5, 0), (7, 0.5, LEFT, 5, 0)) == [[1, 7]]
    assert find_pairs((1, 0, LEFT, 5, 0), (7, 0.5, LEFT, 5, -1)) == [[1, 7]]
    assert find_pairs((1, 0, LEFT, 5, 0), (7, 0.5, LEFT, 5, 3)) == []
    assert find_pairs((1, 0, LEFT, 5, -1), (7, 0.5, LEFT, 6, -1)) == []
    assert find_pairs((1, 0, LEFT, None, -1), (7, 0.5, LEFT, None, -1)) == []
    assert find_pairs((1, 0, LEFT, 5, 0), (7, 0.5, RIGHT, 5, 0)) == []
    assert find_pairs((1, 0, LEFT, 5, 0), (7, 1.2, LEFT, 5, 0)) == []
    assert find_pairs((1, 0, LEFT, 5, 0), (1, 0, LEFT, 5, 0)) == []
    assert find_pairs() == []


def test_every_face_of_the_picture_with_fewer_faces_has_to_be_found() -> None:
    full = [(1, 0.0, LEFT, 5, 0), (1, 3.0, RIGHT, 5, 0), (1, 6.0, SMALL, 5, 0)]
    assert find_pairs(*full, (2, 0.0, LEFT, 5, 0), (2, 3.0, RIGHT, 5, 0)) == [[1, 2]]
    assert find_pairs(*full, (2, 0.0, LEFT, 5, 0), (2, 9.0, RIGHT, 5, 0)) == []


def test_the_worst_overlap_and_distance_are_returned() -> None:
    moved = (0.11, 0.1, 0.31, 0.4)
    found = find_same_pictures(
        make_faces((1, 0, LEFT, 5, 0), (1, 3, RIGHT, 5, 0), (2, 0.1, moved, 5, 0), (2, 3.5, RIGHT, 5, 0))
    )
    assert found.photos.tolist() == [[1, 2]]
    assert found.overlap.tolist() == pytest.approx([0.19 / 0.21], abs=1e-5)
    assert found.distance.tolist() == pytest.approx([0.25], abs=1e-5)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_pictures_may_be_turned(turns: int) -> None:
    pixels = np.zeros((10, 10))
    pixels[1:4, 1:3] = 1
    (box,) = turn_boxes(np.array([LEFT], np.float32), turns)
    rows, columns = np.nonzero(np.rot90(pixels, turns))
    expected = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert (box * 10).tolist() == pytest.approx(expected, abs=1e-5)
    turned: Box = tuple(box.tolist())
    for first, second in ((LEFT, turned), (turned, LEFT)):
        assert find_pairs((1, 0, first, 5, 0), (2, 0, second, 5, 0)) == [[1, 2]]


def test_all_pairs_of_a_second_are_found_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceclust.cluster.same_pictures._BLOCK_PAIRS", 7)
    rng = np.random.default_rng(1)
    rows = []
    for photo in range(60):
        x, y = rng.choice([0.1, 0.101, 0.4, 0.7], 2)
        rows.append((photo, float(rng.integers(2)), (x, y, x + 0.2, y + 0.2), int(rng.integers(3)), -1))
    expected = [
        [i, j]
        for i in range(60)
        for j in range(i + 1, 60)
        if rows[i][3] == rows[j][3]
        and abs(rows[i][1] - rows[j][1]) <= 1
        and any(
            np.abs(turn_boxes(np.array([rows[j][2]], np.float32), turn)[0] - rows[i][2]).max() < 0.005
            for turn in range(4)
        )
    ]
    assert [list(pair) for pair in sorted({tuple(pair) for pair in find_pairs(*rows)})] == expected and expected


def test_a_stopped_clock_makes_no_copies() -> None:
    rows = [(photo, 0.0, LEFT, 5, 0) for photo in range(501)]
    assert find_pairs(*rows) == [] and len(find_pairs(*rows[:40])) == 40 * 39 // 2
