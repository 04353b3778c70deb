"""Embedders behind the same detector, compared over all pairs of labelled faces.

    python tests/benchmarks/embedders.py LFW_FOLDER [PACK …] [--workers N] [--splits 3]

LFW_FOLDER holds <person>/<person>_0001.jpg …. PACK is the name of a pack or the path of a manifest; by default
the packs that are built in. The face nearest to the centre of each photo counts. Photos are measured
once for each pack and cached in the user's cache folder, detections once for all packs with the same
detector. Prints a Markdown table with two rows a pack: embeddings of the chip alone, and the mean with its
mirror image. BCubed F is of clustering in two passes, at the middle of the distances that are good for
half of the people, over the other half. A pass is one run of the embedder on one chip, on one thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from faceclust.evaluation.labelled_folders import find_labelled_photos
from faceclust.evaluation.main_faces import find_main_faces
from faceclust.evaluation.metrics.clustering import bcubed
from faceclust.evaluation.metrics.verification import verify_all_pairs
from faceclust.evaluation.radius import f_tolerance, find_plateau, score_distances
from faceclust.files.names import EMBEDDED_PACKS
from faceclust.packs.pack import Pack
from faceclust.progress import SilentProgress
from faceclust.vision.pipeline import FacePipeline

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.grouping import cluster_faces
from tests.benchmarks.packs import find_pack
from tests.benchmarks.people_halves import split_people

_CHIPS, _ROUNDS = 16, 8  # the fastest round counts: the others were disturbed


def main() -> None:
    """Measure the faces with each pack and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("packs", nargs="*", default=EMBEDDED_PACKS)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--splits", type=int, default=3)
    arguments = parser.parse_args()
    photos = find_labelled_photos(arguments.folder)
    print(
        "| pack | embedding of a face | TAR at FAR 1e-4 | 1e-5 | 1e-6 | 1e-5, mean per person "
        "| BCubed F, cut from the other half | CPU ms |\n|---|---|---|---|---|---|---|---|"
    )
    for text in arguments.packs:
        pack = find_pack(text)
        faces = find_main_faces(photos.paths, pack, workers=arguments.workers)
        people, milliseconds = photos.persons[faces.found], _time_pass(pack)
        for mirrored, name in ((False, "the chip"), (True, "mean of the chip and its mirror image")):
            vectors = faces.embeddings(1.0, mirrored=mirrored)[faces.found]
            scores = _score(vectors, people, arguments.splits)
            print(f"| {pack.name} | {name} | {scores} | {milliseconds * (1 + mirrored):.1f} |", flush=True)


def _score(vectors: np.ndarray, people: np.ndarray, splits: int) -> str:
    *pooled, last = verify_all_pairs(vectors, people, (1e-4, 1e-5, 1e-6, 1e-5)).rates
    rates = [*(rate.tar for rate in pooled), last.mean_person_tar]
    f = []
    for half in split_people(people, splits):
        cuts = score_distances(vectors[half], people[half], SilentProgress())
        cut = sum(find_plateau(cuts, f_tolerance(people[half]))) / 2
        f.append(bcubed(cluster_faces(vectors[~half], cut), people[~half]).f)
    return " | ".join([*("–" if rate is None else f"{rate:.3f}"[1:] for rate in rates), f"{np.mean(f):.4f}"[1:]])


def _time_pass(pack: Pack) -> float:
    """Return the CPU milliseconds that the embedder takes for a chip."""
    analyser, (width, height) = FacePipeline(pack), pack.embedder.chip_size
    chips = np.random.default_rng(0).integers(0, 256, (_CHIPS, height, width, 3), np.uint8)
    times = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        analyser.raw_vectors(chips)
        times.append(time.process_time() - began)
    return 1000 * min(times) / _CHIPS


if __name__ == "__main__":
    main()
