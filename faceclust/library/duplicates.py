"""Find the photos that are the same picture. Nothing is deleted, and no photo is read."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from faceclust.catalogue.catalogue import Catalogue
from faceclust.cluster.same_pictures import find_same_pictures
from faceclust.files.safe_paths import is_at_or_below
from faceclust.library.searching import folder_below_root
from faceclust.store.photo_copies import (
    PhotoFile,
    find_photo_hashes,
    list_copied_hashes,
    list_faces_on_photos,
    list_photo_files,
)

SAME_BYTES, SAME_MOMENT_AND_FACES = "same bytes", "same moment and faces"
#: Limits for pictures of the same size, which may be shots of a burst. Re-encoding, brightening and greyscale leave
#: the boxes of faces with an intersection over union of 0.8 to 1, and embeddings with a squared L2 of 0 to 0.26.
_MIN_BOX_IOU_OF_SAME_SIZE = 0.85
_MAX_DISTANCE_OF_SAME_SIZE = 0.4


@dataclass(frozen=True)
class DuplicateSet:
    """Photos that are the same picture, the one to keep first. `reason` is SAME_BYTES if all of them have the same
    content, SAME_MOMENT_AND_FACES otherwise."""

    reason: str
    photos: tuple[PhotoFile, ...]


def duplicates(
    library: Catalogue, *, same_bytes: bool = False, folder: str | os.PathLike[str] | None = None
) -> list[DuplicateSet]:
    """Return the sets of photos that are the same picture, by the path of their first photo.

    Photos are the same picture if their bytes are equal, or if they were taken in the same second and have the same
    faces at the same places. Shots of a burst, whose names differ in their number, are not the same picture.
    `same_bytes`: only photos with equal bytes. `folder`: only photos in and below it, as in `search`.

    The first photo of a set is the one with the most pixels; of several, one with a known camera, then the oldest
    file, then the shortest path. Photos on a disk that is away come last.
    Raises NothingScannedError before the first scan.
    """
    within = folder_below_root(library, folder)
    pairs = [] if same_bytes else list(_list_similar_pairs(library))
    return _list_sets(library, pairs, within)


def duplicates_among(library: Catalogue, hashes: Collection[str]) -> list[DuplicateSet]:
    """Return the sets of photos that are the same picture, among the photos with these content hashes."""
    found = _list_sets(library, list(_list_similar_pairs(library, hashes)), "")
    return [one for one in found if one.photos[0].photo_hash in hashes]


def _list_sets(library: Catalogue, pairs: Sequence[tuple[str, str, float, float]], within: str) -> list[DuplicateSet]:
    """Return the sets of photos in a folder, given the pairs of photos that may be versions of one picture."""
    hashes = {*list_copied_hashes(library.table), *(photo for one, other, *_ in pairs for photo in (one, other))}
    by_hash: dict[str, list[PhotoFile]] = defaultdict(list)
    for file in list_photo_files(library.table, hashes):
        by_hash[file.photo_hash].append(file)
    sets = _join_pairs([pair[:2] for pair in pairs if _are_versions(by_hash, *pair)], by_hash)
    found = [
        [file for photo in photos for file in by_hash[photo] if is_at_or_below(file.photo, within)] for photos in sets
    ]
    ordered = [_order_set(library, files) for files in found if len(files) > 1]
    return sorted(ordered, key=lambda one: one.photos[0].photo)


def _list_similar_pairs(
    library: Catalogue, hashes: Collection[str] | None = None
) -> Iterator[tuple[str, str, float, float]]:
    """Yield content hashes of two photos with the same moment and faces, with the lowest overlap and the highest
    distance of their faces. The best overlap comes first. `hashes`: only photos with these content hashes."""
    faces = library.faces
    on_photos = np.array(list_faces_on_photos(library.table, hashes), "U16")
    is_compared = np.isin(faces.face_ids, on_photos)
    if hashes is None:  # all faces of a video have one moment: there would be too many in it to compare its photos
        faces = replace(faces, taken_at=np.where(is_compared, faces.taken_at, np.datetime64("NaT")))
    else:
        faces = faces.take(np.flatnonzero(is_compared))
    found = find_same_pictures(faces)
    order = np.argsort(-found.overlap, kind="stable")
    ids, first = np.unique(faces.photo_ids, return_index=True)
    members = faces.face_ids[first[np.searchsorted(ids, found.photos[order])]]
    hash_of = find_photo_hashes(library.table, np.unique(members).tolist())
    for (one, other), overlap, distance in zip(
        members.tolist(), found.overlap[order].tolist(), found.distance[order].tolist(), strict=True
    ):
        yield hash_of[one], hash_of[other], overlap, distance


def _are_versions(
    by_hash: Mapping[str, Sequence[PhotoFile]], one: str, other: str, overlap: float, distance: float
) -> bool:
    """Are these two versions of one picture, rather than two shots of a burst?"""
    if sorted(by_hash[one][0].size) != sorted(by_hash[other][0].size):
        return True  # the shots of a burst have one size
    return overlap >= _MIN_BOX_IOU_OF_SAME_SIZE and distance <= _MAX_DISTANCE_OF_SAME_SIZE


def _join_pairs(pairs: Iterable[tuple[str, str]], by_hash: Mapping[str, Sequence[PhotoFile]]) -> list[list[str]]:
    """Join content hashes to sets by these pairs, but never two shots of a series."""
    set_of = {photo: [photo] for photo in by_hash}
    for one, other in pairs:
        first, second = set_of[one], set_of[other]
        if first is not second and not _have_two_of_a_series(first, second, by_hash):
            first += second
            set_of |= dict.fromkeys(second, first)
    return list({id(photos): photos for photos in set_of.values()}.values())


def _have_two_of_a_series(
    first: Iterable[str], second: Iterable[str], by_hash: Mapping[str, Sequence[PhotoFile]]
) -> bool:
    names, others = (
        {_split_name(file.photo) for photo in photos for file in by_hash[photo]} for photos in (first, second)
    )
    return any(_are_of_one_series(*pair) for pair in product(names, others))


_Name = tuple[str, tuple[str, ...]]


def _are_of_one_series(one: _Name, other: _Name) -> bool:
    """Do two names differ in a number? IMG_1.jpg and IMG_2.jpg do; IMG_1.jpg and IMG_1-2.jpg do not."""
    return one[0] == other[0] and any(a != b for a, b in zip(one[1], other[1], strict=False))


def _split_name(photo: str) -> _Name:
    """Split the name of a file into the text before its first number, and its numbers."""
    name = photo.rpartition("/")[2].rpartition(".")[0].lower()
    prefix = re.split("[0-9]", name, maxsplit=1)[0]
    return "img_" if prefix == "img_e" else prefix, tuple(re.findall("[0-9]+", name))  # Apple's edits: IMG_E0001


def _order_set(library: Catalogue, photos: Iterable[PhotoFile]) -> DuplicateSet:
    ordered = sorted(photos, key=lambda photo: (not library.is_here(photo.photo), *_rank(photo)))
    is_one_content = len({photo.photo_hash for photo in ordered}) == 1
    return DuplicateSet(SAME_BYTES if is_one_content else SAME_MOMENT_AND_FACES, tuple(ordered))


def _rank(photo: PhotoFile) -> tuple[int, bool, int, int, str]:
    """Sort the photo to keep first. A copy that another program made often lacks the camera."""
    return (-photo.size[0] * photo.size[1], not photo.camera, photo.mtime_ns, len(photo.photo), photo.photo)
