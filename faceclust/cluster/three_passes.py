"""Average linkage in three passes: as it is, allowing for scatter, and over locally scaled distances.

The third pass judges each merge of the first one again, by the scaled distance. Merges above the
threshold are undone, and the second pass is repeated. On LFW and with simulated children, the BCubed
F is within .001 of that of repeating both passes, which would take as long as the first two.
"""

from __future__ import annotations

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.labels import groups_of
from faceclust.cluster.linkage import agglomerate
from faceclust.cluster.local_scaling import Surroundings
from faceclust.cluster.merge_history import MergeHistory
from faceclust.cluster.pair_engine import PairEngine
from faceclust.cluster.two_passes import run_second_pass
from faceclust.progress import Progress
from faceclust.types import ClusterParams, Float32, Float64, Indices, scale_crowding


def cluster_in_three_passes(
    embeddings: Float32,
    params: ClusterParams,
    constraints: Constraints,
    progress: Progress | None = None,
    engine: PairEngine | None = None,
) -> tuple[Indices, Surroundings | None]:
    """Cluster by average linkage, with the passes that `params` asks for.

    Returns each face's cluster, (n,) int64, named by its first member's position, and what its crowding
    was measured against, None without local scaling.
    """
    history = MergeHistory(len(embeddings)) if params.local_scaling else None
    first = agglomerate(embeddings, params.threshold, "average", constraints, progress, history=history, engine=engine)
    return run_later_passes(embeddings, first, history, params, constraints, progress, engine)


def run_later_passes(
    embeddings: Float32,
    first: Indices,
    history: MergeHistory | None,
    params: ClusterParams,
    constraints: Constraints,
    progress: Progress | None = None,
    engine: PairEngine | None = None,
) -> tuple[Indices, Surroundings | None]:
    """Run the passes after the first, whose clusters are `first` (n,). `history` holds its merges."""
    exclusions = Constraints((), constraints.exclusions)
    clusters = first
    if params.second_pass:
        clusters = run_second_pass(embeddings, first, params.threshold, exclusions, progress, engine=engine)
    if history is None:
        return clusters, None
    surroundings = Surroundings(embeddings, clusters, progress)
    offsets = scale_crowding(surroundings.crowding, surroundings.median, params)
    return _run_third_pass(embeddings, history, params, exclusions, offsets, progress, engine), surroundings


def _run_third_pass(
    embeddings: Float32,
    history: MergeHistory,
    params: ClusterParams,
    exclusions: Constraints,
    offsets: Float64,
    progress: Progress | None,
    engine: PairEngine | None,
) -> Indices:
    remaining = history.undo_merges(offsets, params.threshold)
    if params.second_pass:
        return run_second_pass(embeddings, remaining, params.threshold, exclusions, progress, offsets, engine)
    linked = Constraints(groups_of(remaining), exclusions.exclusions)
    return agglomerate(embeddings, params.threshold, "average", linked, progress, offsets, engine=engine)
