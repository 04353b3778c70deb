"""How much of its accuracy is lost on photos saved with loss, and on small faces.

The experiment of FaceNet (Schroff, Kalenichenko and Philbin 2015, §5.1 and §5.2, table 4): the same
pairs of photos, treated, and VAL at FAR 1e-3 of each treatment at a threshold of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
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
#: Of the box that the detector puts around the face, in pixels.
FACE_WIDTHS = (40, 64, 80, 120, 160, 256)
#: A level where more of the photos than this are too small says nothing of it.
_MAX_NARROWER_SHARE = 0.5
_MAX_SAME_PAIRS = 20_000  # pairs of one person that are drawn
_MAX_DIFFERENT_PAIRS = 200_000  # of two: a FAR of 1e-3 then stands on 200 of them, and VAL does not jump
_MAX_PHOTOS_PER_PERSON = 10  # photos; a person seen on hundreds would be most of the pairs


@dataclass(frozen=True)
class DegradationResult:
    """One treatment of all photos: `kind` is "none", "jpeg" or "width", `value` its quality or width.
    `not_found`: photos without a face; `short`: photos whose face has not the width, which were taken
    as they are. `format_far` is None where most faces have not the width: nothing was measured then."""

    kind: str
    value: int
    rate: ValAtFar | None
    not_found: int
    narrower: int = 0


def choose_pairs(folder: Path, file: Path | None, max_photos: int | None = None) -> VerificationPairs:
    """The pairs to measure: those a file lists, or pairs drawn from a labelled folder, of not more than
    so many `photos`. The same ones on every run. Raises UsageError where there are too few pairs of two
    people to tell of a FAR of 1e-3."""
    if file is not None and holds_pictures(file):
        raise UsageError(
            f"{file} holds faces that are cut and reduced already", hint="name a list of photos, as pairs.txt"
        )
    rng = np.random.default_rng(0)
    if file is None:
        pairs = _draw_pairs(folder, max_photos, rng)
    else:
        pairs = load_pairs(folder, file)
        pairs = pairs if max_photos is None else _limit_photos(pairs, max_photos, rng)
    one, two = int(pairs.same.sum()), int((~pairs.same).sum())
    if not is_resolvable(two, FAR) or not one:
        raise UsageError(
            f"{two:,} pairs of two people and {one:,} of one are too few to measure VAL at FAR 1e-3",
            hint=f"{round(1 / FAR):,} of two people are needed: more photos, or another list",
        )
    return pairs


def _draw_pairs(folder: Path, photos: int | None, rng: np.random.Generator) -> VerificationPairs:
    """All pairs of photos of one person, up to 20,000, of up to ten photos a person; and of two people
    up to 200,000. People come in a random order."""
    found = find_labelled_photos(folder)
    names, persons = np.array(found.photos), found.persons
    people, first, counts = np.unique(persons, return_index=True, return_counts=True)
    order = rng.permutation(np.flatnonzero(counts > 1))
    kept = [first[i] + np.sort(rng.permutation(counts[i])[:_MAX_PHOTOS_PER_PERSON]) for i in order]  # photos are sorted
    enough = np.cumsum([len(own) for own in kept]) <= (photos or len(names))
    chosen = [own for own, fits in zip(kept, enough, strict=True) if fits]
    if len(chosen) < 2:
        raise UsageError(
            f"{folder} has {len(people)} people, {len(kept)} with two photos or more: too few to compare",
            hint="a larger --photos?" if photos else None,
        )
    numbers = np.concatenate(chosen)
    ones = np.array([(own[i], own[j]) for own in chosen for i in range(len(own)) for j in range(i + 1, len(own))])
    ones = ones[np.sort(rng.permutation(len(ones))[:_MAX_SAME_PAIRS])]
    twos = _draw_different_pairs(numbers, persons, _MAX_DIFFERENT_PAIRS, rng)
    both = np.concatenate([ones, twos])
    used, index = np.unique(both, return_inverse=True)
    index = index.reshape(both.shape)
    same = np.arange(len(both)) < len(ones)
    taken = [str(name) for name in names[used]]
    return VerificationPairs(
        tuple(folder / name for name in taken),
        tuple(taken),
        index[:, 0],
        index[:, 1],
        same,
        np.zeros(len(both), np.int32),
    )


def _draw_different_pairs(
    photos: NDArray[np.intp], persons: NDArray[np.str_], wanted: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Up to so many pairs of these photos of two people, (n, 2), none twice."""
    found: dict[tuple[int, int], None] = {}
    for _ in range(20):  # draws: each finds most of what is still wanted, if there is as much
        for i, j in rng.choice(photos, (wanted, 2)).tolist():
            if persons[i] != persons[j] and len(found) < wanted:
                found.setdefault((min(i, j), max(i, j)))
    return np.array(list(found), dtype=np.intp).reshape(-1, 2)


def _limit_photos(pairs: VerificationPairs, photos: int, rng: np.random.Generator) -> VerificationPairs:
    """Pairs of not more than so many photos, taken in a random order."""
    used: set[int] = set()
    kept = np.zeros(len(pairs.same), np.bool_)
    for pair in rng.permutation(len(kept)).tolist():
        both = {int(pairs.left[pair]), int(pairs.right[pair])}
        if len(used | both) <= photos:
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
    """VAL of the photos as they are, of each JPEG quality, and of each face width, in that order. The
    treated photos go all the way, the detector sees them too. Faces are reduced to a width, never blown
    up; the width of a photo's face is that on the photo as it is."""
    run = partial(find_main_faces, pairs.pictures, pack, workers=workers, progress=progress)
    plain = run(description="as they are")
    yield _measure_level("none", 0, pairs, plain, pack)
    steps = len(JPEG_QUALITIES) + len(FACE_WIDTHS)
    for step, quality in enumerate(JPEG_QUALITIES, start=1):
        faces = run(degradation=JpegCompression(quality), description=f"{step} of {steps}: JPEG quality {quality}")
        yield _measure_level("jpeg", quality, pairs, faces, pack)
    widths = plain.boxes[:, 2] - plain.boxes[:, 0]
    for step, width in enumerate(FACE_WIDTHS, start=len(JPEG_QUALITIES) + 1):
        short = int((widths[plain.found] < width).sum())
        if short > _MAX_NARROWER_SHARE * plain.found.sum():
            yield DegradationResult("width", width, None, 0, short)
            continue
        faces = run(
            degradation=_downscale_to_width(widths, width), description=f"{step} of {steps}: faces {width} px wide"
        )
        yield _measure_level("width", width, pairs, faces, pack, short)


def _downscale_to_width(widths: NDArray[np.floating], width: int) -> Sequence[Degradation | None]:
    """For each photo, what makes its face so wide; None where it is not wider."""
    return [Downscaling(round(float(own) / width, 4)) if own > width else None for own in widths]


def _measure_level(
    kind: str, value: int, pairs: VerificationPairs, faces: MainFaces, pack: Pack, short: int = 0
) -> DegradationResult:
    if not (faces.found[pairs.left] & faces.found[pairs.right]).any() and kind != "none":
        # Nobody is found any more: no pair is accepted.
        return DegradationResult(kind, value, ValAtFar(FAR, None, 0.0, 0.0, None), int((~faces.found).sum()), short)
    scores = score_pairs(pairs, faces, pack.embedder.radius, mirrored=pack.embedder.mirror, fars=(FAR,))
    return DegradationResult(kind, value, scores.rates[0], len(scores.not_found), short)
