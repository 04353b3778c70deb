"""Pairs of photos told apart by a pack's models: which photos they are, and how well it goes."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import UsageError
from faceclust.evaluation.face_finder import Picture
from faceclust.evaluation.main_faces import MainFaces
from faceclust.evaluation.metrics.verification import (
    Roc,
    VerificationScores,
    is_resolvable,
    roc,
    threshold_at_far,
    val_and_far,
    verify_folds,
)
from faceclust.evaluation.pair_lists import PairList, holds_pictures, read_pair_list, read_picture_pairs
from faceclust.files.names import PHOTO_EXTENSIONS
from faceclust.types import Float32

_CHUNK = 1 << 14  # pairs at a time: bounds the memory
#: The false accept rates VAL is told at.
FARS = (1e-1, 1e-2, 1e-3, 1e-4)


@dataclass(frozen=True)
class VerificationPairs:
    """Pictures and n pairs of them: `left` and `right` (n,) index `pictures`, which are called `names`.
    `same` (n,): one person; `folds` (n,). `aligned`: the pictures are faces cut out already."""

    pictures: tuple[Picture, ...]
    names: tuple[str, ...]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    same: NDArray[np.bool_]
    folds: NDArray[np.int32]
    aligned: bool = False

    def select(self, mask: NDArray[np.bool_]) -> VerificationPairs:
        """These pairs only."""
        return replace(self, left=self.left[mask], right=self.right[mask], same=self.same[mask], folds=self.folds[mask])


def load_pairs(folder: Path | None, file: Path) -> VerificationPairs:
    """The pairs that a file lists, of photos <folder>/<person>/<person>_0001.jpg (of any ending), or
    holds itself. Raises UsageError where it cannot be read, photos are not there, or the pairs are of
    one kind only."""
    if holds_pictures(file):
        if folder is not None:
            raise UsageError(f"{file} holds its pictures itself", hint=f"leave out {folder}")
        held = read_picture_pairs(file)
        names = tuple(f"picture {number}" for number in range(1, len(held.pictures) + 1))
        pairs = VerificationPairs(held.pictures, names, held.left, held.right, held.same, held.folds, aligned=True)
    elif folder is None:
        raise UsageError(f"{file} lists photos: which folder are they in?", hint="name it before --pairs")
    else:
        pairs = _load_folder_pairs(folder, file, read_pair_list(file))
    if pairs.same.all() or not pairs.same.any():
        raise UsageError(f"{file} needs pairs of one person and of two people; it has one kind only")
    return pairs


def _load_folder_pairs(folder: Path, file: Path, listed: PairList) -> VerificationPairs:
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    photos = _PersonFolders(folder)
    at: dict[str, int] = {}
    lacking: dict[tuple[str, int], int] = {}
    ends: tuple[list[int], list[int]] = ([], [])
    for number, both in enumerate(zip(listed.left, listed.right, strict=True)):
        for end, (person, photo) in zip(ends, both, strict=True):
            name = photos.find(person, photo)
            if name is None:
                lacking.setdefault((person, photo), number + 2)
            end.append(at.setdefault(name, len(at)) if name else -1)
    if lacking:
        (person, photo), line = next(iter(lacking.items()))
        where = "" if photos.has_photos(person) else f"; there are no photos in a folder {person[:80]!r} at all"
        named, count = f"{person}_{photo:04d}"[:80], f"{len(lacking)} photos" if len(lacking) > 1 else "a photo"
        raise UsageError(
            f"{file} names {count} not in {folder}; the first is {named!r} ({file}:{line}){where}",
            hint="wanted: FOLDER/Name/Name_0001.jpg (or .png, .webp …), as LFW has them",
        )
    left, right = (np.array(end, dtype=np.intp) for end in ends)
    return VerificationPairs(tuple(folder / name for name in at), tuple(at), left, right, listed.same, listed.folds)


class _PersonFolders:
    """The photos of people's folders, found by person and number; each folder is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._photos_by_person: dict[str, dict[str, str]] = {}

    def find(self, person: str, number: int) -> str | None:
        """The photo's path below the folder, None where there is none."""
        if person not in self._photos_by_person:
            self._photos_by_person[person] = self._list_photos(person)
        return self._photos_by_person[person].get(f"{person}_{number:04d}")

    def has_photos(self, person: str) -> bool:
        """Whether this person has a folder with photos."""
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
    """VAL at a false accept rate of `target`. `folds`: by the protocol, `val`, `far` and `threshold`:
    at the one threshold for all pairs. Each is None where so few pairs of two people cannot tell."""

    target: float
    by_folds: VerificationScores | None
    val: float | None
    far: float | None
    threshold: float | None


@dataclass(frozen=True)
class PairScores:
    """How well pairs are told apart. `not_found`: the names of photos without a face; `uncompared`:
    pairs with one, of one person and of two people. The counts `same` and `different` are of the pairs
    that were scored. `protocol` has the accuracy."""

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
        return self.curve.auc

    @property
    def equal_error_point(self) -> tuple[float, float]:
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
    """Tell the pairs apart by the faces of their pictures, brought to `radius`.

    A pair with a picture without a face is an error: at no threshold it is accepted, and it is never
    judged rightly; with `leave_out` it does not count. `rounded` is applied to the embeddings (n, d)
    first: what keeping them with fewer bits does. Raises UsageError where no pairs of both kinds are left.
    """
    found = faces.found[pairs.left] & faces.found[pairs.right]
    lacking = (int((~found & pairs.same).sum()), int((~found & ~pairs.same).sum()))
    distances = pair_distances(pairs, faces, radius, mirrored=mirrored, quantise=quantise)
    scored = pairs.select(found) if exclude_missing else pairs
    distances = distances[found] if exclude_missing else distances
    if not found.any() or scored.same.all() or not scored.same.any():
        raise UsageError("no face was found on so many photos that there is nothing to compare", hint="other photos?")
    return PairScores(
        photos=len(pairs.pictures),
        same=int(scored.same.sum()),
        different=int((~scored.same).sum()),
        folds=len(np.unique(scored.folds)),
        not_found=tuple(name for name, there in zip(pairs.names, faces.found, strict=True) if not there),
        pairs_without_face=lacking,
        missing_excluded=exclude_missing,
        protocol=verify_folds(distances, scored.same, scored.folds),
        rates=tuple(_measure_at_far(distances, scored, far) for far in fars),
        curve=roc(distances, scored.same),
    )


def pair_distances(
    pairs: VerificationPairs,
    faces: MainFaces,
    radius: float,
    *,
    mirrored: bool,
    quantise: Callable[[Float32], Float32] | None = None,
) -> NDArray[np.float64]:
    """Squared L2 of each pair's embeddings, (n,); infinity where a face was not found."""
    vectors = faces.embeddings(radius, mirrored=mirrored)
    vectors = quantise(vectors) if quantise else vectors
    distances = np.empty(len(pairs.same))
    for start in range(0, len(distances), _CHUNK):
        some = slice(start, start + _CHUNK)
        apart = vectors[pairs.left[some]].astype(np.float64) - vectors[pairs.right[some]]
        distances[some] = (apart**2).sum(axis=1)
    found = faces.found[pairs.left] & faces.found[pairs.right]
    return np.where(found, distances, math.inf)


def _measure_at_far(distances: NDArray[np.float64], pairs: VerificationPairs, target: float) -> ValAtFar:
    impostors = ~pairs.same
    if not is_resolvable(int(impostors.sum()), target):
        return ValAtFar(target, None, None, None, None)
    threshold = threshold_at_far(distances[impostors], target)
    val, far = val_and_far(distances, pairs.same, threshold)
    numbers, counts = np.unique(pairs.folds[impostors], return_counts=True)
    fewest = len(impostors[impostors]) - (int(counts.max()) if len(numbers) > 1 else 0)  # to choose a threshold by
    by_folds = verify_folds(distances, pairs.same, pairs.folds, target) if is_resolvable(fewest, target) else None
    return ValAtFar(target, by_folds, val, far, threshold)
