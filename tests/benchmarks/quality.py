"""The predictive power of a face's quality, on labelled photos degraded in known ways.

    python tests/benchmarks/quality.py LABELLED_FOLDER [--pack PACK] [--photos N] [--degraded N]
        [--kept FILE.npz] [--plot PNG] [--fit]

LABELLED_FOLDER holds <person>/<photo>. --photos (1,500) of people with several are measured unchanged and
degraded in one way; --degraded (100) of them in every way, at every level. Half of the people are for
fitting the weights in `vision/quality.py` (--fit prints them); all figures are about the other half. Prints
Markdown tables. For each way of degrading: how quality falls with the level (rank correlation within a
photo, mean over the photos), and how it follows the loss of likeness to the person's other photos.
Error-versus-reject curves, on unchanged photos and with every second one degraded: the share of pairs of one
person that are missed after the pairs of lowest quality are rejected, at the threshold of FAR 1e-3.
The accuracy of grouping all people's photos, by the quality below which a face forms no groups.
Measurements are saved in FILE, and read from it if it exists.
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
from faceclust.packs.pack import Pack
from faceclust.photos.decode import decode_photo
from faceclust.types import ClusterParams, PhotoRef
from faceclust.vision.pipeline import FacePipeline
from faceclust.vision.quality import QualityFactors, combine_with_norm, measure_quality_factors, predict_quality

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.packs import add_pack_option
from tests.benchmarks.reject import area_under_curve, error_versus_reject, rank_correlation
from tests.benchmarks.synthetic import face_table

DEGRADATIONS: dict[str, list[Degradation]] = {
    "blurred, σ 1 to 4 px": [GaussianBlur(radius) for radius in (1, 2, 3, 4)],
    "reduced, 1.5 to 4 times": [Downscaling(factor) for factor in (1.5, 2, 3, 4)],
    "reduced and enlarged, 2 to 4 times": [Downscaling(factor, restore_size=True) for factor in (2, 3, 4)],
    "JPEG 30, 10, 5": [JpegCompression(quality) for quality in (30, 10, 5)],
    "noise, σ 15, 30, 50": [GaussianNoise(deviation) for deviation in (15, 30, 50)],
    "left part black, 40, 45, 50 %": [LeftOcclusion(share) for share in (0.4, 0.45, 0.5)],
    "grey band, 8 to 24 %": [BandOcclusion(share) for share in (0.08, 0.16, 0.24)],
    "dark, × 0.3, 0.1, 0.05": [ExposureChange(factor) for factor in (0.3, 0.1, 0.05)],
    "light, × 2, 4": [ExposureChange(factor) for factor in (2, 4)],
}
LEVELS = [(way, level, do) for way, levels in DEGRADATIONS.items() for level, do in enumerate(levels, start=1)]
SHARES = np.arange(0, 0.51, 0.05)
PARTS = [field.name for field in fields(QualityFactors)]
#: Lower limits of the fit. LFW has few sizes and poses, so it underrates both.
AT_LEAST = {"size": 0.2, "pose": 0.5}

_analyser: FacePipeline


@dataclass(frozen=True)
class Measured:
    """Measured faces, one a row.

    `photo`: its index. `how`: the index of its degradation in LEVELS, −1 for none. `use`: 0 unchanged, 1
    degraded in one way, 2 in every way. `vectors` are 0 if no face was found.
    """

    photo: np.ndarray
    how: np.ndarray
    use: np.ndarray
    person: np.ndarray
    vectors: np.ndarray
    parts: np.ndarray
    norm: np.ndarray
    old: np.ndarray
    plain: np.ndarray  # quality for a pack that does not mirror
    limits: np.ndarray  # the pack's worst and best norm; empty if norms do not reflect quality

    @property
    def has_face(self) -> np.ndarray:
        """True for each row with a face."""
        return self.vectors.any(axis=1)

    @property
    def quality(self) -> np.ndarray:
        """The quality of each face."""
        quality = self.without_norm
        return combine_with_norm(quality, self.norm, tuple(self.limits)) if len(self.limits) else quality

    @property
    def without_norm(self) -> np.ndarray:
        """The quality of each face by everything but the norm of its embedding."""
        return predict_quality(QualityFactors(*self.parts.T), mirrored=True)


def _open_models(pack: Pack) -> None:
    global _analyser
    _analyser = FacePipeline(pack)


def _measure_picture(job: tuple[Path, Degradation | None]) -> tuple[np.ndarray, np.ndarray, float, float, float] | None:
    path, degradation = job
    data = path.read_bytes()
    pixels = decode_photo(data, PhotoRef(path.name, len(data), 0)).pixels
    pixels = pixels if degradation is None else degradation(pixels)
    faces = _analyser.refine(pixels, _analyser.detect(pixels))
    if not len(faces):
        return None
    offsets = ((faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 - np.array(pixels.shape[1::-1]) / 2) ** 2
    face = faces.take(np.array([offsets.sum(axis=1).argmin()]))
    chips, scales, spec = _analyser.align(pixels, face), _analyser.chip_scales(face), _analyser.pack.embedder
    embedded = _analyser._embedder(chips)
    parts = measure_quality_factors(face, scales, chips, embedded.asymmetry, spec)
    row = np.array([getattr(parts, name)[0] for name in PARTS])
    old = float(face.scores[0] * min(1, 1 / scales[0]))
    return embedded.vectors[0], row, float(embedded.norms[0]), old, float(predict_quality(parts, mirrored=False)[0])


def measure(photos: LabelledPhotos, pack: Pack, count: int, degraded: int) -> Measured:
    """Measure `count` photos unchanged and degraded once, `degraded` of them in every way."""
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
    rows += [(photo, how, 2) for photo in rng.permutation(chosen)[:degraded].tolist() for how in range(len(LEVELS))]
    jobs = [(paths[photo], None if how < 0 else LEVELS[how][2]) for photo, how, _ in rows]
    with ProcessPoolExecutor(os.cpu_count(), initializer=_open_models, initargs=(pack,)) as pool:
        measurements = list(pool.map(_measure_picture, jobs, chunksize=16))
    nothing = next(tuple(np.zeros_like(value) for value in row) for row in measurements if row is not None)
    columns = [np.array(column) for column in zip(*(row or nothing for row in measurements), strict=True)]
    photo, how, use = np.array(rows).T
    return Measured(photo, how, use, persons[photo], *columns, limits=np.array(pack.embedder.norm or ()))


def compare_with_own_photos(measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Compare each face with the person's other unchanged photos; nan if there are none.

    Return the share judged as the same person, and the mean squared L2.
    """
    good = np.flatnonzero((measured.use == 0) & measured.has_face)
    distances = _squared(measured.vectors, measured.vectors[good])
    strangers = measured.person[good][:, None] != measured.person[good]
    threshold = threshold_at_far(distances[good][strangers & np.triu(np.ones_like(strangers), 1)], 1e-3)
    same = (measured.person[:, None] == measured.person[good]) & (measured.photo[:, None] != measured.photo[good])
    same &= measured.has_face[:, None]
    many = np.where(same.any(axis=1), same.sum(axis=1), np.nan)
    return ((distances < threshold) & same).sum(axis=1) / many, (distances * same).sum(axis=1) / many


def _squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T


def fit(parts: np.ndarray, accepted: np.ndarray, names: list[str]) -> np.ndarray:
    """Fit a constant and a weight for each part by maximum likelihood of `accepted` (0..1).

    No weight is below 0 or AT_LEAST. Ridge 1e-4 on the weights of parts scaled to unit deviation.
    """
    spread = parts.std(axis=0)

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        worth = parts / spread @ w[1:] + w[0]
        off = 1 / (1 + np.exp(-worth)) - accepted
        slope = np.concatenate([[off.mean()], (parts / spread * off[:, None]).mean(axis=0) + 2e-4 * w[1:]])
        return float((np.logaddexp(0, worth) - accepted * worth).mean() + 1e-4 * (w[1:] ** 2).sum()), slope

    limits = [(None, None), *((AT_LEAST.get(name, 0.0) * s, None) for name, s in zip(names, spread, strict=True))]
    found = minimize(loss, np.zeros(1 + len(names)), jac=True, method="L-BFGS-B", bounds=limits).x
    return np.concatenate([found[:1], found[1:] / spread])


def compute_curves(measured: Measured, rows: np.ndarray, qualities: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return an error-versus-reject curve for each quality, over all pairs of the faces `rows`."""
    rows = np.flatnonzero(rows & measured.has_face)
    i, j = np.triu_indices(len(rows), 1)
    distances, person = _squared(measured.vectors[rows], measured.vectors[rows])[i, j], measured.person[rows]
    same = person[i] == person[j]
    missed = distances[same] >= threshold_at_far(distances[~same], 1e-3)
    i, j = rows[i[same]], rows[j[same]]
    return {name: error_versus_reject(missed, q[i], q[j], SHARES) for name, q in qualities.items()}


def _correlations(measured: Measured, ours: np.ndarray, accepted: np.ndarray, distance: np.ndarray) -> None:
    old = {"quality": measured.quality, "old": measured.old, "without": measured.plain}
    print("| degraded | found | recognised | quality | by level | by lost likeness | score × resolution by level |")
    print("|---|---|---|---|---|---|---|")
    clean = dict(
        zip(measured.photo[measured.use == 0].tolist(), np.flatnonzero(measured.use == 0).tolist(), strict=True)
    )
    print(_row("unchanged", measured, ours & (measured.use == 0), accepted) + " | | | |")
    for degradation in DEGRADATIONS:
        selected = (
            ours
            & (measured.use == 2)
            & np.isin(measured.how, [k for k, level in enumerate(LEVELS) if level[0] == degradation])
        )
        level = np.array([LEVELS[how][1] if how >= 0 else 0 for how in measured.how])
        correlations: dict[str, list[float]] = {"level": [], "loss": [], "old": []}
        for photo in np.unique(measured.photo[selected]).tolist():
            rows = np.append(np.flatnonzero(selected & measured.has_face & (measured.photo == photo)), clean[photo])
            if len(rows) > 1 and measured.has_face[clean[photo]]:
                correlations["level"].append(rank_correlation(old["quality"][rows], -level[rows]))
                correlations["loss"].append(rank_correlation(old["quality"][rows], -distance[rows]))
                correlations["old"].append(rank_correlation(old["old"][rows], -level[rows]))
        means = " | ".join(f"{np.nanmean(values):.2f}" for values in correlations.values())
        print(f"{_row(degradation, measured, selected, accepted)} | {means} |")


def _row(name: str, measured: Measured, rows: np.ndarray, accepted: np.ndarray) -> str:
    found = rows & measured.has_face
    share, quality = measured.has_face[rows].mean(), measured.quality[found].mean()
    return f"| {name} | {share:.0%} | {np.nanmean(accepted[found]):.0%} | {quality:.2f}"


def main() -> None:
    """Measure the photos and print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    add_pack_option(parser)
    parser.add_argument("--photos", type=int, default=1500)
    parser.add_argument("--degraded", type=int, default=100)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    if arguments.kept and arguments.kept.exists():
        with np.load(arguments.kept) as kept:
            measured = Measured(**kept)
    else:
        measured = measure(find_labelled_photos(arguments.folder), arguments.pack, arguments.photos, arguments.degraded)
        if arguments.kept:
            np.savez(arguments.kept, **{field.name: getattr(measured, field.name) for field in fields(Measured)})
    accepted, distance = compare_with_own_photos(measured)
    names = np.unique(measured.person)
    fitted = np.isin(measured.person, np.random.default_rng(0).permutation(names)[: len(names) // 2])
    if arguments.fit:
        rows = fitted & np.isfinite(accepted)
        for many in (len(PARTS), len(PARTS) - 1):
            print(PARTS[:many], fit(measured.parts[rows, :many], accepted[rows], PARTS[:many]).round(2).tolist())
        return
    ours = ~fitted
    photos = len(np.unique(measured.photo[ours]))
    print(
        f"{photos} photos of {len(np.unique(measured.person[ours]))} people, without those the weights were fitted on\n"
    )
    _correlations(measured, ours, accepted, distance)
    qualities = {
        "**quality**": measured.quality,
        "without the norm": measured.without_norm,
        "without the mirror image": measured.plain,
        "score × resolution": measured.old,
        **dict(zip((f"{name} alone" for name in PARTS), measured.parts.T, strict=True)),
        "norm of the embedding": measured.norm,
        "chance": np.zeros(len(measured.photo)),
        "distance itself": -np.nan_to_num(distance, nan=9.0),
    }
    place = np.unique(measured.photo, return_inverse=True)[1]
    half = ours & (((measured.use == 0) & (place % 2 == 0)) | ((measured.use == 1) & (place % 2 == 1)))
    drawn = {}
    for title, rows in (("unchanged", ours & (measured.use == 0)), ("every second photo degraded", half)):
        drawn[title] = compute_curves(measured, rows, qualities)
        print(f"\n| missed pairs, {title} | 0 % rejected | 10 % | 20 % | 30 % | 50 % | mean |")
        print("|---|---|---|---|---|---|---|")
        for name, curve in drawn[title].items():
            cells = " | ".join(f"{curve[k]:.1%}" for k in (0, 2, 4, 6, 10))
            print(f"| {name} | {cells} | {area_under_curve(SHARES, curve):.1%} |")
    _grouping(measured)
    if arguments.plot:
        _plot(drawn, arguments.plot)


def _grouping(measured: Measured) -> None:
    """Print the clustering accuracy by the minimum quality of faces that form groups."""
    place = np.unique(measured.photo, return_inverse=True)[1]
    half = ((measured.use == 0) & (place % 2 == 0)) | ((measured.use == 1) & (place % 2 == 1))
    print("\n| photos of all people | minimum quality | below it | BCubed P / R / F |\n|---|---|---|---|")
    kinds = {
        "unchanged": measured.use == 0,
        "every second degraded": half,
        "each unchanged and degraded": measured.use < 2,
    }
    for title, rows in kinds.items():
        positions = np.flatnonzero(rows & measured.has_face)
        quality = measured.quality[positions].astype(np.float32)
        faces = replace(face_table(positions, measured.vectors[positions], positions), quality=quality)
        for least in (0.0, 0.2, 0.4, 0.5, 0.6, 0.7):
            labels = group_faces(faces, ClusterParams(min_quality=least), Constraints()).clustering.labels
            b = bcubed(labels, measured.person[positions])
            share = (quality < least).mean()
            print(f"| {title} | {least:g} | {share:.1%} | {b.precision:.3f} / {b.recall:.3f} / {b.f:.3f} |")


def _plot(drawn: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    plotted = {
        "**quality**": "quality",
        "score × resolution": "score × resolution",
        "chance": "chance",
        "distance itself": "distance itself",
    }
    figure, axes = pyplot.subplots(1, len(drawn), figsize=(9, 3.6), constrained_layout=True)
    for axis, (title, found) in zip(axes, drawn.items(), strict=True):
        for name, label in plotted.items():
            axis.plot(100 * SHARES, 100 * found[name], label=label, linewidth=2.5 if label == "quality" else 1.2)
        axis.set(title=f"photos {title}" if title == "unchanged" else title, xlabel="pairs rejected, %", ylim=(0, None))
    axes[0].set_ylabel("pairs of one person missed, %")
    axes[0].legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
