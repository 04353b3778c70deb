"""Mislabelled faces found by a Sub-center ArcFace head."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from faceclust.training import mislabelled
from faceclust.training.heads.subcenter_arcface import SubcenterArcFace
from faceclust.training.mislabelled import find_mislabelled
from faceclust.types import Float32

DIMENSION, CLASSES, FACES = 32, 8, 30


def draw_faces(planted: int) -> tuple[Float32, NDArray[np.int64], list[int]]:
    """Return features and labels of FACES faces per class, and the sorted positions of those with a wrong label."""
    rng = np.random.default_rng(4)
    people = np.repeat(np.arange(CLASSES), FACES)
    directions = np.linalg.qr(rng.normal(size=(DIMENSION, CLASSES)))[0].T
    features = 9 * (directions[people] + 0.08 * rng.normal(size=(len(people), DIMENSION)))
    wrong = np.sort(rng.choice(len(people), planted, replace=False))
    labels = people.copy()
    labels[wrong] = (labels[wrong] + rng.integers(1, CLASSES, planted)) % CLASSES
    return features.astype(np.float32), labels, wrong.tolist()


@pytest.mark.parametrize("planted", [0, 25])
def test_a_trained_head_finds_exactly_the_planted_faces(planted: int) -> None:
    features, labels, wrong = draw_faces(planted)
    torch.manual_seed(0)
    head = SubcenterArcFace(DIMENSION, CLASSES, scale=16.0)
    optimiser = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9)
    batch = torch.from_numpy(features), torch.from_numpy(labels)
    for _ in range(60):
        optimiser.zero_grad()
        head(*batch).backward()
        optimiser.step()
    found = find_mislabelled(head, features, labels)
    assert sorted(position for position, _ in found) == wrong
    angles = [angle for _, angle in found]
    assert angles == sorted(angles, reverse=True) and all(75 < angle <= 180 for angle in angles)


def test_the_dominant_centre_is_the_one_of_most_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mislabelled, "_BLOCK", 2)
    head = SubcenterArcFace(2, 2, subcenters=3)
    degrees = [0, 90, 200, 300, 10, 180]  # centres of class 0, then of class 1
    head.centres.data = torch.tensor([[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in degrees])
    # Most of class 0 is near its centre at 90°, most of class 1 near its centre at 10°.
    faces = [(85, 0), (95, 0), (100, 0), (2, 0), (190, 0), (16, 0), (12, 1), (8, 1), (84, 1), (86, 1), (185, 1)]
    features = np.array([[5 * math.cos(math.radians(a)), 5 * math.sin(math.radians(a))] for a, _ in faces], np.float32)
    labels = np.array([label for _, label in faces])
    found = find_mislabelled(head, features, labels)
    assert [position for position, _ in found] == [10, 4, 3, 9]
    np.testing.assert_allclose([angle for _, angle in found], [175, 100, 88, 76], atol=1e-3)
    assert find_mislabelled(head, features[:0], labels[:0]) == []


@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [
        ((2, 3), [0, 1], r"features must have shape \(2, 4\), not \(2, 3\)"),
        ((2, 4), [0, 2], "labels must be from 0 to 1"),
        ((2, 4), [-1, 0], "labels must be from 0 to 1"),
    ],
)
def test_invalid_input(shape: tuple[int, int], labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_mislabelled(SubcenterArcFace(4, 2), np.ones(shape, np.float32), np.array(labels))
