"""Draw, move and remove faces by hand.

The answers are events like any other: `undo` takes them back. A drawn face is embedded and kept in the
caches before its event is recorded, so that after a crash in between it is merely not shown.
"""

from __future__ import annotations

import math
import os
import re
import secrets
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from faceclust.catalogue.catalogue import Catalogue
from faceclust.catalogue.photo_addresses import find_photo
from faceclust.errors import CacheError, FaceclustError, UsageError
from faceclust.files.names import is_video_name
from faceclust.library.birth_dates import note_named_before_birth
from faceclust.library.doubtful import check_twice_on_photo, settle_name
from faceclust.library.kept_facts import note_kept_facts
from faceclust.library.naming import journal_transaction, record_answer, validate_name
from faceclust.library.selection import Selector, Selectors, require_face, resolve_faces
from faceclust.packs.verify import require_files
from faceclust.people.events import Event, JournalFace, effective_events
from faceclust.people.forgotten_faces import collect_forgotten_faces
from faceclust.people.hand_edits import replay_hand_edits
from faceclust.photos.face_ids import face_id
from faceclust.store.folder_cache import FolderCache, UnusableCacheError
from faceclust.types import (
    BOX_DECIMALS,
    MIN_DRAWN_SIZE,
    SAME_FACE_OVERLAP,
    WHOLE_PHOTO,
    Box,
    DrawnFace,
    FaceOccurrence,
    Metadata,
    PhotoInfo,
    PhotoRef,
    ScannedPhoto,
    SkippedPhoto,
    intersection_over_union,
)
from faceclust.types.arguments import as_list
from faceclust.types.frames import PICTURE_PATTERN


def add_face(library: Catalogue, photo: str | os.PathLike[str], box: Box, name: str | None = None) -> Event:
    """Draw a face on a photo of the library, and name it if a name is given. Return the event.

    `photo`: its path from here or from the library, or its content hash. `box`: left, top, right, bottom
    as fractions of the upright photo. The face is embedded like one that a detector found; one of too low
    a quality to be compared only keeps its name. Detected faces under the box are hidden. Raises
    UsageError for an unknown photo, an invalid box, and a place that has this very face; FaceclustError if
    the photo cannot be read; LibraryBusyError during a scan; CacheError if a cache or the journal cannot be
    written; PackError if the models are missing.
    """
    info = find_scanned_photo(library, photo)
    box = _check_box(box, info)
    settled = None if name is None else _settle(library, name, info)
    face = _place_face(library, info, box)
    return _record(library, "add", face, name=settled)


def add_whole(library: Catalogue, photo: str | os.PathLike[str], name: str) -> Event:
    """Put a person on a photo on which no face of theirs is to be seen. Return the event.

    `photo` as in `add_face`. Raises UsageError for an unknown photo, and if the person is on the photo;
    LibraryBusyError during a scan; CacheError if a cache or the journal cannot be written.
    """
    info = find_scanned_photo(library, photo)
    settled = _settle(library, name, info)
    face = DrawnFace(secrets.token_hex(8), info.photo, info.photo_hash, WHOLE_PHOTO, format_photo_date(info))
    _write_rows(library, info, uncompared_face(library, info, face))
    return _record(library, "add", face, name=settled)


def move_face(library: Catalogue, face: Selector, box: Box) -> Event:
    """Replace the box of a face, given by its id or as PHOTO#N. Return the event.

    All answers about the face hold for the new box, which is embedded. `box` and errors as in `add_face`;
    raises UsageError also if the box would cover another face that has a name.
    """
    old = library.occurrences_of[require_face(library, face)][0]
    info = _require_photo(library.photos[old.photo])
    box = _check_box(box, info)
    if face_id(info.photo_hash, box) == old.face_id:
        raise UsageError("the face is there already", hint="nothing was saved")
    for other in library.faces_on[info.photo_hash]:
        is_covered = not other.by_hand and intersection_over_union(other.box, box) >= SAME_FACE_OVERLAP
        if other.face_id != old.face_id and is_covered and (person := library.person_of.get(other.face_id)):
            raise UsageError(
                f"the box would cover {library.address_of(other.face_id)}, who is {person.label}",
                hint="faceclust name gives that face the name; faceclust face remove takes a face away",
            )
    return _record(library, "move", _place_face(library, info, box, old.face_id), rest=old)


def remove_faces(library: Catalogue, faces: Selectors) -> Event:
    """Declare that these are not faces of anybody: they are never asked about again. Return the event.

    `faces` are given by id, as PHOTO#N or by group number. This holds for other models, too. Raises
    UsageError for an unknown face, and for the name of a person.
    """
    selectors = as_list(faces)
    for selector in selectors:
        if library.find_face(selector) is None and library.select_faces(selector).is_person:
            raise UsageError(
                f"{selector} is a person, not a face", hint=f"faceclust ignore {selector} leaves all of them out"
            )
    resolved = resolve_faces(library, selectors)
    if not resolved:
        raise UsageError("no face is given", hint="a face is given by its id or as PHOTO#N")
    return record_answer(library, "remove", resolved)


def drawn_faces_in_effect(library: Catalogue) -> list[DrawnFace]:
    """Return the faces that the user drew and that count, for scans: none where a face was forgotten."""
    events = effective_events(library.journal.events())
    forgotten: dict[str, list[Box]] = defaultdict(list)
    for gone in collect_forgotten_faces(events):
        forgotten[gone.photo_hash].append(gone.box)
    return [
        DrawnFace(face.face_id, face.photo, face.photo_hash, face.box, face.taken_at)
        for face in replay_hand_edits(events).drawn.values()
        if face.box == WHOLE_PHOTO or not _is_over(face.box, forgotten.get(face.photo_hash, ()))
    ]


def _is_over(box: Box, others: Iterable[Box]) -> bool:
    return any(intersection_over_union(other, box) >= SAME_FACE_OVERLAP for other in others)


# -- checks ---------------------------------------------------------------------


def find_scanned_photo(library: Catalogue, photo: str | os.PathLike[str]) -> PhotoInfo:
    """Return the photo of a path, or of a content hash. Raises UsageError if it is not in the library, or a video."""
    if not isinstance(photo, str | os.PathLike):
        raise UsageError(f"a photo is given by its path, not by {type(photo).__name__}")
    typed = os.fspath(photo)
    by_hash = re.fullmatch(PICTURE_PATTERN, typed)
    found = (info for info in library.photos.values() if by_hash and info.photo_hash == by_hash[1])
    info = next(found, None) or library.photos[find_photo(library.roots, library.photos, typed)]
    return _require_photo(info)


def _require_photo(info: PhotoInfo) -> PhotoInfo:
    if is_video_name(info.photo):
        raise UsageError(
            f"{info.photo} is a video: faces are drawn on photos only",
            hint="a face that the scan found in it can be named: faceclust name",
        )
    return info


def _check_box(box: Box, info: PhotoInfo) -> Box:
    """Return the box as the journal keeps it. Raises UsageError unless it is a part of the photo."""
    try:
        left, top, right, bottom = (round(float(side), BOX_DECIMALS) for side in box)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"a box is four numbers, not {box!r}", hint="left, top, right, bottom") from error
    width, height = info.size
    if not all(map(math.isfinite, (left, top, right, bottom))):
        raise UsageError("the sides of a box are finite numbers")
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise UsageError(
            f"the box is empty, or not within {info.photo}, which is {width} x {height} pixels",
            hint="its sides are left, top, right, bottom; left is less than right, and top less than bottom",
        )
    if (right - left) * width < MIN_DRAWN_SIZE or (bottom - top) * height < MIN_DRAWN_SIZE:
        raise UsageError(f"the box is too small: it needs at least {MIN_DRAWN_SIZE} pixels each way")
    if (left, top, right, bottom) == WHOLE_PHOTO:
        raise UsageError(
            "the box is the whole photo", hint="draw it around the face, or use --whole if no face is to be seen"
        )
    return left, top, right, bottom


def _settle(library: Catalogue, name: str, info: PhotoInfo) -> str:
    settled = settle_name(library, validate_name(name))
    check_twice_on_photo(library, info, settled)
    return settled


# -- rows and events --------------------------------------------------------------


def _place_face(library: Catalogue, info: PhotoInfo, box: Box, moved: str | None = None) -> DrawnFace:
    """Embed a drawn face and write its rows. A face that was detected at this very place is taken as it is.

    `moved`: the face whose box this becomes.
    """
    face = DrawnFace(face_id(info.photo_hash, box), info.photo, info.photo_hash, box, format_photo_date(info))
    if face.face_id in library.occurrences_of:
        raise UsageError(
            f"this face is on {info.photo} already: {library.address_of(face.face_id)}",
            hint="faceclust name gives it a name",
        )
    instead = library.hidden_faces.get(face.face_id)
    if instead is not None and instead != moved:  # names given to the face in this very box are those of another now
        raise UsageError(
            f"the face that was in this very box of {info.photo} is now {library.address_of(instead)}",
            hint="draw a slightly different box",
        )
    forgotten = (one.box for one in library.table.forgotten_occurrences() if one.photo_hash == info.photo_hash)
    if _is_over(box, forgotten):
        raise UsageError(f"a face at this place of {info.photo} was forgotten", hint="it is not recognised again")
    is_stored = face.face_id in library.stored_occurrences_of  # it was undone, or the program ended before its answer
    _write_rows(library, info, None if is_stored else _examine(library, info, face))
    return face


def _examine(library: Catalogue, info: PhotoInfo, face: DrawnFace) -> ScannedPhoto:
    """Embed a drawn face in a worker process. Raises FaceclustError if the photo cannot be read or has changed."""
    from faceclust.packs.session import choose_device  # loads the model runtime, as the next lines do
    from faceclust.scan.drawn_faces import examine_drawn_faces
    from faceclust.scan.examine import ScanSettings

    require_files(library.pack)
    path = library.root / info.photo
    try:
        status = library.path_of(info.photo).lstat()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}", hint="faceclust scan"
        ) from error
    ref = PhotoRef(info.photo, status.st_size, status.st_mtime_ns)
    found = examine_drawn_faces(library.root, ScanSettings(library.pack, choose_device("auto")), ref, [face])
    if isinstance(found, SkippedPhoto):
        raise FaceclustError(f"no face can be drawn on {path}: {found.reason.value}: {found.detail}")
    if found.content_hash != info.photo_hash:
        raise UsageError(f"{path} has changed since it was scanned", hint="faceclust scan")
    return found.take([found.face_ids.index(face.face_id)])


def uncompared_face(library: Catalogue, info: PhotoInfo, face: DrawnFace) -> ScannedPhoto:
    """Return a face that needs no look at the photo, because it cannot be compared."""
    id = frozenset({face.face_id})
    return ScannedPhoto(
        ref=PhotoRef(info.photo, 0, 0),
        content_hash=info.photo_hash,
        full_size=info.size,
        metadata=Metadata(),
        face_ids=(face.face_id,),
        boxes=np.array([face.box], np.float32),
        landmarks=np.zeros((1, 5, 2), np.float32),
        scores=np.zeros(1, np.float32),
        quality=np.zeros(1, np.float32),
        embeddings=np.zeros((1, library.cache_info.dimension), np.float32),
        by_hand=id,
        uncompared=id,
    )


def _write_rows(library: Catalogue, info: PhotoInfo, found: ScannedPhoto | None) -> None:
    """Write the face of a photo to the caches of all its copies; None if they have it."""
    copies: dict[str, list[ScannedPhoto]] = {}
    for other in library.photos.values() if found else ():
        if found and other.photo_hash == info.photo_hash:
            ref = PhotoRef(other.photo, 0, 0)
            copies.setdefault(ref.folder, []).append(replace(found, ref=ref))
    with library.home.lock("drawing a face"):
        for folder, photos in copies.items():
            cache = FolderCache(library.home.cache_paths(folder, library.cache_info.pack), library.cache_info)
            try:
                cache.add_faces(photos)
            except UnusableCacheError as error:
                raise CacheError(f"{error}", hint="faceclust scan makes it again") from error
    if copies:
        library.add_stored_faces([photo for photos in copies.values() for photo in photos])


def _record(
    library: Catalogue, kind: str, face: DrawnFace, *, rest: FaceOccurrence | None = None, name: str | None = None
) -> Event:
    drawn = JournalFace(face.face_id, face.photo_hash, face.photo, face.box, True, face.taken_at)
    before = [] if rest is None else [JournalFace.from_occurrence(rest, confirmed=True)]
    knows_births = name is not None and bool(library.date_evidence)
    if name is not None:
        note_kept_facts(library, name)
    with journal_transaction(library):
        event = library.journal.record(kind, [drawn], rest=before, name=name)
    if name is not None and knows_births:
        note_named_before_birth(library, name, [face.face_id], [face.face_id])
    return event


def format_photo_date(info: PhotoInfo) -> str | None:
    """Return the date of a photo as the journal keeps it, None if it is unknown."""
    return info.taken_at.isoformat() if info.taken_at else None
