"""Find mislabelled training faces with a trained Sub-center ArcFace head."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from faceclust.training.heads.base import unit_vectors
from faceclust.training.heads.subcenter_arcface import SubcenterArcFace
from faceclust.types import Float32

#: Faces farther than this from the dominant centre of their class are listed, in degrees. From the authors' code.
ANGLE = 75.0
_BLOCK = 4096


def find_mislabelled(
    head: SubcenterArcFace, features: Float32, labels: NDArray[np.int64], *, angle: float = ANGLE
) -> list[tuple[int, float]]:
    """Return (position, angle in degrees) of the faces farther than `angle` from the dominant centre of their class,
    the farthest first.

    `features` (n, d) are the network's, `labels` (n,) their classes. The dominant centre of a class is the one that
    most of the class's faces are nearest to. Raises ValueError if shapes do not fit the head or a label is out of
    range.
    """
    if features.shape != (len(labels), head.dimension):
        raise ValueError(f"features must have shape {(len(labels), head.dimension)}, not {features.shape}")
    if len(labels) and not (labels.min() >= 0 and labels.max() < head.classes):
        raise ValueError(f"labels must be from 0 to {head.classes - 1:,}")
    cosines = _compare_with_own_class(head, features, labels)
    nearest = labels * head.subcenters + cosines.argmax(1)
    faces = np.bincount(nearest, minlength=head.classes * head.subcenters).reshape(head.classes, head.subcenters)
    dominant = faces.argmax(1)[labels]
    angles = np.degrees(np.arccos(np.clip(cosines[np.arange(len(labels)), dominant], -1, 1)))
    far = np.flatnonzero(angles > angle)
    order = far[np.argsort(-angles[far], kind="stable")]
    return [(int(position), float(angles[position])) for position in order]


def _compare_with_own_class(head: SubcenterArcFace, features: Float32, labels: NDArray[np.int64]) -> Float32:
    """Return the cosines (n, K) of each face with the K centres of its class."""
    cosines = np.empty((len(labels), head.subcenters), np.float32)
    with torch.no_grad():
        centres = unit_vectors(head.centres.float().cpu()).view(head.classes, head.subcenters, head.dimension)
        for start in range(0, len(labels), _BLOCK):
            block = slice(start, start + _BLOCK)
            units = unit_vectors(torch.from_numpy(features[block]).float())
            own = centres[torch.from_numpy(labels[block])]
            cosines[block] = torch.einsum("nd,nkd->nk", units, own).numpy()
    return cosines
