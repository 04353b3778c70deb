"""The constants that depend on the distances of the default pack, fitted again.

    python tests/benchmarks/fit.py LFW_FOLDER [--pack PACK] [--photos N] [--library LIBRARY]...

LFW_FOLDER holds <person>/<photo>. LIBRARY is scanned, and has a truth.csv as `make_album` writes it. Prints
Markdown tables:

- the radius of the manifest: BCubed F at 1.1 by radius, of all photos, of N photos (600) with blurred and
  small faces, and of each library;
- SCATTER_SHARE of the second pass;
- the chances in `people/similarity.py`: the weights of their logistic models, fitted on LFW and the libraries
  with equal weights, and their area under the ROC curve and log loss on each set, held out.

The weights of quality are fitted by `quality.py --fit`; `recognition.py` has the tables for `verify` and
`identify`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from faceclust import Library
from faceclust.cluster import two_passes
from faceclust.cluster.constraints import Constraints
from faceclust.cluster.group import group_faces
from faceclust.evaluation.degradations import Degradation, Downscaling, GaussianBlur
from faceclust.evaluation.labelled_folders import LabelledPhotos, find_labelled_photos
from faceclust.evaluation.main_faces import find_main_faces
from faceclust.evaluation.metrics.clustering import bcubed
from faceclust.packs.pack import Pack
from faceclust.people.similarity import GroupDistances, match_probability, outlier_probability
from faceclust.types import SCATTER_SHARE, ClusterParams, FaceTable

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.interview import read_true_names
from tests.benchmarks.packs import add_pack_option
from tests.benchmarks.synthetic import face_table

#: LFW's faces are about 95 px wide; chips are 112 or 150 px.
TREATMENTS: dict[str, Degradation] = {
    "faces of 70 px, enlarged": Downscaling(1.36, restore_size=True),
    "faces of 35 px, enlarged": Downscaling(2.7, restore_size=True),
    "blurred, σ 2.6": GaussianBlur(2.6),
}
RADII = np.arange(1.0, 1.31, 0.025)


@dataclass(frozen=True)
class LabelledSet:
    """Faces with known persons, (n,); embeddings have the norm of the pack's radius."""

    name: str
    faces: FaceTable
    persons: np.ndarray

    def scaled(self, factor: float) -> LabelledSet:
        """Return the same faces with embeddings of another norm."""
        embeddings = (self.faces.embeddings * factor).astype(np.float32)
        return replace(self, faces=replace(self.faces, embeddings=embeddings))

    def take(self, rows: np.ndarray, name: str) -> LabelledSet:
        """Return some of the faces."""
        table = self.faces
        columns = {key: getattr(table, key)[rows] for key in ("face_ids", "photo_ids", "embeddings", "quality")}
        columns |= {key: getattr(table, key)[rows] for key in ("taken_at", "boxes", "shots")}
        return LabelledSet(name, replace(table, **columns), self.persons[rows])

    def cluster(self, **params: float) -> np.ndarray:
        """Return the groups as `faceclust cluster` makes them from scratch; −1 for a face alone."""
        return group_faces(self.faces, ClusterParams(**params), Constraints()).clustering.labels

    def score(self, **params: float) -> float:
        """Return BCubed F of the groups; a face alone is a group of one."""
        labels = self.cluster(**params)
        return bcubed(np.where(labels < 0, -1 - np.arange(len(labels)), labels), self.persons).f


def measure_photos(labelled: LabelledPhotos, rows: np.ndarray, pack: Pack, treatment: str | None) -> LabelledSet:
    """Measure the main faces of some photos, unchanged or treated."""
    paths = labelled.paths
    found = find_main_faces([paths[row] for row in rows], pack, degradation=TREATMENTS[treatment] if treatment else None)
    vectors = found.embeddings(pack.embedder.radius, mirrored=pack.embedder.mirror)[found.found]
    numbers = rows[found.found]
    table = replace(face_table(numbers, vectors, numbers), quality=found.quality[found.found])
    return LabelledSet(treatment or "all photos", table, labelled.persons[rows][found.found])


def draw_photos(persons: np.ndarray, count: int) -> np.ndarray:
    """Draw photos of people with several, at most six of each person; return their positions."""
    rng = np.random.default_rng(7)
    names, sizes = np.unique(persons, return_counts=True)
    chosen: list[int] = []
    for name in rng.permutation(names[sizes > 1]):
        chosen += rng.permutation(np.flatnonzero(persons == name))[:6].tolist()
        if len(chosen) >= count:
            break
    return np.sort(np.array(chosen))


def read_library(root: Path) -> LabelledSet:
    """Read the faces of a scanned library; those that the truth does not know are left out."""
    library = Library(root)
    truth = read_true_names(library, root / "truth.csv")
    persons = np.array([truth.get(face, "") for face in library.faces.face_ids.tolist()])
    every = LabelledSet(root.name, library.faces, persons)
    return every.take(np.flatnonzero(persons != ""), root.name)


def mix(plain: LabelledSet, treated: LabelledSet, name: str) -> LabelledSet:
    """Take every second photo from each of two sets of the same photos."""
    odd = [np.flatnonzero(np.char.strip(one.faces.face_ids).astype(int) % 2 == k) for k, one in ((0, plain), (1, treated))]
    first, second = plain.take(odd[0], name), treated.take(odd[1], name)
    keys = ("face_ids", "photo_ids", "embeddings", "quality", "taken_at", "boxes", "shots")
    joined = {key: np.concatenate([getattr(one.faces, key) for one in (first, second)]) for key in keys}
    order = np.argsort(joined["face_ids"])
    table = replace(first.faces, **{key: column[order] for key, column in joined.items()})
    return LabelledSet(name, table, np.concatenate([first.persons, second.persons])[order])


def print_radii(sets: Iterable[LabelledSet], radius: float) -> None:
    """Print BCubed F at the default threshold, by radius."""
    print("| BCubed F at 1.1, by radius | " + " | ".join(f"{r:g}" for r in RADII.round(3)) + " |")
    print("|---|" + "---|" * len(RADII))
    for one in sets:
        cells = [one.scaled(r / radius).score() for r in RADII]
        print(f"| {one.name} | " + " | ".join(f"{f:.4f}" for f in cells) + " |", flush=True)


def print_scatter_shares(sets: Iterable[LabelledSet]) -> None:
    """Print BCubed F at 1.1 and at the best of some thresholds, by SCATTER_SHARE."""
    shares = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7)
    print("\n| BCubed F at 1.1; best, by SCATTER_SHARE | " + " | ".join(f"{s:g}" for s in shares) + " |")
    print("|---|" + "---|" * len(shares))
    for one in sets:
        cells = []
        for share in shares:
            two_passes.SCATTER_SHARE = share
            best, at = max((one.score(threshold=t), t) for t in np.arange(0.95, 1.36, 0.05))
            cells.append(f"{one.score():.4f}; {best:.4f} at {at:.2f}")
        print(f"| {one.name} | " + " | ".join(cells) + " |", flush=True)
    two_passes.SCATTER_SHARE = SCATTER_SHARE


# -- chances ------------------------------------------------------------------


@dataclass(frozen=True)
class Chances:
    """Cases of a set: `distance`, `margin` and the outcome `is_true`, (n,) each."""

    name: str
    distance: np.ndarray
    margin: np.ndarray
    is_true: np.ndarray


def match_cases(one: LabelledSet) -> Chances:
    """Is the nearest group the same person? For each group and each face alone.

    The margin is to the nearest group of another person.
    """
    clustering = group_faces(one.faces, ClusterParams(), Constraints()).clustering
    labels, ids = clustering.labels, one.faces.face_ids
    units = [np.flatnonzero(labels == number) for number in np.unique(labels[labels >= 0])]
    owner = {int(labels[unit[0]]): _most_frequent(one.persons[unit]) for unit in units}
    units += [np.array([face]) for face in np.flatnonzero(labels < 0)]
    distances = GroupDistances(one.faces, clustering)
    numbers, lines = distances.nearest_groups([tuple(ids[unit].tolist()) for unit in units])
    rows = []
    for unit, number, line in zip(units, numbers.tolist(), lines.tolist(), strict=True):
        people = [owner.get(k, "") for k in number]
        others = [d for d, name in zip(line, people, strict=True) if name != people[0]]
        if number[0] >= 0 and others:
            rows.append((line[0], others[0] - line[0], people[0] == _most_frequent(one.persons[unit])))
    return Chances(one.name, *np.array(rows, float).T)


def outlier_cases(one: LabelledSet) -> Chances:
    """Does a face not belong to its group? For each face of a group of at least three."""
    labels = one.cluster()
    x, rows = one.faces.embeddings.astype(float), np.flatnonzero(labels >= 0)
    numbers, row = np.unique(labels[rows], return_inverse=True)
    x, persons, sizes = x[rows], one.persons[rows], np.bincount(row)
    square = float((x**2).sum(axis=1).mean())
    sums = np.zeros((len(numbers), x.shape[1]))
    np.add.at(sums, row, x)
    means = sums / sizes[:, None]
    scatter = square - (means**2).sum(axis=1)
    others = 2 * square - 2 * x @ means.T - SCATTER_SHARE * scatter
    others[np.arange(len(x)), row] = np.inf
    some = sizes[row] > 2
    rest = (sums[row] - x) / np.maximum(sizes[row] - 1, 1)[:, None]
    own = 2 * square - 2 * (x * rest).sum(axis=1) - SCATTER_SHARE * (square - (rest**2).sum(axis=1))
    owner = np.array([_most_frequent(persons[row == k]) for k in range(len(numbers))])
    return Chances(one.name, own[some], (others.min(axis=1) - own)[some], (persons != owner[row])[some])


def _most_frequent(names: np.ndarray) -> str:
    distinct, counts = np.unique(names, return_counts=True)
    return str(distinct[counts.argmax()])


def fit_chances(cases: list[Chances], limits: tuple[float, float]) -> np.ndarray:
    """Fit constant, weight of the distance and of the clipped margin; every set has the same weight."""
    x = np.concatenate([_factors(one, limits) for one in cases])
    y = np.concatenate([one.is_true for one in cases])
    w = np.concatenate([np.full(len(one.is_true), 1 / len(one.is_true)) for one in cases]) / len(cases)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        worth = x @ weights
        return float((w * (np.logaddexp(0, worth) - y * worth)).sum()), x.T @ (w * (1 / (1 + np.exp(-worth)) - y))

    return np.asarray(minimize(loss, np.zeros(3), jac=True, method="BFGS").x)


def _factors(one: Chances, limits: tuple[float, float]) -> np.ndarray:
    return np.stack([np.ones(len(one.distance)), one.distance, np.clip(one.margin, *limits)], axis=1)


def print_chances(title: str, cases: list[Chances], limits: tuple[float, float], now: np.ndarray) -> None:
    """Print the weights fitted on all sets, and how well they and the present ones do on each."""
    print(f"\n{title}: {fit_chances(cases, limits).round(2).tolist()}, now {now.round(2).tolist()}\n")
    print("| set | cases | true | AUC, held out | now | log loss, held out | now | expected true, held out | now |")
    print("|---|---|---|---|---|---|---|---|---|")
    for one in cases:
        if one.is_true.all() or not one.is_true.any():
            continue
        held_out = fit_chances([other for other in cases if other is not one] or cases, limits)
        cells = [one.name, str(len(one.is_true)), f"{one.is_true.sum():.0f}"]
        worths = [_factors(one, limits) @ weights for weights in (held_out, now)]
        cells += [f"{_auc(worth, one.is_true):.3f}" for worth in worths]
        cells += [f"{(np.logaddexp(0, worth) - one.is_true * worth).mean():.4f}" for worth in worths]
        cells += [f"{(1 / (1 + np.exp(-worth))).sum():.0f}" for worth in worths]
        print("| " + " | ".join(cells) + " |", flush=True)


def _auc(worth: np.ndarray, is_true: np.ndarray) -> float:
    rank = np.argsort(np.argsort(worth)) + 1
    true, false = is_true.sum(), (1 - is_true).sum()
    return float((rank[is_true > 0].sum() - true * (true + 1) / 2) / (true * false))


def _weights_of(chance: object) -> np.ndarray:
    """The present weights of a logistic chance, from its values at three points."""
    points = np.array([[1, 1.0, 0.0], [1, 0.5, 0.0], [1, 1.0, 0.2]])
    p = np.array([float(chance(np.array(d), np.array(m))) for _, d, m in points])  # type: ignore[operator]
    return np.asarray(np.linalg.solve(points, np.log(p / (1 - p))))


def main() -> None:
    """Measure the faces and print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    add_pack_option(parser)
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--library", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    labelled, pack = find_labelled_photos(arguments.folder), arguments.pack
    everything = measure_photos(labelled, np.arange(len(labelled.paths)), pack, None)
    some = draw_photos(labelled.persons, arguments.photos)
    plain = everything.take(np.flatnonzero(np.isin(everything.faces.face_ids.astype(int), some)), f"{len(some):,} of them")
    treated = [plain, *(measure_photos(labelled, some, pack, name) for name in TREATMENTS)]
    mixed = [mix(treated[0], one, f"every second one: {one.name}") for one in treated[1:]]
    libraries = [read_library(root) for root in arguments.library]
    print_radii([everything, *treated, *mixed, *libraries], pack.embedder.radius)
    print_scatter_shares([everything, treated[0], *libraries])
    sets = [everything, *_samples(everything), *libraries]
    cases = [match_cases(one) for one in sets]
    print_chances("match_probability", cases, (-0.3, 0.3), _weights_of(match_probability))
    cases = [outlier_cases(one) for one in sets]
    print_chances("outlier_probability", cases, (-0.3, 0.6), _weights_of(outlier_probability))


def _samples(everything: LabelledSet) -> list[LabelledSet]:
    """Smaller sets, of half, a quarter and an eighth of the people."""
    names = np.random.default_rng(0).permutation(np.unique(everything.persons))
    sets = []
    for share in (2, 4, 8):
        rows = np.flatnonzero(np.isin(everything.persons, names[: len(names) // share]))
        sets.append(everything.take(rows, f"1/{share} of the people"))
    return sets


if __name__ == "__main__":
    main()
