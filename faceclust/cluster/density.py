"""HDBSCAN (Campello et al. 2013) for people who prefer density, by the `hdbscan` package.

The package takes its clusters from a minimum spanning tree; the tree is made here, exactly
and without an n×n matrix.

It knows no threshold and no constraint. Constraints are applied to its answer: must-linked
faces bring their groups together, and a group holding two faces that exclude each other is
taken apart by constrained average linkage until none does.
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
    """Each face's cluster, named by its smallest member's position, (n,) int64. A face that
    HDBSCAN calls noise is a cluster of its own. Groups have at least `min_size` faces, and
    two.

    Where no constraint changes them, the clusters are those of the package's
    `HDBSCAN(min_cluster_size, min_samples, approx_min_span_tree=False)`, up to its choice among
    edges of the same weight, which with `min_samples` above 1 are common."""
    n, constraints = len(embeddings), constraints or Constraints()
    if n == 0:
        return np.empty(0, np.int64)
    labels = _hdbscan_labels(embeddings, max(2, min_size), min_samples, progress)
    alone = np.where(labels < 0, -1 - np.arange(n), labels)
    out = label_linked(n, [*groups_of(alone), *constraints.must_link])
    exclusions = ExclusionIndex(constraints.exclusions, lambda faces: faces, n)
    for faces in groups_of(out):
        if exclusions.has_contradiction(faces):
            out[faces] = faces[agglomerate(embeddings[faces], np.inf, constraints=constraints.restrict_to(faces))]
    return out


def _hdbscan_labels(embeddings: Float32, min_size: int, min_samples: int, progress: Progress | None) -> Indices:
    """Group numbers from 0, −1 for noise."""
    if len(embeddings) <= min_size:
        return np.full(len(embeddings), -1)
    from hdbscan._hdbscan_linkage import label  # slow to import, and few ask for it
    from hdbscan.hdbscan_ import _tree_to_labels

    from faceclust.cluster.spanning_tree import build_spanning_tree

    tree = np.stack(build_spanning_tree(embeddings, min_samples, progress), axis=1)
    return np.asarray(_tree_to_labels(None, label(tree), min_size)[0], dtype=np.int64)
