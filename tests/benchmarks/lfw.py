"""Clustering of a folder in the layout of Labeled Faces in the Wild.

    python tests/benchmarks/lfw.py LFW_FOLDER [--workers N] [--embeddings FILE.npz] [--pack PACK]

LFW_FOLDER holds <person>/<person>_0001.jpg …. Each photo passes through faceclust's own pipeline; the face
nearest to the centre counts. Measured faces are cached in the user's cache folder. --embeddings
writes the vectors to a file; --pack names another pack than the default, or its manifest. Prints Markdown
tables: clustering by threshold and algorithm; the second pass on halves of the people, with the threshold
chosen on the other half; clustering in batches. For all pairs of the faces see `embedders.py`, for the
ten-fold protocol `faceclust evaluate pairs`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.density import cluster_hdbscan
from faceclust.cluster.group import group_faces
from faceclust.cluster.linkage import agglomerate
from faceclust.evaluation.labelled_folders import find_labelled_photos
from faceclust.evaluation.main_faces import find_main_faces
from faceclust.evaluation.metrics.clustering import bcubed, pairwise
from faceclust.types import Clustering, ClusterParams

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.grouping import cluster_faces
from tests.benchmarks.packs import add_pack_option
from tests.benchmarks.people_halves import split_people
from tests.benchmarks.synthetic import face_table


def main() -> None:
    """Measure the faces and print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--embeddings", type=Path)
    add_pack_option(parser)
    arguments = parser.parse_args()
    pack, photos = arguments.pack, find_labelled_photos(arguments.folder)
    faces = find_main_faces(photos.paths, pack, workers=arguments.workers)
    mirrored, plain = (faces.embeddings(pack.embedder.radius, mirrored=both) for both in (True, False))
    found, people = faces.found, photos.persons
    if arguments.embeddings:
        of_faces = {"embeddings": mirrored[found], "labels": people[found]}  # for `faceclust evaluate clusters`
        np.savez(arguments.embeddings, mirrored=mirrored, plain=plain, **of_faces)
    print(f"{len(people)} photos, {len(set(people.tolist()))} people, no face found on {np.sum(~found)}\n")
    _grouping(mirrored[found], people[found])
    _halves(mirrored[found], people[found])
    _batches(mirrored[found], people[found])


METHODS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "average": cluster_faces,
    "average, unscaled": lambda vectors, t: cluster_faces(vectors, t, 0),
    "average, one pass": lambda vectors, t: agglomerate(vectors, t),
    "complete": lambda vectors, t: agglomerate(vectors, t, "complete"),
    "single": lambda vectors, t: agglomerate(vectors, t, "single"),
    "hdbscan": lambda vectors, t: cluster_hdbscan(vectors, 2),
}


def _score(method: str, threshold: float, vectors: np.ndarray, people: np.ndarray) -> float:
    return bcubed(METHODS[method](vectors, threshold), people).f


def _grouping(vectors: np.ndarray, people: np.ndarray) -> None:
    print("\n| algorithm | threshold | BCubed P / R / F | pairwise F |\n|---|---|---|---|")
    for method, thresholds in (
        ("average", (0.9, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3)),
        ("average, unscaled", (1.0, 1.1, 1.2)),
        ("average, one pass", (1.0, 1.1, 1.15, 1.2, 1.25, 1.3)),
        ("complete", (1.1, 1.3, 1.45, 1.6)),
        ("single", (0.6, 0.7, 0.8, 0.85, 0.9, 1.1)),
        ("hdbscan", (0.0,)),
    ):
        best = max((_score(method, t, vectors, people), t) for t in thresholds)[1]
        for threshold in sorted({best, 1.1} if method in ("complete", "single") else thresholds):
            labels = METHODS[method](vectors, threshold)
            b, p = bcubed(labels, people), pairwise(labels, people)
            cut = f"{threshold:g}" if threshold else "–"
            print(f"| {method} | {cut} | {b.precision:.3f} / {b.recall:.3f} / {b.f:.3f} | {p.f:.3f} |")


def _halves(vectors: np.ndarray, people: np.ndarray, splits: int = 3) -> None:
    """Choose the threshold on half of the people and score on the others, both ways."""
    print("\n| algorithm | BCubed F on the other half | thresholds chosen |\n|---|---|---|")
    cuts = np.arange(0.9, 1.5, 0.025)
    for method in ("average, one pass", "average, unscaled", "average"):
        scores, chosen = [], []
        for half in split_people(people, splits):
            tuned = [_score(method, t, vectors[half], people[half]) for t in cuts]
            chosen.append(cuts[int(np.argmax(tuned))])
            scores.append(_score(method, chosen[-1], vectors[~half], people[~half]))
        thresholds = f"{min(chosen):.3g} to {max(chosen):.3g}"
        print(f"| {method} | {np.mean(scores):.4f} ({min(scores):.4f} to {max(scores):.4f}) | {thresholds} |")


def _batches(vectors: np.ndarray, people: np.ndarray, orders: int = 2) -> None:
    """Cluster photos that arrive in batches, after each batch as `faceclust cluster` does."""
    print("\n| batches | BCubed F, mean of the orders |\n|---|---|")
    for batches in (1, 2, 5, 10, 50):
        scores = []
        for seed in range(orders):
            order = np.random.default_rng(seed).permutation(len(vectors))
            last: list[Clustering] = []
            for end in np.linspace(0, len(order), batches + 1).astype(int)[1:]:
                positions = np.sort(order[:end])
                faces = face_table(positions, vectors[positions], positions)
                last = [group_faces(faces, ClusterParams(), Constraints(), history=last).clustering]
            labels = last[0].labels
            scores.append(bcubed(np.where(labels < 0, -1 - np.arange(len(labels)), labels), people).f)
        print(f"| {batches} | {np.mean(scores):.4f} |")


if __name__ == "__main__":
    main()
