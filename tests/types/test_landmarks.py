"""The way up of a face, by its landmarks."""

from __future__ import annotations

import numpy as np
import pytest

from faceclust.packs.alignment_templates import template_points
from faceclust.types.landmarks import find_upright_turns


@pytest.mark.parametrize(
    ("tilt", "turn"),
    [(0, 0), (45, 0), (-59, 0), (61, 3), (90, 3), (134, 3), (136, 2), (180, 2), (-136, 2), (-100, 1), (-61, 1)],
)
def test_faces_are_turned_from_a_tilt_of_sixty_degrees_on(tilt: float, turn: int) -> None:
    """`tilt`: degrees counter-clockwise on the picture, whose y axis points down."""
    angle = np.radians(tilt)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    upright = template_points("arcface", (112, 112)).astype(np.float64)
    assert find_upright_turns((upright @ rotation.T)[None]).tolist() == [turn]


def test_faces_without_landmarks_stay_as_they_are() -> None:
    assert find_upright_turns(np.zeros((2, 5, 2))).tolist() == [0, 0]
    assert find_upright_turns(np.empty((0, 5, 2))).tolist() == []
