"""Verification and grouping on a folder laid out as Labeled Faces in the Wild.

    python tests/benchmarks/lfw.py LFW_FOLDER PAIRS_FILE [--workers N]

LFW_FOLDER holds <person>/<person>_0001.jpg …; PAIRS_FILE is in the layout of LFW's pairs.txt.
Every photo goes through faceclust's own decode, detect, align and embed; of several faces
the one nearest the middle counts. Prints Markdown tables: the ten-fold protocol with and
without the mirrored mean, and grouping at each threshold and algorithm.
"""

from __future__ import annotations

import argparse
import dataclasses
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from faceclust.cluster.density import hdbscan_groups
from faceclust.cluster.linkage import agglomerate
from faceclust.evaluation.clustering import bcubed, pairwise
from faceclust.evaluation.verification import read_pairs, verify_folds
from faceclust.packs.manifest import load_pack
from faceclust.photos.decode import decode_photo
from faceclust.types import PhotoRef
from faceclust.vision.align import cut_chips
from faceclust.vision.analyse import FaceAnalyser
from faceclust.vision.embed import load_embedder

_analyser: FaceAnalyser
_plain: object


def _open_models() -> None:
    global _analyser, _plain
    pack = load_pack("dlib")
    _analyser = FaceAnalyser(pack)
    _plain = load_embedder(dataclasses.replace(pack, embedder=dataclasses.replace(pack.embedder, mirror=False)))


def _embed(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    photo = decode_photo(path.read_bytes(), PhotoRef(path.name, 1, 1))
    found, mirrored = _analyser.embed(photo.pixels, _analyser.detect(photo.pixels))
    if not len(found):
        return None
    middle = np.array(photo.full_size) / 2
    i = int((((found.boxes[:, :2] + found.boxes[:, 2:]) / 2 - middle) ** 2).sum(axis=1).argmin())
    spec = _analyser.pack.embedder
    chips = cut_chips(photo.pixels, found.landmarks[i : i + 1], spec.template, spec.chip_size)
    return mirrored[i], _plain(chips).vectors[0]  # type: ignore[operator]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ask.add_argument("folder", type=Path)
    ask.add_argument("pairs", type=Path)
    ask.add_argument("--workers", type=int, default=2)
    arguments = ask.parse_args()
    paths = sorted(arguments.folder.glob("*/*.jpg"))
    with ProcessPoolExecutor(arguments.workers, initializer=_open_models) as pool:
        embedded = list(pool.map(_embed, paths, chunksize=64))
    missed = sum(vectors is None for vectors in embedded)
    print(f"{len(paths)} photos, {len({p.parent.name for p in paths})} people, no face found on {missed}\n")
    _verification(arguments.pairs, paths, embedded)
    people = np.array([path.parent.name for path, vectors in zip(paths, embedded, strict=True) if vectors])
    _grouping(np.array([vectors[0] for vectors in embedded if vectors]), people)


def _verification(pairs_file: Path, paths: list[Path], embedded: list[tuple[np.ndarray, np.ndarray] | None]) -> None:
    pairs = read_pairs(pairs_file)
    at = {path.stem: vectors for path, vectors in zip(paths, embedded, strict=True)}
    people = np.array([path.parent.name for path, vectors in zip(paths, embedded, strict=True) if vectors])
    print(
        "| embedding | accuracy | VAL at FAR 1e-3 | TAR at FAR 1e-5, all pairs | best BCubed F |\n|---|---|---|---|---|"
    )
    for column, name in ((1, "the chip"), (0, "mean of the chip and its mirror image")):
        distances = []
        for (a, i), (b, j) in zip(pairs.left, pairs.right, strict=True):
            left, right = at[f"{a}_{i:04d}"], at[f"{b}_{j:04d}"]
            # A face that was not found is a pair judged different, whatever the threshold.
            distances.append(((left[column] - right[column]) ** 2).sum() if left and right else np.inf)
        s = verify_folds(np.array(distances), pairs.same, pairs.folds)
        accuracy = f"{100 * s.accuracy:.2f} ± {100 * s.accuracy_error:.2f} %"
        vectors = np.array([pair[column] for pair in embedded if pair])
        accepted = _true_accept_rate(vectors, people, 1e-5)
        best = max(bcubed(agglomerate(vectors, t), people).f for t in np.arange(1.0, 1.3, 0.02))
        print(f"| {name} | {accuracy} | {100 * s.val:.1f} % | {100 * accepted:.1f} % | {best:.3f} |")


def _true_accept_rate(vectors: np.ndarray, people: np.ndarray, far: float) -> float:
    """Over every pair of photos: the share of same-person pairs accepted at the threshold that
    accepts the share `far` of different-person pairs."""
    upper = np.triu_indices(len(vectors), 1)
    likeness = (vectors @ vectors.T)[upper]  # of one norm, so it falls as the distance rises
    same = (people[:, None] == people)[upper]
    return float((likeness[same] > _likeness_at_far(likeness[~same], far)).mean())


def _likeness_at_far(impostors: np.ndarray, far: float) -> float:
    allowed = int(far * len(impostors))
    return float(-np.partition(-impostors, allowed)[allowed])


def _grouping(vectors: np.ndarray, people: np.ndarray) -> None:
    print("\n| algorithm | threshold | BCubed P / R / F | pairwise F |\n|---|---|---|---|")
    for threshold in (0.9, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3):
        _row("average", f"{threshold:g}", agglomerate(vectors, threshold), people)
    for name, thresholds in (
        ("complete", (1.1, 1.3, 1.5, 1.7)),
        ("single", (0.5, 0.6, 0.7, 0.75, 0.8, 1.1)),
    ):
        scored = [(bcubed(agglomerate(vectors, t, name), people).f, t) for t in thresholds]
        best = max(scored)[1]
        for threshold in sorted({best, 1.1}):
            _row(name, f"{threshold:g}", agglomerate(vectors, threshold, name), people)
    _row("hdbscan", "–", hdbscan_groups(vectors, 2), people)


def _row(name: str, threshold: str, labels: np.ndarray, people: np.ndarray) -> None:
    b, p = bcubed(labels, people), pairwise(labels, people)
    print(f"| {name} | {threshold} | {b.precision:.3f} / {b.recall:.3f} / {b.f:.3f} | {p.f:.3f} |")


if __name__ == "__main__":
    main()
