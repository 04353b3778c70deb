"""Group the faces of a library by person."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import numpy as np

from faceclust.catalogue.catalogue import Catalogue
from faceclust.catalogue.constraints import build_constraints, describe_contradiction
from faceclust.cluster.group import Grouping, check_params, group_faces
from faceclust.cluster.numbering import Changes, compare_clusterings
from faceclust.cluster.pair_engine import PairEngine
from faceclust.engines.dask.address import DaskOptions, as_dask_options, require_dask
from faceclust.engines.local_engine import choose_local_engine
from faceclust.errors import PackError, UsageError
from faceclust.library.calibration import AUTO_THRESHOLD, LINKAGE_OPTIONS, default_threshold
from faceclust.store.clusters import SavedClusterings
from faceclust.store.schema import release_memory
from faceclust.types import ClusterParams
from faceclust.types.arguments import require_number, require_threshold


def cluster(
    library: Catalogue,
    threshold: float | str = AUTO_THRESHOLD,
    *,
    full: bool = False,
    dry_run: bool = False,
    device: str = "auto",
    dask: DaskOptions | str | None = None,
    **options: Any,
) -> Grouping:
    """Group the faces by person and save the result; `undo_cluster` restores the previous grouping.

    `threshold`: squared L2 up to which groups are merged (unused by hdbscan). "auto" is the
    calibrated threshold of this library, or else 1.1, see `default_threshold`. `options`: other
    fields of `ClusterParams`, such as `algorithm` (average, complete, single, hdbscan), `min_size`
    (smaller groups are dissolved) or `min_quality` (faces below it only join finished groups, or
    form groups of their own; 0 treats all faces alike), or `local_scaling` (how much nearer faces have to
    be that look like many others; 0 switches it off). `dry_run`: save nothing. `device`: what compares all
    faces, one of `packs.session.DEVICES`; "auto" is a CUDA GPU for large libraries, and otherwise "cpu", which
    is threads. `dask`: compare the faces on this cluster, given by options or an address, if they are many. The
    groups are the same on each device and cluster.

    Group numbers are stable between runs. With unchanged options, groups stay as they are and take
    in new faces; `full` groups all faces from scratch. Two faces of one photo never share a group
    unless the user confirmed both as one person; faces confirmed as one person always do.

    Raises UsageError for an invalid threshold or option and for a GPU together with a cluster,
    NothingScannedError before the first scan, LibraryBusyError if another process scans or clusters
    the library, PackError if the device is missing, and FaceclustError if it is not precise enough or
    the cluster cannot be used.
    """
    cluster = as_dask_options(dask)
    if cluster is not None and device not in ("auto", "cpu"):
        raise UsageError(f"a Dask cluster compares faces without {device}", hint="leave out --device or --dask")
    params = _cluster_params(library, threshold, **options)
    check_params(params)
    if params.algorithm != "hdbscan":
        require_threshold(params.threshold, library.cache_info.radius)
    _warn_unknown_radius(library, params)
    if cluster is not None and params.algorithm == "hdbscan":
        library.progress.note("hdbscan groups on this machine alone, without the Dask cluster")
        cluster = None
    with (
        _choose_engine(library, cluster) as engine,
        library.home.lock("grouping faces"),  # taken before the work: a refusal at the end would waste it
        library.spill_embeddings() as spilled,
    ):
        faces = library.table.face_table()
        current, previous = _saved_clusterings(library).read()
        constraints, contradictions = build_constraints(faces, library.answers, params)
        for contradiction in contradictions:
            photos = [library.occurrences_of[str(faces.face_ids[face])][0].photo for face in contradiction.faces]
            library.progress.note(describe_contradiction(contradiction, photos))
        history = [remapped for run in (current, previous) if (remapped := library.remap(run))]
        library.invalidate()  # the table takes more memory than grouping the faces
        release_memory()
        grouping = group_faces(
            faces,
            params,
            constraints,
            library.progress,
            history=history,
            models=library.embedding_space,
            full=full,
            engine=engine or choose_local_engine(len(faces), faces.embeddings.shape[1], device),
            gather=spilled.gather,
        )
        if not dry_run:
            _saved_clusterings(library).save(grouping.clustering, current)
    if dry_run:
        library.replace_clustering(current)  # a damaged file was noted above and counts as missing
    else:
        library.invalidate()
    return grouping


def _choose_engine(library: Catalogue, cluster: DaskOptions | None) -> AbstractContextManager[PairEngine | None]:
    """Return what compares pairs of faces: a cluster, or None for threads of this process."""
    if cluster is None:
        return nullcontext()
    require_dask()
    from faceclust.engines.dask.security import require_safe_address  # loads Dask
    from faceclust.engines.dask.start import open_pair_engine

    require_safe_address(cluster)
    return open_pair_engine(cluster, library.progress.note, library.root)


def _warn_unknown_radius(library: Catalogue, params: ClusterParams) -> None:
    with suppress(PackError):  # the pack may be gone, its embeddings remain
        if library.pack.radius_source == "none" and params.algorithm != "hdbscan":
            library.progress.note(
                f"the scale of the pack {library.pack.name} is unknown, so {params.threshold:g} may be far off; "
                f"`faceclust models calibrate {library.pack.name} DIR` measures it on labelled photos"
            )


def _cluster_params(library: Catalogue, threshold: float | str, **options: Any) -> ClusterParams:
    if isinstance(threshold, str):
        if threshold != AUTO_THRESHOLD:
            raise UsageError(f"threshold must be a number or auto, not {threshold!r}")
        linkage = {name: options[name] for name in LINKAGE_OPTIONS if name in options}
        threshold = default_threshold(library, **linkage)
    require_number("threshold", threshold)
    for name in {"min_size", "min_samples", "min_quality", "local_scaling"} & options.keys():
        require_number(name, options[name])
    return ClusterParams(threshold=threshold, **options)


def _saved_clusterings(library: Catalogue) -> SavedClusterings:
    home = library.home
    return SavedClusterings(home.clusters, home.previous_clusters, home.existing_clusters(), library.progress.note)


def undo_cluster(library: Catalogue, *, dry_run: bool = False) -> Changes:
    """Restore the previous grouping and keep the current one in its place. Return the changes.

    `dry_run`: save nothing. Raises UsageError if there is no previous grouping.
    """
    with library.home.lock("grouping faces"):
        library.invalidate()
        current, previous = _saved_clusterings(library).read()
        if previous is None:
            raise UsageError("there is no previous grouping to restore")
        if not dry_run:
            _saved_clusterings(library).save(previous, current)
    library.invalidate()
    current_ids = np.array(sorted(library.occurrences_of), dtype=np.str_)
    old, new = (library.remap(run) or previous for run in (current, previous))
    return compare_clusterings(old.restrict_to(current_ids), new.restrict_to(current_ids))
