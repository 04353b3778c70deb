from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.types import Box, intersection_over_union, paired_intersection_over_union

corners = st.tuples(*[st.integers(0, 20)] * 4).map(
    lambda c: (float(min(c[0], c[2])), float(min(c[1], c[3])), float(max(c[0], c[2])), float(max(c[1], c[3])))
)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3),
        ((0, 0, 4, 4), (1, 1, 3, 3), 1 / 4),
        ((0, 0, 2, 2), (2, 0, 4, 2), 0.0),  # they touch
        ((0, 0, 1, 1), (5, 5, 6, 6), 0.0),
        ((1, 1, 1, 1), (1, 1, 1, 1), 0.0),  # neither has an area
    ],
)
def test_intersection_over_union(a: Box, b: Box, expected: float) -> None:
    assert intersection_over_union(a, b) == intersection_over_union(b, a) == pytest.approx(expected)


@given(st.lists(st.tuples(corners, corners), max_size=20))
def test_arrays_of_boxes_match_single_boxes(pairs: list[tuple[Box, Box]]) -> None:
    a, b = (np.array([pair[side] for pair in pairs], np.float32).reshape(-1, 4) for side in (0, 1))
    np.testing.assert_allclose(
        paired_intersection_over_union(a, b), [intersection_over_union(*pair) for pair in pairs], atol=1e-6
    )
