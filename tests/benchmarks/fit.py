"""Fit the constants that depend on the distances of the default pack again.

    python tests/benchmarks/fit.py LFW_FOLDER [--pack PACK] [--second PACK] [--photos N] [--library LIBRARY]...

LFW_FOLDER holds <person>/<photo>. LIBRARY is scanned by PACK, and has a truth.csv: a row for each face with
photo, left, top, right, bottom (pixels of the upright photo), person. Prints Markdown tables:

- the radius of the manifest: BCubed F at 1.1 by radius, of all photos, of N photos (600) with blurred and
  small faces, and of each library;
- SCATTER_SHARE of the second pass;
- the chances in `people/similarity.py`: the weights of their logistic models, fitted on LFW, parts of it and
  the libraries, each with the same weight; their log loss on each set, and the expected number of true cases.
  The faces that the second pack finds on LFW count, too.

The weights of quality are fitted by `quality.py --fit`; `recognition.py` has the tables for `verify` and
`identify`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
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
from faceclust.types import SCATTER_SHARE, Clustering, ClusterParams, FaceTable, Float64

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.interview import read_true_names
from tests.benchmarks.packs import add_pack_option, find_pack
from tests.benchmarks.synthetic import face_table

#: LFW's faces are about 95 px wide.
TREATMENTS: dict[str, Degradation] = {
    "faces of 70 px, enlarged": Downscaling(1.36, restore_size=True),
    "faces of 35 px, enlarged": Downscaling(2.7, restore_size=True),
    "blurred, σ 2.6 px": GaussianBlur(2.6),
}
RADII = np.arange(1.1, 1.251, 0.025)
SHARES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7)
#: The margin counts within these limits, see `people/similarity.py`.
MATCH_LIMITS, OUTLIER_LIMITS = (-0.3, 0.3), (-0.3, 0.6)


@dataclass(frozen=True)
class LabelledSet:
    """Faces and their persons, (n,); embeddings have the pack's radius as norm."""

    name: str
    faces: FaceTable
    persons: np.ndarray

    def take(self, rows: np.ndarray, name: str) -> LabelledSet:
        """Return some of the faces."""
        columns = {field.name: getattr(self.faces, field.name)[rows] for field in fields(FaceTable)}
        return LabelledSet(name, FaceTable(**columns), self.persons[rows])

    def scale(self, factor: float) -> LabelledSet:
        """Return the same faces with longer embeddings."""
        embeddings = (self.faces.embeddings * factor).astype(np.float32)
        return replace(self, faces=replace(self.faces, embeddings=embeddings))

    def cluster(self, threshold: float = ClusterParams.threshold) -> Clustering:
        """Return the groups that `faceclust cluster --full` makes."""
        return group_faces(self.faces, ClusterParams(threshold=threshold), Constraints()).clustering

    def score(self, threshold: float = ClusterParams.threshold) -> float:
        """Return BCubed F of the groups; a face alone is a group of one."""
        labels = self.cluster(threshold).labels
        return bcubed(np.where(labels < 0, -1 - np.arange(len(labels)), labels), self.persons).f


def measure_photos(labelled: LabelledPhotos, rows: np.ndarray, pack: Pack, treatment: str | None) -> LabelledSet:
    """Measure the main faces of some photos, unchanged or treated."""
    paths, degradation = labelled.paths, TREATMENTS[treatment] if treatment else None
    found = find_main_faces([paths[row] for row in rows], pack, degradation=degradation)
    vectors = found.embeddings(pack.embedder.radius, mirrored=pack.embedder.mirror)[found.found]
    numbers = rows[found.found]
    faces = replace(face_table(numbers, vectors, numbers), quality=found.quality[found.found])
    return LabelledSet(treatment or f"all photos, {pack.name}", faces, labelled.persons[numbers])


def draw_photos(persons: np.ndarray, count: int) -> np.ndarray:
    """Draw photos of people with several, at most six of each person; return their positions."""
    rng = np.random.default_rng(7)
    names, sizes = np.unique(persons, return_counts=True)
    chosen: list[int] = []
    for name in rng.permutation(names[sizes > 1]):
        if len(chosen) < count:
            chosen += rng.permutation(np.flatnonzero(persons == name))[:6].tolist()
    return np.sort(np.array(chosen, np.int64))


def treat_every_second(plain: LabelledSet, treated: LabelledSet) -> LabelledSet:
    """Take the photos with an even number from one set, and the others from the other."""
    columns = {}
    odd = [one.faces.face_ids.astype(np.int64) % 2 == 1 for one in (plain, treated)]
    for field in fields(FaceTable):
        first, second = getattr(plain.faces, field.name), getattr(treated.faces, field.name)
        columns[field.name] = np.concatenate([first[~odd[0]], second[odd[1]]])
    persons = np.concatenate([plain.persons[~odd[0]], treated.persons[odd[1]]])
    order = np.argsort(columns["face_ids"])
    faces = FaceTable(**{name: values[order] for name, values in columns.items()})
    return LabelledSet(f"every second one: {treated.name}", faces, persons[order])


def read_library(root: Path) -> LabelledSet:
    """Read the faces of a scanned library, without those whose person is unknown."""
    library = Library(root)
    truth = read_true_names(library, root / "truth.csv")
    persons = np.array([truth.get(face, "") for face in library.faces.face_ids.tolist()])
    return LabelledSet(root.name, library.faces, persons).take(np.flatnonzero(persons != ""), root.name)


def print_radii(sets: Iterable[LabelledSet], radius: float) -> None:
    """Print BCubed F at the default threshold, by radius."""
    print("| BCubed F at 1.1, by radius | " + " | ".join(f"{r:.3f}" for r in RADII) + " |")
    print("|---|" + "---|" * len(RADII))
    for one in sets:
        print(f"| {one.name} | " + " | ".join(f"{one.scale(r / radius).score():.4f}" for r in RADII) + " |", flush=True)


def print_scatter_shares(sets: Iterable[LabelledSet]) -> None:
    """Print BCubed F at 1.1 and at the best of some thresholds, by SCATTER_SHARE."""
    print("\n| BCubed F at 1.1 and at its best, by SCATTER_SHARE | " + " | ".join(f"{s:g}" for s in SHARES) + " |")
    print("|---|" + "---|" * len(SHARES))
    for one in sets:
        cells = []
        for two_passes.SCATTER_SHARE in SHARES:
            best, at = max((one.score(t), t) for t in (0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25))
            cells.append(f"{one.score():.4f}; {best:.4f} at {at:g}")
        print(f"| {one.name} | " + " | ".join(cells) + " |", flush=True)
    two_passes.SCATTER_SHARE = SCATTER_SHARE


# -- chances ------------------------------------------------------------------


@dataclass(frozen=True)
class Cases:
    """Cases of a set: `distance`, `margin` and the outcome `is_true`, (n,) each."""

    name: str
    distance: np.ndarray
    margin: np.ndarray
    is_true: np.ndarray

    def factors(self, limits: tuple[float, float]) -> np.ndarray:
        """Return the factors of the model, (n, 3)."""
        return np.stack([np.ones(len(self.distance)), self.distance, np.clip(self.margin, *limits)], axis=1)


def collect_matches(one: LabelledSet) -> Cases:
    """Is the nearest group the same person? For each group and each face alone.

    The margin is to the nearest group of another person.
    """
    clustering = one.cluster()
    labels, ids = clustering.labels, one.faces.face_ids
    units = [np.flatnonzero(labels == number) for number in np.unique(labels[labels >= 0])]
    owner = {int(labels[unit[0]]): _most_frequent(one.persons[unit]) for unit in units}
    units += [np.array([face]) for face in np.flatnonzero(labels < 0)]
    distances = GroupDistances(one.faces, clustering, clustering.offsets)
    groups, lines = distances.nearest_groups([tuple(ids[unit].tolist()) for unit in units])
    rows = []
    for unit, numbers, line in zip(units, groups.tolist(), lines.tolist(), strict=True):
        people = [owner.get(number, "") for number in numbers]
        others = [distance for distance, name in zip(line, people, strict=True) if name != people[0]]
        if people[0] and others:
            rows.append((line[0], others[0] - line[0], people[0] == _most_frequent(one.persons[unit])))
    return Cases(one.name, *np.array(rows, np.float64).reshape(-1, 3).T)


def collect_outliers(one: LabelledSet) -> Cases:
    """Does a face not belong to its group? For each face of a group of at least three."""
    clustering = one.cluster()
    labels, offsets = clustering.labels, clustering.offsets
    rows = np.flatnonzero(labels >= 0)
    offset = offsets[rows]
    x, persons = one.faces.embeddings[rows].astype(np.float64), one.persons[rows]
    numbers, row = np.unique(labels[rows], return_inverse=True)
    sizes, square = np.bincount(row, minlength=1), float((x**2).sum(axis=1).mean()) if len(x) else 0.0
    sums = np.zeros((max(1, len(numbers)), x.shape[1]))
    np.add.at(sums, row, x)
    means = sums / np.maximum(sizes, 1)[:, None]
    offset_sums = np.bincount(row, offset, len(sizes))
    others = 2 * square - 2 * x @ means.T - SCATTER_SHARE * (square - (means**2).sum(axis=1))
    others += offset[:, None] + offset_sums / np.maximum(sizes, 1)
    others[np.arange(len(x)), row] = np.inf
    rest = (sums[row] - x) / np.maximum(sizes[row] - 1, 1)[:, None]
    own = 2 * square - 2 * (x * rest).sum(axis=1) - SCATTER_SHARE * (square - (rest**2).sum(axis=1))
    own += offset + (offset_sums[row] - offset) / np.maximum(sizes[row] - 1, 1)
    owner = np.array([_most_frequent(persons[row == number]) for number in range(len(numbers))], dtype=np.str_)
    many = sizes[row] > 2
    return Cases(one.name, own[many], (others.min(axis=1) - own)[many], (persons != owner[row])[many].astype(float))


def _most_frequent(names: np.ndarray) -> str:
    distinct, counts = np.unique(names, return_counts=True)
    return str(distinct[counts.argmax()])


def fit_chances(sets: list[Cases], limits: tuple[float, float]) -> np.ndarray:
    """Fit a constant and the weights of distance and margin; every set has the same weight."""
    x = np.concatenate([cases.factors(limits) for cases in sets])
    y = np.concatenate([cases.is_true for cases in sets])
    share = np.concatenate([np.full(len(cases.is_true), 1 / len(cases.is_true)) for cases in sets])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        worth = x @ weights
        slope = x.T @ (share * (1 / (1 + np.exp(-worth)) - y))
        return float((share * (np.logaddexp(0, worth) - y * worth)).sum()), slope

    return np.asarray(minimize(loss, np.zeros(3), jac=True, method="BFGS").x)


def print_chances(
    sets: list[Cases], limits: tuple[float, float], chance: Callable[[Float64, Float64], Float64], title: str
) -> None:
    """Print the weights fitted on all sets, and compare the chances of today with them on each set."""
    sets = [cases for cases in sets if len(cases.is_true)]
    if not any(cases.is_true.any() for cases in sets):
        print(f"\n{title}: no case is true")
        return
    weights = fit_chances(sets, limits)
    print(f"\n{title}: constant, distance, margin {weights.round(2).tolist()}\n")
    print("| set | cases | true | expected | today | log loss | today |\n|---|---|---|---|---|---|---|")
    for cases in sets:
        fitted = 1 / (1 + np.exp(-cases.factors(limits) @ weights))
        both = [fitted, chance(cases.distance, cases.margin)]
        numbers = [len(cases.is_true), cases.is_true.sum(), *(probability.sum() for probability in both)]
        losses = [-np.log(np.where(cases.is_true > 0, p, 1 - p)).mean() for p in both]
        cells = [*(f"{number:.0f}" for number in numbers), *(f"{loss:.4f}" for loss in losses)]
        print(f"| {cases.name} | " + " | ".join(cells) + " |", flush=True)


def divide(everything: LabelledSet) -> list[LabelledSet]:
    """Return all faces, and those of half, a quarter and an eighth of the people."""
    names = np.random.default_rng(0).permutation(np.unique(everything.persons))
    sets = [everything]
    for share in (2, 4, 8):
        rows = np.flatnonzero(np.isin(everything.persons, names[: max(1, len(names) // share)]))
        sets.append(everything.take(rows, f"1/{share} of the people"))
    return sets


def main() -> None:
    """Measure the faces and print all tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    add_pack_option(parser)
    parser.add_argument("--second", type=find_pack)
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--library", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    labelled, pack = find_labelled_photos(arguments.folder), arguments.pack
    every, some = np.arange(len(labelled.photos)), draw_photos(labelled.persons, arguments.photos)
    everything = measure_photos(labelled, every, pack, None)
    libraries = [read_library(root) for root in arguments.library]
    sets = [everything]
    if len(some):
        plain = everything.take(np.flatnonzero(np.isin(everything.faces.face_ids.astype(np.int64), some)), "some")
        treated = [measure_photos(labelled, some, pack, name) for name in TREATMENTS]
        sets += [plain, *treated, *(treat_every_second(plain, one) for one in treated)]
    print_radii([*sets, *libraries], pack.embedder.radius)
    print_scatter_shares([everything, *libraries])
    sets = [*divide(everything), *libraries]
    if arguments.second:
        sets += divide(measure_photos(labelled, every, arguments.second, None))
    print_chances([collect_matches(one) for one in sets], MATCH_LIMITS, match_probability, "same person")
    print_chances([collect_outliers(one) for one in sets], OUTLIER_LIMITS, outlier_probability, "outlier")


if __name__ == "__main__":
    main()
