"""The clusters that `faceclust cluster` makes of good faces without constraints."""

from __future__ import annotations

import numpy as np

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.three_passes import cluster_in_three_passes
from faceclust.engines.local_engine import choose_local_engine
from faceclust.types import LOCAL_SCALING, OPERATING_POINT, ClusterParams


def cluster_faces(
    embeddings: np.ndarray, threshold: float = OPERATING_POINT, local_scaling: float = LOCAL_SCALING
) -> np.ndarray:
    """Return the cluster of each face (n,), named by its first member's position."""
    params = ClusterParams(threshold=threshold, local_scaling=local_scaling)
    engine = choose_local_engine(len(embeddings), embeddings.shape[1], "cpu")
    return cluster_in_three_passes(embeddings, params, Constraints(), engine=engine)[0]
