"""CPU time, peak memory and accuracy of clustering, compared with other implementations.

    python tests/benchmarks/cluster.py [--sizes 1000,…,1000000] [--methods NAMES] [--threshold T]

Each method runs in its own process on the faces of synthetic.py, without constraints unless its name
says so. Methods that need a matrix of all pairs stop at 12,000 faces. dlib's Chinese whispers run if dlib is
installed. The run fails unless SciPy and scikit-learn give the same clusters. Prints a Markdown table;
the peak memory includes Python, the libraries and the faces.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.synthetic import Faces, synthetic_faces

MATRIX = 12_000  # faces; the most for which a matrix of all pairs is built


def three_passes(faces: Faces, threshold: float) -> np.ndarray:
    """The default: average linkage with local scaling."""
    from tests.benchmarks.grouping import cluster_faces

    return cluster_faces(faces.embeddings, threshold)


def two_passes(faces: Faces, threshold: float) -> np.ndarray:
    """Average linkage without local scaling."""
    from tests.benchmarks.grouping import cluster_faces

    return cluster_faces(faces.embeddings, threshold, 0)


def three_passes_photos(faces: Faces, threshold: float) -> np.ndarray:
    """The default, with faces of one photo kept apart."""
    from faceclust.cluster.constraints import Constraints, same_photo_exclusions
    from faceclust.cluster.three_passes import cluster_in_three_passes
    from faceclust.types import ClusterParams

    photos = same_photo_exclusions(np.char.mod("%d", faces.photo))
    params = ClusterParams(threshold=threshold)
    labels, _ = cluster_in_three_passes(faces.embeddings, params, Constraints(exclusions=photos))
    pairs = np.stack([labels, faces.photo])
    assert np.unique(pairs, axis=1).shape == pairs.shape, "two faces of one photo in a group"
    return labels


def linkage(method: str) -> Callable[[Faces, float], np.ndarray]:
    """One pass of a linkage method."""

    def run(faces: Faces, threshold: float) -> np.ndarray:
        from faceclust.cluster.linkage import agglomerate

        return agglomerate(faces.embeddings, threshold, method)

    return run


def density(faces: Faces, threshold: float) -> np.ndarray:
    """HDBSCAN as faceclust runs it."""
    from faceclust.cluster.density import cluster_hdbscan

    return cluster_hdbscan(faces.embeddings, 2)


def scipy_average(faces: Faces, threshold: float) -> np.ndarray:
    """Average linkage by SciPy."""
    from scipy.cluster.hierarchy import fcluster, linkage

    return fcluster(linkage(faces.embeddings.astype(np.float64), "average", "sqeuclidean"), threshold, "distance")


def sklearn_average(faces: Faces, threshold: float) -> np.ndarray:
    """Average linkage by scikit-learn."""
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.metrics.pairwise import euclidean_distances

    distances = euclidean_distances(faces.embeddings.astype(np.float64), squared=True)
    model = AgglomerativeClustering(None, metric="precomputed", linkage="average", distance_threshold=threshold)
    return model.fit_predict(distances)


def hdbscan_dense(faces: Faces, threshold: float) -> np.ndarray:
    """HDBSCAN by the package hdbscan, with the exact minimum spanning tree."""
    import warnings

    from hdbscan import HDBSCAN

    warnings.simplefilter("ignore")
    labels = HDBSCAN(2, min_samples=1, approx_min_span_tree=False).fit_predict(faces.embeddings.astype(np.float64))
    return np.where(labels < 0, len(labels) + np.arange(len(labels)), labels)


def dlib_whispers(faces: Faces, threshold: float) -> np.ndarray:
    """Chinese whispers by dlib."""
    import dlib

    vectors = [dlib.vector(row) for row in faces.embeddings]
    # A little below the threshold is the best cut for these faces.
    return np.array(dlib.chinese_whispers_clustering(vectors, float(np.sqrt(0.95 * threshold))))


METHODS: dict[str, tuple[Callable[[Faces, float], np.ndarray], int]] = {
    "faceclust": (three_passes, 10**7),
    "faceclust, one person a photo": (three_passes_photos, 100_000),
    "faceclust --local-scaling 0": (two_passes, 10**7),
    "faceclust --no-second-pass --local-scaling 0": (linkage("average"), 100_000),
    "SciPy average": (scipy_average, MATRIX),
    "scikit-learn average": (sklearn_average, MATRIX),
    "faceclust --algorithm complete": (linkage("complete"), MATRIX),
    "faceclust --algorithm single": (linkage("single"), MATRIX),
    "faceclust --algorithm hdbscan": (density, 100_000),
    "hdbscan": (hdbscan_dense, MATRIX),
    "dlib Chinese whispers": (dlib_whispers, MATRIX),
}
SAME_ANSWER = {"faceclust --no-second-pass --local-scaling 0", "SciPy average", "scikit-learn average"}


def measure(method: str, n: int, threshold: float) -> dict[str, float | str]:
    """Run one method on n faces in this process."""
    from faceclust.evaluation.metrics.clustering import bcubed, pairwise

    faces = synthetic_faces(n)
    started, before = time.perf_counter(), time.process_time()
    labels = METHODS[method][0](faces, threshold)
    seconds, elapsed = time.process_time() - before, time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return {
        "cpu_s": seconds,
        "elapsed_s": elapsed,
        "peak_gb": peak,
        "bcubed": bcubed(labels, faces.person).f,
        "pairwise": pairwise(labels, faces.person).f,
        "answer": hashlib.sha256(first[inverse].tobytes()).hexdigest(),
    }


def main() -> None:
    """Run each method at each size in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--methods", default=",".join(METHODS).replace(", ", "; "), help="separated by commas")
    parser.add_argument("--threshold", type=float, default=1.1)
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "N"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one[0], int(arguments.one[1]), arguments.threshold)))
        return
    method_names = [name.replace("; ", ", ") for name in arguments.methods.split(",")]
    print("| faces | method | CPU s | elapsed s | peak memory | BCubed F | pairwise F |\n|---|---|---|---|---|---|---|")
    for n in map(int, arguments.sizes.split(",")):
        answers = set()
        for method in method_names:
            if n > METHODS[method][1] or ("dlib" in method and importlib.util.find_spec("dlib") is None):
                continue
            command = [sys.executable, __file__, "--threshold", str(arguments.threshold), "--one", method, str(n)]
            row = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout)
            if method in SAME_ANSWER:
                answers.add(row["answer"])
            print(
                f"| {n:,} | {method} | {row['cpu_s']:.1f} | {row['elapsed_s']:.1f} | {row['peak_gb']:.2f} GB "
                f"| {row['bcubed']:.3f} | {row['pairwise']:.3f} |",
                flush=True,
            )
        assert len(answers) <= 1, "SciPy or scikit-learn gave other clusters"


if __name__ == "__main__":
    main()
