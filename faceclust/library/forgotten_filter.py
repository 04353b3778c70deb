"""What a scan asks of the journal: which faces are forgotten."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from faceclust.people.events import JournalFace
from faceclust.people.forgotten_faces import ForgottenFaces, Maybe
from faceclust.store.erase import faces_on, forgotten_in
from faceclust.store.folder_cache import FolderCache, UnusableCacheError
from faceclust.types import FacePlace, ScannedPhoto


class Watch:
    """Keeps the faces that the journal says are forgotten, and those that caches have as such, out
    of a scan. `new`: forgotten faces of which the journal does not know; `swept`: whether a cache
    still held one."""

    def __init__(self, root: Path, said: list[JournalFace]) -> None:
        self._root = root
        self._said = ForgottenFaces(said)
        self._known: ForgottenFaces | None = None
        self._cached: list[JournalFace] = []
        self._seen: set[str] = set()  # contents of photos that are new at their path
        self._held: list[tuple[ScannedPhoto, frozenset[str], list[Maybe]]] = []
        self.new: dict[str, JournalFace] = {}
        self.swept = False

    def look(self, cache: FolderCache, folder: str) -> None:
        """Learn the forgotten faces of a folder's cache; take out those it should not have."""
        if self._said.faces:
            self.swept |= sweep(self._said, cache, folder) > 0
        if cache.existing:
            with contextlib.suppress(UnusableCacheError):
                for place in forgotten_in(cache.existing, folder):
                    self._cached.append(JournalFace.of(place, confirmed=False))
                    self._note(place)

    def take(self, photo: ScannedPhoto) -> ScannedPhoto | None:
        """The photo with its forgotten faces marked; None where that shows only in the end."""
        if self._known is None:
            self._known = ForgottenFaces([*self._said.faces, *self._cached])
        if not self._known.faces:
            return photo
        self._seen.add(photo.content_hash)
        places = places_on(photo)
        sure = self._known.surely(places)
        maybe = [one for one in self._known.perhaps(places) if one.face_id not in sure]
        if maybe:
            self._held.append((photo, sure, maybe))
            return None
        return self._marked(photo, sure)

    def rest(self) -> Iterator[ScannedPhoto]:
        """The photos that were held back, with their forgotten faces marked."""
        for photo, sure, maybe in self._held:
            assert self._known is not None
            yield self._marked(photo, sure | self._known.settle(maybe, self._seen, self._is_there))

    def _is_there(self, photo: str) -> bool:
        return os.path.exists(self._root / photo)

    def _marked(self, photo: ScannedPhoto, forgotten: frozenset[str]) -> ScannedPhoto:
        forgotten |= photo.forgotten  # what was known of its content may be from a cache not seen here
        for place in places_on(photo):
            if place.face_id in forgotten:
                self._note(place)
        return replace(photo, forgotten=forgotten) if forgotten else photo

    def _note(self, place: FacePlace) -> None:
        if place.face_id not in self._said.ids:
            self.new.setdefault(place.face_id, JournalFace.of(place, confirmed=False))


def sweep(forgotten: ForgottenFaces, cache: FolderCache, folder: str) -> int:
    """Take forgotten faces out of a folder's cache; gives how many there were. A cache that cannot
    be used is left as it is. Raises CacheError."""
    found = still_held(forgotten, cache.existing, folder) if cache.existing else None
    if found:
        try:
            cache.forget(found)
        except UnusableCacheError:
            return 0
    return len(found or ())


def still_held(forgotten: ForgottenFaces, path: Path, folder: str) -> set[str] | None:
    """The forgotten faces that a cache file holds still; None where it cannot be read."""
    try:
        places = list(faces_on(path, folder, forgotten.photo_hashes))
    except UnusableCacheError:
        return None
    photos = (list(photo) for _, photo in itertools.groupby(places, lambda place: place.photo))
    return set().union(*map(forgotten.surely, photos))


def places_on(photo: ScannedPhoto) -> list[FacePlace]:
    """The places of a scanned photo's faces."""
    return [
        FacePlace(
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
