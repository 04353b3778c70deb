"""Softmax, pair losses, and the margins of SphereFace, CosFace, ArcFace and AdaCos, against their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from faceclust.errors import UsageError
from faceclust.training.heads.adacos import AdaCos
from faceclust.training.heads.base import Head
from faceclust.training.heads.cosine import angular_margin_target, cos_plus
from faceclust.training.options import Setting
from faceclust.training.parts import build_head
from tests.support.head_checks import (
    CHECKS,
    CLASSES,
    DIMENSION,
    Array,
    Arrays,
    HeadCase,
    slow_arc,
    slow_cosines,
    slow_cross_entropy,
    slow_softmax,
)

Labels = NDArray[np.int64]


def slow_plain_softmax(x: Array, y: Labels, centres: Array) -> float:
    return float(np.mean([slow_cross_entropy([float(a @ w) for w in centres], b) for a, b in zip(x, y, strict=True)]))


def slow_center(x: Array, y: Labels, parameters: Arrays, state: Arrays) -> float:
    pulls = [0.003 / 2 * sum((a - state["centres"][b]) ** 2) for a, b in zip(x, y, strict=True)]
    return slow_plain_softmax(x, y, parameters["softmax.centres"]) + float(np.mean(pulls))


def slow_squared(x: Array) -> list[list[float]]:
    """Return the squared distances of unit vectors (n, n)."""
    units = [a / math.sqrt(float(a @ a)) for a in x]
    return [[float(((a - b) ** 2).sum()) for b in units] for a in units]


def slow_contrastive(x: Array, y: Labels, *_: Arrays) -> float:
    squared, pairs = slow_squared(x), list(combinations(range(len(y)), 2))
    pull = [squared[i][j] for i, j in pairs if y[i] == y[j]]
    push = [max(0, 1 - math.sqrt(squared[i][j])) ** 2 for i, j in pairs if y[i] != y[j]]
    return float(np.mean(pull) + np.mean(push))


def list_negatives(y: Labels) -> dict[tuple[int, int], list[int]]:
    """Return the negatives of each pair of anchor and positive."""
    pairs = [(a, p) for a, p in permutations(range(len(y)), 2) if y[a] == y[p]]
    return {(a, p): [n for n in range(len(y)) if y[n] != y[a]] for a, p in pairs}


def draw_semi_hard(x: Array, y: Labels, *_: Arrays) -> Arrays:
    """Return triplets with a random semi-hard negative each, drawn in the order of the head."""
    squared, negatives, triplets = slow_squared(x), list_negatives(y), []
    for (a, p), keys in zip(negatives, torch.rand(len(negatives), len(y)).tolist(), strict=True):
        near = squared[a][p]
        if semi_hard := [n for n in negatives[a, p] if near < squared[a][n] < near + 0.2]:
            triplets.append((a, p, max(semi_hard, key=keys.__getitem__)))
    return {"triplets": triplets}


def slow_triplets(x: Array, triplets: list[tuple[int, int, int]]) -> list[float]:
    squared = slow_squared(x)
    return [max(0, squared[a][p] - squared[a][n] + 0.2) for a, p, n in triplets]


def slow_hard(x: Array, y: Labels, *_: Arrays) -> float:
    squared = slow_squared(x)
    triplets = [(a, p, min(others, key=squared[a].__getitem__)) for (a, p), others in list_negatives(y).items()]
    return float(np.mean(slow_triplets(x, triplets)))


def slow_all(x: Array, y: Labels, *_: Arrays) -> float:
    triplets = [(a, p, n) for (a, p), others in list_negatives(y).items() for n in others]
    return float(np.mean([cost for cost in slow_triplets(x, triplets) if cost > 0]))


def slow_offline(x: Array, y: Labels, *_: Arrays) -> float:
    return float(np.mean(slow_triplets(x, [(i, i + 1, i + 2) for i in range(0, len(x), 3)])))


def slow_sphereface(margin: int, softness: float) -> Callable[..., float]:
    def slow_loss(x: Array, y: Labels, parameters: Arrays, _: Arrays) -> float:
        losses = []
        for feature, label in zip(x, y, strict=True):
            norm, cosines = math.sqrt(float(feature @ feature)), slow_cosines(feature, parameters["centres"])
            theta = math.acos(cosines[label])
            k = max(k for k in range(margin) if k * math.pi / margin <= theta)
            psi = (-1) ** k * math.cos(margin * theta) - 2 * k
            cosines[label] = (softness * cosines[label] + psi) / (1 + softness)
            losses.append(slow_cross_entropy([norm * cosine for cosine in cosines], label))
        return float(np.mean(losses))

    return slow_loss


def next_scale(x: Array, y: Labels, parameters: Arrays, state: Arrays) -> Arrays:
    rows = [slow_cosines(feature, parameters["centres"]) for feature in x]
    before = float(state["current_scale"])
    wrong = [sum(math.exp(before * c) for j, c in enumerate(row) if j != y[i]) for i, row in enumerate(rows)]
    angles = sorted(math.acos(row[y[i]]) for i, row in enumerate(rows))
    return {"scale": math.log(np.mean(wrong)) / math.cos(min(math.pi / 4, angles[(len(y) - 1) // 2]))}


def slow_scaled(x: Array, y: Labels, parameters: Arrays, frozen: Arrays) -> float:
    return slow_softmax(x, y, parameters["centres"], frozen["scale"], lambda i, theta: math.cos(theta))


PURE_SPHEREFACE = {"margin": 3, "lambda_start": 0, "lambda_min": 0}
FIXED_SCALE = math.sqrt(2) * math.log(CLASSES - 1)
CASES = (
    HeadCase("softmax", lambda x, y, p, _: slow_scaled(x, y, p, {"scale": 32})),
    HeadCase(
        "softmax",
        lambda x, y, p, _: slow_plain_softmax(x, y, p["centres"]),
        settings={"normalised": False},
        norms=(1, 4),
    ),
    HeadCase(
        "center",
        slow_center,
        freeze=lambda x, y, p, state: state,
        start={"centres": np.linspace(-1, 1, CLASSES * DIMENSION).reshape(CLASSES, DIMENSION)},
        norms=(1, 4),
        changing=("centres",),
    ),
    HeadCase("contrastive", slow_contrastive),
    HeadCase(
        "triplet",
        lambda x, y, p, frozen: float(np.mean(slow_triplets(x, frozen["triplets"]))),
        freeze=draw_semi_hard,
    ),
    HeadCase("triplet", slow_hard, settings={"mining": "hard"}),
    HeadCase("triplet", slow_all, settings={"mining": "all"}),
    HeadCase("triplet", slow_offline, settings={"mining": "offline"}, smallest=3),
    HeadCase("sphereface", slow_sphereface(4, 1000 / 1.12), norms=(1, 4), changing=("step",)),
    HeadCase("sphereface", slow_sphereface(4, 5), start={"step": 5000}, norms=(1, 4)),
    HeadCase("sphereface", slow_sphereface(3, 0), settings=PURE_SPHEREFACE, norms=(1, 4)),
    HeadCase(
        "cosface",
        lambda x, y, p, _: slow_softmax(x, y, p["centres"], 64, lambda i, theta: math.cos(theta) - 0.35),
    ),
    HeadCase("arcface", lambda x, y, p, _: slow_softmax(x, y, p["centres"], 64, lambda i, theta: slow_arc(theta, 0.5))),
    HeadCase("adacos", slow_scaled, freeze=next_scale, start={"current_scale": 3.0}, changing=("current_scale",)),
    HeadCase("adacos", slow_scaled, settings={"dynamic": False}, freeze=lambda *_: {"scale": FIXED_SCALE}),
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_head(case: HeadCase, check: Callable[[HeadCase], None]) -> None:
    check(case)


def build_double(name: str, **settings: Setting) -> Head:
    torch.manual_seed(0)
    return build_head(name, DIMENSION, CLASSES, settings).double()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("cosface", {"margin": 0.0, "scale": 32.0}),
        ("arcface", {"margin": 0.0, "scale": 32.0}),
        ("adacos", {"dynamic": False}),
    ],
)
def test_without_a_margin_it_is_the_softmax(name: str, settings: dict[str, Setting]) -> None:
    features, labels = CASES[0].draw_batch()
    softmax = build_double("softmax", scale=settings.get("scale", FIXED_SCALE))
    torch.testing.assert_close(build_double(name, **settings)(features, labels), softmax(features, labels))


def test_sphereface_with_margin_1_is_the_softmax_scaled_by_the_norm() -> None:
    features, labels = CASES[0].draw_batch()
    head = build_double("sphereface", margin=1)
    logits = features @ F.normalize(head.get_parameter("centres")).T
    torch.testing.assert_close(head(features, labels), F.cross_entropy(logits, labels))


def test_sphereface_target_falls_from_0_to_pi() -> None:
    head = build_head("sphereface", 2, 2, {"lambda_start": 0, "lambda_min": 0}).double()
    theta = torch.linspace(0, math.pi, 101, dtype=torch.float64)
    features = torch.stack([theta.cos(), theta.sin()], 1)
    with torch.no_grad():
        head.get_parameter("centres").copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    losses = [head(feature[None], torch.tensor([0])).item() for feature in features]
    assert losses[-1] > losses[0] + 5  # ψ falls from 1 to −7, and the loss rises


def test_arcface_target_falls_beyond_pi_minus_the_margin() -> None:
    theta = torch.linspace(0.01, math.pi - 0.01, 500, dtype=torch.float64)
    target = angular_margin_target(theta.cos(), 0.5)
    assert (target.diff() < 0).all() and theta[-1] > math.pi - 0.5


def test_the_gradient_of_an_added_margin_is_finite_at_0_and_pi() -> None:
    cosines = torch.tensor([1.0, -1.0], requires_grad=True)
    cos_plus(cosines, 0.5).sum().backward()
    assert cosines.grad is not None and torch.isfinite(cosines.grad).all()


@pytest.mark.parametrize(("classes", "scale"), [(3001, 11.32), (30001, 14.58)])
def test_fixed_scale_of_adacos(classes: int, scale: float) -> None:
    assert AdaCos(1, classes, dynamic=False).current_scale.item() == pytest.approx(scale, abs=0.005)


def test_scale_of_adacos_follows_the_lower_median_angle() -> None:
    head = build_double("adacos")
    with torch.no_grad():
        head.get_parameter("centres").copy_(torch.eye(CLASSES, DIMENSION))
    features = torch.zeros(2, DIMENSION, dtype=torch.float64)
    for face, angle in enumerate((0.5, 0.1)):  # towards an axis without a centre: all other cosines are 0
        features[face, face], features[face, CLASSES] = math.cos(angle), math.sin(angle)
    head(features, torch.tensor([0, 1]))
    assert head.get_buffer("current_scale").item() == pytest.approx(math.log(CLASSES - 1) / math.cos(0.1))


def test_scale_of_adacos_stays_positive_for_few_well_separated_people() -> None:
    head = build_head("adacos", 2, 3, {})
    with torch.no_grad():
        head.get_parameter("centres").copy_(torch.tensor([[1.0, 0.0], [-0.5, 0.866], [-0.5, -0.866]]))
    for _ in range(50):
        head(head.get_parameter("centres").detach(), torch.arange(3))
    assert head.get_buffer("current_scale").item() == 1


def test_without_semi_hard_negatives_the_triplet_loss_and_its_gradients_are_0() -> None:
    features = torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [-1.0, 0.1]], requires_grad=True)
    loss = build_head("triplet", 2, 2, {})(features, torch.tensor([0, 0, 1, 1]))
    loss.backward()
    assert loss.item() == 0 and features.grad is not None and not features.grad.any()


def test_semi_hard_negatives_are_random_but_repeatable() -> None:
    features, labels = CASES[0].draw_batch(faces=40)
    head, losses = build_double("triplet"), []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        losses.append(head(features, labels).item())
    assert losses[0] == losses[2] != losses[1]


def test_the_sampler_of_triplets_depends_on_the_mining() -> None:
    assert [build_head("triplet", 2, 2, {"mining": mining}).sampler for mining in ("hard", "offline")] == [
        "people",
        "triplets",
    ]
    assert build_head("contrastive", 2, 2, {}).sampler == "people"
    assert build_head("softmax", 2, 2, {}).sampler == "shuffled"
    with pytest.raises(ValueError, match="4 faces"):
        build_head("triplet", 2, 2, {"mining": "offline"})(torch.ones(4, 2), torch.zeros(4, dtype=torch.int64))


def test_centres_move_by_the_rule_of_the_paper() -> None:
    head = build_head("center", 2, 3, {"rate": 0.5})
    head.get_buffer("centres")[0] = 1.0
    head(torch.tensor([[4.0, 1.0], [7.0, -2.0], [0.0, 6.0]]), torch.tensor([0, 0, 1]))
    expected = [[1 + 0.5 * (3 + 6) / 3, 1 + 0.5 * (0 - 3) / 3], [0, 0.5 * 6 / 2], [0, 0]]
    torch.testing.assert_close(head.get_buffer("centres"), torch.tensor(expected))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("softmax", {"scale": 0.0}),
        ("center", {"weight": -1.0}),
        ("center", {"rate": 1.5}),
        ("contrastive", {"margin": 0.0}),
        ("triplet", {"margin": math.nan}),
        ("triplet", {"mining": "soft"}),
        ("triplet", {"every": 0}),
        ("sphereface", {"margin": 0}),
        ("sphereface", {"lambda_min": math.inf}),
        ("cosface", {"margin": -0.1}),
        ("arcface", {"margin": 28.6}),
    ],
)
def test_a_setting_out_of_range_is_an_error(name: str, settings: dict[str, Setting]) -> None:
    (setting,) = settings
    with pytest.raises(UsageError, match=f"head {name}: {setting} must be"):
        build_head(name, DIMENSION, CLASSES, settings)


def test_adacos_needs_three_people() -> None:
    with pytest.raises(UsageError, match="at least 3 people"):
        build_head("adacos", DIMENSION, 2, {})
