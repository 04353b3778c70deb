"""Heads whose margins or logits depend on the class, the face or the step, against their formulas and limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceclust.errors import UsageError
from faceclust.training.heads.adaptiveface import AdaptiveFace
from faceclust.training.heads.cosine import CosineHead
from faceclust.training.heads.elasticface import ElasticFace
from faceclust.training.heads.groupface import GroupFace
from faceclust.training.parts import build_head, final_settings, find_head
from tests.support.head_checks import (
    CHECKS,
    CLASSES,
    DIMENSION,
    Array,
    Arrays,
    HeadCase,
    slow_arc,
    slow_cosine,
    slow_cosines,
    slow_cross_entropy,
)

Labels = NDArray[np.int64]


def slow_loss(
    features: Array,
    labels: Labels,
    centres: Array,
    scale: float,
    target: Callable[[int, float], float],
    wrong: Callable[[float, float], float] = lambda cosine, theta: cosine,
) -> float:
    """Return the mean loss with logits `target(sample, θ)` and, for wrong classes, `wrong(cos θ_j, θ)`, times scale.
    Centres are (classes, d) or (classes, K, d)."""
    losses = []
    for i, label in enumerate(labels):
        cosines = [max(slow_cosines(features[i], np.atleast_2d(of_class))) for of_class in centres]
        theta = math.acos(cosines[label])
        logits = [scale * wrong(cosine, theta) for cosine in cosines]
        logits[label] = scale * target(i, theta)
        losses.append(slow_cross_entropy(logits, label))
    return float(np.mean(losses))


def slow_adaptive(x: Array, y: Labels, parameters: Arrays, _: Arrays) -> float:
    margins = parameters["margins"]
    loss = slow_loss(x, y, parameters["centres"], 32, lambda i, theta: math.cos(theta) - margins[y[i]])
    return loss - 5 * sum(margins) / len(margins)


def slow_mv(mode: str, target: str) -> Callable[[Array, Labels, Arrays, Arrays], float]:
    def wrong(cosine: float, theta: float) -> float:
        threshold = math.cos(theta + 0.5) if target == "arcface" else math.cos(theta) - 0.35
        if cosine <= threshold:
            return cosine
        return 1.2 * cosine + 0.2 if mode == "adaptive" else cosine + 0.2

    def own(i: int, theta: float) -> float:
        return slow_arc(theta, 0.5) if target == "arcface" else math.cos(theta) - 0.35

    return lambda x, y, parameters, _: slow_loss(x, y, parameters["centres"], 32, own, wrong)


def slow_curricular(x: Array, y: Labels, parameters: Arrays, frozen: Arrays) -> float:
    def wrong(cosine: float, theta: float) -> float:
        return cosine * (frozen["t"] + cosine) if cosine > math.cos(theta + 0.5) else cosine

    return slow_loss(x, y, parameters["centres"], 64, lambda i, theta: slow_arc(theta, 0.5), wrong)


def freeze_curricular(x: Array, y: Labels, parameters: Arrays, state: Arrays) -> Arrays:
    own = [slow_cosine(feature, parameters["centres"][label]) for feature, label in zip(x, y, strict=True)]
    return {"t": 0.99 * state["average_cosine"] + 0.01 * np.mean(own)}


def slow_decide(feature: Array, parameters: Arrays) -> list[float]:
    """Return the logits of GroupFace's decision network: three layers with ReLU between."""
    for layer in (0, 2, 4):
        weight, bias = parameters[f"decision.{layer}.weight"], parameters[f"decision.{layer}.bias"]
        feature = weight @ feature + bias
        if layer < 4:
            feature = np.maximum(feature, 0)
    return list(feature)


def slow_probabilities(logits: list[float]) -> Array:
    return np.array([math.exp(-slow_cross_entropy(logits, group)) for group in range(len(logits))])


def slow_group(x: Array, y: Labels, parameters: Arrays, frozen: Arrays) -> float:
    combined, decision_loss = np.empty_like(x), 0.0
    for i, feature in enumerate(x):
        logits = slow_decide(feature, parameters)
        combined[i] = feature
        for group, probability in enumerate(slow_probabilities(logits)):
            rows = parameters["group_layers.weight"][group * DIMENSION : (group + 1) * DIMENSION]
            combined[i] += probability * (rows @ feature)
        decision_loss += slow_cross_entropy(logits, frozen["groups"][i])
    loss = slow_loss(combined, y, parameters["centres"], 64, lambda i, theta: slow_arc(theta, 0.5))
    return loss + 0.1 * decision_loss / len(x)


def freeze_group(x: Array, y: Labels, parameters: Arrays, state: Arrays) -> Arrays:
    probabilities = [slow_probabilities(slow_decide(feature, parameters)) for feature in x]
    remembered = [*state["recent"][len(state["recent"]) - int(state["batches"]) :], np.mean(probabilities, axis=0)]
    expected = np.mean(remembered, axis=0)
    return {"groups": [int(np.argmax(probability - expected)) for probability in probabilities]}


def slow_mag(x: Array, y: Labels, parameters: Arrays, _: Arrays) -> float:
    norms = [min(max(math.sqrt(float(feature @ feature)), 10.0), 110.0) for feature in x]
    margins = [0.45 + (0.8 - 0.45) / (110 - 10) * (norm - 10) for norm in norms]
    loss = slow_loss(x, y, parameters["centres"], 64, lambda i, theta: slow_arc(theta, margins[i]))
    return loss + 35 * float(np.mean([1 / norm + norm / 110**2 for norm in norms]))


def slow_elastic(base: str) -> Callable[[Array, Labels, Arrays, Arrays], float]:
    def loss(x: Array, y: Labels, parameters: Arrays, frozen: Arrays) -> float:
        def target(i: int, theta: float) -> float:
            margin = frozen["margins"][i]
            return slow_arc(theta, margin) if base == "arcface" else math.cos(theta) - margin

        return slow_loss(x, y, parameters["centres"], 64, target)

    return loss


def freeze_elastic(
    margin: float, deviation: float, plus: bool = False
) -> Callable[[Array, Labels, Arrays, Arrays], Arrays]:
    def freeze(x: Array, y: Labels, parameters: Arrays, state: Arrays) -> Arrays:
        margins = margin + deviation * torch.randn(len(x), dtype=torch.float64).numpy()
        if plus:
            own = [slow_cosine(feature, parameters["centres"][label]) for feature, label in zip(x, y, strict=True)]
            harder = [sum(other < cosine for other in own) for cosine in own]
            margins = np.array([sorted(margins, reverse=True)[rank] for rank in harder])
        return {"margins": margins}

    return freeze


def slow_ada(x: Array, y: Labels, parameters: Arrays, frozen: Arrays) -> float:
    def target(i: int, theta: float) -> float:
        quality = frozen["quality"][i]
        angle = min(max(theta - 0.4 * quality, 0.001), math.pi - 0.001)
        return math.cos(angle) - (0.4 * quality + 0.4)

    return slow_loss(x, y, parameters["centres"], 64, target)


def freeze_ada(x: Array, y: Labels, parameters: Arrays, state: Arrays) -> Arrays:
    norms = [min(max(math.sqrt(float(feature @ feature)), 0.001), 100.0) for feature in x]
    mean = 0.99 * state["mean"] + 0.01 * np.mean(norms)
    deviation = 0.99 * state["deviation"] + 0.01 * np.std(norms, ddof=1)
    return {"quality": [min(max(0.333 * (norm - mean) / (deviation + 0.001), -1.0), 1.0) for norm in norms]}


CASES = (
    HeadCase("adaptiveface", slow_adaptive, start={"margins": [0.1, 0.2, 0.35, 0.5, 0.9]}, changing=("margins",)),
    *(
        HeadCase("mv-softmax", slow_mv(mode, target), {"mode": mode, "target": target})
        for mode in ("adaptive", "fixed")
        for target in ("arcface", "cosface")
    ),
    HeadCase(
        "curricularface",
        slow_curricular,
        freeze=freeze_curricular,
        start={"average_cosine": 0.3},
        changing=("average_cosine",),
    ),
    HeadCase(
        "groupface",
        slow_group,
        {"groups": 2},
        freeze_group,
        start={"batches": 2, "recent": [[0.0] * 2] * 126 + [[0.6, 0.4], [0.1, 0.9]]},
        norms=(0.5, 2),
        changing=("recent", "batches"),
    ),
    HeadCase(
        "subcenter-arcface",
        lambda x, y, p, _: slow_loss(
            *(x, y, p["centres"].reshape(CLASSES, 3, DIMENSION), 64), lambda i, theta: slow_arc(theta, 0.5)
        ),
    ),
    HeadCase("magface", slow_mag, norms=(2, 140)),
    HeadCase("elasticface", slow_elastic("arcface"), {}, freeze_elastic(0.5, 0.05)),
    HeadCase("elasticface", slow_elastic("cosface"), {"base": "cosface"}, freeze_elastic(0.35, 0.05)),
    HeadCase("elasticface", slow_elastic("arcface"), {"plus": True}, freeze_elastic(0.5, 0.0175, plus=True)),
    HeadCase(
        *("elasticface", slow_elastic("cosface"), {"base": "cosface", "plus": True}),
        freeze_elastic(0.35, 0.02, plus=True),
    ),
    HeadCase(
        *("adaface", slow_ada, {}, freeze_ada),
        start={"mean": 30.0, "deviation": 6.0},
        norms=(2, 130),
        changing=("mean", "deviation"),
    ),
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_head(case: HeadCase, check: Callable[[HeadCase], None]) -> None:
    check(case)


def build(name: str, classes: int = CLASSES, **settings: float | int | bool | str) -> CosineHead:
    torch.manual_seed(1)
    head = build_head(name, DIMENSION, classes, settings).double()
    assert isinstance(head, CosineHead)
    return head


def draw_batch(labels: list[int], classes: int = CLASSES) -> tuple[Tensor, Tensor, Tensor]:
    """Return features, labels and centres of faces that resemble their class only a little."""
    generator = torch.Generator().manual_seed(2)
    centres = torch.randn(classes, DIMENSION, generator=generator, dtype=torch.float64)
    noise = torch.randn(len(labels), DIMENSION, generator=generator, dtype=torch.float64)
    people = torch.tensor(labels)
    return 20 * (centres[people] + noise), people, centres


LABELS = [0, 1, 2, 3, 4, 0, 1, 1]


def compute_gradients(head: CosineHead, batch: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, ...]:
    """Return the loss, and its gradients of features and centres, after setting the centres."""
    features, labels, centres = batch
    head.centres.data.copy_(centres)
    features = features.clone().requires_grad_()
    loss: Tensor = head(features, labels)
    loss.backward()
    assert features.grad is not None and head.centres.grad is not None
    return loss.detach(), features.grad, head.centres.grad


@pytest.mark.parametrize(
    ("name", "settings", "limit", "limit_settings"),
    [
        ("elasticface", {"deviation": 0.0}, "arcface", {}),
        ("elasticface", {"deviation": 0.0, "plus": True, "base": "cosface"}, "cosface", {}),
        ("adaface", {"concentration": 0.0}, "cosface", {"margin": 0.4}),
        ("mv-softmax", {"hardness": 0.0}, "arcface", {"scale": 32.0}),
        ("mv-softmax", {"hardness": 0.0, "mode": "fixed"}, "arcface", {"scale": 32.0}),
        ("mv-softmax", {"hardness": 0.0, "target": "cosface"}, "cosface", {"scale": 32.0}),
        ("subcenter-arcface", {"subcenters": 1}, "arcface", {}),
        ("magface", {"regulariser": 0.0, "lowest_margin": 0.5, "highest_margin": 0.5}, "arcface", {}),
        ("adaptiveface", {"regulariser": 0.0}, "cosface", {"scale": 32.0}),
        ("adaptiveface", {"regulariser": 0.0, "prototypes": CLASSES - 1}, "cosface", {"scale": 32.0}),
        ("adaptiveface", {"regulariser": 0.0, "prototypes": CLASSES - 2}, "cosface", {"scale": 32.0}),
    ],
)
def test_limit(name: str, settings: dict[str, Any], limit: str, limit_settings: dict[str, Any]) -> None:
    # With CLASSES − 2 prototypes for each class, the batch's five classes are still all in the softmax.
    batch = draw_batch(LABELS)
    expected = compute_gradients(build(limit, **limit_settings), batch)
    torch.testing.assert_close(compute_gradients(build(name, **settings), batch), expected)


def test_adaface_is_arcface_for_the_worst_quality() -> None:
    batch, head = draw_batch(LABELS), build("adaface", momentum=0.0)
    head.load_state_dict({**head.state_dict(), "mean": torch.tensor(1e6), "deviation": torch.tensor(1.0)})
    torch.testing.assert_close(compute_gradients(head, batch), compute_gradients(build("arcface", margin=0.4), batch))


@pytest.mark.parametrize(("cosine", "norm", "target"), [(-1.0, 2.0, -1.0), (1.0, 90.0, 1 - 0.8)])
def test_adaface_clamps_the_angle(cosine: float, norm: float, target: float) -> None:
    # At norm 2 the quality is −1, at norm 90 it is 1: θ + m would exceed π, and θ − m would be negative.
    head = build("adaface", momentum=0.0)
    head.load_state_dict({**head.state_dict(), "deviation": torch.tensor(1.0)})
    centres = torch.eye(CLASSES, DIMENSION, dtype=torch.float64)
    batch = (cosine * norm * centres[:1], torch.tensor([0]), centres)
    logits = torch.tensor([64 * target, 0.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    expected = logits.logsumexp(0) - logits[0]
    torch.testing.assert_close(compute_gradients(head, batch)[0], expected, rtol=0, atol=1e-4)


def test_curricularface_without_hard_classes_is_arcface() -> None:
    centres = torch.eye(CLASSES, DIMENSION, dtype=torch.float64)
    features, labels, _ = draw_batch(LABELS)
    batch = (centres[labels] + 0.005 * features, labels, centres)
    expected = compute_gradients(build("arcface"), batch)
    torch.testing.assert_close(compute_gradients(build("curricularface", momentum=1.0), batch), expected)
    hard = draw_batch(LABELS)
    assert compute_gradients(build("curricularface"), hard)[0] != compute_gradients(build("arcface"), hard)[0]


def test_groupface_without_group_layers_is_arcface_and_the_decision() -> None:
    batch, head = draw_batch(LABELS), build("groupface", groups=4)
    assert isinstance(head, GroupFace)
    head.group_layers.weight.data.zero_()
    loss = compute_gradients(head, batch)[0]
    decisions = head.decision(batch[0])
    groups = (decisions.softmax(1) - head.recent[-1]).argmax(1)
    decision_loss = torch.nn.functional.cross_entropy(decisions, groups)
    arcface = build("arcface")
    torch.testing.assert_close(loss, compute_gradients(arcface, batch)[0] + 0.1 * decision_loss.detach())
    assert torch.equal(head.predict(batch[0]), arcface.predict(batch[0]))
    head.group_layers.weight.data.normal_(std=5)
    assert torch.equal(head.predict(batch[0]), arcface.predict(head.embed(batch[0])))
    assert not torch.equal(head.predict(batch[0]), arcface.predict(batch[0]))


def test_groupface_expects_the_mean_of_the_last_128_batches() -> None:
    head, rng = build("groupface", groups=2), torch.Generator().manual_seed(0)
    assert isinstance(head, GroupFace)
    means = []
    for _ in range(131):
        features = torch.randn(3, DIMENSION, generator=rng, dtype=torch.float64)
        means.append(head.decision(features).softmax(1).mean(0).detach())
        head(features, torch.tensor([0, 1, 2]))
    torch.testing.assert_close(head.recent, torch.stack(means[-128:]))
    assert head.batches == 131


def test_decay_spares_the_centres_of_groupface_only() -> None:
    head = build("groupface")
    assert head.undecayed_parameters() == [head.centres]
    assert len(build("adaptiveface").undecayed_parameters()) == 2


def test_the_hardest_face_gets_the_largest_margin() -> None:
    head = ElasticFace(DIMENSION, CLASSES, plus=True)
    own = torch.tensor([0.1, 0.9, 0.5, 0.2])
    margins = head.draw_margins(own)
    assert margins.argsort(descending=True).tolist() == [0, 3, 2, 1]
    assert len(set(margins.tolist())) == 4


def test_margins_are_drawn_in_training_only() -> None:
    head, own = ElasticFace(DIMENSION, CLASSES), torch.zeros(10_000)
    drawn = head.draw_margins(own)
    assert abs(drawn.mean().item() - 0.5) < 0.002 and abs(drawn.std().item() - 0.05) < 0.002
    torch.manual_seed(3)
    assert torch.equal(head.draw_margins(own[:5]), head.margin + head.deviation * torch.randn(5, generator=_seeded(3)))
    head.eval()
    before = torch.get_rng_state()
    assert set(head.draw_margins(own).tolist()) == {0.5}
    assert torch.equal(torch.get_rng_state(), before)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_hard_prototypes_are_the_nearest_classes_of_the_batch() -> None:
    classes, labels = 12, [3, 7, 7, 3, 3]
    features, people, centres = draw_batch(labels, classes)
    head = build("adaptiveface", classes, prototypes=2)
    assert isinstance(head, AdaptiveFace)
    loss, feature_gradient, centre_gradient = compute_gradients(head, (features, people, centres))

    chosen = {3, 7}
    for own in (3, 7):
        others = [(slow_cosine(centres[own].numpy(), centres[j].numpy()), j) for j in range(classes) if j != own]
        chosen |= {j for _, j in sorted(others)[-2:]}
    assert head.mine_prototypes(people).tolist() == sorted(chosen)
    small = build("adaptiveface", len(chosen))
    batch = (features, torch.tensor([sorted(chosen).index(label) for label in labels]), centres[sorted(chosen)])
    small_loss, *gradients = compute_gradients(small, batch)
    torch.testing.assert_close(loss, small_loss)
    torch.testing.assert_close([feature_gradient, centre_gradient[sorted(chosen)]], gradients)
    assert not centre_gradient[sorted(set(range(classes)) - chosen)].any()
    assert head.eval()(features, people) != loss  # evaluation compares with all classes


def test_margins_of_adaptiveface_stay_between_0_and_1() -> None:
    head = build("adaptiveface", regulariser=40.0)
    assert isinstance(head, AdaptiveFace)
    features, labels, _ = draw_batch(LABELS)
    head.margins.data.copy_(torch.tensor([-0.5, 0.0, 0.5, 1.0, 1.5]))
    head.eval()(features, labels)
    assert head.margins.tolist() == [-0.5, 0.0, 0.5, 1.0, 1.5]
    head.train()(features, labels).backward()
    assert head.margins.tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert head.margins.grad is not None and (head.margins.grad != 0).all()  # no margin is stuck at a bound


def test_samplers_and_quality() -> None:
    assert build("adaptiveface").sampler == "shuffled"
    assert build("adaptiveface", adaptive_sampling=True).sampler == "adaptive"
    names = ("adaptiveface", "mv-softmax", "curricularface", "groupface", "subcenter-arcface", "elasticface")
    assert not any(find_head(name).norm_is_quality for name in names)
    assert find_head("magface").norm_is_quality and find_head("adaface").norm_is_quality


def test_the_published_margin_of_the_base_is_given_by_a_word() -> None:
    settings = {"base": "cosface", "margin": "published", "deviation": 0.1}
    head = build_head("elasticface", DIMENSION, CLASSES, settings)
    assert isinstance(head, ElasticFace) and (head.margin, head.deviation) == (0.35, 0.1)
    given = final_settings(head, settings)
    assert given == {"base": "cosface", "plus": False, "scale": 64.0, "margin": 0.35, "deviation": 0.1}
    assert final_settings(head, {"base": "cosface", "deviation": 0.1}) == given


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("elasticface", {"scale": "published"}, "head.scale must be a number, not 'published'"),
        ("adaptiveface", {"margin": 1.1}, "margin must be from 0 to 1, not 1.1"),
        ("adaptiveface", {"regulariser": math.nan}, "regulariser must be at least 0, not nan"),
        ("adaptiveface", {"prototypes": -1}, "prototypes must be at least 0, not -1"),
        ("mv-softmax", {"mode": "hard"}, "mode must be adaptive or fixed, not 'hard'"),
        ("mv-softmax", {"target": "sphereface"}, "target must be arcface or cosface, not 'sphereface'"),
        ("mv-softmax", {"margin": 4.0}, "margin must be below π, in radians, not 4"),
        ("mv-softmax", {"hardness": -0.1}, "hardness must be at least 0, not -0.1"),
        ("curricularface", {"margin": -0.1}, "margin must be at least 0 and below π, in radians, not -0.1"),
        ("curricularface", {"momentum": 1.5}, "momentum must be from 0 to 1, not 1.5"),
        ("groupface", {"groups": 1}, "groups must be from 2 to 1,024, not 1"),
        ("groupface", {"decision_weight": -1.0}, "decision_weight must be at least 0, not -1"),
        ("subcenter-arcface", {"subcenters": 0}, "subcenters must be from 1 to 100, not 0"),
        ("magface", {"lowest_norm": 110.0}, "norms must be above 0 and in order, not 110 to 110"),
        ("magface", {"highest_margin": 0.4}, "margins must be at least 0, below π and in order, not 0.45 to 0.4"),
        ("magface", {"regulariser": -1.0}, "regulariser must be at least 0, not -1"),
        ("elasticface", {"base": "softmax"}, "base must be arcface or cosface, not 'softmax'"),
        ("elasticface", {"margin": math.inf}, "margin must be below π, in radians, not inf"),
        ("elasticface", {"deviation": 2.0}, "deviation must be at most 1, not 2"),
        ("adaface", {"margin": 3.5}, "margin must be at least 0 and below π, in radians, not 3.5"),
        ("adaface", {"concentration": -1.0}, "concentration must be at least 0, not -1"),
        ("adaface", {"momentum": -0.5}, "momentum must be from 0 to 1, not -0.5"),
        ("adaface", {"scale": 0.0}, "scale must be above 0 and at most 10,000, not 0"),
        ("adaface", {"scale": 1e26}, "at most 10,000, not 1e"),
    ],
)
def test_invalid_setting(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_head(name, DIMENSION, CLASSES, settings)
