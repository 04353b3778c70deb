from __future__ import annotations

import numpy as np

from faceclust.vision.geometry import non_maximum_suppression, square_boxes


def test_suppression_keeps_the_best_box_and_breaks_ties_by_index() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60], [0, 0, 10, 10]], np.float32)
    scores = np.array([0.8, 0.9, 0.7, 0.9], np.float32)
    assert non_maximum_suppression(boxes, scores, 0.5).tolist() == [1, 2]
    inner = np.array([[0, 0, 100, 100], [40, 40, 50, 50]], np.float32)
    assert non_maximum_suppression(inner, np.array([0.9, 0.8], np.float32), 0.7).tolist() == [0, 1]
    assert non_maximum_suppression(inner, np.array([0.9, 0.8], np.float32), 0.7, over_smaller_area=True).tolist() == [0]
    assert non_maximum_suppression(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.5).tolist() == []


def test_square_boxes_keep_their_centre() -> None:
    assert square_boxes(np.array([[10, 10, 20, 40]], np.float32)).tolist() == [[0, 10, 30, 40]]
