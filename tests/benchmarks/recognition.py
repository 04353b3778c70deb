"""Open-set identification and verification on a folder in the layout of Labeled Faces in the Wild.

    python tests/benchmarks/recognition.py LFW_FOLDER PAIRS_FILE EMBEDDINGS.npz [--draws 5]

EMBEDDINGS.npz is written by `tests/benchmarks/lfw.py --embeddings` for the same folder. Prints
Markdown tables. Some people are known: part of their faces is the gallery, the rest are probes
that should be named; no face of other people should. DIR at FAR is the share of the known people's
probes named correctly, at the threshold at which that share of strangers is named. Further tables: how
often a name is right, by its distance; the effect of suggested faces in the gallery; the accuracy of
single pairs by threshold. Figures are means over random draws of the people.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceclust.cluster.local_scaling import Surroundings
from faceclust.evaluation.labelled_folders import find_labelled_photos
from faceclust.evaluation.metrics.verification import standard_error, verify_folds
from faceclust.evaluation.pair_lists import read_pair_list
from faceclust.people.identification import MEAN_PENALTY, NEIGHBOURS, VERIFY_THRESHOLD, Gallery
from faceclust.types import OPERATING_POINT, ClusterParams, scale_crowding

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.grouping import cluster_faces


@dataclass(frozen=True)
class Split:
    """Positions of the faces of known people, in the gallery and as probes, and of strangers."""

    gallery: np.ndarray
    probes: np.ndarray
    strangers: np.ndarray


@dataclass(frozen=True)
class Scene:
    """Known people with `at_least` faces each; half of their faces, at most `faces`, form the gallery."""

    people: int
    at_least: int
    faces: int
    label: str

    def draw(self, persons: np.ndarray, seed: int) -> Split:
        """Draw the known people at random."""
        rng = np.random.default_rng(seed)
        names, counts = np.unique(persons, return_counts=True)
        known = rng.permutation(names[counts >= self.at_least])[: self.people]
        gallery, probes = [], []
        for name in known:
            faces = rng.permutation(np.flatnonzero(persons == name))
            cut = max(1, min(len(faces) // 2, self.faces))
            gallery += faces[:cut].tolist()
            probes += faces[cut:].tolist()
        return Split(np.array(gallery), np.array(probes), np.flatnonzero(~np.isin(persons, known)))


SCENES = (
    Scene(30, 6, 20, "30 people, 3 to 20 faces each"),
    Scene(12, 30, 300, "12 people, 15 faces and more each"),
    Scene(100, 4, 20, "100 people, 2 to 20 faces each"),
    Scene(420, 2, 1000, "420 people, two thirds of them with one face"),
    Scene(100, 4, 1, "100 people, one face each"),
)

Rule = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def by_person(reduce: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Rule:
    """Return a rule on the distances to the faces of one person: (probes,) from (probes, faces)."""

    def rule(faces: np.ndarray, names: np.ndarray, probes: np.ndarray) -> np.ndarray:
        distances = squared(probes, faces)
        return np.stack([reduce(distances[:, names == n], faces[names == n], probes) for n in np.unique(names)], axis=1)

    return rule


def squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return squared L2 distances of all pairs of rows."""
    return (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T


def mean_of_nearest(k: int) -> Rule:
    """Return the mean distance of a person's k nearest faces."""
    return by_person(lambda distances, *_: np.sort(distances, axis=1)[:, :k].mean(axis=1))


def vote(k: int) -> Rule:
    """Return the majority vote of the k nearest faces; ties go to the nearest face, which gives the distance."""

    def rule(faces: np.ndarray, names: np.ndarray, probes: np.ndarray) -> np.ndarray:
        people, person = np.unique(names, return_inverse=True)
        apart = squared(probes, faces)
        found = np.full((len(probes), len(people)), np.inf)
        for line, distances in zip(found, apart, strict=True):
            near = np.argsort(distances)[:k]
            votes = np.bincount(person[near], minlength=len(people))
            nearest = np.array([distances[near[person[near] == p]].min(initial=np.inf) for p in range(len(people))])
            best = np.lexsort((nearest, -votes))[0]
            line[best] = nearest[best]
        return found

    return rule


def local_mean(k: int, allowance: float) -> Rule:
    """Return the rule that faceclust uses without local scaling."""

    def rule(faces: np.ndarray, names: np.ndarray, probes: np.ndarray) -> np.ndarray:
        no_photos = np.full(len(names), "")
        return Gallery(names, no_photos, faces).distances(probes, k, mean_penalty=allowance)

    return rule


def scaled_local_mean(faces: np.ndarray, names: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """The rule that faceclust uses in a library whose groups are the people of the gallery."""
    surroundings, params = Surroundings(faces, np.unique(names, return_inverse=True)[1]), ClusterParams()
    offsets, probe_offsets = (
        scale_crowding(crowding, surroundings.median, params)
        for crowding in (surroundings.crowding, surroundings.crowding_of(probes, params.threshold))
    )
    return Gallery(names, np.full(len(names), ""), faces, offsets).distances(probes, probe_offsets=probe_offsets)


CHOSEN = f"**mean of the {NEIGHBOURS} nearest, with allowance and local scaling**"
RULES: dict[str, Rule] = {
    "nearest face": mean_of_nearest(1),
    "mean distance of the 3 nearest": mean_of_nearest(3),
    "mean distance of the 5 nearest": mean_of_nearest(5),
    "vote of the 5 nearest": vote(5),
    "mean of all faces": local_mean(10**6, 0.0),
    "mean of the 5 nearest": local_mean(5, 0.0),
    f"mean of the {NEIGHBOURS} nearest": local_mean(NEIGHBOURS, 0.0),
    f"mean of the {NEIGHBOURS} nearest, with allowance": local_mean(NEIGHBOURS, MEAN_PENALTY),
    CHOSEN: scaled_local_mean,
}


@dataclass(frozen=True)
class Outcome:
    """The person nearest to each probe: the distance, the margin to the next person, and whether it is right.

    For probes of strangers, the first two.
    """

    known: np.ndarray
    margins: np.ndarray
    right: np.ndarray
    strangers: np.ndarray
    strangers_margins: np.ndarray

    @classmethod
    def of(cls, rule: Rule, faces: np.ndarray, persons: np.ndarray, split: Split, names: np.ndarray) -> Outcome:
        known, strangers = (rule(faces[split.gallery], names, faces[some]) for some in (split.probes, split.strangers))
        right = np.unique(names)[known.argmin(axis=1)] == persons[split.probes]
        ordered, others = np.sort(known, axis=1), np.sort(strangers, axis=1)
        return cls(ordered[:, 0], _gap(ordered), right, others[:, 0], _gap(others))

    def named(self, threshold: float) -> float:
        """Return the share of probes named correctly within a threshold."""
        return float((self.right & (self.known <= threshold)).mean())

    def at_far(self, far: float) -> float:
        """DIR at a false accept rate."""
        return self.named(np.nextafter(np.sort(self.strangers)[int(far * len(self.strangers))], 0))

    def row(self, threshold: float = OPERATING_POINT) -> list[float]:
        """Return rank-1, DIR at FAR 1 % and 0.1 %, DIR and FAR at a threshold."""
        far = float((self.strangers <= threshold).mean())
        return [float(self.right.mean()), self.at_far(0.01), self.at_far(0.001), self.named(threshold), far]


def _gap(ordered: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(ordered[:, 1] - ordered[:, 0], nan=np.inf)


def percent(rows: list[list[float]]) -> str:
    """Return the means of the columns as cells."""
    return " | ".join(f"{100 * value:.1f} %" for value in np.mean(rows, axis=0))


HEAD = "rank-1 | DIR at FAR 1 % | DIR at FAR 0.1 % | DIR at 1.1 | FAR at 1.1 |\n|---|---|---|---|---|---|"


def identification(faces: np.ndarray, persons: np.ndarray, draws: int) -> None:
    """Print the figures of each rule in each scene."""
    for scene in SCENES:
        print(f"\n| {scene.label} | {HEAD}")
        splits = [scene.draw(persons, seed) for seed in range(draws)]
        for name, rule in RULES.items():
            rows = [Outcome.of(rule, faces, persons, split, persons[split.gallery]).row() for split in splits]
            print(f"| {name} | {percent(rows)} |", flush=True)


def certainty(faces: np.ndarray, persons: np.ndarray, draws: int) -> None:
    """Print the share of names that are right, with as many probes of strangers as of known people."""
    scenes = (SCENES[0], SCENES[2], SCENES[3])
    print("\n| distance, margin to the next person | " + " | ".join(scene.label for scene in scenes) + " |")
    print("|---|" + "---|" * len(scenes))
    rule = RULES[CHOSEN]
    by_scene: list[list[Outcome]] = []
    for scene in scenes:
        splits = [scene.draw(persons, seed) for seed in range(draws)]
        by_scene.append([Outcome.of(rule, faces, persons, split, persons[split.gallery]) for split in splits])
    for low, high in ((0.0, 0.8), (0.8, 1.0), (1.0, OPERATING_POINT)):
        for least, most in ((0.2, np.inf), (0.0, 0.2)):
            cells = [_right(outcomes, low, high, least, most) for outcomes in by_scene]
            margin = "0.2 or more" if least else "below 0.2"
            print(f"| {low:g} to {high:g}, {margin} | " + " | ".join(cells) + " |")


def _right(outcomes: list[Outcome], low: float, high: float, least: float, most: float) -> str:
    good = bad = 0.0
    for outcome in outcomes:
        in_range = (
            (low < outcome.known) & (outcome.known <= high) & (least <= outcome.margins) & (outcome.margins < most)
        )
        strangers_in_range = (low < outcome.strangers) & (outcome.strangers <= high)
        strangers_in_range &= (least <= outcome.strangers_margins) & (outcome.strangers_margins < most)
        good += float((in_range & outcome.right).mean())
        bad += float((in_range & ~outcome.right).mean() + strangers_in_range.mean())
    return f"{100 * good / (good + bad):.1f} %" if good + bad else "–"


def galleries(faces: np.ndarray, persons: np.ndarray, draws: int, shown: int = 3) -> None:
    """Compare galleries of confirmed faces with galleries that include suggested ones.

    Half of the photos are grouped; each group of at least two faces is named after its most frequent
    person, and `shown` faces of it are confirmed. The other half are the probes.
    """
    print(f"\n| gallery, {shown} faces confirmed of each group | {HEAD}")
    rows: dict[str, list[list[float]]] = {"confirmed faces": [], "suggested ones too": []}
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        library, rest = np.split(rng.permutation(len(faces)), [len(faces) // 2])
        groups = cluster_faces(faces[library])
        confirmed: dict[int, str] = {}
        suggested: dict[int, str] = {}
        for number in np.flatnonzero(np.bincount(groups[groups >= 0]) > 1):
            members = library[groups == number]
            names, counts = np.unique(persons[members], return_counts=True)
            owner = str(names[counts.argmax()])
            right = [face for face in members[:shown].tolist() if persons[face] == owner]
            confirmed |= dict.fromkeys(right, owner)
            suggested |= dict.fromkeys(members[shown:].tolist(), owner)
        is_known = np.isin(persons[rest], list(confirmed.values()))
        for label, gallery in zip(rows, (confirmed, suggested | confirmed), strict=True):
            split = Split(np.array(list(gallery)), rest[is_known], rest[~is_known])
            rows[label].append(Outcome.of(RULES[CHOSEN], faces, persons, split, np.array(list(gallery.values()))).row())
    for label, lines in rows.items():
        print(f"| {label} | {percent(lines)} |")


def verification(pairs_file: Path, paths: list[Path], faces: np.ndarray) -> None:
    """Print the accuracy of single pairs by threshold."""
    pairs = read_pair_list(pairs_file)
    position_of = {path.stem: i for i, path in enumerate(paths)}
    left, right = (np.array([position_of[f"{name}_{i:04d}"] for name, i in side]) for side in (pairs.left, pairs.right))
    distances = ((faces[left] - faces[right]) ** 2).sum(axis=1)
    distances[~(faces[left].any(axis=1) & faces[right].any(axis=1))] = np.inf  # without a face: judged different
    chosen = verify_folds(distances, pairs.same, pairs.folds)
    print("\n| single pairs, threshold | accuracy, ten folds | same accepted | different accepted |\n|---|---|---|---|")
    for threshold in (1.1, 1.4, VERIFY_THRESHOLD):
        right_ones = (distances <= threshold) == pairs.same
        folds = [right_ones[pairs.folds == fold].mean() for fold in np.unique(pairs.folds)]
        accuracy = f"{100 * np.mean(folds):.2f} ± {100 * (standard_error(folds) or 0):.2f} %"
        tar, far = (distances[pairs.same] <= threshold).mean(), (distances[~pairs.same] <= threshold).mean()
        print(f"| {threshold:g} | {accuracy} | {100 * tar:.1f} % | {100 * far:.2f} % |")
    accuracy = f"{100 * chosen.accuracy:.2f} ± {100 * chosen.accuracy_error:.2f} %"
    print(f"| chosen on the other folds: {chosen.threshold:.2f} | {accuracy} | | |")


def main() -> None:
    """Read the embeddings and print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("folder", "pairs", "embeddings"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--draws", type=int, default=5)
    arguments = parser.parse_args()
    paths = find_labelled_photos(arguments.folder).paths
    faces = np.load(arguments.embeddings)["mirrored"]
    if len(faces) != len(paths):
        sys.exit(f"{arguments.embeddings} is of {len(faces)} photos, {arguments.folder} has {len(paths)}")
    found = faces.any(axis=1)
    persons = np.array([path.parent.name for path in paths])[found]
    print(f"{len(paths)} photos, {len(set(persons.tolist()))} people, no face found on {np.sum(~found)}")
    verification(arguments.pairs, paths, faces)
    identification(faces[found], persons, arguments.draws)
    certainty(faces[found], persons, arguments.draws)
    galleries(faces[found], persons, arguments.draws)


if __name__ == "__main__":
    main()
