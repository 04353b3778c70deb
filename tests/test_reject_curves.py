"""Error-versus-reject curves against a slow reference."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.reject import area_under_curve, error_versus_reject, rank_correlation

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=9)


def slow_error_rate(pairs: list[tuple[bool, int, int]], share: float) -> float:
    """Return the mean over all ways to reject the k worst pairs."""
    rejected = int(np.floor(share * len(pairs)))
    quality_of = [min(left, right) for _, left, right in pairs]
    least = sum(sorted(quality_of)[:rejected])
    outcomes = []
    for removed in combinations(range(len(pairs)), rejected):
        if sum(quality_of[i] for i in removed) == least:
            left = [pairs[i][0] for i in range(len(pairs)) if i not in removed]
            outcomes.append(np.mean(left) if left else np.nan)
    return float(np.mean(outcomes))


@given(PAIRS, st.sampled_from([0, 0.1, 0.25, 0.5, 0.9, 1]))
def test_curve_matches_the_definition(pairs: list[tuple[bool, int, int]], share: float) -> None:
    errors, left, right = (np.array(column) for column in zip(*pairs, strict=True))
    (found,) = error_versus_reject(errors, left, right, [share])
    np.testing.assert_allclose(found, slow_error_rate(pairs, share), atol=1e-12)


def test_perfect_quality_rejects_errors_first() -> None:
    errors = np.arange(100) < 10
    quality = np.where(errors, 0.1, 0.9)
    shares = [0, 0.05, 0.1, 0.5]
    curve = error_versus_reject(errors, quality, np.ones(100), shares)
    np.testing.assert_allclose(curve, [0.1, 5 / 95, 0, 0])
    blind = error_versus_reject(errors, np.ones(100), np.ones(100), shares)
    np.testing.assert_allclose(blind, [0.1] * 4)
    assert area_under_curve(shares, blind) == pytest.approx(0.1)
    assert area_under_curve([0, 1], [0, 1]) == pytest.approx(0.5)


def test_shares_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        error_versus_reject([True], [1], [1], [1.5])


def test_rank_correlation_uses_ranks() -> None:
    assert rank_correlation([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [9, 4, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]) == pytest.approx(1 - 6 * 4 / (5 * 24))
    assert np.isnan(rank_correlation([1, 2, 3], [1, 1, 1]))
