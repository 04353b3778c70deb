"""What a scan asks of the journal: which faces are forgotten."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from faceclust.people.events import JournalFace
from faceclust.people.forgotten_faces import ForgottenFaces, PossibleMatch
from faceclust.store.erase import read_faces_on_photos, read_forgotten
from faceclust.store.folder_cache import FolderCache, UnusableCacheError
from faceclust.types import FaceOccurrence, ScannedPhoto


class ForgottenFilter:
    """Keeps the faces that the journal says are forgotten, and those that caches have as such, out
    of a scan. `new`: forgotten faces of which the journal does not know; `swept`: whether a cache
    still held one."""

    def __init__(self, root: Path, journalled: list[JournalFace]) -> None:
        self._root = root
        self._journalled = ForgottenFaces(journalled)
        self._known: ForgottenFaces | None = None
        self._cached: list[JournalFace] = []
        self._new_hashes: set[str] = set()  # contents of photos that are new at their path
        self._deferred: list[tuple[ScannedPhoto, frozenset[str], list[PossibleMatch]]] = []
        self.newly_forgotten: dict[str, JournalFace] = {}
        self.has_erased = False

    def add_cache(self, cache: FolderCache, folder: str) -> None:
        """Learn the forgotten faces of a folder's cache; take out those it should not have."""
        if self._journalled.faces:
            self.has_erased |= erase_forgotten(self._journalled, cache, folder) > 0
        if cache.existing_path:
            with contextlib.suppress(UnusableCacheError):
                for place in read_forgotten(cache.existing_path, folder):
                    self._cached.append(JournalFace.from_occurrence(place, confirmed=False))
                    self._note_forgotten(place)

    def mark_or_defer(self, photo: ScannedPhoto) -> ScannedPhoto | None:
        """The photo with its forgotten faces marked; None where that shows only in the end."""
        if self._known is None:
            self._known = ForgottenFaces([*self._journalled.faces, *self._cached])
        if not self._known.faces:
            return photo
        self._new_hashes.add(photo.content_hash)
        places = occurrences_on(photo)
        sure = self._known.certain_matches(places)
        maybe = [one for one in self._known.possible_matches(places) if one.face_id not in sure]
        if maybe:
            self._deferred.append((photo, sure, maybe))
            return None
        return self._mark_forgotten(photo, sure)

    def deferred_photos(self) -> Iterator[ScannedPhoto]:
        """The photos that were held back, with their forgotten faces marked."""
        for photo, sure, maybe in self._deferred:
            assert self._known is not None
            yield self._mark_forgotten(
                photo, sure | self._known.confirm_matches(maybe, self._new_hashes, self._photo_exists)
            )

    def _photo_exists(self, photo: str) -> bool:
        return os.path.exists(self._root / photo)

    def _mark_forgotten(self, photo: ScannedPhoto, forgotten: frozenset[str]) -> ScannedPhoto:
        forgotten |= photo.forgotten  # what was known of its content may be from a cache not seen here
        for place in occurrences_on(photo):
            if place.face_id in forgotten:
                self._note_forgotten(place)
        return replace(photo, forgotten=forgotten) if forgotten else photo

    def _note_forgotten(self, place: FaceOccurrence) -> None:
        if place.face_id not in self._journalled.ids:
            self.newly_forgotten.setdefault(place.face_id, JournalFace.from_occurrence(place, confirmed=False))


def erase_forgotten(forgotten: ForgottenFaces, cache: FolderCache, folder: str) -> int:
    """Take forgotten faces out of a folder's cache; gives how many there were. A cache that cannot
    be used is left as it is. Raises CacheError."""
    found = find_forgotten(forgotten, cache.existing_path, folder) if cache.existing_path else None
    if found:
        try:
            cache.forget_faces(found)
        except UnusableCacheError:
            return 0
    return len(found or ())


def find_forgotten(forgotten: ForgottenFaces, path: Path, folder: str) -> set[str] | None:
    """The forgotten faces that a cache file holds still; None where it cannot be read."""
    try:
        places = list(read_faces_on_photos(path, folder, forgotten.photo_hashes))
    except UnusableCacheError:
        return None
    photos = (list(photo) for _, photo in itertools.groupby(places, lambda place: place.photo))
    return set().union(*map(forgotten.certain_matches, photos))


def occurrences_on(photo: ScannedPhoto) -> list[FaceOccurrence]:
    """The places of a scanned photo's faces."""
    return [
        FaceOccurrence(
            face_id=face_id,
            photo=photo.ref.rel_path,
            photo_hash=photo.content_hash,
            box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            photo_size=photo.full_size,
            quality=float(quality),
            score=float(score),
            taken_at=photo.metadata.taken_at,
        )
        for face_id, box, quality, score in zip(photo.face_ids, photo.boxes, photo.quality, photo.scores, strict=True)
    ]
