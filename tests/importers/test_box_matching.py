"""Box matching: independent of order, one to one, and tolerant of box sizes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.importers.box_matching import compute_fit, match_boxes

SIDE = st.floats(1, 200)
BOXES = st.lists(st.tuples(st.floats(0, 800), st.floats(0, 800), SIDE, SIDE), max_size=6).map(
    lambda boxes: [(x, y, x + w, y + h) for x, y, w, h in boxes]
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(BOXES, BOXES, st.randoms(use_true_random=False))
def test_the_order_of_boxes_and_faces_does_not_matter(boxes: list, faces: list, random: object) -> None:
    fit = compute_fit(boxes, faces)
    rows, columns = list(range(len(boxes))), list(range(len(faces)))
    random.shuffle(rows)  # type: ignore[attr-defined]
    random.shuffle(columns)  # type: ignore[attr-defined]
    shuffled = compute_fit([boxes[row] for row in rows], [faces[column] for column in columns])
    assert np.array_equal(shuffled, fit[np.ix_(rows, columns)])
    expected = sum(fit[pair] for pair in match_boxes(fit).items())
    assert sum(shuffled[pair] for pair in match_boxes(shuffled).items()) == pytest.approx(expected)


@settings(max_examples=300, deadline=None)
@given(BOXES, BOXES)
def test_the_assignment_is_one_to_one_and_optimal(boxes: list, faces: list) -> None:
    fit = compute_fit(boxes, faces)
    pairs = match_boxes(fit)
    assert len(set(pairs.values())) == len(pairs)
    assert all(fit[pair] > 0 for pair in pairs.items())
    if boxes and faces and len(boxes) <= len(faces) <= 5:
        assignments = itertools.permutations(range(len(faces)), len(boxes))
        best = max(sum(fit[box, face] for box, face in enumerate(assignment)) for assignment in assignments)
        assert sum(fit[pair] for pair in pairs.items()) == pytest.approx(best)


@settings(max_examples=200, deadline=None)
@given(BOXES.filter(bool), st.floats(0.01, 100), st.floats(-500, 500))
def test_the_fit_is_invariant_to_scale_and_shift(boxes: list, scale: float, shift: float) -> None:
    moved = [tuple(side * scale + shift for side in box) for box in boxes]
    assert compute_fit(moved, moved) == pytest.approx(compute_fit(boxes, boxes), abs=1e-6)


@pytest.mark.parametrize("scale", [0.7, 1, 1.5, 2, 2.5])
@pytest.mark.parametrize("shift", [0, 0.1])
def test_a_box_of_another_size_matches_its_face(scale: float, shift: float) -> None:
    face, beside = (100, 100, 200, 220), (210, 100, 310, 220)
    width, height = 100 * scale, 120 * scale
    x, y = 150 + shift * width, 160 + shift * height
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    assert match_boxes(compute_fit([box], [beside, face])) == {0: 1}
    assert match_boxes(compute_fit([box], [beside])) == {}  # and never the neighbour


def test_boxes_of_bodies_and_noses_match_no_face() -> None:
    face = (100, 100, 200, 200)
    assert match_boxes(compute_fit([(0, 0, 400, 400), (140, 140, 160, 160)], [face])) == {}
    assert match_boxes(compute_fit([], [face])) == match_boxes(compute_fit([face], [])) == {}
