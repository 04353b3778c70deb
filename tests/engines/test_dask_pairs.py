"""Clusterings on a Dask cluster are equal to the last bit to those on this machine, whatever happens to workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceclust.cluster.constraints import ExclusionIndex, same_photo_exclusions
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.nearest_lists import LIST_LENGTH
from faceclust.cluster.pair_engine import ThreadEngine
from faceclust.engines.dask import answers, pairs
from faceclust.engines.dask.address import DaskOptions
from faceclust.engines.dask.blocks import Part, Side, Unreadable, compare_block, restrict_mask, targets_of
from faceclust.engines.dask.connection import DaskCluster, open_cluster
from faceclust.engines.dask.pairs import DaskPairEngine
from faceclust.engines.dask.uploads import Embeddings, Uploads
from faceclust.errors import FaceclustError
from tests.benchmarks.synthetic import synthetic_faces
from tests.cluster.test_engine_contract import CASES, all_bytes, cluster, synthetic, tight_people
from tests.support.dask_processes import DaskProcesses


@pytest.fixture(scope="module")
def dask() -> Iterator[DaskCluster]:
    with open_cluster(DaskOptions("local:2"), lambda line: None) as opened:
        yield opened


def engine_on(dask: DaskCluster, side: int = 190, notes: list[str] | None = None, path: str | None = None) -> Any:
    """Return an engine that gives even small comparisons to the workers."""
    note = [].append if notes is None else notes.append
    return DaskPairEngine(dask, note, lambda file: path, 0, 0, side)


@pytest.mark.parametrize("name", CASES)
def test_clusterings_are_equal(dask: DaskCluster, name: str) -> None:
    case = CASES[name]()
    assert all_bytes(cluster(case, engine_on(dask))) == all_bytes(cluster(case))


@pytest.mark.parametrize("method", ["complete", "single"])
@pytest.mark.parametrize("name", ["lattice", "near duplicates"])
def test_other_linkages_are_equal(dask: DaskCluster, name: str, method: str) -> None:
    case = CASES[name]()
    assert all_bytes(cluster(case, engine_on(dask), method)) == all_bytes(cluster(case, method=method))


@pytest.mark.parametrize("side", [61, 333, 2000])
def test_the_size_of_blocks_changes_nothing(dask: DaskCluster, side: int) -> None:
    case = synthetic(600)
    assert all_bytes(cluster(case, engine_on(dask, side))) == all_bytes(cluster(case))


@pytest.mark.slow
@pytest.mark.parametrize("side", [None, 3000])
def test_thousands_of_faces_are_grouped_equally(dask: DaskCluster, side: int | None) -> None:
    """The workers rule out most pairs by integers, if their processor is fast at these."""
    case = synthetic(6000)
    assert all_bytes(cluster(case, DaskPairEngine(dask, print, str, 0, 10**6, side))) == all_bytes(cluster(case))


@pytest.mark.parametrize("stored", [np.float32, np.float16])
def test_a_worker_reads_embeddings_from_a_mapped_file(dask: DaskCluster, tmp_path: Path, stored: Any) -> None:
    points = synthetic_faces(700, 1).embeddings.astype(stored)
    np.save(tmp_path / "points.npy", points)
    mapped = np.load(tmp_path / "points.npy", mmap_mode="r")
    means, engine = ClusterMeans(mapped), engine_on(dask, path=str(tmp_path / "points.npy"))
    check_targets(dask, engine, means)
    assert not engine._embeddings._sent


UNREADABLE = {"missing": lambda path: path.unlink(), "other content": lambda path: path.write_bytes(b"\0" * 10**6)}


@pytest.mark.parametrize("fault", UNREADABLE)
def test_embeddings_are_sent_if_a_worker_cannot_read_the_file(dask: DaskCluster, tmp_path: Path, fault: str) -> None:
    case, notes = synthetic(500), list[str]()
    np.save(tmp_path / "points.npy", case.faces.embeddings)
    (tmp_path / "other.npy").write_bytes((tmp_path / "points.npy").read_bytes())
    UNREADABLE[fault](tmp_path / "other.npy")
    mapped = np.load(tmp_path / "points.npy", mmap_mode="r")
    engine = engine_on(dask, notes=notes, path=str(tmp_path / "other.npy"))
    means, points = ClusterMeans(mapped), np.arange(500)
    found = engine.compare_all(means, points, 1.1, lambda rows: None)
    expected = ThreadEngine().compare_all(means, points, 1.1, lambda rows: None)
    assert np.array_equal(found.nearest.full_rows, expected.nearest.full_rows)
    assert len(notes) == 1 and "sending the embeddings" in notes[0]


def read_nothing(*_: object) -> Unreadable:
    return Unreadable("no file")


def test_workers_that_cannot_read_what_they_receive_are_an_error(
    dask: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "compare_block", read_nothing)
    with pytest.raises(FaceclustError, match="failed: no file"):
        cluster(synthetic(300), engine_on(dask))


def check_targets(dask: DaskCluster, engine: DaskPairEngine, means: ClusterMeans) -> None:
    """Check that the workers have all living clusters to the last bit, after merges too."""
    rng = np.random.default_rng(0)
    alive = np.arange(len(means.sizes))
    for _ in range(8):
        uploads = engine._upload(means, alive)
        for first in range(0, len(alive), 300):
            some = alive[first : first + 300]
            side = uploads.side(first, first + len(some))
            assert dask.submit(targets_of, side).result().tobytes() == means.targets(some).tobytes()
        pairs_of = rng.permutation(alive)[: len(alive) // 4 * 2].reshape(2, -1)
        means.merge(pairs_of.min(axis=0), pairs_of.max(axis=0))
        alive = np.setdiff1d(alive, pairs_of.max(axis=0))


@pytest.mark.parametrize("with_offsets", [False, True])
@pytest.mark.parametrize("max_patches", [0, 3, 100])
def test_workers_have_the_clients_rows_after_merges(
    dask: DaskCluster, monkeypatch: pytest.MonkeyPatch, with_offsets: bool, max_patches: int
) -> None:
    monkeypatch.setattr("faceclust.engines.dask.uploads._MAX_PATCHES", max_patches)
    points = synthetic_faces(900, 2).embeddings
    offsets = np.random.default_rng(3).uniform(-0.1, 0.1, len(points)) if with_offsets else None
    check_targets(dask, engine_on(dask, side=170), ClusterMeans(points, offsets))


def test_only_clusters_that_have_changed_are_sent_again(dask: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    means, sent = ClusterMeans(synthetic_faces(900, 2).embeddings), list[np.ndarray]()
    make_targets = means.targets
    monkeypatch.setattr(means, "targets", lambda some: sent.append(some) or make_targets(some))
    uploads = Uploads(Embeddings(dask, means.points, 200, None), means)
    alive = np.arange(900)
    for into, others in (([3, 450], [600, 899]), ([3], [450]), ([], [])):
        uploads.update(alive)
        uploads.side(0, len(alive))
        means.merge(np.array(into, int), np.array(others, int))
        alive = np.setdiff1d(alive, others)
    uploads.update(alive)
    uploads.side(0, len(alive))
    assert [some.tolist() for some in sent] == [[3], [450], [3]]


def test_the_mask_of_a_block_is_its_part_of_the_whole() -> None:
    photos = np.random.default_rng(4).integers(0, 12, 150)
    exclusions = same_photo_exclusions(np.append(photos, np.zeros(150)).astype(str))
    mask = ExclusionIndex(exclusions, lambda faces: faces, 300).build_tile_mask(np.arange(0, 300, 2), np.arange(300))
    assert mask is not None and mask.blocks and len(mask.rows)
    whole = np.zeros((150, 300), np.float32)
    mask(whole, slice(0, 150), slice(0, 300))
    for rows, columns in ((slice(0, 40), slice(0, 300)), (slice(40, 150), slice(100, 230)), (slice(0, 1), slice(5, 6))):
        tile = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
        part = restrict_mask(mask, rows, columns)
        if part is not None:
            part(tile, slice(0, len(tile)), slice(0, tile.shape[1]))
        assert np.array_equal(np.isnan(tile), np.isnan(whole[rows, columns]))


def test_small_groupings_stay_on_this_machine_and_say_so() -> None:
    case, notes = synthetic(300), list[str]()
    engine = DaskPairEngine(None, notes.append, str, 50_000)  # type: ignore[arg-type]
    assert all_bytes(cluster(case, engine)) == all_bytes(cluster(case))
    assert notes == ["comparing 300 faces on this machine alone, which is faster than the Dask cluster"]


def test_late_blocks_are_given_again_and_each_is_taken_once(dask: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_MIN_LATE", "_LATE_WITHOUT_MEASURE", "_TIMES_LATE"):
        monkeypatch.setattr(answers, name, 0)
    given, taken = list[Any](), list[Any]()
    submit, merge = DaskPairEngine._submit, pairs._merge
    monkeypatch.setattr(DaskPairEngine, "_submit", lambda self, *args: given.append(args) or submit(self, *args))
    monkeypatch.setattr(pairs, "_merge", lambda best, *args: taken.append(args[:2]) or merge(best, *args))
    case = CASES["lattice"]()
    found = cluster(case, engine_on(dask, 40), "complete")
    assert len(given) > 28  # 7 ranges make 28 blocks
    assert len(taken) == 49 and len({repr(part) for part in taken}) == 49
    monkeypatch.undo()
    assert all_bytes(found) == all_bytes(cluster(case, method="complete"))


class SilentError(BaseException):
    """Dask does not catch it, and cannot send it."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(one + other)

    def __str__(self) -> str:
        raise ValueError


def divide(*_: object) -> None:
    raise ZeroDivisionError("by\nzero")


def fail_silently(*_: object) -> None:
    raise SilentError("a", "b")


@pytest.mark.parametrize(
    ("fail", "message"), [(divide, "ZeroDivisionError: by zero"), (fail_silently, "SilentError: ")]
)
def test_a_task_that_raises_is_one_clear_error(
    dask: DaskCluster, monkeypatch: pytest.MonkeyPatch, fail: Any, message: str
) -> None:
    monkeypatch.setattr(pairs, "compare_block", fail)
    with pytest.raises(FaceclustError, match=f"^a task on the Dask cluster failed: {message}"):
        cluster(synthetic(300), engine_on(dask))


class UnreadableAnswer:
    """Cannot be unpickled."""

    def __reduce__(self) -> tuple[type[int], tuple[str]]:
        return int, ("x",)


def answer_unreadably(*_: object) -> UnreadableAnswer:
    return UnreadableAnswer()


def test_answers_are_not_waited_for_without_end(dask: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "compare_block", answer_unreadably)
    monkeypatch.setattr(answers, "_NO_ANSWER_LIMIT", 0.5)
    with pytest.raises(FaceclustError, match="no Dask worker has answered"):
        cluster(synthetic(300), engine_on(dask))


def worker_processes() -> list[int]:
    """Return the process ids of the workers that run now."""
    return [child.pid for child in multiprocessing.active_children() if "Dask" in child.name and child.pid]


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_workers_that_are_killed_change_nothing(dask: DaskCluster, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """What they were doing, and the embeddings that they had, are given to others."""
    case, done = tight_people(), list[int]()
    merge = pairs._merge

    def kill_then_merge(*args: Any) -> None:
        done.append(1)
        if len(done) in (5, 40):
            for pid in worker_processes()[:count]:
                os.kill(pid, signal.SIGKILL)
        merge(*args)

    monkeypatch.setattr(pairs, "_merge", kill_then_merge)
    found = cluster(case, engine_on(dask, 120))
    assert len(done) > 40
    monkeypatch.undo()
    assert all_bytes(found) == all_bytes(cluster(case))


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.linux
def test_workers_with_other_processors_change_nothing(tmp_path: Path) -> None:
    """OpenBLAS has other kernels for each kind of processor, which round float32 differently."""
    case = synthetic(1500)
    with DaskProcesses(tmp_path) as processes:
        processes.start_scheduler()
        for kernels in ("Katmai", "Haswell", "SkylakeX"):
            processes.start_worker(kernels, OPENBLAS_CORETYPE=kernels)
        for kernels in ("Katmai", "Haswell", "SkylakeX"):
            processes.wait_for_worker(kernels)
        with open_cluster(DaskOptions(processes.address), print) as dask:
            assert len(dask.workers()) == 3
            assert all_bytes(cluster(case, engine_on(dask))) == all_bytes(cluster(case))


def test_lists_of_a_block_have_the_length_that_the_client_sends() -> None:
    targets = ClusterMeans(tight_people().faces.embeddings).targets(np.arange(800))
    limits = np.full(800, 2.0, np.float32)
    points = tight_people().faces.embeddings
    means = ClusterMeans(points)
    part = Part(points, means.square_sums.astype(np.float32), [], np.packbits(np.ones(800, np.bool_)).tobytes())
    found = compare_block(targets, Side("length", means.centre, means.float32_error, [part]), limits, None, None, 7)
    assert isinstance(found, tuple) and (found[0].counts == 7).all()
    assert LIST_LENGTH != 7
