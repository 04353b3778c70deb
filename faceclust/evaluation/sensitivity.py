"""The loss of accuracy on JPEG-compressed photos and on small faces.

It repeats an experiment of FaceNet (Schroff, Kalenichenko and Philbin 2015, §5.1, §5.2 and table 4). The same
pairs of photos are measured at several degradations, each at its own threshold for FAR 1e-3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import UsageError
from faceclust.evaluation.degradations import Degradation, Downscaling, JpegCompression
from faceclust.evaluation.labelled_folders import find_labelled_photos
from faceclust.evaluation.main_faces import MainFaces, find_main_faces
from faceclust.evaluation.metrics.verification import is_resolvable
from faceclust.evaluation.pair_lists import holds_pictures
from faceclust.evaluation.score_pairs import ValAtFar, VerificationPairs, load_pairs, score_pairs
from faceclust.packs.pack import Pack
from faceclust.progress import Progress

FAR = 1e-3
JPEG_QUALITIES = (10, 20, 30, 50, 70, 90)
#: Widths of the detector's box, in pixels.
FACE_WIDTHS = (40, 64, 80, 120, 160, 256)
#: A width is not measured if the faces of more than this share of photos are narrower.
_MAX_NARROWER_SHARE = 0.5
_MAX_SAME_PAIRS = 20_000  # pairs of one person drawn from a folder
_MAX_DIFFERENT_PAIRS = 200_000  # of two people: 200 of them set the threshold at FAR 1e-3, so VAL is smooth
_MAX_PHOTOS_PER_PERSON = 10  # else a person with hundreds would dominate the pairs


@dataclass(frozen=True)
class DegradationResult:
    """The accuracy at one degradation of all photos.

    `kind` is "none", "jpeg" or "width", `value` the JPEG quality or the width in pixels. `not_found`
    counts photos without a face. `narrower` counts photos with a narrower face, which stay unchanged.
    `rate` is None if most faces are narrower, so that nothing was measured.
    """

    kind: str
    value: int
    rate: ValAtFar | None
    not_found: int
    narrower: int = 0


def choose_pairs(folder: Path, file: Path | None, max_photos: int | None = None) -> VerificationPairs:
    """Choose the pairs to measure: those a file lists or, without one, pairs drawn from a labelled folder.

    At most `max_photos` photos are used. The choice is the same on every run. Raises UsageError if there
    are too few pairs to measure VAL at FAR 1e-3.
    """
    if file is not None and holds_pictures(file):
        raise UsageError(f"{file} holds cropped faces, not photos", hint="name a list of photos, such as pairs.txt")
    rng = np.random.default_rng(0)
    if file is None:
        pairs = _draw_pairs(folder, max_photos, rng)
    else:
        pairs = load_pairs(folder, file)
        pairs = pairs if max_photos is None else _limit_photos(pairs, max_photos, rng)
    one, two = int(pairs.same.sum()), int((~pairs.same).sum())
    if not is_resolvable(two, FAR) or not one:
        raise UsageError(
            f"too few pairs to measure VAL at FAR 1e-3: {two:,} of two people and {one:,} of one",
            hint=f"at least {round(1 / FAR):,} of two people are needed: add photos, or choose another list",
        )
    return pairs


def _draw_pairs(folder: Path, max_photos: int | None, rng: np.random.Generator) -> VerificationPairs:
    """Draw pairs of one person and of two people at random, with people in random order.

    All pairs of up to ten photos a person are used, at most 20,000, and at most 200,000 of two people.
    """
    labelled = find_labelled_photos(folder)
    names, persons = np.array(labelled.photos), labelled.persons
    people, first, counts = np.unique(persons, return_index=True, return_counts=True)
    order = rng.permutation(np.flatnonzero(counts > 1))
    # Photos are sorted, so those of one person are consecutive.
    drawn = [first[i] + np.sort(rng.permutation(counts[i])[:_MAX_PHOTOS_PER_PERSON]) for i in order]
    fits = np.cumsum([len(photos) for photos in drawn]) <= (max_photos or len(names))
    chosen = [photos for photos, fit in zip(drawn, fits, strict=True) if fit]
    if len(chosen) < 2:
        raise UsageError(
            f"{folder} has too few people to compare: {len(people)}, of whom {len(drawn)} have at least two photos",
            hint="try a larger --photos" if max_photos else None,
        )
    same_pairs = np.array([pair for photos in chosen for pair in combinations(photos, 2)])
    same_pairs = same_pairs[np.sort(rng.permutation(len(same_pairs))[:_MAX_SAME_PAIRS])]
    different_pairs = _draw_different_pairs(np.concatenate(chosen), persons, _MAX_DIFFERENT_PAIRS, rng)
    pairs = np.concatenate([same_pairs, different_pairs])
    used, index = np.unique(pairs, return_inverse=True)
    index = index.reshape(pairs.shape)
    used_names = [str(name) for name in names[used]]
    return VerificationPairs(
        tuple(folder / name for name in used_names),
        tuple(used_names),
        index[:, 0],
        index[:, 1],
        np.arange(len(pairs)) < len(same_pairs),
        np.zeros(len(pairs), np.int32),
    )


def _draw_different_pairs(
    photos: NDArray[np.intp], persons: NDArray[np.str_], wanted: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Draw up to `wanted` distinct pairs (n, 2) of photos of two people."""
    counts = np.unique(persons[photos], return_counts=True)[1]
    available = int(len(photos) ** 2 - (counts**2).sum()) // 2
    found: dict[tuple[int, int], None] = {}
    for _ in range(20):  # each round finds most of the missing pairs
        if len(found) == min(wanted, available):
            break
        for i, j in rng.choice(photos, (wanted, 2)).tolist():
            if persons[i] != persons[j] and len(found) < wanted:
                found.setdefault((min(i, j), max(i, j)))
    return np.array(list(found), dtype=np.intp).reshape(-1, 2)


def _limit_photos(pairs: VerificationPairs, max_photos: int, rng: np.random.Generator) -> VerificationPairs:
    """Choose pairs in random order, of at most `max_photos` photos."""
    used: set[int] = set()
    kept = np.zeros(len(pairs.same), np.bool_)
    for pair in rng.permutation(len(kept)).tolist():
        both = {int(pairs.left[pair]), int(pairs.right[pair])}
        if len(used | both) <= max_photos:
            used |= both
            kept[pair] = True
    numbers = np.array(sorted(used), dtype=np.intp)
    rest = pairs.select(kept)
    return VerificationPairs(
        tuple(pairs.pictures[i] for i in numbers),
        tuple(pairs.names[i] for i in numbers),
        np.searchsorted(numbers, rest.left),
        np.searchsorted(numbers, rest.right),
        rest.same,
        rest.folds,
    )


def measure_degradations(
    pairs: VerificationPairs, pack: Pack, *, workers: int | None = None, progress: Progress | None = None
) -> Iterator[DegradationResult]:
    """Measure VAL of the unchanged photos, then of each JPEG quality, then of each face width.

    Degraded photos pass through the whole pipeline, the detector included. Faces are reduced to a width,
    never enlarged; the width of a face is the one on the unchanged photo.
    """
    run = partial(find_main_faces, pairs.pictures, pack, workers=workers, progress=progress)
    plain = run(description="unchanged photos")
    yield _measure_level("none", 0, pairs, plain, pack)
    steps = len(JPEG_QUALITIES) + len(FACE_WIDTHS)
    for step, quality in enumerate(JPEG_QUALITIES, start=1):
        faces = run(degradation=JpegCompression(quality), description=f"step {step} of {steps}: JPEG quality {quality}")
        yield _measure_level("jpeg", quality, pairs, faces, pack)
    widths = plain.boxes[:, 2] - plain.boxes[:, 0]
    for step, width in enumerate(FACE_WIDTHS, start=len(JPEG_QUALITIES) + 1):
        narrower = int((widths[plain.found] < width).sum())
        if narrower > _MAX_NARROWER_SHARE * plain.found.sum():
            yield DegradationResult("width", width, None, 0, narrower)
            continue
        faces = run(
            degradation=_downscale_to_width(widths, width), description=f"step {step} of {steps}: faces {width} px wide"
        )
        yield _measure_level("width", width, pairs, faces, pack, narrower)


def _downscale_to_width(widths: NDArray[np.floating], width: int) -> Sequence[Degradation | None]:
    """The downscaling that gives each photo's face this width; None for a narrower face."""
    return [Downscaling(round(float(own) / width, 4)) if own > width else None for own in widths]


def _measure_level(
    kind: str, value: int, pairs: VerificationPairs, faces: MainFaces, pack: Pack, narrower: int = 0
) -> DegradationResult:
    if not (faces.found[pairs.left] & faces.found[pairs.right]).any() and kind != "none":
        # No pair has both faces, so none is accepted.
        rate = ValAtFar(FAR, None, 0.0, 0.0, None)
        return DegradationResult(kind, value, rate, int((~faces.found).sum()), narrower)
    scores = score_pairs(pairs, faces, pack.embedder.radius, mirrored=pack.embedder.mirror, fars=(FAR,))
    return DegradationResult(kind, value, scores.rates[0], len(scores.not_found), narrower)
