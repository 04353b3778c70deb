"""Faces that the user drew: find those of a photo, and examine them without looking for others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from faceclust.photos.face_ids import face_id
from faceclust.scan.examine import ExamineTask, ScanSettings
from faceclust.scan.examine_pool import examine_photos
from faceclust.scan.folder import ScanFolder
from faceclust.store.schema import stored_name
from faceclust.types import DrawnFace, PhotoRef, ScannedPhoto, SkippedPhoto

#: Drawn faces of a photo that are examined. More are not drawn by a person, but found in a hostile journal.
_MAX_FACES_A_PHOTO = 200


class DrawnFaces:
    """The drawn faces of a library, by photo. Faces whose box is empty or leaves the photo are left out."""

    def __init__(self, drawn: Iterable[DrawnFace]) -> None:
        self._by_hash: dict[str, list[DrawnFace]] = defaultdict(list)
        self._by_path: dict[str, list[DrawnFace]] = defaultdict(list)
        for face in filter(_is_inside, drawn):
            self._by_hash[face.photo_hash].append(face)
            self._by_path[face.photo].append(face)

    def missing_from(self, folder: ScanFolder) -> dict[PhotoRef, tuple[DrawnFace, ...]]:
        """Return the faces that the folder's cache lacks, by saved photo. Faces found by the detector count if
        they have the same id."""
        refs = {stored_name(ref): ref for ref in folder.unchanged if self._may_be_on(ref, folder.hash_of(ref))}
        missing = {}
        for photo in folder.cache.photos(refs) if refs else ():
            ref, present = refs[photo.ref.name], set(photo.face_ids)
            faces = self.on_photo(ref.rel_path, photo.content_hash, photo.metadata.taken_at)
            if lacking := tuple(face for face in faces if face.face_id not in present):
                missing[ref] = lacking
        return missing

    def _may_be_on(self, ref: PhotoRef, photo_hash: str | None) -> bool:
        return photo_hash in self._by_hash or ref.rel_path in self._by_path

    def on_photo(self, photo: str, photo_hash: str, taken_at: datetime | None) -> tuple[DrawnFace, ...]:
        """Return the faces of a photo (POSIX path below the root) with their ids on it, each id once.

        They were drawn on this content, or, before the photo was edited, on the photo with this path and date.
        """
        date = taken_at.isoformat() if taken_at else None
        edited = [face for face in self._by_path.get(photo, ()) if date and face.taken_at == date]
        found: dict[str, DrawnFace] = {}
        for face in (*self._by_hash.get(photo_hash, ()), *edited):
            # Ids are computed again, because journals may come from anywhere.
            id = face.face_id if face.is_whole_photo else face_id(photo_hash, face.box)
            found.setdefault(id, replace(face, face_id=id, photo=photo, photo_hash=photo_hash))
        return tuple(found.values())[:_MAX_FACES_A_PHOTO]


def _is_inside(face: DrawnFace) -> bool:
    with np.errstate(over="ignore"):
        left, top, right, bottom = map(float, np.asarray(face.box, np.float32))
    return 0 <= left < right <= 1 and 0 <= top < bottom <= 1


def examine_drawn_faces(
    root: Path, settings: ScanSettings, ref: PhotoRef, drawn: Sequence[DrawnFace], *, workers: int = 1
) -> ScannedPhoto | SkippedPhoto:
    """Examine only these faces of one photo, in a worker process of its own (`workers` 0: in this process).

    The result has the content hash that the photo has now, and a face for each of `drawn`, in order, with the
    id, box and mark of a drawn face. A face that cannot be compared has no embedding (`uncompared`). Add it to
    a cache by `FolderCache.add_faces`.
    """
    tasks = [ExamineTask(ref, drawn=tuple(drawn))]
    ((_, examined),) = examine_photos(root, settings, workers, tasks, lambda: False)
    assert isinstance(examined.photo, ScannedPhoto | SkippedPhoto)
    return examined.photo
