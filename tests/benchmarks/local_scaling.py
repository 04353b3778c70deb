"""Accuracy of grouping with and without local scaling, for people who look alike to the model and for others.

    python tests/benchmarks/local_scaling.py LFW_FOLDER [--pack PACK] [--library LIBRARY]... [--draws 3]

LFW_FOLDER holds <person>/<photo>. LIBRARY is scanned, and has a truth.csv: a row for each face with photo,
left, top, right, bottom (pixels of the upright photo), person. Prints BCubed F at 1.1 by weight, 0 being
without local scaling:

- of LFW, of halves of its people, and of each library, with the constraints of its photos;
- of libraries with simulated children: their precision and recall, and the F of everybody and of the others;
- of libraries in which some people's photos are all small or blurred;
- by the number of neighbour groups (k).

No collection of children's photos is at hand. So the embeddings of some people of LFW, at most six faces
each, are moved towards a common direction, which makes these people alike, and scattered until their recall is
as low as that of children: unit(x + 0.6 c) plus noise of standard deviation 0.45 / √d on each axis.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceclust import Library
from faceclust.cluster import local_scaling
from faceclust.evaluation.ground_truth import label_library_faces
from faceclust.evaluation.labelled_folders import LabelledPhotos, find_labelled_photos
from faceclust.evaluation.main_faces import find_main_faces
from faceclust.evaluation.metrics.clustering import Score, bcubed
from faceclust.evaluation.thresholds import cluster_unconstrained
from faceclust.packs.pack import Pack
from faceclust.types import OPERATING_POINT, ClusterParams

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.fit import TREATMENTS
from tests.benchmarks.grouping import cluster_faces
from tests.benchmarks.packs import add_pack_option
from tests.benchmarks.people_halves import split_people

WEIGHTS = (0.0, 0.5, 0.75, 1.0)
NEIGHBOURS = (3, 10, 30)
#: Numbers of children and of others.
MIXTURES = ((40, 60), (150, 350), (350, 150), (350, 850), (600, 2200))
_PULL, _NOISE, _MOST_FACES = 0.6, 0.45, 6
_HEAD = "| " + " | ".join(f"w = {weight:g}" for weight in WEIGHTS) + " |\n|---|" + "---|" * len(WEIGHTS)


@dataclass(frozen=True)
class Mixture:
    """Embeddings (n, d), persons (n,), and who is in a crowd (n,)."""

    vectors: np.ndarray
    persons: np.ndarray
    crowd: np.ndarray

    def scores(self, weight: float) -> tuple[float, float, float, float]:
        """Return F of all, precision and recall of the crowd, and F of the others."""
        clusters = cluster_faces(self.vectors, local_scaling=weight)
        crowd, others = (score_some(clusters, self.persons, some) for some in (self.crowd, ~self.crowd))
        return bcubed(clusters, self.persons).f, crowd.precision, crowd.recall, others.f


def score_some(clusters: np.ndarray, persons: np.ndarray, some: np.ndarray) -> Score:
    """Return the BCubed scores of some faces, among all."""
    group, person = (np.unique(labels, return_inverse=True)[1] for labels in (clusters, persons))
    both = np.unique(np.stack([group, person]), axis=1, return_inverse=True, return_counts=True)
    shared = both[2][both[1].ravel()]
    precision, recall = (shared / np.bincount(label)[label] for label in (group, person))
    return Score(float(precision[some].mean()), float(recall[some].mean()))


def simulate_children(vectors: np.ndarray, persons: np.ndarray, children: int, others: int, seed: int) -> Mixture:
    """Draw people, and make some of them alike."""
    rng = np.random.default_rng(seed)
    names, counts = np.unique(persons, return_counts=True)
    young = rng.permutation(names[counts > 1])[:children]
    old = rng.permutation(np.setdiff1d(names, young))[:others]
    rows = [np.flatnonzero(persons == name) for name in (*young, *old)]
    chosen = np.concatenate([rng.permutation(some)[:_MOST_FACES] for some in rows])
    crowd = np.isin(persons[chosen], young)
    x, radius = vectors[chosen].astype(np.float64), np.linalg.norm(vectors[0])
    common = unit(rng.standard_normal((1, x.shape[1])))
    alike = unit(x[crowd] / radius + _PULL * common)
    alike += _NOISE * rng.standard_normal(alike.shape) / np.sqrt(x.shape[1])
    x[crowd] = radius * unit(alike)
    return Mixture(x.astype(np.float32), persons[chosen], crowd)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors (n, d) to norm 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def treat_photos(photos: LabelledPhotos, pack: Pack, plain: Mixture, treatment: str) -> Mixture:
    """Replace all faces of some people, at most five each, by those of treated photos."""
    rng = np.random.default_rng(5)
    names, counts = np.unique(plain.persons, return_counts=True)
    chosen = rng.permutation(names[counts > 1])[: min(350, len(names) // 2)]
    rows = np.concatenate([rng.permutation(np.flatnonzero(photos.persons == name))[:5] for name in chosen])
    found = find_main_faces([photos.paths[row] for row in rows], pack, degradation=TREATMENTS[treatment])
    treated = found.embeddings(pack.embedder.radius, mirrored=pack.embedder.mirror)[found.found]
    rest = ~np.isin(plain.persons, chosen)
    vectors = np.concatenate([treated, plain.vectors[rest]])
    persons = np.concatenate([photos.persons[rows][found.found], plain.persons[rest]])
    return Mixture(vectors, persons, np.arange(len(vectors)) < len(treated))


def print_scores(title: str, mixtures: list[Mixture]) -> None:
    """Print the mean scores of some mixtures, by weight."""
    cells = []
    for weight in WEIGHTS:
        f, precision, recall, others = np.mean([mixture.scores(weight) for mixture in mixtures], axis=0)
        cells.append(f"{f:.4f}; {precision:.3f} / {recall:.3f}; {others:.4f}")
    print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


def score_library(root: Path) -> Iterator[float]:
    """Yield F of a library by weight. Low-quality faces join afterwards, as `faceclust cluster` does it."""
    labelled = label_library_faces(Library(root), root / "truth.csv")
    for weight in WEIGHTS:
        params = ClusterParams(local_scaling=weight)
        ((_, clusters),) = cluster_unconstrained(labelled.faces, params, [OPERATING_POINT])
        yield bcubed(clusters[labelled.known], labelled.persons[labelled.known]).f


def main() -> None:
    """Measure the faces and print all tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    add_pack_option(parser)
    parser.add_argument("--library", type=Path, action="append", default=[])
    parser.add_argument("--draws", type=int, default=3)
    arguments = parser.parse_args()
    photos, pack = find_labelled_photos(arguments.folder), arguments.pack
    faces = find_main_faces(photos.paths, pack)
    vectors = faces.embeddings(pack.embedder.radius, mirrored=pack.embedder.mirror)[faces.found]
    persons = photos.persons[faces.found]
    everyone = Mixture(vectors, persons, np.zeros(len(vectors), np.bool_))

    print(f"| BCubed F at 1.1 {_HEAD}")
    rows = {
        f"LFW, {len(vectors):,} faces": [bcubed(cluster_faces(vectors, local_scaling=w), persons).f for w in WEIGHTS]
    }
    for number, half in enumerate(split_people(persons, arguments.draws)):
        found = [bcubed(cluster_faces(vectors[half], local_scaling=w), persons[half]).f for w in WEIGHTS]
        rows[f"half {number + 1} of its people"] = found
    rows |= {f"library {root.name}": list(score_library(root)) for root in arguments.library}
    for title, scores in rows.items():
        print(f"| {title} | " + " | ".join(f"{f:.4f}" for f in scores) + " |", flush=True)

    print(f"\n| F of all; children P / R; others F {_HEAD}")
    people = len(np.unique(persons))
    mixtures = [counts for counts in MIXTURES if sum(counts) <= people] or [(people // 2, people - people // 2)]
    for children, others in mixtures:
        drawn = [simulate_children(vectors, persons, children, others, seed) for seed in range(arguments.draws)]
        print_scores(f"{children} children, {others:,} others", drawn)

    print(f"\n| F of all; treated P / R; others F {_HEAD}")
    for treatment in TREATMENTS:
        print_scores(f"at most 350 people: {treatment}", [treat_photos(photos, pack, everyone, treatment)])

    children, others = mixtures[-1]
    print(f"\n| {children} children, {others:,} others, by k {_HEAD}")
    drawn = [simulate_children(vectors, persons, children, others, seed) for seed in range(arguments.draws)]
    usual = local_scaling.NEIGHBOUR_GROUPS
    for local_scaling.NEIGHBOUR_GROUPS in NEIGHBOURS:
        print_scores(f"k = {local_scaling.NEIGHBOUR_GROUPS}", drawn)
    local_scaling.NEIGHBOUR_GROUPS = usual


if __name__ == "__main__":
    main()
