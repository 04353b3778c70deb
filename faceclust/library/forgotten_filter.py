"""Recognise forgotten faces, so that scans leave them out."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from faceclust.files.safe_paths import lstat_if_present
from faceclust.people.events import JournalFace
from faceclust.people.forgotten_faces import ForgottenFaces, PossibleMatch
from faceclust.store.erase import read_faces_on_photos, read_forgotten
from faceclust.store.folder_cache import FolderCache, UnusableCacheError
from faceclust.types import FaceOccurrence, ScannedPhoto


class ForgottenFilter:
    """Keeps forgotten faces out of a scan: those of the journal, and those that caches mark as forgotten.

    `newly_forgotten`: forgotten faces missing from the journal, by id. `has_erased`: a cache still
    held a forgotten face.
    """

    def __init__(self, root: Path, recorded: list[JournalFace]) -> None:
        """`recorded`: the forgotten faces of the journal of the library at `root`."""
        self._root = root
        self._recorded = ForgottenFaces(recorded)
        self._known: ForgottenFaces | None = None
        self._cached: list[JournalFace] = []
        self._new_hashes: set[str] = set()  # content hashes of photos that are new at their path
        self._deferred: list[tuple[ScannedPhoto, frozenset[str], list[PossibleMatch]]] = []
        self.newly_forgotten: dict[str, JournalFace] = {}
        self.has_erased = False

    def add_cache(self, cache: FolderCache, folder: str) -> None:
        """Collect the forgotten faces that a folder's cache marks, and erase the ones it still holds."""
        if self._recorded.faces:
            self.has_erased |= erase_forgotten(self._recorded, cache, folder) > 0
        if cache.existing_path:
            with contextlib.suppress(UnusableCacheError):
                for occurrence in read_forgotten(cache.existing_path, folder):
                    self._cached.append(JournalFace.from_occurrence(occurrence, confirmed=False))
                    self._note_forgotten(occurrence)

    def mark_or_defer(self, photo: ScannedPhoto) -> ScannedPhoto | None:
        """Return the photo with its forgotten faces marked, or None if that must wait for all other photos."""
        if self._known is None:
            self._known = ForgottenFaces([*self._recorded.faces, *self._cached])
        if not self._known.faces:
            return photo
        self._new_hashes.add(photo.content_hash)
        occurrences = occurrences_on(photo)
        certain = self._known.certain_matches(occurrences)
        if self._known.hides_whole_video(occurrences):
            certain = frozenset(photo.face_ids)
        possible = [match for match in self._known.possible_matches(occurrences) if match.face_id not in certain]
        if possible:
            self._deferred.append((photo, certain, possible))
            return None
        return self._mark_forgotten(photo, certain)

    def deferred_photos(self) -> Iterator[ScannedPhoto]:
        """Yield the deferred photos with their forgotten faces marked."""
        for photo, certain, possible in self._deferred:
            assert self._known is not None
            confirmed = self._known.confirm_matches(possible, self._new_hashes, self._photo_exists)
            yield self._mark_forgotten(photo, certain | confirmed)

    def _photo_exists(self, photo: str) -> bool:
        return lstat_if_present(str(self._root / photo)) is not None

    def _mark_forgotten(self, photo: ScannedPhoto, forgotten: frozenset[str]) -> ScannedPhoto:
        forgotten |= photo.forgotten  # faces copied by content may come from a cache this filter has not read
        for occurrence in occurrences_on(photo):
            if occurrence.face_id in forgotten:
                self._note_forgotten(occurrence)
        return replace(photo, forgotten=forgotten) if forgotten else photo

    def _note_forgotten(self, occurrence: FaceOccurrence) -> None:
        if occurrence.face_id not in self._recorded.ids:
            face = JournalFace.from_occurrence(occurrence, confirmed=False)
            self.newly_forgotten.setdefault(occurrence.face_id, face)


def erase_forgotten(forgotten: ForgottenFaces, cache: FolderCache, folder: str) -> int:
    """Erase forgotten faces from a folder's cache. Return their number.

    An unusable cache is left as it is. Raises CacheError if the cache cannot be written.
    """
    found = find_forgotten(forgotten, cache.existing_path, folder) if cache.existing_path else None
    if found:
        try:
            cache.forget_faces(found)
        except UnusableCacheError:
            return 0
    return len(found or ())


def find_forgotten(forgotten: ForgottenFaces, path: Path, folder: str) -> set[str] | None:
    """Return the ids of forgotten faces that a cache file still holds; None if its content cannot be
    used. Raises CacheError if the disk cannot be read."""
    try:
        occurrences = list(read_faces_on_photos(path, folder, forgotten.photo_hashes))
    except UnusableCacheError:
        return None
    photos = [list(faces) for _, faces in itertools.groupby(occurrences, lambda occurrence: occurrence.photo)]
    found = set[str]().union(*map(forgotten.certain_matches, photos))
    videos = [faces for faces in photos if faces[0].frame_time is not None]
    erased = list(read_forgotten(path, folder)) if videos else []
    for faces in videos:
        before = [face for face in erased if face.photo == faces[0].photo]
        if forgotten.hides_whole_video([*faces, *before]):
            found.update(face.face_id for face in faces)
    return found


def occurrences_on(photo: ScannedPhoto) -> list[FaceOccurrence]:
    """Return the occurrences of a scanned photo's faces."""
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
            frame_time=photo.frames[face_id].time if photo.frames else None,
        )
        for face_id, box, quality, score in zip(photo.face_ids, photo.boxes, photo.quality, photo.scores, strict=True)
    ]
