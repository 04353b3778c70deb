"""Check the division of many faces into pools, in which triplets are looked for."""

from __future__ import annotations

import numpy as np
import pytest

from faceclust.training.data.triplets import TripletSampler


@pytest.mark.parametrize("people", [500, 520, 1100])  # 2,048 faces fill a pool
def test_every_face_is_an_anchor(people: int) -> None:
    labels = np.arange(4 * people) // 4
    anchors = np.concatenate([batch[::3] for batch in TripletSampler(labels, 96, seed=0).batches(0)])
    left_out_at_the_end = len(labels) % 32
    assert len(set(anchors.tolist())) == len(labels) - left_out_at_the_end
