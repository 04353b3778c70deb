"""Changes of other faces' groups when one photo is added to a library.

    python tests/benchmarks/stability.py [--faces 10000] [--additions 200] [--seed 0]

Each time, another photo of one to six synthetic faces is added to the same grouped library. Old faces
that change their group are counted: those within the threshold of a new face, and the others, which
nobody would expect to change. Both are counted for `faceclust cluster` and with --full. Prints a
Markdown table, then each change: the face, its group before and after (-1: none), and its distance to
the nearest new face.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from faceclust.cluster.constraints import Constraints, same_photo_exclusions
from faceclust.cluster.group import group_faces
from faceclust.types import ClusterParams, FaceTable
from tests.benchmarks.synthetic import Faces, face_table, synthetic_faces


def make_table(faces: Faces, positions: np.ndarray) -> FaceTable:
    """Return the faces at these positions."""
    return face_table(positions, faces.embeddings[positions], faces.photo[positions])


def main() -> None:
    """Add photos one at a time and print the changes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faces", type=int, default=10_000)
    parser.add_argument("--additions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    faces = synthetic_faces(arguments.faces + 8 * arguments.additions, arguments.seed)
    # A photo's faces are consecutive; the added ones come after the library's.
    photo_of_last = faces.photo[arguments.faces - 1]
    old = np.flatnonzero(np.arange(len(faces.photo)) < arguments.faces)
    photos = [p for p in np.unique(faces.photo[arguments.faces :]).tolist() if p != photo_of_last]
    photos = [p for p in photos if (np.flatnonzero(faces.photo == p) >= arguments.faces).all()]
    params = ClusterParams()
    library = make_table(faces, old)
    before = group_faces(library, params, Constraints(exclusions=same_photo_exclusions(library.photo_ids))).clustering
    print("| grouping | additions that change other faces' groups | faces changed within the threshold | beyond it |")
    print("|---|---|---|---|")
    changes = []
    for name, full in (("`cluster`", False), ("`cluster --full`", True)):
        eventful = near_changes = far_changes = 0
        for photo in photos[: arguments.additions]:
            new = np.flatnonzero(faces.photo == photo)
            now = make_table(faces, np.append(old, new))
            photos_apart = Constraints(exclusions=same_photo_exclusions(now.photo_ids))
            after = group_faces(now, params, photos_apart, history=[before], full=full).clustering
            changed = np.flatnonzero(after.labels[: len(old)] != before.labels)
            distances = ((faces.embeddings[changed][:, None] - faces.embeddings[new][None]) ** 2).sum(axis=2)
            near = distances.min(axis=1, initial=np.inf) <= params.threshold
            eventful += bool(len(changed))
            near_changes += int(near.sum())
            far_changes += int((~near).sum())
            if len(changed):
                moves = [
                    (i, before.labels[i], after.labels[i], f"{d:.2f}")
                    for i, d in zip(changed, distances.min(axis=1), strict=True)
                ]
                listed = ", ".join(f"face {i} from {before_} to {after_} ({d})" for i, before_, after_, d in moves[:5])
                changes.append(f"{name}, photo {photo}, {len(changed)} faces: {listed}{', …' * (len(moves) > 5)}")
        print(f"| {name} | {eventful} of {arguments.additions} | {near_changes} | {far_changes} |", flush=True)
    print("\n" + "\n".join(changes))


if __name__ == "__main__":
    main()
