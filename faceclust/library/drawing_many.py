"""Draw the faces that an import adds: each photo is examined once, and caches are written now and then."""

from __future__ import annotations

import os
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import CacheError
from faceclust.importers.library_names import HandAnswers
from faceclust.importers.plan import FaceAddition
from faceclust.library.drawn_faces import format_photo_date, uncompared_face
from faceclust.packs.verify import require_files
from faceclust.people.events import Event, JournalFace, effective_events
from faceclust.people.forgotten_faces import collect_forgotten_faces
from faceclust.people.hand_edits import replay_hand_edits
from faceclust.people.names import person_key
from faceclust.photos.face_ids import face_id
from faceclust.progress import ShouldStop
from faceclust.store.folder_cache import FolderCache, UnusableCacheError
from faceclust.types import WHOLE_PHOTO, Box, DrawnFace, PhotoInfo, PhotoRef, ScannedPhoto, SkippedPhoto

#: Seconds between two writes of the caches. A killed import loses no more than that.
_SAVE_INTERVAL = 20.0
#: Faces in one line of the journal.
_MAX_FACES_A_LINE = 1000
_MAX_NOTES = 20


@dataclass(frozen=True)
class _Drawn:
    """An addition whose face is in the caches."""

    addition: FaceAddition
    face: DrawnFace


def collect_hand_answers(library: Catalogue, renamed: Mapping[str, str]) -> HandAnswers:
    """Return what the user said against faces: removed, moved and forgotten ones, and people off whole photos.

    `renamed` maps the former key of a person to the present name.
    """
    events = effective_events(library.journal.events())
    edits = replay_hand_edits(events)
    boxes: dict[str, list[tuple[Box, str]]] = defaultdict(list)
    for faces, reason in (
        (edits.removed.values(), "you said that no face is there"),
        (edits.replaced.values(), "you moved the face away from there"),
        (collect_forgotten_faces(events), "the face there was forgotten"),
        (library.table.forgotten_occurrences(), "the face there was forgotten"),
    ):
        for face in faces:
            if face.box != WHOLE_PHOTO:
                boxes[face.photo_hash].append((face.box, reason))
    gone = {id: face.photo_hash for id, face in edits.removed.items() if face.box == WHOLE_PHOTO}
    for face in library.occurrences:
        if face.is_whole_photo and ((person := library.person_of.get(face.face_id)) is None or person.name is None):
            gone[face.face_id] = face.photo_hash  # the name was rejected, or the person is ignored
    withdrawn: dict[str, set[str]] = defaultdict(set)
    for event in events if gone else ():
        if event.name is not None:
            key = person_key(event.name)
            for id in gone.keys() & {face.face_id for face in event.faces}:
                withdrawn[gone[id]] |= {key, person_key(renamed.get(key, event.name))}
    return HandAnswers(boxes, withdrawn)


def draw_additions(
    library: Catalogue, additions: Iterable[FaceAddition], workers: int | None, should_stop: ShouldStop
) -> list[_Drawn]:
    """Embed the faces of a plan and keep them in the caches; return those that are there.

    No event mentions them yet, so they are not shown. Once `should_stop()` is true, no more photos are examined.
    """
    chosen = [_Drawn(addition, face) for addition in additions if (face := _to_drawn_face(library, addition))]
    with library.home.lock("importing faces") as lock:
        writer = _CacheWriter(library)
        try:
            _examine_faces(library, [one.face for one in chosen], writer, workers, lambda: should_stop() or lock.lost)
            for one in chosen:
                if one.face.is_whole_photo:
                    writer.add(uncompared_face(library, library.photos[one.face.photo], one.face))
        finally:
            writer.flush()
    library.invalidate()
    return [one for one in chosen if one.face.face_id in library.stored_occurrences_of]


def record_additions(library: Catalogue, drawn: Iterable[_Drawn]) -> list[Event]:
    """Record drawn faces in the journal: one event per person and source. The journal is locked."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[JournalFace]] = defaultdict(list)
    for one in drawn:
        if one.face.face_id not in library.occurrences_of:  # else it was drawn meanwhile
            face, key = one.face, person_key(one.addition.name)
            groups[key, one.addition.name, one.addition.sources].append(
                JournalFace(face.face_id, face.photo_hash, face.photo, face.box, one.addition.confirmed, face.taken_at)
            )
    return [
        library.journal.record("add", some, name=name, source=" and ".join(sources))
        for (_, name, sources), faces in sorted(groups.items())
        for some in _split(faces)
    ]


def _split(faces: Sequence[JournalFace]) -> Iterator[Sequence[JournalFace]]:
    for start in range(0, len(faces), _MAX_FACES_A_LINE):
        yield faces[start : start + _MAX_FACES_A_LINE]


def _to_drawn_face(library: Catalogue, addition: FaceAddition) -> DrawnFace | None:
    """Return the face to draw; None if the photo is gone, or the person has been put there meanwhile."""
    info = library.photos.get(addition.photo)
    if info is None:
        return None
    people = (library.person_of.get(face.face_id) for face in library.faces_on.get(info.photo_hash, ()))
    if any(person_key(person.label) == person_key(addition.name) for person in people if person):
        return None
    is_whole = addition.box == WHOLE_PHOTO
    id = secrets.token_hex(8) if is_whole else face_id(info.photo_hash, addition.box)
    return DrawnFace(id, info.photo, info.photo_hash, addition.box, format_photo_date(info))


def _examine_faces(
    library: Catalogue,
    faces: Iterable[DrawnFace],
    writer: _CacheWriter,
    workers: int | None,
    should_stop: ShouldStop,
) -> None:
    """Embed the faces that the caches lack, all of a photo together, in worker processes."""
    by_photo: dict[str, dict[str, DrawnFace]] = defaultdict(dict)
    for face in faces:
        if not face.is_whole_photo and face.face_id not in library.stored_occurrences_of:
            by_photo[face.photo][face.face_id] = face
    if not by_photo:
        return
    from faceclust.packs.session import choose_device  # loads the model runtime, as the next lines do
    from faceclust.scan.examine import ExamineTask, ScanSettings
    from faceclust.scan.examine_pool import examine_photos

    require_files(library.pack)
    notes: list[str] = []
    tasks = []
    for photo, wanted in sorted(by_photo.items()):
        try:
            status = library.path_of(photo).lstat()
        except (OSError, ValueError) as error:
            notes.append(f"{photo} cannot be read: {getattr(error, 'strerror', None) or error}")
        else:
            tasks.append(ExamineTask(PhotoRef(photo, status.st_size, status.st_mtime_ns), drawn=tuple(wanted.values())))
    settings = ScanSettings(library.pack, choose_device("auto"))
    workers = min(len(tasks), os.cpu_count() or 1) if workers is None else workers
    library.progress.start("drawing faces", len(tasks), "photos")
    for ref, examined in examine_photos(library.root, settings, workers, tasks, should_stop):
        found = examined.photo
        library.progress.advance()
        if isinstance(found, SkippedPhoto):
            notes.append(f"{ref.rel_path} cannot be read: {found.reason.value}: {found.detail}")
        elif found.content_hash != library.photos[ref.rel_path].photo_hash:
            notes.append(f"{ref.rel_path} has changed since it was scanned; next: faceclust scan")
        elif isinstance(found, ScannedPhoto):
            wanted_ids = by_photo[ref.rel_path]
            writer.add(found.take([row for row, id in enumerate(found.face_ids) if id in wanted_ids]))
            writer.flush_if_due()
    library.progress.finish()
    more = [f"{len(notes) - _MAX_NOTES:,} more photos cannot be read"] if len(notes) > _MAX_NOTES else []
    for note in (*notes[:_MAX_NOTES], *more):
        library.progress.note(note)


class _CacheWriter:
    """Collects faces of photos, and writes them to the caches of all copies of the photos."""

    def __init__(self, library: Catalogue) -> None:
        self._home, self._info, self._progress = library.home, library.cache_info, library.progress
        self._copies: dict[str, list[PhotoInfo]] = defaultdict(list)
        for info in library.photos.values():
            self._copies[info.photo_hash].append(info)
        self._unsaved: dict[str, dict[str, ScannedPhoto]] = defaultdict(dict)  # by folder and path of the photo
        self._saved_at = time.monotonic()

    def add(self, found: ScannedPhoto) -> None:
        """Add faces of a photo, to those of the same photo that were added before."""
        for copy in self._copies[found.content_hash]:
            photo = replace(found, ref=PhotoRef(copy.photo, 0, 0))
            folder = self._unsaved[photo.ref.folder]
            before = folder.get(copy.photo)
            folder[copy.photo] = photo if before is None else before.with_faces_of(photo)

    def flush_if_due(self) -> None:
        """Write the faces if the last time is a while ago."""
        if time.monotonic() - self._saved_at > _SAVE_INTERVAL:
            self.flush()

    def flush(self) -> None:
        """Write each folder's cache once. Raises CacheError if one cannot be written."""
        for folder in sorted(self._unsaved):
            photos = self._unsaved.pop(folder)
            cache = FolderCache(self._home.cache_paths(folder, self._info.pack), self._info)
            try:
                cache.add_faces(photos.values())
            except UnusableCacheError as error:
                raise CacheError(f"{error}", hint="faceclust scan makes it again") from error
        self._saved_at = time.monotonic()
