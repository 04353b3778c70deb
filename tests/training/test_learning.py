"""Every head and every backbone learns to tell people apart that it was not trained on.

Runs take seconds, so heads with a scale get 8, near AdaCos's √2 ln(C − 1) = 7.5 of 200 people: with 64, the published
value for 10⁴ people and more, the margins win too late. Measured is the true accept rate over all pairs of other
people's faces at a false accept rate of 10 %. Margins are about half of what was gained when they were set, so the
tests guard against regressions; they do not rank anything.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
import torch

from faceclust.evaluation.metrics.verification import verify_all_pairs
from faceclust.training.backbones.base import Backbone
from faceclust.training.data.face_set import FaceSet
from faceclust.training.loader import normalise_chips
from faceclust.training.options import Setting, TrainingOptions
from faceclust.training.parts import BACKBONES, HEADS, build_backbone, build_head, default_settings, find_head
from faceclust.training.trainer import embed_faces, seed_everything, train
from tests.support.drawn_people import draw_people

PEOPLE, SEED = 200, 0
#: The rate of an untrained network is about .18 to .2 for quarter-width MobileFaceNet.
MARGIN_OF_HEADS = 0.06


class Run(NamedTuple):
    """A run of a backbone on chips of side × side: `photos` of each of `people`, `epochs` times."""

    side: int
    people: int
    photos: int
    batch: int
    epochs: int
    margin: float
    head: str = "triplet"
    settings: tuple[tuple[str, Setting], ...] = ()
    learning_rate: float | None = None


BACKBONE_RUNS = {
    "mobilefacenet": Run(64, 200, 5, 16, 1, 0.2, settings=(("width", 0.25),)),
    "nn1": Run(32, 200, 4, 16, 1, 0.05, learning_rate=0.02),
    "nn2": Run(32, 100, 4, 16, 8, 0.08, head="softmax"),
    "nn3": Run(32, 100, 4, 16, 8, 0.08, head="softmax"),
    "nn4": Run(32, 100, 4, 16, 8, 0.1, head="softmax"),
    "nns1": Run(64, 100, 4, 16, 6, 0.08, head="softmax"),
    "nns2": Run(64, 200, 5, 32, 2, 0.2),
    "ir-resnet-18": Run(32, 100, 4, 16, 2, 0.2, head="softmax", settings=(("dropout", 0.0),)),
    "ir-resnet-50": Run(32, 60, 4, 16, 2, 0.2, head="softmax", settings=(("dropout", 0.0),)),
    "ir-resnet-100": Run(32, 60, 4, 16, 2, 0.2, head="softmax", settings=(("dropout", 0.0),)),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def learn(options: TrainingOptions, train_set: FaceSet, held_out: FaceSet) -> tuple[float, float]:
    """Return the true accept rate of held-out people before and after a run.

    The untrained network gets batch statistics of the training chips: with its initial ones, features of the deepest
    networks are not finite.
    """
    seed_everything(options.seed)
    backbone = build_backbone(options.backbone, options.backbone_settings)
    head = build_head(options.head, backbone.dimension, len(train_set.people), options.head_settings)
    untrained = copy.deepcopy(backbone).train()
    for module in untrained.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.momentum = 0.88  # as after 20 such batches with a momentum of 0.1
    with torch.no_grad():
        untrained(normalise_chips(train_set.read(np.arange(64)), torch.device("cpu")))

    def measure(network: Backbone) -> float:
        units, _ = embed_faces(network, head, held_out)
        (rate,) = verify_all_pairs(units, held_out.labels.astype(str), (0.1,)).rates
        assert rate.tar is not None
        return rate.tar

    before = measure(untrained)
    train(backbone, head, train_set, held_out, options)
    return before, measure(backbone)


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
def test_a_head_learns(head: str) -> None:
    settings: dict[str, Setting] = {"scale": 8.0} if "scale" in default_settings(find_head(head)) else {}
    options = TrainingOptions(
        head=head,
        head_settings=settings,
        backbone_settings={"size": "64x64", "width": 0.25},
        epochs=1,
        batch=16,
        seed=SEED,
    )
    before, after = learn(options, draw_people(PEOPLE, 5), draw_people(60, 4, first=1000))
    print(f"{head}: {before:.3f} before, {after:.3f} after")  # shown if the test fails
    assert before < 0.25 and after > before + MARGIN_OF_HEADS


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_backbone_learns(backbone: str) -> None:
    run = BACKBONE_RUNS[backbone]
    options = TrainingOptions(
        backbone=backbone,
        backbone_settings={"size": f"{run.side}x{run.side}", **dict(run.settings)},
        head=run.head,
        head_settings={"scale": 8.0} if run.head == "softmax" else {},
        epochs=run.epochs,
        batch=run.batch,
        learning_rate=run.learning_rate,
        seed=SEED,
    )
    people = draw_people(run.people, run.photos, side=run.side)
    before, after = learn(options, people, draw_people(60, 4, side=run.side, first=1000))
    print(f"{backbone}: {before:.3f} before, {after:.3f} after")  # shown if the test fails
    assert after > before + run.margin
