"""Exact average linkage beside SciPy's, in one run: CPU seconds, peak memory, same answer.

    python tests/benchmarks/cluster.py [--sizes 2000,10000,50000]

Each method runs in a process of its own. The faces are synthetic: people of Zipf-distributed
sizes, each a centre on the sphere with its own looseness. SciPy needs the n×n matrix and is
left out past 12,000 faces. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

SCIPY_LIMIT = 12_000


def synthetic_faces(n: int, seed: int = 0, dimension: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings float32 (n, dimension) of norm 3 and each one's person (n,)."""
    rng = np.random.default_rng(seed)
    sizes: list[int] = []
    while sum(sizes) < n:
        sizes.append(min(int(rng.zipf(1.9)), max(5, n // 20), n - sum(sizes)))
    person = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = rng.standard_normal((len(sizes), dimension)) / np.sqrt(dimension)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    loose = 0.25 * np.exp(0.4 * rng.standard_normal(len(sizes)))
    noise = rng.standard_normal((n, dimension)) * np.sqrt(loose[person] / dimension)[:, None]
    vectors = centres[person] + noise
    return (3 * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), person


def measure(method: str, n: int, threshold: float) -> dict[str, float | str]:
    from faceclust.evaluation.clustering import bcubed

    vectors, person = synthetic_faces(n)
    before = time.process_time()
    if method == "scipy":
        from scipy.cluster.hierarchy import fcluster, linkage

        labels = fcluster(linkage(vectors.astype(np.float64), "average", "sqeuclidean"), threshold, "distance")
    else:
        from faceclust.cluster.linkage import agglomerate

        labels = agglomerate(vectors, threshold)
    seconds = time.process_time() - before
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return {
        "cpu_s": seconds,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "f": bcubed(labels, person).f,
        "answer": str(hash(first[inverse].tobytes())),
    }


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ask.add_argument("--sizes", default="2000,10000,50000")
    ask.add_argument("--threshold", type=float, default=9.0)
    ask.add_argument("--one", nargs=2, metavar=("METHOD", "N"), help=argparse.SUPPRESS)
    arguments = ask.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one[0], int(arguments.one[1]), arguments.threshold)))
        return
    print("| faces | method | CPU s | peak memory | BCubed F |\n|---|---|---|---|---|")
    for n in map(int, arguments.sizes.split(",")):
        answers = set()
        for method in ("faceclust", "scipy") if n <= SCIPY_LIMIT else ("faceclust",):
            command = [sys.executable, __file__, "--threshold", str(arguments.threshold), "--one", method, str(n)]
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "0", "PATH": ""}
            )
            row = json.loads(done.stdout)
            answers.add(row["answer"])
            print(f"| {n:,} | {method} | {row['cpu_s']:.1f} | {row['peak_gb']:.2f} GB | {row['f']:.3f} |", flush=True)
        assert len(answers) == 1, "the two do not agree"


if __name__ == "__main__":
    main()
