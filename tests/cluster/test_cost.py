from __future__ import annotations

import numpy as np
import pytest

from faceclust.cluster import group
from faceclust.cluster.constraints import Constraints
from faceclust.cluster.cost import CostEstimate, describe_cost, estimate_cost
from faceclust.progress import SilentProgress
from faceclust.types import ClusterParams
from tests.cluster.test_group import make_table


def test_pairs_memory_and_time_scale_with_the_faces() -> None:
    small, large = estimate_cost(100_000, 128), estimate_cost(1_000_000, 128)
    assert small.pairs == 100_000 * 99_999 // 2
    assert small.memory < 1e9 and large.memory < 3e9
    assert 9 * (large.memory - small.memory) == 9 * 900_000 * (small.memory - estimate_cost(0, 128).memory) // 100_000
    assert 10 * small.seconds < large.seconds


def test_the_cost_is_described_in_words() -> None:
    assert describe_cost(CostEstimate(1_249_975_000, 400_000_000, 10.2), 50_000) == (
        "50,000 faces, 1.2 billion pairs to compare: about 10 seconds and 0.4 GB of memory"
    )
    assert "about 20 minutes" in describe_cost(CostEstimate(10**11, 10**9, 1200), 10**6)


def test_large_libraries_get_an_estimate_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    class RecordedProgress(SilentProgress):
        def __init__(self) -> None:
            self.messages: list[str] = []

        def start(self, stage: str, total: int | None, unit: str = "") -> None:
            self.messages.append(stage)

        def note(self, message: str) -> None:
            self.messages.append(message)

    recorded = RecordedProgress()
    faces = make_table(np.eye(8, dtype=np.float32))
    group.group_faces(faces, ClusterParams(), Constraints(), recorded)
    assert recorded.messages[0] == "comparing faces"
    monkeypatch.setattr(group, "_MIN_FACES_FOR_ESTIMATE", 8)
    recorded.messages.clear()
    group.group_faces(faces, ClusterParams(), Constraints(), recorded)
    assert recorded.messages[0].startswith("8 faces,") and recorded.messages[1] == "comparing faces"
