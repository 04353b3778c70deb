"""Turned copies of a picture, and faces found on them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.types import Detections
from faceclust.vision.quarter_turns import TURNS, choose_turn, lay_out_turned_copies, turn_back


@given(
    turn=st.sampled_from([0, *TURNS]),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    corner=st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)),
)
def test_a_face_of_the_turned_picture_covers_the_same_pixels_before_the_turn(
    turn: int, size: tuple[int, int], corner: tuple[float, float]
) -> None:
    width, height = size
    marked = np.zeros((height, width), np.uint8)
    left, top = int(corner[0] * width), int(corner[1] * height)
    right, bottom = min(width, left + 7), min(height, top + 3)
    marked[top:bottom, left:right] = 1
    rows, columns = np.nonzero(np.rot90(marked, turn))
    box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    landmarks = np.tile(box[:, :2], (1, 5)).reshape(1, 5, 2)
    found = turn_back(Detections(box, np.ones(1, np.float32), landmarks), turn, size)
    assert found.boxes.tolist() == [[left, top, right, bottom]]
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    assert tuple(found.landmarks[0, 0].tolist()) == corners[turn]


def test_without_faces_there_is_nothing_to_turn_back() -> None:
    none = Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))
    for turn in TURNS:
        assert len(turn_back(none, turn, (40, 30))) == 0
    assert choose_turn(none, 40) is None


@pytest.mark.parametrize("shape", [(30, 40, 3), (40, 30, 3), (40, 40, 3), (1, 40, 3)])
def test_each_copy_is_where_its_faces_are_looked_up(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(1).integers(128, 255, shape, np.uint8)
    laid_out = lay_out_turned_copies(pixels)
    for turn in TURNS:
        copy = np.rot90(pixels, turn)
        height, width = copy.shape[:2]
        places = range(laid_out.shape[1] - width + 1)
        (column,) = (x for x in places if np.array_equal(laid_out[:height, x : x + width], copy))
        box = np.array([[column, 0, column + width, height]], np.float32)
        one = Detections(box, np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32))
        assert choose_turn(one, max(shape)) == turn


def test_the_turn_with_the_largest_sum_of_scores_is_chosen() -> None:
    boxes = np.array([[5, 5, 15, 15], [60, 5, 70, 15], [80, 5, 90, 15], [120, 5, 130, 15]], np.float32)
    found = Detections(boxes, np.array([0.99, 0.6, 0.6, 0.98], np.float32), np.zeros((4, 5, 2), np.float32))
    assert choose_turn(found, 50) == TURNS[1]
