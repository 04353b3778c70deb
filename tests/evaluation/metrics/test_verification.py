"""Verification scores against scikit-learn and slow references."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from faceclust.evaluation.metrics.verification import (
    best_threshold,
    is_resolvable,
    roc,
    standard_error,
    threshold_at_far,
    val_and_far,
    verify_all_pairs,
    verify_folds,
)

#: Few different distances, so that there are ties; infinite ones are of faces not found.
a_distance = st.one_of(st.sampled_from([0.0, 0.5, 1.0, 1.1, 4.0, math.inf]), st.floats(0, 4))
pairs = st.lists(st.tuples(a_distance, st.booleans()), min_size=2, max_size=40)


def arrays(pairs: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    distances, same = np.array([d for d, _ in pairs]), np.array([s for _, s in pairs])
    assume(same.any() and not same.all())
    return distances, same


@given(pairs)
def test_no_threshold_beats_best_threshold(pairs: list[tuple[float, bool]]) -> None:
    distances, same = np.array([d for d, _ in pairs]), np.array([s for _, s in pairs])

    def right(threshold: float) -> int:
        return int(((distances < threshold) == same).sum())

    best = best_threshold(distances, same)
    candidates = [0.0, *distances, *np.nextafter(distances, np.inf)]
    assert right(best) == max(right(t) for t in candidates)
    assert math.isfinite(best) or not np.isfinite(distances).any()


@given(pairs)
def test_roc_matches_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    distances, same = arrays(pairs)
    curve = roc(distances, same)
    scores = -np.where(np.isinf(distances), 1e9, distances)
    far, val, thresholds = roc_curve(same, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.far, far)
    np.testing.assert_allclose(curve.val, val)
    finite = np.isfinite(curve.thresholds[1:])
    np.testing.assert_allclose(curve.thresholds[1:][finite], -thresholds[1:][finite], atol=1e-12)
    assert curve.auc == pytest.approx(roc_auc_score(same, scores))


@given(pairs)
def test_auc_is_the_mann_whitney_statistic(pairs: list[tuple[float, bool]]) -> None:
    distances, same = arrays(pairs)
    wins = [1.0 if a < b else 0.5 if a == b else 0.0 for a in distances[same] for b in distances[~same]]
    assert roc(distances, same).auc == pytest.approx(np.mean(wins))


@given(pairs)
def test_each_point_of_the_roc_is_val_and_far_at_its_threshold(pairs: list[tuple[float, bool]]) -> None:
    distances, same = arrays(pairs)
    curve = roc(distances, same)
    for far, val, threshold in zip(curve.far, curve.val, curve.thresholds, strict=True):
        if math.isfinite(threshold):
            accepted = [d < threshold for d in distances]
            true = sum(a for a, s in zip(accepted, same, strict=True) if s)
            false = sum(a for a, s in zip(accepted, same, strict=True) if not s)
            assert (val, far) == pytest.approx((true / same.sum(), false / (~same).sum()))
            assert val_and_far(distances, same, threshold) == pytest.approx((val, far))


@given(pairs)
def test_both_errors_are_equal_at_the_equal_error_rate(pairs: list[tuple[float, bool]]) -> None:
    distances, same = arrays(pairs)
    curve = roc(distances, same)
    rate, threshold = curve.equal_error_point
    # Search the piecewise linear curve for the point where both errors are equal.
    low, high = 0.0, float(len(curve.far) - 1)
    for _ in range(80):
        middle = (low + high) / 2
        far, val = (np.interp(middle, np.arange(len(curve.far)), values) for values in (curve.far, curve.val))
        low, high = (middle, high) if far < 1 - val else (low, middle)
    assert rate == pytest.approx(float(far), abs=1e-9)
    assert threshold in curve.thresholds
    if math.isfinite(threshold):
        val, far = val_and_far(distances, same, threshold)
        assert far <= rate + 1e-9 and 1 - val >= rate - 1e-9


def test_equal_error_rate_of_known_pairs() -> None:
    distances = np.array([1.0, 2, 3, 4, 2.5, 5, 6, 7])
    same = np.arange(8) < 4
    rate, threshold = roc(distances, same).equal_error_point  # below 3 one of four is accepted, two are not
    assert rate == pytest.approx(0.25)
    assert 3 < threshold < 4.0001


def test_roc_needs_pairs_of_both_kinds() -> None:
    for same in ([True, True], [False, False]):
        with pytest.raises(ValueError, match="two people"):
            roc(np.array([1.0, 2]), np.array(same))


def test_verification_of_known_pairs() -> None:
    rng = np.random.default_rng(0)
    same = np.arange(6000) % 2 == 0
    distances = np.where(same, rng.normal(1.0, 0.3, 6000), rng.normal(2.2, 0.3, 6000))
    folds = np.repeat(np.arange(10), 600)
    scores = verify_folds(distances, same, folds)
    assert scores.accuracy == pytest.approx(0.977, abs=0.006)  # P(N(0,1) < 2)
    assert scores.threshold == pytest.approx(1.6, abs=0.1)
    assert scores.val == pytest.approx(0.82, abs=0.08)  # impostors' lowest thousandth is 2.2 − 3.09 · 0.3
    assert verify_folds(np.where(same, np.inf, distances), same, folds).val == 0


def test_protocol_matches_its_definition() -> None:
    rng = np.random.default_rng(1)
    same, folds = rng.random(400) < 0.5, np.repeat(np.arange(8, dtype=np.int32), 50)
    distances = np.round(rng.normal(np.where(same, 1.0, 1.8), 0.4), 1)  # with ties
    distances[::50] = np.inf
    scores = verify_folds(distances, same, folds, 0.1)
    accuracy, vals, fars = [], [], []
    for fold in range(8):
        others, own = folds != fold, folds == fold
        threshold = best_threshold(distances[others], same[others])
        judged = [
            bool(d < t) == s and d < 9 for d, s, t in zip(distances[own], same[own], [threshold] * 50, strict=True)
        ]
        accuracy.append(sum(judged) / 50)
        impostors = distances[others & ~same]
        strict = max(t for t in [*distances, 9.0] if (impostors < t).mean() <= 0.1)
        vals.append(np.mean([d < strict for d in distances[own & same]]))
        fars.append(np.mean([d < strict for d in distances[own & ~same]]))
    assert scores.accuracy == pytest.approx(np.mean(accuracy))
    assert scores.accuracy_error == pytest.approx(np.std(accuracy, ddof=1) / math.sqrt(8))
    assert (scores.val, scores.far) == pytest.approx((np.mean(vals), np.mean(fars)))
    assert scores.val_error == pytest.approx(np.std(vals, ddof=1) / math.sqrt(8))


def test_pairs_without_a_face_are_always_errors() -> None:
    distances, folds = np.array([0.1, np.inf, 3.0, np.inf]), np.zeros(4, np.int32)
    scores = verify_folds(distances, np.array([True, True, False, False]), folds)
    assert scores.accuracy == 0.5
    assert scores.accuracy_error is None and scores.val_error is None  # a single fold
    assert (scores.val, scores.far) == (0.5, 0)


def test_fold_with_one_kind_of_pairs_has_no_rate_for_the_other() -> None:
    same = np.array([True, True, False, False, True, False])
    distances = np.array([0.1, 0.2, 3.0, 4.0, 0.3, 5.0])
    scores = verify_folds(distances, same, np.array([0, 0, 1, 1, 2, 2], np.int32))
    assert (scores.accuracy, scores.val, scores.far) == (1, 1, 0.5)  # fold 1 at 5.0, fold 2 at 3.0


def test_threshold_at_far_accepts_at_most_far() -> None:
    impostors = np.arange(1000) / 1000
    assert (impostors < threshold_at_far(impostors, 0.01)).sum() == 10
    assert (impostors < threshold_at_far(impostors, 0)).sum() == 0
    assert (impostors < threshold_at_far(impostors, 0.29)).sum() == 290  # whose product is below 290
    assert threshold_at_far(impostors, 1) == np.inf
    assert (np.ones(1000) < threshold_at_far(np.ones(1000), 0.5)).sum() == 0  # all or none


def test_resolvable_rates() -> None:
    assert is_resolvable(1000, 1e-3) and is_resolvable(10, 0.1)
    assert not is_resolvable(999, 1e-3) and not is_resolvable(3000, 1e-4)


def test_standard_error() -> None:
    assert standard_error([1.0]) is None
    assert standard_error([0.9, 1.0, float("nan")]) == pytest.approx(0.05)  # σ̂ = 0.1/√2, over √2


def score_all_pairs_naively(points: np.ndarray, persons: list[str], far: float) -> tuple[int, float, float, float]:
    """Return the accepted pairs of two people, the threshold, TAR and its mean over people, pair by pair."""
    distances: dict[str, list[float]] = {}
    for i, j in combinations(range(len(points)), 2):
        who = persons[i] if persons[i] == persons[j] else "different"
        distances.setdefault(who, []).append(float(((points[i] - points[j]) ** 2).sum()))
    impostors = np.array(distances.pop("different"))
    threshold = threshold_at_far(impostors, far)
    accepted = [[distance < threshold for distance in own] for own in distances.values()]
    pooled = sum(map(sum, accepted)) / sum(map(len, accepted))
    return int((impostors < threshold).sum()), threshold, pooled, float(np.mean([np.mean(own) for own in accepted]))


#: Points on a small grid, so that float32 distances are exact and many are equal.
grid_faces = st.lists(
    st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.sampled_from("abcdefgh")), min_size=14, max_size=40
)


@settings(deadline=None, max_examples=50)  # each starts threads
@given(grid_faces)
def test_rates_over_all_pairs_match_their_definition(faces: list[tuple[int, int, str]]) -> None:
    points, persons = np.array([face[:2] for face in faces], np.float32), [face[2] for face in faces]
    scores = verify_all_pairs(points, persons, (0.5, 0.2, 0.02))
    pairs = list(combinations(persons, 2))
    assert (scores.same, scores.different) == (sum(a == b for a, b in pairs), sum(a != b for a, b in pairs))
    assert scores.faces == len(faces) and scores.people == sum(persons.count(name) > 1 for name in set(persons))
    for rate in scores.rates:
        if scores.same and math.floor(rate.target * scores.different + 1e-9) >= 10:
            found = (rate.accepted, rate.threshold, rate.tar, rate.mean_person_tar)
            assert found == pytest.approx(score_all_pairs_naively(points, persons, rate.target))
        else:
            assert (rate.accepted, rate.threshold, rate.tar, rate.mean_person_tar) == (None, None, None, None)


def test_rates_over_pairs_of_many_tiles_match_one_matrix() -> None:
    rng = np.random.default_rng(0)
    persons = np.sort(rng.integers(0, 60, 2100)).astype(str)
    points = (rng.normal(size=(60, 8))[persons.astype(int)] + rng.normal(size=(2100, 8))).astype(np.float32)
    exact = points.astype(np.float64)
    squares = (exact**2).sum(axis=1)
    above = np.triu_indices(2100, 1)
    distances = (squares[:, None] + squares - 2 * exact @ exact.T)[above]
    same = (persons[:, None] == persons)[above]
    for rate in verify_all_pairs(points, persons, (1e-3, 1e-5)).rates:
        threshold = threshold_at_far(distances[~same], rate.target)
        assert rate.threshold == pytest.approx(threshold, abs=1e-4)
        assert rate.tar == pytest.approx(val_and_far(distances, same, threshold)[0], abs=1e-4)
