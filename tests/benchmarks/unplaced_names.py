"""Suggestions for names without a position: how many are right, and how many faces they reach.

    python tests/benchmarks/unplaced_names.py LIBRARY TRUTH.csv

TRUTH.csv has a row for each face: photo (below LIBRARY), left, top, right, bottom (pixels of the
upright photo), person. LIBRARY must be scanned, grouped and without names; it is not written to. Each photo
gets the names of its people as from Google Takeout, of which a third is left out at random, and a twentieth
is added to random photos. Prints a Markdown table for names of different people, the sum of ten runs each.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

from faceclust import Library
from faceclust.importers.collect import CollectedNames
from faceclust.importers.library_names import LibraryNames
from faceclust.importers.reconcile import reconcile
from faceclust.importers.takeout import TAKEOUT
from faceclust.importers.values import PhotoNames
from faceclust.types import FaceOccurrence
from tests.benchmarks.imports import Truth, find_people_at, read_truth

_RUNS, _MISSED, _ADDED = 10, 1 / 3, 1 / 20


def add_names(truth: Truth, photos: Collection[str], people: Collection[str], chance: random.Random) -> CollectedNames:
    """Give photos the names of these people, with omissions and errors."""
    names: dict[str, set[str]] = defaultdict(set)
    for photo in sorted(truth):
        names[photo] = {name for name, _ in truth[photo] if name in people and chance.random() >= _MISSED}
    for _ in range(round(sum(map(len, names.values())) * _ADDED)):
        names[chance.choice(sorted(photos))].add(chance.choice(sorted(people)))
    found = [PhotoNames(photo, TAKEOUT, "", people=tuple(sorted(some))) for photo, some in names.items() if some]
    return CollectedNames(photo_names=found)


def score(library: Library, truth: Truth, people: Collection[str], seed: int) -> tuple[int, int, int]:
    """Count the suggestions, the right ones, and the found faces whose photo has their right name."""
    collected = add_names(truth, library.photos, people, random.Random(seed))
    faces: dict[str, list[FaceOccurrence]] = defaultdict(list)
    for face in library.occurrences:
        faces[face.photo].append(face)
    plan = reconcile(collected, LibraryNames(library.photos, faces, library.answers, persons=library.persons))
    right = sum(
        naming.name in find_people_at(library.occurrences_of[naming.face_id][0], truth) for naming in plan.namings
    )
    named = {names.photo: names.people for names in collected.photo_names}
    possible = sum(
        not set(find_people_at(face, truth)).isdisjoint(named.get(face.photo, ())) for face in library.occurrences
    )
    return len(plan.namings), right, possible


def main() -> None:
    """Print a row for each choice of people."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("truth", type=Path)
    arguments: Any = parser.parse_args()
    library, truth = Library(arguments.library), read_truth(arguments.truth)
    by_photos = Counter(name for people in truth.values() for name, _ in people).most_common()
    choices = {
        "everybody": [name for name, _ in by_photos],
        "people on at least two photos": [name for name, count in by_photos if count >= 2],
        **{f"the {number} on most photos": [name for name, _ in by_photos[:number]] for number in (10, 3, 1)},
    }
    print("| names of | suggested | precision | recall |\n|---|---|---|---|")
    for label, people in choices.items():
        runs = [score(library, truth, people, seed) for seed in range(_RUNS)]
        suggested, right, possible = (sum(column) for column in zip(*runs, strict=True))
        precision, recall = right / max(suggested, 1), right / max(possible, 1)
        print(f"| {label} | {suggested} | {precision:.4f} | {recall:.3f} |", flush=True)


if __name__ == "__main__":
    main()
