"""Softmax, pair losses, and the margins of SphereFace, CosFace, ArcFace and AdaCos, against their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from tests.support.head_checks import CHECKS, HeadCase, slow_arc, slow_softmax

CASES = (
    HeadCase(
        "cosface",
        lambda x, y, p, _: slow_softmax(x, y, p["centres"], 64, lambda i, theta: math.cos(theta) - 0.35),
    ),
    HeadCase("arcface", lambda x, y, p, _: slow_softmax(x, y, p["centres"], 64, lambda i, theta: slow_arc(theta, 0.5))),
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_head(case: HeadCase, check: Callable[[HeadCase], None]) -> None:
    check(case)
