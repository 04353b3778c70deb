"""Comparing all pairs of faces on a GPU, and scanning with one, against the processor's threads.

    python tests/benchmarks/device_pairs.py [--device cuda] [--whole 100000] [--pass 1000000]
        [--dimension 128] [--album ALBUM]

Three tables, in ten minutes on a machine with a GPU and 16 cores: grouping `--whole` synthetic faces from
scratch; the first comparison of `--pass` faces alone, whose merging would take longer; and scanning a copy
of the photos of ALBUM. The run fails unless threads and device give the same groups, and lists that leave
out the same pairs up to the error bounds. `--device cpu` runs the graph on the processor, which is slower
than the threads, for tests.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from faceclust import Library
from faceclust.cluster.constraints import Constraints, same_photo_exclusions
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.group import group_faces
from faceclust.cluster.pair_engine import Comparison, PairEngine, ThreadEngine
from faceclust.engines.device_pairs import DevicePairEngine
from faceclust.packs.session import DEVICES, choose_device
from faceclust.types import OPERATING_POINT, ClusterParams
from tests.benchmarks.synthetic import Faces, face_table, synthetic_faces

Result = TypeVar("Result")


def measure(name: str, n: int, function: Callable[[], Result]) -> Result:
    """Run a function and print a row of its times."""
    elapsed, cpu = time.perf_counter(), time.process_time()
    result = function()
    print(
        f"| {n:,} | {name} | {time.perf_counter() - elapsed:.2f} | {time.process_time() - cpu:.2f} |",
        flush=True,
    )
    return result


def group(faces: Faces, engine: PairEngine) -> tuple[bytes, ...]:
    """Group faces from scratch; return what is saved."""
    table = face_table(np.arange(len(faces.person)), faces.embeddings, faces.photo)
    constraints = Constraints(exclusions=same_photo_exclusions(table.photo_ids))
    found = group_faces(table, ClusterParams(), constraints, engine=engine).clustering
    return found.labels.tobytes(), found.parts.tobytes(), found.strength.tobytes(), found.crowding.tobytes()


def compare(means: ClusterMeans, engine: PairEngine) -> Comparison:
    """Compare all pairs of points, as the first pass does."""
    clusters = np.arange(len(means.sizes))
    return engine.compare_all(means, clusters, OPERATING_POINT, lambda rows: None)


def check_lists(a: Comparison, b: Comparison) -> float:
    """Fail if a list leaves out what another one has, beyond the error bounds. Return the share of equal lists."""
    error = a.error + b.error
    for one, other in ((a.nearest, b.nearest), (b.nearest, a.nearest)):
        promised = np.where(one.full_rows, one.limits.astype(np.float64), OPERATING_POINT) - 2 * error
        wanted = (other.columns >= 0) & (other.values < promised[:, None])
        for start in range(0, len(promised), 1 << 16):
            part = slice(start, start + (1 << 16))
            listed = (other.columns[part, :, None] == one.columns[part, None]).any(axis=2)
            assert not (wanted[part] & ~listed).any(), "a list leaves out a pair"
    return float(np.mean((np.sort(a.nearest.columns) == np.sort(b.nearest.columns)).all(axis=1)))


def scan(album: Path, device: str, workers: int | None) -> int:
    """Scan a copy of the album; return the number of faces."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "album"
        shutil.copytree(album, folder, ignore=shutil.ignore_patterns(".*"))
        return measure(f"scan, {device}", sum(1 for _ in folder.rglob("*.*")), lambda: _scan(folder, device, workers))


def _scan(folder: Path, device: str, workers: int | None) -> int:
    return Library(folder).scan(device=device, workers=workers).faces


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=["auto", *DEVICES], default="auto")
    parser.add_argument("--whole", type=int, default=100_000, metavar="FACES")
    parser.add_argument("--pass", dest="one_pass", type=int, default=1_000_000, metavar="FACES")
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--album", type=Path)
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    threads, engine = ThreadEngine(), DevicePairEngine(device)
    small = ClusterMeans(synthetic_faces(2_000, dimension=arguments.dimension).embeddings)
    ratio = compare(small, engine).error / small.float32_error  # this opens the device
    print(f"device {device}, error bound {ratio:.1f} times that of float32\n", flush=True)
    print("| faces | | elapsed s | CPU s |\n|---|---|---|---|", flush=True)
    faces = synthetic_faces(arguments.whole, dimension=arguments.dimension)
    groups = measure(f"group, {device}", arguments.whole, lambda: group(faces, engine))
    assert groups == measure("group, threads", arguments.whole, lambda: group(faces, threads)), "other groups"
    means = ClusterMeans(synthetic_faces(arguments.one_pass, dimension=arguments.dimension).embeddings)
    lists = measure(f"first pass, {device}", arguments.one_pass, lambda: compare(means, engine))
    shared = check_lists(lists, measure("first pass, threads", arguments.one_pass, lambda: compare(means, threads)))
    print(f"\nequal groups; {shared:.2%} of the lists have the same members, the others up to the bounds")
    if arguments.album:
        print("\n| photos | | elapsed s | CPU s of this process |\n|---|---|---|---|")
        found = [scan(arguments.album, name, arguments.workers) for name in dict.fromkeys([device, "cpu"])]
        print(f"\nfaces: {found}")


if __name__ == "__main__":
    main()
