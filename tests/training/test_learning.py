"""Every head and every backbone learns to tell people apart that it was not trained on.

Runs are a few seconds long, so heads with a scale get 8, near AdaCos's √2 ln(C − 1) = 7.5 of 200 people: with 64, the
published value for 10⁴ people and more, the margins win too late. Measured is the true accept rate over all pairs of
other people's faces at a false accept rate of 10 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
import torch

from faceclust.evaluation.metrics.verification import verify_all_pairs
from faceclust.training.data.face_set import FaceSet
from faceclust.training.options import Setting, TrainingOptions
from faceclust.training.parts import BACKBONES, HEADS, build_backbone, build_head, default_settings, find_head
from faceclust.training.trainer import embed_faces, seed_everything, train
from tests.support.drawn_people import draw_people

PEOPLE, SEED = 200, 0
#: The rate of an untrained network is about .18 to .2 for quarter-width MobileFaceNet.
MARGIN_OF_HEADS = 0.06


class Learner(NamedTuple):
    """A run of a backbone that takes at most 20 CPU seconds: chips of side × side, `photos` of each of `people`."""

    side: int
    people: int
    photos: int
    batch: int
    epochs: int
    margin: float


BACKBONE_RUNS = {
    "mobilefacenet": Learner(64, 200, 5, 16, 1, 0.2),
    "nn1": Learner(32, 200, 4, 16, 1, 0.1),
    "nn2": Learner(64, 200, 4, 16, 1, 0.05),
    "nn3": Learner(64, 200, 4, 16, 1, 0.05),
    "nn4": Learner(64, 200, 4, 16, 1, 0.03),
    "nns1": Learner(64, 200, 4, 16, 1, 0.1),
    "nns2": Learner(64, 200, 5, 32, 2, 0.1),
    "ir-resnet-18": Learner(32, 120, 4, 12, 1, 0.1),
    "ir-resnet-50": Learner(32, 80, 4, 12, 1, 0.1),
    "ir-resnet-100": Learner(32, 60, 4, 12, 1, 0.1),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def learn(options: TrainingOptions, train_set: FaceSet, held_out: FaceSet) -> tuple[float, float]:
    """Return the true accept rate of held-out people before and after a run."""
    seed_everything(options.seed)
    backbone = build_backbone(options.backbone, options.backbone_settings)
    head = build_head(options.head, backbone.dimension, len(train_set.people), options.head_settings)

    def measure() -> float:
        units, _ = embed_faces(backbone, head, held_out)
        if not np.isfinite(units).all():  # an untrained IR-ResNet-100 overflows
            return 0.0
        (rate,) = verify_all_pairs(units, held_out.labels.astype(str), (0.1,)).rates
        assert rate.tar is not None
        return rate.tar

    before = measure()
    train(backbone, head, train_set, held_out, options)
    return before, measure()


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
    assert before < 0.25 and after > before + MARGIN_OF_HEADS


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_backbone_learns(backbone: str) -> None:
    run = BACKBONE_RUNS[backbone]
    options = TrainingOptions(
        backbone=backbone,
        backbone_settings={"size": f"{run.side}x{run.side}"} | ({"width": 0.25} if backbone == "mobilefacenet" else {}),
        head="triplet",  # it learns most in few steps
        epochs=run.epochs,
        batch=run.batch,
        seed=SEED,
    )
    people = draw_people(run.people, run.photos, side=run.side)
    before, after = learn(options, people, draw_people(30, 4, side=run.side, first=1000))
    print(backbone, before, after)
    assert after > before + run.margin
