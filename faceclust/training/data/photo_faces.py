"""Faces on photos as training data: folders named after people, and the confirmed faces of a library."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.evaluation.labelled_folders import find_labelled_photos
from faceclust.evaluation.main_face_finder import Picture
from faceclust.files.own_files import open_own
from faceclust.photos.reading import MAX_BYTES
from faceclust.progress import Progress
from faceclust.training.data.chip_cutter import reason_of
from faceclust.training.data.chip_store import WantedFace, prepare_chips
from faceclust.training.data.face_crops import crop_faces
from faceclust.training.data.labelled_chips import LabelledChips
from faceclust.training.data.row_file import KEY_SIZE
from faceclust.training.data.split import choose_held_out_people
from faceclust.types import LibraryFace, SkipReason

#: The reason to leave out a face of a library.
CHANGED = "photo changed since the scan"
_CHUNK = 1 << 20  # bytes
_PHOTOS_AT_ONCE = 1024


def load_folder(
    folder: Path, input_size: tuple[int, int], share: float, workers: int | None, progress: Progress
) -> LabelledChips:
    """Find the face nearest to the centre of each <person>/<photo>. Links are followed, as in other commands that read
    labelled photos; hidden folders are not people. Raises UsageError if too few people are left."""
    labelled = find_labelled_photos(folder)
    photos = [photo for photo in labelled.photos if not photo.startswith(".")]
    persons = [photo.partition("/")[0] for photo in photos]
    choose_held_out_people(Counter(persons), share)  # before hours of work that would be for nothing
    paths = [Path(os.path.realpath(folder / photo)) for photo in photos]
    hashes = _hash_photos(paths, progress)
    wanted = [WantedFace(path, content) for path, (content, _) in zip(paths, hashes, strict=True)]
    reasons = [reason for _, reason in hashes]
    return _label(wanted, reasons, persons, photos, "folder", input_size, workers, progress)


def load_library_faces(
    faces: Sequence[LibraryFace], input_size: tuple[int, int], share: float, workers: int | None, progress: Progress
) -> LabelledChips:
    """Find confirmed faces of a library again, each by its box. Raises UsageError if too few people are left."""
    choose_held_out_people(Counter(face.person for face in faces), share)
    paths = list(dict.fromkeys(face.path for face in faces))
    hashes = dict(zip(paths, _hash_photos(paths, progress), strict=True))
    wanted = [WantedFace(face.path, hashes[face.path][0], face.box) for face in faces]
    reasons = [hashes[face.path][1] or _compare_content(face, hashes[face.path][0]) for face in faces]
    persons, names = [face.person for face in faces], [face.address or str(face.path) for face in faces]
    return _label(wanted, reasons, persons, names, "library", input_size, workers, progress)


def _compare_content(face: LibraryFace, content: str) -> str:
    """Return the reason to leave out a face whose box may hold somebody else by now, else ""."""
    return CHANGED if face.photo_hash not in ("", content) else ""


def _label(
    wanted: Sequence[WantedFace],
    reasons: Sequence[str],
    persons: Sequence[str],
    names: Sequence[str],
    origin: str,
    input_size: tuple[int, int],
    workers: int | None,
    progress: Progress,
) -> LabelledChips:
    """Return those of the wanted faces that have a chip. `reasons` to leave faces out before are "" for the others."""
    readable = np.flatnonzero([not reason for reason in reasons])
    faces = [wanted[i] for i in readable.tolist()]
    prepared = prepare_chips(faces, input_size, workers, progress)
    skipped = Counter(reason for reason in reasons if reason)
    skipped.update(face.reason for face, row in zip(prepared.found, prepared.rows, strict=True) if row < 0)
    found = np.flatnonzero(prepared.rows >= 0)
    kept = readable[found]
    people = sorted(set(persons))
    label_of = {name: label for label, name in enumerate(people)}
    turns = [prepared.found[i].turn for i in found]

    def read_pictures(positions: NDArray[np.int64]) -> tuple[Picture, ...]:
        if origin == "folder":
            return tuple(wanted[kept[i]].path for i in positions)
        return crop_faces([(wanted[kept[i]], turns[i]) for i in positions.tolist()], workers, progress)

    return LabelledChips(
        chips=prepared.chips,
        rows=prepared.rows[found],
        labels=np.array([label_of[persons[i]] for i in kept], np.int64),
        people=people,
        digests=np.frombuffer(b"".join(wanted[i].key for i in kept), np.uint8).reshape(-1, KEY_SIZE),
        sources=[names[i] for i in kept],
        skipped=dict(skipped),
        origin=origin,
        read_pictures=read_pictures,
    )


def _hash_photos(paths: Sequence[Path], progress: Progress) -> list[tuple[str, str]]:
    """Return (content hash, "") of each photo, or ("", reason) if it cannot be read."""
    hashes: list[tuple[str, str]] = []
    progress.start("reading photos", len(paths), "photos")
    try:
        with ThreadPoolExecutor() as threads:
            for start in range(0, len(paths), _PHOTOS_AT_ONCE):
                for found in threads.map(_hash_photo, paths[start : start + _PHOTOS_AT_ONCE]):
                    hashes.append(found)
                    progress.advance()
    finally:
        progress.finish()
    return hashes


def _hash_photo(path: Path) -> tuple[str, str]:
    digest = hashlib.blake2b(digest_size=KEY_SIZE)  # as `photos.face_ids.content_hash`
    try:
        with os.fdopen(open_own(path), "rb") as stream:
            if (size := os.fstat(stream.fileno()).st_size) > MAX_BYTES:
                return "", SkipReason.TOO_LARGE.value
            if not size:
                return "", SkipReason.EMPTY.value
            while part := stream.read(_CHUNK):
                digest.update(part)
    except OSError as error:
        return "", reason_of(error)
    return digest.hexdigest(), ""
