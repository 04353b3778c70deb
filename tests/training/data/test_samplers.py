"""The order of faces in batches: what every sampler has to keep, on any labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceclust.errors import UsageError
from faceclust.training.data.augment import augment
from faceclust.training.data.samplers import AdaptiveSampler, PeopleBatches, Sampler, Share, Shuffled
from faceclust.training.data.triplets import TripletSampler

Labels = NDArray[np.int64]
LABELS = np.repeat(np.arange(12), [1, 1, 2, 2, 3, 4, 5, 6, 8, 9, 11, 40]).astype(np.int64)


def draw_embeddings(labels: Labels, spread: float = 0.5) -> NDArray[np.float32]:
    random = np.random.default_rng(0)
    centres = random.standard_normal((labels.max() + 1, 16))
    vectors = centres[labels] + spread * random.standard_normal((len(labels), 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def make_adaptive(share: Share, seed: int) -> AdaptiveSampler:
    sampler = AdaptiveSampler(len(LABELS), 12, seed, share)
    sampler.observe(np.arange(40), np.arange(40) % 3 > 0)
    return sampler


def make_triplets(share: Share, seed: int) -> TripletSampler:
    sampler = TripletSampler(LABELS, 36, seed, share)
    sampler.refresh(draw_embeddings(LABELS))
    return sampler


SAMPLERS: dict[str, Callable[[Share, int], Sampler]] = {
    "shuffled": lambda share, seed: Shuffled(len(LABELS), 12, seed, share),
    "people": lambda share, seed: PeopleBatches(LABELS, 4, 3, seed, share),
    "adaptive": make_adaptive,
    "triplets": make_triplets,
}


def list_batches(sampler: Sampler, epoch: int = 0) -> list[list[int]]:
    return [batch.tolist() for batch in sampler.batches(epoch)]


def count_faces(sampler: Sampler, epoch: int = 0) -> Counter[int]:
    """Return how often each face is in an epoch."""
    return Counter(chain.from_iterable(list_batches(sampler, epoch)))


@pytest.mark.parametrize("name", SAMPLERS)
def test_batches_depend_on_seed_and_epoch_alone(name: str) -> None:
    make = SAMPLERS[name]
    batches = list_batches(make(Share(), 1), 3)
    assert len(batches) == make(Share(), 1).steps
    again = make(Share(), 1)
    list_batches(again, 0)
    assert list_batches(again, 3) == batches
    assert list_batches(make(Share(), 2), 3) != batches != list_batches(make(Share(), 1), 4)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_divide_each_batch(name: str, processes: int) -> None:
    together = list_batches(SAMPLERS[name](Share(), 7), 5)
    shares = [list_batches(SAMPLERS[name](Share(rank, processes), 7), 5) for rank in range(processes)]
    assert [list(chain(*parts)) for parts in zip(*shares, strict=True)] == together
    assert {len(batch) for share in shares for batch in share} == {len(together[0]) // processes}


@pytest.mark.parametrize("name", SAMPLERS)
def test_state_is_saved_and_restored(name: str) -> None:
    sampler, other = SAMPLERS[name](Share(), 1), SAMPLERS[name](Share(), 1)
    if isinstance(other, AdaptiveSampler):
        other.observe(np.arange(100) % len(LABELS), np.zeros(100, np.bool_))
    if isinstance(other, TripletSampler):
        other.refresh(draw_embeddings(LABELS)[::-1].copy())
    if sampler.state_dict():
        assert list_batches(other, 2) != list_batches(sampler, 2)
    other.load_state_dict(sampler.state_dict())
    assert list_batches(other, 2) == list_batches(sampler, 2)


BAD_STATES = {
    "shuffled": {"x": 1},
    "people": {"x": 1},
    "adaptive": {"weights": np.ones(3)},
    "triplets": {"generation": 0, "triplets": [[0, 1, 5000]]},
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_state_of_other_faces_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        SAMPLERS[name](Share(), 1).load_state_dict(BAD_STATES[name])


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 9))
def test_shuffled_epochs_have_each_face_at_most_once(count: int, batch: int, epoch: int) -> None:
    sampler = Shuffled(count, batch, 0)
    batches = list_batches(sampler, epoch)
    shown = list(chain(*batches))
    assert {len(one) for one in batches} == {min(count, batch)} and len(shown) == len(set(shown))
    assert count - len(shown) < min(count, batch) and set(shown) <= set(range(count))


label_lists = st.lists(st.integers(1, 9), min_size=2, max_size=12).map(
    lambda sizes: np.random.default_rng(len(sizes)).permutation(np.repeat(np.arange(len(sizes)), sizes))
)


@given(label_lists, st.integers(1, 5), st.integers(2, 4), st.booleans())
def test_batches_of_people_have_several_faces_of_each(labels: Labels, people: int, faces: int, single: bool) -> None:
    counts = Counter(labels.tolist())
    usable = [label for label, count in counts.items() if count > 1 or single]
    if len(usable) < people:
        with pytest.raises(UsageError, match="people need as many"):
            PeopleBatches(labels, people, faces, 0, allow_single=single)
        return
    sampler = PeopleBatches(labels, people, faces, 0, allow_single=single)
    shown: Counter[int] = Counter()
    for batch in sampler.batches(0):
        groups = labels[batch].reshape(people, faces)
        assert (groups == groups[:, :1]).all() and len(set(groups[:, 0].tolist())) == people
        for group, label in zip(batch.reshape(people, faces).tolist(), groups[:, 0].tolist(), strict=True):
            assert len(set(group)) == min(faces, counts[label])
        shown.update(batch.tolist())
    assert set(labels[list(shown)].tolist()) <= set(usable)
    # A face is repeated only to fill a group: at most once in large groups, and as often as needed in small ones.
    assert all(times <= max(2, -(-faces // counts[int(labels[face])])) for face, times in shown.items())
    assert (
        sampler.steps * people > sum(-(-counts[label] // faces) for label in usable) - people
        or max(-(-counts[label] // faces) for label in usable) > sampler.steps
    )


def test_every_face_of_an_epoch_is_shown_about_once() -> None:
    labels = np.repeat(np.arange(500), 8)
    shown = count_faces(PeopleBatches(labels, 25, 4, 1))
    assert set(shown.values()) == {1} and len(shown) == 4000
    uneven = np.repeat(np.arange(300), np.arange(300) % 7 + 2)
    shown = count_faces(PeopleBatches(uneven, 10, 4, 1))
    assert len(shown) > 0.97 * len(uneven) and 1 <= np.mean(list(shown.values())) < 1.5


def test_faces_that_are_learnt_are_drawn_less_often_and_never_not_at_all() -> None:
    sampler = AdaptiveSampler(1000, 100, 0, floor=0.1)
    assert count_faces(sampler) == Counter(range(1000))
    known = np.arange(500)
    for _ in range(50):
        sampler.observe(known, np.ones(500, np.bool_))
    assert sampler.weights[:500].tolist() == [pytest.approx(0.1)] * 500 and (sampler.weights[500:] == 1).all()
    shown = count_faces(sampler, 3)
    assert {shown[face] for face in range(500, 1000)} == {1, 2} and {shown[face] for face in known} == {0, 1}
    assert sum(shown[face] for face in known) == pytest.approx(1000 * 50 / 550, abs=2)
    assert {face for epoch in range(60) for face in count_faces(sampler, epoch)} == set(range(1000))
    for _ in range(50):
        sampler.observe(known, np.zeros(500, np.bool_))
    assert (sampler.weights == 1).all()


def test_a_face_observed_twice_in_a_batch_counts_twice() -> None:
    sampler = AdaptiveSampler(3, 3, 0, decay=0.5, floor=0.01)
    sampler.observe(np.array([0, 0, 1, 1, 2]), np.array([True, True, True, False, False]))
    assert sampler.weights.tolist() == [0.25, 1, 1]


@given(label_lists)
def test_triplets_are_two_faces_of_one_person_and_one_of_another(labels: Labels) -> None:
    if max(Counter(labels.tolist()).values()) < 2:
        with pytest.raises(UsageError, match="triplets need a person with at least two faces"):
            TripletSampler(labels, 6, 0)
        return
    sampler = TripletSampler(labels, 6, 0)
    for _ in range(2):
        for batch in sampler.batches(1):
            anchors, positives, negatives = batch.reshape(-1, 3).T
            assert (labels[anchors] == labels[positives]).all() and (anchors != positives).all()
            assert (labels[anchors] != labels[negatives]).all()
        sampler.refresh(draw_embeddings(labels))


def test_negatives_are_semi_hard_by_the_latest_embeddings() -> None:
    labels, embeddings = LABELS, draw_embeddings(LABELS, 0.9)
    sampler = TripletSampler(labels, 36, 0)
    batches = sampler.batches(0)
    next(batches)
    sampler.refresh(embeddings)
    distances = ((embeddings[:, None] - embeddings) ** 2).sum(2)
    for batch in batches:  # the epoch goes on with the new triplets
        for anchor, positive, negative in batch.reshape(-1, 3).tolist():
            others = distances[anchor][labels != labels[anchor]]
            harder = others[others > distances[anchor, positive] + 1e-5]
            expected = harder.min() if len(harder) else others.max()
            assert distances[anchor, negative] == pytest.approx(expected, abs=1e-4)


def test_triplets_of_many_faces_are_chosen_in_pools() -> None:
    labels = np.concatenate([np.repeat(np.arange(700), 4), np.full(3000, 700)])  # one person has more than a pool holds
    sampler = TripletSampler(labels, 300, 0)
    sampler.refresh(draw_embeddings(labels))
    triplets = sampler.state_dict()["triplets"]
    assert len(set(triplets[:, 0].tolist())) == len(labels)
    assert (labels[triplets[:, 0]] == labels[triplets[:, 1]]).all()
    assert (labels[triplets[:, 0]] != labels[triplets[:, 2]]).all()
    with pytest.raises(ValueError, match="embeddings: expected 5,800, not 3"):
        sampler.refresh(draw_embeddings(labels[:3]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Shuffled(100, 10, 0, Share(0, 3)), "a batch of 10 images cannot be divided evenly among 3 processes"),
        (lambda: Shuffled(1, 10, 0, Share(0, 2)), "1 faces are too few for 2 processes"),
        (lambda: PeopleBatches(LABELS, 6, 2, 0, Share(0, 4)), "a batch of 6 people cannot be divided"),
        (lambda: PeopleBatches(LABELS, 6, 1, 0), "at least two faces of each person, not 1"),
        (lambda: TripletSampler(LABELS, 2, 0), "a batch of triplets has at least 3 images, not 2"),
        (lambda: TripletSampler(np.zeros(9, np.int64), 9, 0), "and another person"),
    ],
)
def test_batches_that_cannot_be_made_are_one_clear_error(make: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize(("rank", "processes"), [(1, 1), (-1, 2), (0, 0)])
def test_a_share_is_one_of_the_processes(rank: int, processes: int) -> None:
    with pytest.raises(ValueError, match="rank: expected"):
        Share(rank, processes)


@pytest.mark.parametrize("settings", [{"decay": 0.0}, {"decay": 1.5}, {"floor": 0.0}, {"floor": float("nan")}])
def test_settings_of_adaptive_sampling_are_checked(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be above 0 and at most 1"):
        AdaptiveSampler(10, 2, 0, **settings)


def test_half_of_the_chips_are_mirrored_by_seed_epoch_and_position_alone() -> None:
    chips = np.random.default_rng(0).integers(0, 255, (2000, 3, 4, 3), np.uint8)
    positions = np.arange(2000)
    changed = augment(chips, positions, 1, 7)
    mirrored = (changed != chips).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(changed[mirrored], chips[mirrored][:, :, ::-1])
    assert 0.46 < mirrored.mean() < 0.54
    some = np.array([1999, 3, 3, 500])
    np.testing.assert_array_equal(augment(chips[some], some, 1, 7), changed[some])
    for other in (augment(chips, positions, 2, 7), augment(chips, positions, 1, 8)):
        assert 0.45 < ((other != chips).any(axis=(1, 2, 3)) == mirrored).mean() < 0.55
