from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.types.transforms import invert_transform, similarity_transform, transform_points, transform_scale

POINTS = np.array([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]])
coordinate = st.floats(-1000, 1000)


@given(angle=st.floats(-math.pi, math.pi), scale=st.floats(0.05, 20), x=coordinate, y=coordinate)
def test_similarity_transform_recovers_an_applied_transform(angle: float, scale: float, x: float, y: float) -> None:
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    applied = np.array([[c, -s, x], [s, c, y]])
    found = similarity_transform(POINTS, transform_points(applied, POINTS))
    np.testing.assert_allclose(found, applied, atol=1e-6 * max(1, scale, abs(x), abs(y)))
    assert transform_scale(found) == pytest.approx(scale)
    np.testing.assert_allclose(
        transform_points(invert_transform(applied), transform_points(applied, POINTS)), POINTS, atol=1e-5
    )


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=5, max_size=5),
    st.floats(-0.01, 0.01),
    st.floats(-0.01, 0.01),
)
def test_similarity_transform_minimises_the_squared_error(noise: list[tuple[float, float]], a: float, b: float) -> None:
    target = POINTS + np.array(noise)
    best = similarity_transform(POINTS, target)

    def error(matrix: np.ndarray) -> float:
        return float(((transform_points(matrix, POINTS) - target) ** 2).sum())

    nudged = best + np.array([[a, -b, 0], [b, a, 0]])
    assert error(best) <= error(nudged) + 1e-9


def test_equal_points_cannot_be_aligned() -> None:
    with pytest.raises(ValueError, match="all the same"):
        similarity_transform(np.ones((5, 2)), POINTS)
