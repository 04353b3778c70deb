"""Whose face is this, and are these two one person? For photos in a library or anywhere."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from faceclust.catalogue.catalogue import Catalogue
from faceclust.catalogue.models_in_use import load_pack_in_use
from faceclust.errors import UsageError
from faceclust.library.photo_faces import CachedPhotos, FaceReader, PhotoFaces, UnreadablePhotoError
from faceclust.people.identification import (
    NEIGHBOURS,
    VERIFY_THRESHOLD,
    Gallery,
    PersonDistance,
    assign_people,
    describe_certainty,
    nearest_people,
)
from faceclust.types import OPERATING_POINT, Box, Float64

StrPath = str | os.PathLike[str]


class IdentificationStatus(StrEnum):
    """How a face came by its name, or why it has none."""

    CONFIRMED = "confirmed"  # the user said so of this very face
    SUGGESTED = "suggested"  # it came with a group the user named
    RECOGNISED = "recognised"  # it is within the threshold of a named person
    UNKNOWN = "unknown"
    IGNORED = "ignored"  # the user does not want it named


@dataclass(frozen=True)
class IdentifiedFace:
    """One face of a photo. `box`: left, top, right, bottom as fractions of the upright photo.

    `distance`: from the person of this name, None where there is no other face to compare with.
    `describe_certainty`: "close", "likely" or "possible", for a recognised one. `nearest`: the two nearest
    people, whoever it is. `group`: its group's number in the library, if any.
    """

    face_id: str
    box: Box
    how: IdentificationStatus
    name: str | None = None
    distance: float | None = None
    certainty: str | None = None
    nearest: tuple[PersonDistance, ...] = ()
    group: int | None = None


@dataclass(frozen=True)
class IdentifiedPhoto:
    """A photo's faces from the left to the right, or `problem`: why it could not be read."""

    photo: Path
    full_size: tuple[int, int] | None = None
    faces: tuple[IdentifiedFace, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class ComparedFace:
    """A face that was compared: the `parse_number`-th of `count` from the left on the photo `photo`."""

    photo: str
    face_id: str
    number: int
    count: int


@dataclass(frozen=True)
class Verification:
    """Whether two faces are the same person: whether `distance`, the squared L2 between them, is
    within the threshold."""

    same: bool
    distance: float
    threshold: float
    faces: tuple[ComparedFace, ComparedFace]


# -- who is this? ---------------------------------------------------------------


def identify(
    library: Catalogue,
    photos: StrPath | Iterable[StrPath],
    threshold: float = OPERATING_POINT,
    k: int = NEIGHBOURS,
) -> Iterator[IdentifiedPhoto]:
    """Who is on these photos: see `Library.identify`."""
    _check_threshold(threshold)
    if k < 1:
        raise UsageError(f"k is {k}, not a number of faces from 1 on")
    if not library.people():
        raise UsageError("nobody has a name yet, so nobody can be recognised", hint="type: faceclust label")
    paths = [photos] if isinstance(photos, str | os.PathLike) else photos
    identifier = _Identifier(library, threshold, k)
    return (identifier(Path(path)) for path in paths)


class _Identifier:
    """The named people of a library, and how they are told."""

    def __init__(self, library: Catalogue, threshold: float, k: int) -> None:
        self._library, self._threshold, self._k = library, threshold, k
        self._known_photos, self._face_reader = CachedPhotos(library), FaceReader(library.pack)
        self._gallery = _build_gallery(library)
        self._people = self._gallery.people
        self._column = {name: i for i, name in enumerate(self._people)}
        self._ignored = {face for person in library.persons if person.ignored for face in person.face_ids}
        self._one_face_per_person = not (library.clustering and library.clustering.params.allow_same_photo)

    def __call__(self, photo: Path) -> IdentifiedPhoto:
        try:
            seen = self._known_photos.find(photo) or self._face_reader.read(photo)
        except UnreadablePhotoError as error:
            return IdentifiedPhoto(photo, problem=str(error))
        distances = self._gallery.distances(seen.embeddings, self._k, photo_id=seen.photo_id)
        known = [self._known_identity(face) for face in seen.face_ids]
        columns = self._assign_people(seen, distances, known)
        faces = [self._identify_face(seen, i, known[i][0], columns[i], distances[i]) for i in range(len(known))]
        return IdentifiedPhoto(photo, seen.full_size, tuple(faces))

    def _known_identity(self, face: str) -> tuple[IdentificationStatus, str | None]:
        person = self._library.person_of.get(face)
        if person is not None:
            return (
                IdentificationStatus.CONFIRMED if face in person.confirmed else IdentificationStatus.SUGGESTED
            ), person.label
        return (IdentificationStatus.IGNORED if face in self._ignored else IdentificationStatus.UNKNOWN), None

    def _assign_people(
        self, seen: PhotoFaces, distances: Float64, known: list[tuple[IdentificationStatus, str | None]]
    ) -> list[int | None]:
        """The person (column) of each face: as known, else by its distances."""
        open_ones = distances.copy()
        for line, face, (how, _) in zip(open_ones, seen.face_ids, known, strict=True):
            rejected = self._library.answers.rejected.get(face, frozenset()) & self._column.keys()
            line[[self._column[name] for name in rejected]] = np.inf
            if how is not IdentificationStatus.UNKNOWN:
                line[:] = np.inf
        columns = [self._column[name] if name is not None else None for _, name in known]
        taken = {column for column in columns if column is not None}
        found = assign_people(open_ones, self._threshold, unique=self._one_face_per_person, taken_people=taken)
        return [new if old is None else old for old, new in zip(columns, found, strict=True)]

    def _identify_face(
        self, seen: PhotoFaces, i: int, how: IdentificationStatus, column: int | None, distances: Float64
    ) -> IdentifiedFace:
        name = distance = sure = None
        if column is not None:
            name = self._people[column]
            distance = float(distances[column]) if math.isfinite(distances[column]) else None
            if how is IdentificationStatus.UNKNOWN:
                next_one = float(np.delete(distances, column).min(initial=np.inf))
                how, sure = IdentificationStatus.RECOGNISED, describe_certainty(float(distances[column]), next_one)
        return IdentifiedFace(
            face_id=seen.face_ids[i],
            box=seen.boxes[i],
            how=how,
            name=name,
            distance=distance,
            certainty=sure,
            nearest=nearest_people(distances, self._people),
            group=self._library.group_of.get(seen.face_ids[i]),
        )


def _build_gallery(library: Catalogue) -> Gallery:
    """The confirmed faces of each person; all of them where none is."""
    named = {face: person.label for person in library.people() for face in person.confirmed or person.face_ids}
    faces = library.faces_of(list(named))
    names = np.array([named[face] for face in faces.face_ids.tolist()], dtype=np.str_)
    return Gallery(names, faces.photo_ids, faces.embeddings)


# -- the same person? -----------------------------------------------------------


def verify(
    a: StrPath,
    b: StrPath,
    *,
    threshold: float = VERIFY_THRESHOLD,
    library: Catalogue | None = None,
) -> Verification:
    """Are these two the same person?

    Each is a photo file, of which the largest face counts; "FILE#2" is the second face from the
    left. With a library, it may be a face id of it, too, and photos it knows are not decoded.
    Raises UsageError for a file that is no readable photo or has no such face.
    """
    _check_threshold(threshold)
    faces = _FaceLoader(library)
    (one, left), (other, right) = faces.load(a), faces.load(b)
    distance = float(((left.astype(np.float64) - right) ** 2).sum())
    return Verification(distance <= threshold, distance, threshold, (one, other))


class _FaceLoader:
    """Finds the faces to compare. The models are opened once."""

    def __init__(self, library: Catalogue | None) -> None:
        self._library = library
        self._face_reader = FaceReader(library.pack if library else load_pack_in_use(None))

    def load(self, named: StrPath) -> tuple[ComparedFace, Float64]:
        """The face, and its embedding (d,)."""
        text = os.fspath(named)
        if is_face_id(text) and self._library is not None:
            (face,) = self._library.select_faces(text).faces
            place = self._library.occurrences_of[face][0]
            photo, seen = place.photo, CachedPhotos(self._library).find_by_face(place)
            number: int | None = seen.face_ids.index(face) + 1
        else:
            photo, number = _split_face_number(text)
            seen = self._read_photo(photo)
        count = len(seen.face_ids)
        if not count:
            raise UsageError(f"{photo}: no face found")
        if number is None:
            number = seen.largest_index + 1
        if not 1 <= number <= count:
            raise UsageError(
                f"{photo} has no face {number}: {count} found", hint="they are counted from the left, from 1"
            )
        embedding = seen.embeddings[number - 1].astype(np.float64)
        return ComparedFace(photo, seen.face_ids[number - 1], number, count), embedding

    def _read_photo(self, photo: str) -> PhotoFaces:
        path = Path(photo)
        try:
            known = CachedPhotos(self._library).find(path) if self._library else None
            return known or self._face_reader.read(path)
        except UnreadablePhotoError as error:
            raise UsageError(f"{photo}: {error}") from error


def is_face_id(text: StrPath) -> bool:
    """Whether this is for a library to look up: 16 hex digits, and no file is called so."""
    return re.fullmatch("[0-9a-fA-F]{16}", os.fspath(text)) is not None and not os.path.lexists(text)


def _split_face_number(text: str) -> tuple[str, int | None]:
    """ "party.jpg#2" to the file and the number; a file that is called so goes first."""
    numbered = re.fullmatch("(.+)#([0-9]{1,6})", text, re.DOTALL)
    if numbered and not os.path.lexists(text):
        return numbered[1], int(numbered[2])
    return text, None


def _check_threshold(threshold: float) -> None:
    if not (math.isfinite(threshold) and threshold > 0):
        raise UsageError(f"{threshold} is not a distance above 0", hint="the distance is squared L2; try the default")
