"""HDBSCAN (Campello et al. 2013), by the `hdbscan` package.

The package extracts its clusters from a minimum spanning tree. The tree is built here, exactly and
without an n×n matrix, and then handed to two of the package's private functions.

HDBSCAN has neither a threshold nor constraints. Constraints are applied to its result: must-links
join groups, and a group with two faces that exclude each other is split by constrained average
linkage.
"""

from __future__ import annotations

import numpy as np

from faceclust.cluster.constraints import Constraints, ExclusionIndex
from faceclust.cluster.labels import groups_of, label_linked
from faceclust.cluster.linkage import agglomerate
from faceclust.progress import Progress
from faceclust.types import Float32, Indices


def cluster_hdbscan(
    embeddings: Float32,
    min_size: int,
    min_samples: int = 1,
    constraints: Constraints | None = None,
    progress: Progress | None = None,
) -> Indices:
    """Cluster by HDBSCAN; returns each face's cluster, (n,) int64, named by its first member's position.

    A noise face is a cluster of its own. All other clusters have at least `min_size` faces, and
    at least two. Unless constraints change them, they equal those of the package's
    `HDBSCAN(min_cluster_size, min_samples, approx_min_span_tree=False)`, except for its choice among
    edges of equal weight. Such edges are common if `min_samples` is above 1.
    """
    n, constraints = len(embeddings), constraints or Constraints()
    if n == 0:
        return np.empty(0, np.int64)
    labels = _hdbscan_labels(embeddings, max(2, min_size), min_samples, progress)
    alone = np.where(labels < 0, -1 - np.arange(n), labels)
    out = label_linked(n, groups_of(alone), constraints.must_link)
    exclusions = ExclusionIndex(constraints.exclusions, lambda faces: faces, n)
    for faces in groups_of(out):
        if exclusions.has_contradiction(faces):
            out[faces] = faces[agglomerate(embeddings[faces], np.inf, constraints=constraints.restrict_to(faces))]
    return out


def _hdbscan_labels(embeddings: Float32, min_size: int, min_samples: int, progress: Progress | None) -> Indices:
    """Return group numbers from 0, −1 for noise."""
    if len(embeddings) <= min_size:
        return np.full(len(embeddings), -1)
    # The public interface accepts no spanning tree. Its nearest substitute, a sparse distance matrix, drops
    # edges of weight 0 and orders equal ones at random. So pyproject.toml bounds the package's version.
    from hdbscan._hdbscan_linkage import label  # slow to import, and rarely needed
    from hdbscan.hdbscan_ import _tree_to_labels

    from faceclust.cluster.spanning_tree import build_spanning_tree

    tree = np.stack(build_spanning_tree(embeddings, min_samples, progress), axis=1)
    return np.asarray(_tree_to_labels(None, label(tree), min_size)[0], dtype=np.int64)
