"""Figures on held-out people: split, radius, comparison of two packs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from faceclust.evaluation.library_score import ConfidenceInterval
from faceclust.evaluation.main_faces import MainFaces
from faceclust.packs.pack import Pack
from faceclust.packs.registry import load_pack
from faceclust.progress import SilentProgress
from faceclust.training import measure
from faceclust.training.data.face_set import HeldOutPictures
from faceclust.training.held_out_pairs import draw_pairs
from faceclust.training.measure import Comparison, calibrate, compare_packs, split_held_out

NEW = dataclasses.replace(load_pack("dlib"), name="new", radius_source="none")
OLD = load_pack("mobilefacenet")


def pictures_of(counts: dict[str, int]) -> HeldOutPictures:
    persons = np.repeat(list(counts), list(counts.values()))
    return HeldOutPictures(tuple(b"%d" % i for i in range(len(persons))), persons, aligned=True)


def faces_from(vectors: np.ndarray, found: np.ndarray | None = None) -> MainFaces:
    n = len(vectors)
    found = np.ones(n, np.bool_) if found is None else found
    vectors = np.where(found[:, None], vectors, 0).astype(np.float32)
    boxes, points, ones = np.zeros((n, 4), np.float32), np.zeros((n, 5, 2), np.float32), np.ones(n, np.float32)
    return MainFaces(found, vectors, vectors, boxes, points, ones, ones)


def scatter(persons: np.ndarray, amount: float, seed: int = 0) -> np.ndarray:
    """Return vectors (n, 24): a random direction for each person, and faces scattered around it."""
    rng = np.random.default_rng(seed)
    own = {name: rng.normal(size=24) for name in np.unique(persons)}
    return np.array([own[name] for name in persons]) + amount * rng.normal(size=(len(persons), 24))


@pytest.fixture
def vectors(monkeypatch: pytest.MonkeyPatch) -> dict[str, MainFaces]:
    """The main faces that each pack finds, by the pack's name."""
    faces: dict[str, MainFaces] = {}

    def find(pictures: object, pack: Pack, **options: object) -> MainFaces:
        return faces[pack.name]

    monkeypatch.setattr(measure, "find_main_faces", find)
    return faces


def with_radius(pack: Pack, radius: float) -> Pack:
    return dataclasses.replace(pack, embedder=dataclasses.replace(pack.embedder, radius=radius))


def test_people_are_split_into_halves() -> None:
    held_out = pictures_of({f"person {i}": 1 + i % 4 for i in range(400)})
    halves = split_held_out(held_out)
    people = [set(half.persons.tolist()) for half in halves]
    assert not people[0] & people[1] and len(people[0]) == len(people[1]) == 200
    for half in halves:
        assert half.aligned and (np.unique(half.persons, return_counts=True)[1] > 1).sum() == 150
        assert all(half.persons[i] == held_out.persons[int(one)] for i, one in enumerate(half.pictures))


@pytest.mark.slow
def test_radius_puts_the_best_clustering_at_the_operating_point(vectors: dict[str, MainFaces]) -> None:
    half = pictures_of({f"person {i:02d}": 4 for i in range(30)})
    vectors["new"] = faces_from(20 * scatter(half.persons, 0.5), np.arange(120) != 5)
    found = calibrate(NEW, half)
    assert (found.source, found.problem, found.people, found.faces) == ("measured", None, 30, 119)
    best = compare_packs(with_radius(NEW, found.radius), with_radius(NEW, found.radius), half)
    assert best is not None and best.new.f.value > 0.97
    for factor in (0.4, 2.5):
        other = compare_packs(with_radius(NEW, factor * found.radius), with_radius(NEW, found.radius), half)
        assert other is not None and other.difference.high < 0
    norms = np.linalg.norm(vectors["new"].chip[vectors["new"].found], axis=1)
    assert found.norms == pytest.approx(np.percentile(norms, [5, 95]))


@pytest.mark.parametrize(
    ("people", "faces", "amount", "problem"),
    [
        (19, 3, 0.2, "too few people: 19 with a face, 19 with at least two; 20 and 10 are needed"),
        (30, 1, 0.2, "too few people: 30 with a face, 0 with at least two"),
        (30, 4, 30, "and at least 0.5 is needed"),
    ],
)
def test_a_radius_that_cannot_be_measured_is_called_a_guess(
    people: int, faces: int, amount: float, problem: str, vectors: dict[str, MainFaces]
) -> None:
    half = pictures_of({f"person {i:02d}": faces for i in range(people)})
    vectors["new"] = faces_from(scatter(half.persons, amount))
    found = calibrate(NEW, half)
    assert found.source == "none" and problem in str(found.problem)
    assert (found.radius == 1) == ("too few" in problem)


def test_no_face_at_all_is_no_figure(vectors: dict[str, MainFaces]) -> None:
    half = pictures_of({"a": 2, "b": 3})
    vectors["new"] = vectors["mobilefacenet"] = faces_from(np.ones((5, 3)), np.zeros(5, np.bool_))
    found = calibrate(NEW, half)
    assert (found.radius, found.source, found.norms, found.faces) == (1, "none", None, 0)
    assert compare_packs(NEW, OLD, half) is None
    empty = HeldOutPictures((), np.empty(0, np.str_), aligned=False)
    vectors["new"] = vectors["mobilefacenet"] = faces_from(np.ones((0, 3)))
    assert calibrate(NEW, empty).people == 0 and compare_packs(NEW, OLD, empty) is None


def test_figures_equal_those_computed_by_hand(vectors: dict[str, MainFaces]) -> None:
    """Three people on the axes: the new pack puts one face of c with b and finds no face on the last picture of a."""
    half = pictures_of({"a": 3, "b": 2, "c": 2})
    a, b, c = np.eye(3)
    vectors["new"] = faces_from(np.array([a, a, a, b, b, b, c]), np.arange(7) != 2)
    vectors["mobilefacenet"] = faces_from(np.array([a, a, a, b, b, c, c]))
    found = compare_packs(with_radius(NEW, 1.0), with_radius(OLD, 1.0), half)
    assert found is not None and (found.people, found.people_with_several, found.faces) == (3, 3, 7)
    new, old = found.new, found.baseline
    assert (new.without_face, old.without_face) == (1, 0)
    # Precision: a 1, 1, 1 (alone); b 2/3 twice; c 1/3, 1. Recall: a 2/3, 2/3, 1/3; b 1, 1; c 1/2, 1/2.
    precision, recall = (1 + 1 + 1 + 4 / 3 + 1 / 3 + 1) / 7, (5 / 3 + 2 + 1) / 7
    assert new.precision.value == pytest.approx(precision) and new.recall.value == pytest.approx(recall)
    assert new.f.value == pytest.approx(2 * precision * recall / (precision + recall))
    assert (old.precision.value, old.recall.value, old.f.value) == (1, 1, 1)
    assert found.difference.value == pytest.approx(new.f.value - 1)
    assert found.difference.low < found.difference.value < found.difference.high <= 0
    assert (new.all_pairs.same, new.all_pairs.different) == (1 + 1 + 1, 15 - 3)
    assert found.verdict == "undecided" and not found.has_enough_people, "three people decide nothing"
    assert new.pairs is None and [rate.tar for rate in new.all_pairs.rates] == [None] * 3


def test_both_packs_are_scored_on_the_same_draws_of_people(vectors: dict[str, MainFaces]) -> None:
    half = pictures_of({f"person {i:02d}": 3 for i in range(20)})
    vectors["new"] = vectors["mobilefacenet"] = faces_from(scatter(half.persons, 0.7))
    found = compare_packs(with_radius(NEW, 1.0), with_radius(OLD, 1.0), half)
    assert found is not None and found.new.f.low < found.new.f.value < 1
    assert (found.difference.value, found.difference.low, found.difference.high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [
        (0.05, 0.9, "better"),
        pytest.param(0.9, 0.05, "worse", marks=pytest.mark.slow),
        pytest.param(0.3, 0.3, "undecided", marks=pytest.mark.slow),
    ],
)
def test_a_pack_is_better_if_the_interval_of_the_difference_is_above_0(
    new: float, old: float, verdict: str, vectors: dict[str, MainFaces]
) -> None:
    half = pictures_of({f"person {i:02d}": 4 for i in range(40)})
    vectors["new"] = faces_from(scatter(half.persons, new, seed=1))
    vectors["mobilefacenet"] = faces_from(scatter(half.persons, old, seed=2))
    packs = [with_radius(pack, calibrate(pack, half).radius) for pack in (NEW, OLD)]
    found = compare_packs(packs[0], packs[1], half)
    assert found is not None and found.verdict == verdict
    difference = found.difference
    assert difference.low <= difference.value <= difference.high
    assert difference.value == pytest.approx(found.new.f.value - found.baseline.f.value)
    if verdict == "better":
        assert found.new.pairs is not None and found.baseline.pairs is not None
        assert found.new.pairs.accuracy == 1 and found.baseline.pairs.accuracy < 0.95
        # Four people with four faces in each fold: too few pairs for a false accept rate of 0.001.
        assert (found.new.pairs.same, found.new.pairs.different, found.new.pairs.val) == (240, 960, None)
        # 4 × 3 / 2 pairs of each of the 40 people, and 160 × 159 / 2 pairs in all.
        assert (found.new.all_pairs.same, found.new.all_pairs.different) == (240, 12_480)
        rates = {rate.target: rate.tar for rate in found.new.all_pairs.rates}
        assert rates == {1e-2: 1, 1e-3: 1, 1e-4: None}


def test_val_is_measured_over_all_pairs_of_two_people(vectors: dict[str, MainFaces]) -> None:
    half = pictures_of({f"person {i:02d}": 4 for i in range(60)})
    vectors["new"] = faces_from(scatter(half.persons, 0.2))
    vectors["mobilefacenet"] = faces_from(scatter(half.persons, 1.2))
    found = compare_packs(with_radius(NEW, 1.0), with_radius(OLD, 1.0), half)
    assert found is not None and found.new.pairs is not None and found.baseline.pairs is not None
    # Six people with four faces in each fold: 6 × 6 pairs of one person, (6 × 5 / 2) × 4 × 4 of two people.
    assert (found.new.pairs.same, found.new.pairs.different) == (360, 2400)
    assert found.new.pairs.accuracy == found.new.pairs.val == 1
    assert 0.02 < (found.baseline.pairs.val or 0) < 0.7 < found.baseline.pairs.accuracy < 0.95


@pytest.mark.parametrize(
    ("low", "high", "people", "repeated", "verdict"),
    [
        (0.001, 0.2, 20, 10, "better"),
        (0.0, 0.2, 20, 10, "undecided"),
        (-0.2, 0.0, 20, 10, "undecided"),
        (-0.2, -0.001, 20, 10, "worse"),
        (0.1, 0.2, 19, 10, "undecided"),
        (0.1, 0.2, 20, 9, "undecided"),
    ],
)
def test_verdict(low: float, high: float, people: int, repeated: int, verdict: str) -> None:
    interval = ConfidenceInterval((low + high) / 2, low, high)
    figures = None
    found = Comparison(people, repeated, 99, figures, figures, interval)  # type: ignore[arg-type]
    assert found.verdict == verdict


def test_folds_have_disjoint_people_and_distinct_pairs() -> None:
    counts = {f"person {i:03d}": 1 + (i % 3 > 0) * 3 for i in range(90)} | {"crowd": 200}
    half = pictures_of(counts)
    usable = np.arange(len(half.persons)) % 11 != 3
    drawn = draw_pairs(half, usable)
    assert drawn is not None
    pairs = drawn.pairs
    left, right = half.persons[pairs.left], half.persons[pairs.right]
    assert ((left == right) == pairs.same).all() and (pairs.left != pairs.right).all()
    assert usable[pairs.left].all() and usable[pairs.right].all()
    assert len({frozenset(pair) for pair in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)}) == len(left)
    folds_of = {name: set(pairs.folds[(left == name) | (right == name)].tolist()) for name in counts}
    assert max(map(len, folds_of.values())) == 1 and set(pairs.folds.tolist()) == set(range(10))
    for fold in range(10):
        kinds = pairs.same[pairs.folds == fold]
        assert 0 < kinds.sum() < (~kinds).sum() <= 300
        balanced = pairs.same[(pairs.folds == fold) & drawn.balanced]
        assert balanced.sum() == kinds.sum() == (~balanced).sum()
    assert ((left == "crowd") & (right == "crowd")).sum() == 30, "no person decides a fold"
    again = draw_pairs(half, usable)
    assert again is not None and (again.pairs.left == pairs.left).all() and (again.pairs.right == pairs.right).all()


def test_lists_of_pairs_are_scored_for_both_packs(
    vectors: dict[str, MainFaces], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = pictures_of({"a": 2, "b": 2})
    a, b = np.eye(2)
    vectors["new"] = faces_from(np.array([a, b, a, b]))
    vectors["mobilefacenet"] = faces_from(np.array([a, a, b, b]))
    listed = draw_list(half)
    monkeypatch.setattr(measure, "load_pairs", lambda folder, file: listed)
    found = compare_packs(with_radius(NEW, 1.0), with_radius(OLD, 1.0), half, [tmp_path / "agedb_30.bin"])
    assert found is not None
    (new,), (old,) = found.new.lists, found.baseline.lists
    assert (new.name, new.same, new.different, new.accuracy) == ("agedb_30.bin", 2, 2, 0.5)
    assert (old.accuracy, old.val) == (1, None), "four pairs measure no false accept rate of 0.001"


def draw_list(half: HeldOutPictures) -> measure.VerificationPairs:
    return measure.VerificationPairs(
        half.pictures,
        ("1", "2", "3", "4"),
        np.array([0, 2, 0, 1]),
        np.array([1, 3, 2, 3]),
        np.array([True, True, False, False]),
        np.zeros(4, np.int32),
        aligned=True,
    )


def test_a_list_that_cannot_be_read_is_skipped(vectors: dict[str, MainFaces], tmp_path: Path) -> None:
    class Notes(SilentProgress):
        def note(self, message: str) -> None:
            notes.append(message)

    notes: list[str] = []
    half = pictures_of({"a": 2, "b": 2})
    vectors["new"] = vectors["mobilefacenet"] = faces_from(scatter(half.persons, 0.1))
    (tmp_path / "broken.bin").write_bytes(b"\x80nothing")
    found = compare_packs(NEW, OLD, half, [tmp_path / "broken.bin"], progress=Notes())
    assert found is not None and found.new.lists == () and "broken.bin is not a file of pairs" in notes[0]
