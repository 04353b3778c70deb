"""Identify the faces on a photo, and verify whether two faces are the same person."""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from faceclust.catalogue.catalogue import Catalogue
from faceclust.catalogue.models_in_use import load_pack_in_use
from faceclust.catalogue.photo_addresses import find_photo
from faceclust.errors import NothingScannedError, UsageError
from faceclust.library.photo_faces import (
    CachedPhotos,
    FaceReader,
    PhotoFaces,
    Picture,
    StrPath,
    UnreadablePhotoError,
    expand_photo_path,
    resolve_typed_photo,
)
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
from faceclust.types.arguments import require_number, require_threshold
from faceclust.types.face_numbers import split_face_address
from faceclust.types.frames import split_picture_id


class IdentificationStatus(StrEnum):
    """The source of a face's name, or the reason it has none."""

    CONFIRMED = "confirmed"  # the user named this face
    SUGGESTED = "suggested"  # the user named its group
    RECOGNISED = "recognised"  # it is within the threshold of a named person
    UNKNOWN = "unknown"
    IGNORED = "ignored"  # the user chose not to name it


@dataclass(frozen=True)
class IdentifiedFace:
    """One face of a photo.

    `box`: left, top, right, bottom as fractions of the upright photo. `distance`: squared L2 to the
    person of this name, None without another face to compare with. `certainty`: "close", "likely" or
    "possible" if the face was recognised. `nearest`: the two nearest people. `group`: the number of
    its group in the library, if it has one. `by_hand`: the user drew the face; with WHOLE_PHOTO as its box, none
    is to be seen. `before_birth`: the people within the threshold who are left out, because the photo is dated before
    their birth. `frame_time`: seconds from the start of the video, None for a photo.
    """

    face_id: str
    box: Box
    how: IdentificationStatus
    name: str | None = None
    distance: float | None = None
    certainty: str | None = None
    nearest: tuple[PersonDistance, ...] = ()
    group: int | None = None
    by_hand: bool = False
    before_birth: tuple[str, ...] = ()
    frame_time: float | None = None


@dataclass(frozen=True)
class IdentifiedPhoto:
    """The faces of a photo from left to right, or the `problem` that made it unreadable."""

    photo: Path
    full_size: tuple[int, int] | None = None
    faces: tuple[IdentifiedFace, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class ComparedFace:
    """One of two compared faces: number `number`, from 1, of `count` from the left on `photo`.

    For an array or a Pillow image, `photo` is "picture a" or "picture b", and `face_id` is empty.
    """

    photo: str
    face_id: str
    number: int
    count: int


@dataclass(frozen=True)
class Verification:
    """The verdict on two faces: `same` if their `distance`, squared L2, is at most the threshold."""

    same: bool
    distance: float
    threshold: float
    faces: tuple[ComparedFace, ComparedFace]


# -- identify -----------------------------------------------------------------


def identify(
    library: Catalogue,
    photos: StrPath | Iterable[StrPath],
    threshold: float = OPERATING_POINT,
    k: int = NEIGHBOURS,
) -> Iterator[IdentifiedPhoto]:
    """Identify the people on photos, inside the library or outside. Each photo is read when it is iterated to.

    A face of the library keeps its name. Any other is compared with the confirmed faces of each
    person (the suggested ones if there are none), except those of its own photo, by the mean squared
    L2 of the `k` nearest, with the library's local scaling. People born after the photo was taken, by its
    date, are left out. A name is used once per photo, unless faces were grouped with `allow_same_photo`.
    Unchanged photos of the library, and copies of them, are not decoded. An unreadable photo has a
    `problem`. Raises UsageError for an invalid threshold or `k`, or if nobody has a name.
    """
    require_threshold(threshold, library.cache_info.radius)
    require_number("k", k)
    if k < 1:
        raise UsageError(f"k must be at least 1, not {k}")
    if not library.people():
        raise UsageError("nobody has a name yet, so nobody can be recognised", hint="faceclust label")
    paths = [photos] if isinstance(photos, str | os.PathLike) else photos
    identifier = _Identifier(library, threshold, k)
    return (identifier(_find_typed_photo(library, path)) for path in paths)


def _find_typed_photo(library: Catalogue, path: StrPath) -> Path:
    """Return a typed path, or that of the library's photo of this name if there is no such file here."""
    expanded = expand_photo_path(path)
    if not os.path.lexists(expanded):
        with suppress(UsageError):
            return library.root / find_photo(library.roots, library.photos, str(path))
    return expanded


class _Identifier:
    """Recognises the named people of a library on photos."""

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
            found = self._known_photos.find(photo) or self._face_reader.read(resolve_typed_photo(photo))
        except UnreadablePhotoError as error:
            return IdentifiedPhoto(photo, problem=str(error))
        offsets = self._library.offsets_of(found.face_ids, found.embeddings)
        distances = self._gallery.distances(found.embeddings, self._k, photo_id=found.photo_id, probe_offsets=offsets)
        distances[[face in found.uncompared for face in found.face_ids]] = np.inf
        known = [self._known_identity(face) for face in found.face_ids]
        left_out = [self._exclude_unborn(found, line, name) for line, (_, name) in zip(distances, known, strict=True)]
        columns = self._assign_people(found, distances, known)
        faces = [
            replace(self._identify_face(found, i, *known[i], columns[i], distances[i]), before_birth=left_out[i])
            for i in range(len(known))
        ]
        return IdentifiedPhoto(photo, found.full_size, tuple(faces))

    def _exclude_unborn(self, photo: PhotoFaces, distances: Float64, name: str | None) -> tuple[str, ...]:
        """Set the distances of a face (people,) to those who were born after its photo was taken to inf.

        `name`: the person that the face is known to be, who stays. Return those who were within the threshold.
        """
        evidence = self._library.date_evidence
        if not evidence or photo.latest_day is None:
            return ()
        unborn = [
            column
            for column, person in enumerate(self._people)
            if person != name and evidence.excludes(person, photo.latest_day)
        ]
        near = [self._people[column] for column in unborn if distances[column] <= self._threshold]
        distances[unborn] = np.inf
        return tuple(near)

    def _known_identity(self, face: str) -> tuple[IdentificationStatus, str | None]:
        person = self._library.person_of.get(face)
        if person is not None:
            is_confirmed = face in person.confirmed
            return (
                IdentificationStatus.CONFIRMED if is_confirmed else IdentificationStatus.SUGGESTED,
                person.label,
            )
        return (IdentificationStatus.IGNORED if face in self._ignored else IdentificationStatus.UNKNOWN), None

    def _assign_people(
        self, photo: PhotoFaces, distances: Float64, known: list[tuple[IdentificationStatus, str | None]]
    ) -> list[int | None]:
        """The person (column) of each face: the known one, or else the one the distances assign."""
        unassigned = distances.copy()
        for row, face, (status, _) in zip(unassigned, photo.face_ids, known, strict=True):
            rejected = self._library.answers.rejected.get(face, frozenset()) & self._column.keys()
            row[[self._column[name] for name in rejected]] = np.inf
            if status is not IdentificationStatus.UNKNOWN:
                row[:] = np.inf
        # A person of whom no face can be compared has no column.
        columns = [None if name is None else self._column.get(name) for _, name in known]
        for rows in _rows_by_picture(photo):
            taken = {column for row in rows if (column := columns[row]) is not None}
            found = assign_people(
                unassigned[rows], self._threshold, unique=self._one_face_per_person, taken_people=taken
            )
            for row, column in zip(rows, found, strict=True):
                columns[row] = column if columns[row] is None else columns[row]
        return columns

    def _identify_face(
        self,
        photo: PhotoFaces,
        i: int,
        status: IdentificationStatus,
        name: str | None,
        column: int | None,
        distances: Float64,
    ) -> IdentifiedFace:
        distance = certainty = None
        if column is not None:
            name = self._people[column]
            distance = float(distances[column]) if math.isfinite(distances[column]) else None
            if status is IdentificationStatus.UNKNOWN:
                runner_up = float(np.delete(distances, column).min(initial=np.inf))
                status = IdentificationStatus.RECOGNISED
                certainty = describe_certainty(float(distances[column]), runner_up)
        return IdentifiedFace(
            face_id=photo.face_ids[i],
            box=photo.boxes[i],
            how=status,
            name=name,
            distance=distance,
            certainty=certainty,
            nearest=() if photo.face_ids[i] in photo.uncompared else nearest_people(distances, self._people),
            group=self._library.group_of.get(photo.face_ids[i]),
            by_hand=photo.face_ids[i] in photo.by_hand,
            frame_time=split_picture_id(photo.pictures[i])[1] if photo.pictures else None,
        )


def _rows_by_picture(photo: PhotoFaces) -> list[list[int]]:
    """Return the positions of the faces of each picture: a photo is one, a video has its frames."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, picture in enumerate(photo.pictures or [""] * len(photo.face_ids)):
        rows[picture].append(row)
    return list(rows.values())


def _build_gallery(library: Catalogue) -> Gallery:
    """The confirmed faces of each person, or all faces of a person without confirmed ones."""
    named = {face: person.label for person in library.people() for face in person.confirmed or person.face_ids}
    faces = library.faces_of(list(named))
    names = np.array([named[face] for face in faces.face_ids.tolist()], dtype=np.str_)
    photo_ids = np.array([library.photo_of[face] for face in faces.face_ids.tolist()], dtype=np.str_)
    return Gallery(names, photo_ids, faces.embeddings, library.offsets_of(faces.face_ids, faces.embeddings))


# -- verify -------------------------------------------------------------------


def verify(
    a: Picture,
    b: Picture,
    *,
    threshold: float = VERIFY_THRESHOLD,
    library: Catalogue | None = None,
) -> Verification:
    """Verify whether two faces are the same person, as `DeepFace.verify` and face_recognition's
    `compare_faces` do.

    `a`, `b`: photo files, arrays or Pillow images, as `FaceAnalyser.faces` takes them. The largest face
    of each is compared; "FILE#2" is the second face from the left. With a library, a face id of it
    works too, and its photos are not decoded again. `threshold`: squared L2 up to which two faces are
    the same person; two photos have no surroundings, so the distance is not scaled. Raises UsageError
    for an unreadable photo, a missing face or an invalid threshold, PackError if the models cannot be
    used.
    """
    require_number("threshold", threshold, above=0)
    faces = _FaceLoader(library)
    require_threshold(threshold, faces.pack.embedder.radius)
    (first, x), (second, y) = faces.load(a, "picture a"), faces.load(b, "picture b")
    distance = float(((x.astype(np.float64) - y) ** 2).sum())
    return Verification(distance <= threshold, distance, threshold, (first, second))


class _FaceLoader:
    """Finds the faces to compare. The models are loaded once."""

    def __init__(self, library: Catalogue | None) -> None:
        self._library = library
        self.pack = library.pack if library else load_pack_in_use(None)
        self._face_reader = FaceReader(self.pack)

    def load(self, picture: Picture, label: str) -> tuple[ComparedFace, Float64]:
        """Return the face and its embedding (d,). `label`: name of a picture in memory."""
        number: int | None = None
        if not isinstance(picture, str | os.PathLike):
            photo, found = label, self._read_pixels(picture, label)
        elif self._library is not None and is_face_id(picture):
            (face,) = self._library.select_faces(os.fspath(picture)).faces
            occurrence = self._library.occurrences_of[face][0]
            photo, found = occurrence.photo, CachedPhotos(self._library).find_by_face(occurrence)
            number = found.face_ids.index(face) + 1
        else:
            photo, number = self._split_address(os.fspath(picture))
            found = self._read_photo(photo)
        count = len(found.face_ids)
        if not count:
            raise UsageError(f"{photo}: no face found")
        if number is None:
            number = found.largest_index + 1
        if not 1 <= number <= count:
            raise UsageError(
                f"{photo} has no face {number}: {count} found", hint="faces are numbered from the left, from 1"
            )
        if found.face_ids[number - 1] in found.uncompared:
            raise UsageError(
                f"face {number} of {photo} cannot be compared",
                hint="it was drawn by hand, and it is too small or blurred, or not to be seen",
            )
        embedding = found.embeddings[number - 1].astype(np.float64)
        return ComparedFace(photo, found.face_ids[number - 1] if found.photo_id else "", number, count), embedding

    def _read_pixels(self, picture: Picture, label: str) -> PhotoFaces:
        try:
            return self._face_reader.read(picture)
        except UsageError as error:
            raise UsageError(f"{label}: {error}", hint=error.hint) from error

    def _split_address(self, text: str) -> tuple[str, int | None]:
        """Split "party.jpg#2" into file and number, unless a file has that whole name.

        A file that does not exist may be a photo of the library, given by its path there.
        """
        photo, number = (text, None) if os.path.lexists(text) else split_face_address(text)
        if self._library is not None and not os.path.lexists(expand_photo_path(photo)):
            with suppress(UsageError, NothingScannedError):
                photo = str(self._library.root / find_photo(self._library.roots, self._library.photos, photo))
        return photo, number

    def _read_photo(self, photo: str) -> PhotoFaces:
        path = expand_photo_path(photo)
        try:
            known = CachedPhotos(self._library).find(path) if self._library else None
            return known or self._face_reader.read(resolve_typed_photo(path))
        except UnreadablePhotoError as error:
            raise UsageError(f"{photo}: {error}") from error


def is_face_id(text: StrPath) -> bool:
    """Return whether this is a face id to look up in a library: 16 hex digits, and no file of that name."""
    return re.fullmatch("[0-9a-fA-F]{16}", os.fspath(text)) is not None and not os.path.lexists(text)


def is_file(text: str) -> bool:
    """Return whether this is the path of a file, or PHOTO#N with the path of one."""
    return any(os.path.lexists(expand_photo_path(path)) for path in (text, split_face_address(text)[0]))
