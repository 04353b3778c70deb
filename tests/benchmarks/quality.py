"""Does the quality of a face tell how well it is recognised? On labelled photos, spoilt in known ways.

    python tests/benchmarks/quality.py LABELLED_FOLDER [--photos N] [--kept FILE.npz] [--plot PNG] [--fit]

LABELLED_FOLDER holds <person>/<photo>; N photos (1,500) of people with several are looked at as they
are; each spoilt in one way; and a hundred of them in every way, at every level. Half of the people
are for fitting the weights in `vision/quality.py` (--fit prints them anew), all figures are of the
other half. Prints Markdown tables: for each way of spoiling, how quality falls with the level (rank
correlation within a photo, mean over the photos) and goes with the loss of likeness to the person's
other photos; and error-versus-reject curves on the photos as they are, and with every second one
spoilt: the share of pairs of one person that are missed, at the threshold that takes one of a
thousand pairs of strangers for one person, after the pairs of least quality were put away. What was
looked at is kept in FILE, and taken from it where it is there. Last, how well photos of all the
people are grouped, by the quality below which a face takes no part in the making of groups.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.group import group_faces
from faceclust.evaluation.degradations import (
    BandOcclusion,
    Degradation,
    Downscaling,
    ExposureChange,
    GaussianBlur,
    GaussianNoise,
    JpegCompression,
    LeftOcclusion,
)
from faceclust.evaluation.labelled_folders import LabelledPhotos, find_labelled_photos
from faceclust.evaluation.metrics.clustering import bcubed
from faceclust.evaluation.metrics.verification import threshold_at_far
from faceclust.evaluation.reject import area_under_curve, error_versus_reject, rank_correlation
from faceclust.packs.registry import load_pack
from faceclust.photos.decode import decode_photo
from faceclust.types import ClusterParams, PhotoRef
from faceclust.vision.pipeline import FaceAnalyser
from faceclust.vision.quality import QualityFactors, measure_quality_factors, predict_quality

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.synthetic import face_table

WAYS: dict[str, list[Degradation]] = {
    "blurred, σ 1 to 4 px": [GaussianBlur(radius) for radius in (1, 2, 3, 4)],
    "smaller, 1.5 to 4 times": [Downscaling(factor) for factor in (1.5, 2, 3, 4)],
    "blown up, 2 to 4 times": [Downscaling(factor, restore_size=True) for factor in (2, 3, 4)],
    "JPEG 30, 10, 5": [JpegCompression(quality) for quality in (30, 10, 5)],
    "noise, σ 15, 30, 50": [GaussianNoise(deviation) for deviation in (15, 30, 50)],
    "cut off at 40, 45, 50 %": [LeftOcclusion(share) for share in (0.4, 0.45, 0.5)],
    "covered, 8 to 24 %": [BandOcclusion(share) for share in (0.08, 0.16, 0.24)],
    "dark, × 0.3, 0.1, 0.05": [ExposureChange(factor) for factor in (0.3, 0.1, 0.05)],
    "light, × 2, 4": [ExposureChange(factor) for factor in (2, 4)],
}
LEVELS = [(way, level, do) for way, levels in WAYS.items() for level, do in enumerate(levels, start=1)]
SHARES = np.arange(0, 0.51, 0.05)
PARTS = [field.name for field in fields(QualityFactors)]
#: Limits from below in the fit. On LFW size tells little beside sharpness, and heads are hardly turned;
#: elsewhere both are other.
AT_LEAST = {"size": 0.2, "pose": 0.5}

_analyser: FaceAnalyser


@dataclass(frozen=True)
class Looked:
    """Row by row: which photo, spoilt how (−1: not; else of LEVELS), for what (0 as it is, 1 spoilt in
    one way, 2 in every way), and what was seen: `vectors` 0 where no face was found."""

    photo: np.ndarray
    how: np.ndarray
    use: np.ndarray
    person: np.ndarray
    vectors: np.ndarray
    parts: np.ndarray
    norm: np.ndarray
    old: np.ndarray
    plain: np.ndarray  # the quality of a pack that does not mirror

    @property
    def found(self) -> np.ndarray:
        return self.vectors.any(axis=1)

    @property
    def quality(self) -> np.ndarray:
        return predict_quality(QualityFactors(*self.parts.T), mirrored=True)


def _open_models() -> None:
    global _analyser
    _analyser = FaceAnalyser(load_pack("dlib"))


def _look(job: tuple[Path, Degradation | None]) -> tuple[np.ndarray, np.ndarray, float, float, float] | None:
    path, treatment = job
    data = path.read_bytes()
    pixels = decode_photo(data, PhotoRef(path.name, len(data), 0)).pixels
    pixels = pixels if treatment is None else treatment(pixels)
    faces = _analyser.refine(pixels, _analyser.detect(pixels))
    if not len(faces):
        return None
    off = ((faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 - np.array(pixels.shape[1::-1]) / 2) ** 2
    face = faces.take(np.array([off.sum(axis=1).argmin()]))
    chips, scales, spec = _analyser.align(pixels, face), _analyser.chip_scales(face), _analyser.pack.embedder
    seen = _analyser._embedder(chips)
    parts = measure_quality_factors(face, scales, chips, seen.asymmetry, spec)
    row = np.array([getattr(parts, name)[0] for name in PARTS])
    old = float(face.scores[0] * min(1, 1 / scales[0]))
    return seen.vectors[0], row, float(seen.norms[0]), old, float(predict_quality(parts, mirrored=False)[0])


def look(photos: LabelledPhotos, count: int) -> Looked:
    rng = np.random.default_rng(7)
    persons, paths = photos.persons, photos.paths
    names, sizes = np.unique(persons, return_counts=True)
    chosen: list[int] = []
    for name in rng.permutation(names[sizes > 1]):
        chosen += rng.permutation(np.flatnonzero(persons == name))[:6].tolist()
        if len(chosen) >= count:
            break
    chosen.sort()
    rows = [(photo, -1, 0) for photo in chosen]
    rows += [(photo, i % len(LEVELS), 1) for i, photo in enumerate(chosen)]
    rows += [(photo, how, 2) for photo in rng.permutation(chosen)[:100].tolist() for how in range(len(LEVELS))]
    jobs = [(paths[photo], None if how < 0 else LEVELS[how][2]) for photo, how, _ in rows]
    with ProcessPoolExecutor(os.cpu_count(), initializer=_open_models) as pool:
        seen = list(pool.map(_look, jobs, chunksize=16))
    nothing = next(tuple(np.zeros_like(value) for value in row) for row in seen if row is not None)
    columns = [np.array(column) for column in zip(*(row or nothing for row in seen), strict=True)]
    photo, how, use = np.array(rows).T
    return Looked(photo, how, use, persons[photo], *columns)


def likeness(looked: Looked) -> tuple[np.ndarray, np.ndarray]:
    """Of each face with the person's other photos as they are: the share it is told to be the same
    as, and the mean squared L2; nan where there is none."""
    good = np.flatnonzero((looked.use == 0) & looked.found)
    distances = _squared(looked.vectors, looked.vectors[good])
    strangers = looked.person[good][:, None] != looked.person[good]
    threshold = threshold_at_far(distances[good][strangers & np.triu(np.ones_like(strangers), 1)], 1e-3)
    same = (looked.person[:, None] == looked.person[good]) & (looked.photo[:, None] != looked.photo[good])
    same &= looked.found[:, None]
    many = np.where(same.any(axis=1), same.sum(axis=1), np.nan)
    return ((distances < threshold) & same).sum(axis=1) / many, (distances * same).sum(axis=1) / many


def _squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T


def fit(parts: np.ndarray, accepted: np.ndarray, names: list[str]) -> np.ndarray:
    """The constant and a weight for each part: the largest likelihood of `accepted` (0..1), with
    no weight below 0 or AT_LEAST, and ridge 1e-4 on weights of parts of unit deviation."""
    spread = parts.std(axis=0)

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        worth = parts / spread @ w[1:] + w[0]
        off = 1 / (1 + np.exp(-worth)) - accepted
        slope = np.concatenate([[off.mean()], (parts / spread * off[:, None]).mean(axis=0) + 2e-4 * w[1:]])
        return float((np.logaddexp(0, worth) - accepted * worth).mean() + 1e-4 * (w[1:] ** 2).sum()), slope

    limits = [(None, None), *((AT_LEAST.get(name, 0.0) * s, None) for name, s in zip(names, spread, strict=True))]
    found = minimize(loss, np.zeros(1 + len(names)), jac=True, method="L-BFGS-B", bounds=limits).x
    return np.concatenate([found[:1], found[1:] / spread])


def curves(looked: Looked, rows: np.ndarray, qualities: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """An error-versus-reject curve for each quality, over all pairs of the faces `rows`."""
    rows = np.flatnonzero(rows & looked.found)
    i, j = np.triu_indices(len(rows), 1)
    distances, person = _squared(looked.vectors[rows], looked.vectors[rows])[i, j], looked.person[rows]
    same = person[i] == person[j]
    missed = distances[same] >= threshold_at_far(distances[~same], 1e-3)
    i, j = rows[i[same]], rows[j[same]]
    return {name: error_versus_reject(missed, q[i], q[j], SHARES) for name, q in qualities.items()}


def _correlations(looked: Looked, ours: np.ndarray, accepted: np.ndarray, distance: np.ndarray) -> None:
    old = {"quality": looked.quality, "old": looked.old, "without": looked.plain}
    print("| spoilt | found | recognised | quality | with level | with lost likeness | the old score's |")
    print("|---|---|---|---|---|---|---|")
    clean = dict(zip(looked.photo[looked.use == 0].tolist(), np.flatnonzero(looked.use == 0).tolist(), strict=True))
    print(_row("not at all", looked, ours & (looked.use == 0), accepted) + " | | | |")
    for way in WAYS:
        mine = ours & (looked.use == 2) & np.isin(looked.how, [k for k, level in enumerate(LEVELS) if level[0] == way])
        level = np.array([LEVELS[how][1] if how >= 0 else 0 for how in looked.how])
        told: dict[str, list[float]] = {"level": [], "loss": [], "old": []}
        for photo in np.unique(looked.photo[mine]).tolist():
            rows = np.append(np.flatnonzero(mine & looked.found & (looked.photo == photo)), clean[photo])
            if len(rows) > 1 and looked.found[clean[photo]]:
                told["level"].append(rank_correlation(old["quality"][rows], -level[rows]))
                told["loss"].append(rank_correlation(old["quality"][rows], -distance[rows]))
                told["old"].append(rank_correlation(old["old"][rows], -level[rows]))
        means = " | ".join(f"{np.nanmean(values):.2f}" for values in told.values())
        print(f"{_row(way, looked, mine, accepted)} | {means} |")


def _row(name: str, looked: Looked, rows: np.ndarray, accepted: np.ndarray) -> str:
    found = rows & looked.found
    share, quality = looked.found[rows].mean(), looked.quality[found].mean()
    return f"| {name} | {share:.0%} | {np.nanmean(accepted[found]):.0%} | {quality:.2f}"


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ask.add_argument("folder", type=Path)
    ask.add_argument("--photos", type=int, default=1500)
    ask.add_argument("--kept", type=Path)
    ask.add_argument("--plot", type=Path)
    ask.add_argument("--fit", action="store_true")
    arguments = ask.parse_args()
    if arguments.kept and arguments.kept.exists():
        with np.load(arguments.kept) as kept:
            looked = Looked(**kept)
    else:
        looked = look(find_labelled_photos(arguments.folder), arguments.photos)
        if arguments.kept:
            np.savez(arguments.kept, **{field.name: getattr(looked, field.name) for field in fields(Looked)})
    accepted, distance = likeness(looked)
    names = np.unique(looked.person)
    fitted = np.isin(looked.person, np.random.default_rng(0).permutation(names)[: len(names) // 2])
    if arguments.fit:
        rows = fitted & np.isfinite(accepted)
        for many in (len(PARTS), len(PARTS) - 1):
            print(PARTS[:many], fit(looked.parts[rows, :many], accepted[rows], PARTS[:many]).round(2).tolist())
        return
    ours = ~fitted
    photos = len(np.unique(looked.photo[ours]))
    print(f"{photos} photos of {len(np.unique(looked.person[ours]))} people, not those the weights were fitted on\n")
    _correlations(looked, ours, accepted, distance)
    qualities = {
        "**quality**": looked.quality,
        "without the mirror image": looked.plain,
        "score × resolution": looked.old,
        **dict(zip((f"{name} alone" for name in PARTS), looked.parts.T, strict=True)),
        "norm of the embedding": looked.norm,
        "chance": np.zeros(len(looked.photo)),
        "the likeness itself": -np.nan_to_num(distance, nan=9.0),
    }
    place = np.unique(looked.photo, return_inverse=True)[1]
    half = ours & (((looked.use == 0) & (place % 2 == 0)) | ((looked.use == 1) & (place % 2 == 1)))
    drawn = {}
    for title, rows in (("as they are", ours & (looked.use == 0)), ("every second photo spoilt", half)):
        drawn[title] = curves(looked, rows, qualities)
        print(f"\n| missed pairs, {title} | 0 % put away | 10 % | 20 % | 30 % | 50 % | mean |")
        print("|---|---|---|---|---|---|---|")
        for name, curve in drawn[title].items():
            cells = " | ".join(f"{curve[k]:.1%}" for k in (0, 2, 4, 6, 10))
            print(f"| {name} | {cells} | {area_under_curve(SHARES, curve):.1%} |")
    _grouping(looked)
    if arguments.plot:
        _plot(drawn, arguments.plot)


def _grouping(looked: Looked) -> None:
    """Every second photo spoilt, and each photo twice, by the least quality of those that make groups."""
    place = np.unique(looked.photo, return_inverse=True)[1]
    half = ((looked.use == 0) & (place % 2 == 0)) | ((looked.use == 1) & (place % 2 == 1))
    print("\n| grouped, everybody's photos | least quality | poorer | BCubed P / R / F |\n|---|---|---|---|")
    kinds = {"as they are": looked.use == 0, "every second spoilt": half, "each as it is, and spoilt": looked.use < 2}
    for title, rows in kinds.items():
        there = np.flatnonzero(rows & looked.found)
        quality = looked.quality[there].astype(np.float32)
        faces = replace(face_table(there, looked.vectors[there], there), quality=quality)
        for least in (0.0, 0.2, 0.4, 0.5, 0.6, 0.7):
            labels = group_faces(faces, ClusterParams(min_quality=least), Constraints()).clustering.labels
            b = bcubed(labels, looked.person[there])
            share = (quality < least).mean()
            print(f"| {title} | {least:g} | {share:.1%} | {b.precision:.3f} / {b.recall:.3f} / {b.f:.3f} |")


def _plot(drawn: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = {
        "**quality**": "quality",
        "score × resolution": "score × resolution",
        "chance": "chance",
        "the likeness itself": "the likeness itself",
    }
    figure, axes = pyplot.subplots(1, len(drawn), figsize=(9, 3.6), constrained_layout=True)
    for axis, (title, found) in zip(axes, drawn.items(), strict=True):
        for name, label in shown.items():
            axis.plot(100 * SHARES, 100 * found[name], label=label, linewidth=2.5 if label == "quality" else 1.2)
        axis.set(
            title=f"photos {title}" if title.startswith("as") else title, xlabel="pairs put away, %", ylim=(0, None)
        )
    axes[0].set_ylabel("pairs of one person missed, %")
    axes[0].legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
