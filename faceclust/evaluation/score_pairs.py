"""Verification of pairs of photos by a pack: find the photos, score the pairs."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import UsageError
from faceclust.evaluation.main_face_finder import Picture
from faceclust.evaluation.main_faces import MainFaces
from faceclust.evaluation.metrics.verification import (
    AllPairsScores,
    Roc,
    VerificationScores,
    is_resolvable,
    roc,
    threshold_at_far,
    val_and_far,
    verify_all_pairs,
    verify_folds,
)
from faceclust.evaluation.pair_lists import PairList, holds_pictures, read_pair_list, read_picture_pairs
from faceclust.files.names import PHOTO_EXTENSIONS
from faceclust.types import Float32

_CHUNK = 1 << 14  # pairs at a time, to bound the memory
#: The false accept rates at which VAL is reported.
FARS = (1e-1, 1e-2, 1e-3, 1e-4)


@dataclass(frozen=True)
class VerificationPairs:
    """Pictures, and n pairs of them.

    `left` and `right` (n,) index `pictures` and their `names`. `same` (n,) is true for pairs of one
    person, `folds` (n,) is each pair's fold. `aligned` pictures are crops by ArcFace's template.
    """

    pictures: tuple[Picture, ...]
    names: tuple[str, ...]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    same: NDArray[np.bool_]
    folds: NDArray[np.int32]
    aligned: bool = False

    @property
    def persons(self) -> NDArray[np.str_] | None:
        """The person of each picture, (n,); None if the file of pairs does not name them."""
        return None if self.aligned else np.array([name.partition("/")[0] for name in self.names], np.str_)

    def select(self, mask: NDArray[np.bool_]) -> VerificationPairs:
        """The pairs for which the mask (n,) is true."""
        return replace(self, left=self.left[mask], right=self.right[mask], same=self.same[mask], folds=self.folds[mask])


def load_pairs(folder: Path | None, file: Path) -> VerificationPairs:
    """Load the pairs of a file that lists photos or holds its own pictures.

    Photos lie at <folder>/<person>/<person>_0001.jpg, with any photo suffix. Raises UsageError if the
    file cannot be read, photos are missing, or the pairs are of one kind only.
    """
    if holds_pictures(file):
        if folder is not None:
            raise UsageError(f"{file} holds its own pictures", hint=f"leave out {folder}")
        held = read_picture_pairs(file)
        names = tuple(f"picture {number}" for number in range(1, len(held.pictures) + 1))
        pairs = VerificationPairs(held.pictures, names, held.left, held.right, held.same, held.folds, aligned=True)
    elif folder is None:
        raise UsageError(f"{file} lists photos, but no folder is given", hint="type the folder before --pairs")
    else:
        pairs = _load_folder_pairs(folder, file, read_pair_list(file))
    if pairs.same.all() or not pairs.same.any():
        raise UsageError(f"{file} needs both pairs of one person and pairs of two people; it has one kind only")
    return pairs


def _load_folder_pairs(folder: Path, file: Path, listed: PairList) -> VerificationPairs:
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    photos = _PersonFolders(folder)
    index_of: dict[str, int] = {}
    missing: dict[tuple[str, int], int] = {}
    sides: tuple[list[int], list[int]] = ([], [])
    for line, pair in enumerate(zip(listed.left, listed.right, strict=True), start=2):
        for side, (person, number) in zip(sides, pair, strict=True):
            name = photos.find(person, number)
            if name is None:
                missing.setdefault((person, number), line)
            side.append(index_of.setdefault(name, len(index_of)) if name else -1)
    if missing:
        (person, number), line = next(iter(missing.items()))
        detail = "" if photos.has_photos(person) else f"; the folder {person[:80]!r} is missing or has no photos"
        example, count = f"{person}_{number:04d}"[:80], f"{len(missing)} photos" if len(missing) > 1 else "a photo"
        raise UsageError(
            f"{file} names {count} not in {folder}; the first is {example!r} ({file}:{line}){detail}",
            hint="expected FOLDER/Name/Name_0001.jpg (or .png, .webp …), as in LFW",
        )
    left, right = (np.array(side, dtype=np.intp) for side in sides)
    return VerificationPairs(
        tuple(folder / name for name in index_of), tuple(index_of), left, right, listed.same, listed.folds
    )


class _PersonFolders:
    """The photos in the folders of people, found by person and number. Each folder is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._photos_by_person: dict[str, dict[str, str]] = {}

    def find(self, person: str, number: int) -> str | None:
        """The path of a photo below the folder; None if it is missing."""
        if person not in self._photos_by_person:
            self._photos_by_person[person] = self._list_photos(person)
        return self._photos_by_person[person].get(f"{person}_{number:04d}")

    def has_photos(self, person: str) -> bool:
        """True if the person has a folder with photos. Call it after `find`."""
        return bool(self._photos_by_person.get(person))

    def _list_photos(self, person: str) -> dict[str, str]:
        if person in ("", ".", "..") or {os.sep, os.altsep, "/", "\0"} & set(person):
            return {}
        try:
            names = sorted(os.listdir(self._folder / person), reverse=True)
        except OSError:
            return {}
        files = [Path(name) for name in names]
        return {file.stem: f"{person}/{file}" for file in files if file.suffix.lower() in PHOTO_EXTENSIONS}


@dataclass(frozen=True)
class ValAtFar:
    """VAL at a false accept rate of `target`.

    `by_folds` follows the protocol. `val`, `far` and `threshold` are at one threshold for all folds.
    Each is None if there are too few pairs of two people to measure it.
    """

    target: float
    by_folds: VerificationScores | None
    val: float | None
    far: float | None
    threshold: float | None


@dataclass(frozen=True)
class PairScores:
    """The accuracy over pairs: `same` of one person, `different` of two.

    `not_found` names the photos without a face. `pairs_without_face` counts the pairs with such a photo,
    of one person and of two; they are not scored if `missing_excluded`. `protocol` holds the accuracy.
    """

    photos: int
    same: int
    different: int
    folds: int
    not_found: tuple[str, ...]
    pairs_without_face: tuple[int, int]
    missing_excluded: bool
    protocol: VerificationScores
    rates: tuple[ValAtFar, ...]
    curve: Roc

    @property
    def auc(self) -> float:
        """The area under the ROC curve."""
        return self.curve.auc

    @property
    def equal_error_point(self) -> tuple[float, float]:
        """The equal error rate and its threshold."""
        return self.curve.equal_error_point


def score_pairs(
    pairs: VerificationPairs,
    faces: MainFaces,
    radius: float,
    *,
    mirrored: bool,
    exclude_missing: bool = False,
    quantise: Callable[[Float32], Float32] | None = None,
    fars: Sequence[float] = FARS,
) -> PairScores:
    """Score the pairs by the squared L2 of embeddings scaled to `radius`.

    A pair with a picture without a face counts as an error: no threshold accepts it, and it is never
    judged correctly. With `exclude_missing` it does not count. `quantise` is applied to the
    embeddings (n, d) first, to measure storage at lower precision. Raises UsageError if the scored
    pairs are not of both kinds.
    """
    found = faces.found[pairs.left] & faces.found[pairs.right]
    without_face = (int((~found & pairs.same).sum()), int((~found & ~pairs.same).sum()))
    distances = pair_distances(pairs, faces, radius, mirrored=mirrored, quantise=quantise)
    scored = pairs.select(found) if exclude_missing else pairs
    distances = distances[found] if exclude_missing else distances
    if not found.any() or scored.same.all() or not scored.same.any():
        raise UsageError("too few photos with a face: nothing to compare", hint="check that the photos show faces")
    return PairScores(
        photos=len(pairs.pictures),
        same=int(scored.same.sum()),
        different=int((~scored.same).sum()),
        folds=len(np.unique(scored.folds)),
        not_found=tuple(name for name, found in zip(pairs.names, faces.found, strict=True) if not found),
        pairs_without_face=without_face,
        missing_excluded=exclude_missing,
        protocol=verify_folds(distances, scored.same, scored.folds),
        rates=tuple(_measure_at_far(distances, scored, far) for far in fars),
        curve=roc(distances, scored.same),
    )


def score_all_pairs(
    pairs: VerificationPairs,
    faces: MainFaces,
    radius: float,
    *,
    mirrored: bool,
    quantise: Callable[[Float32], Float32] | None = None,
) -> AllPairsScores | None:
    """Score all pairs of the faces found, whether or not they are listed; None if their persons are unknown."""
    persons = pairs.persons
    if persons is None:
        return None
    vectors = faces.embeddings(radius, mirrored=mirrored)
    vectors = quantise(vectors) if quantise else vectors
    return verify_all_pairs(vectors[faces.found], persons[faces.found])


def pair_distances(
    pairs: VerificationPairs,
    faces: MainFaces,
    radius: float,
    *,
    mirrored: bool,
    quantise: Callable[[Float32], Float32] | None = None,
) -> NDArray[np.float64]:
    """The squared L2 of each pair's embeddings, (n,); infinity if a face is missing."""
    vectors = faces.embeddings(radius, mirrored=mirrored)
    vectors = quantise(vectors) if quantise else vectors
    distances = np.empty(len(pairs.same))
    for start in range(0, len(distances), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        differences = vectors[pairs.left[chunk]].astype(np.float64) - vectors[pairs.right[chunk]]
        distances[chunk] = (differences**2).sum(axis=1)
    found = faces.found[pairs.left] & faces.found[pairs.right]
    return np.where(found, distances, math.inf)


def _measure_at_far(distances: NDArray[np.float64], pairs: VerificationPairs, target: float) -> ValAtFar:
    impostors = ~pairs.same
    if not is_resolvable(int(impostors.sum()), target):
        return ValAtFar(target, None, None, None, None)
    threshold = threshold_at_far(distances[impostors], target)
    val, far = val_and_far(distances, pairs.same, threshold)
    folds, counts = np.unique(pairs.folds[impostors], return_counts=True)
    # A fold's threshold is chosen on the other folds: without the largest, fewest impostors remain.
    fewest = int(counts.sum()) - (int(counts.max()) if len(folds) > 1 else 0)
    by_folds = verify_folds(distances, pairs.same, pairs.folds, target) if is_resolvable(fewest, target) else None
    return ValAtFar(target, by_folds, val, far, threshold)
