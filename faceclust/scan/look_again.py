"""Look again, harder, at photos that are already scanned, and add the faces that the scan missed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from faceclust.errors import UsageError
from faceclust.files.names import is_video_name
from faceclust.files.safe_paths import lstat_if_present
from faceclust.progress import Progress, ShouldStop
from faceclust.scan.compare import FaceFilter
from faceclust.scan.earlier_faces import find_new_faces
from faceclust.scan.examine import ExamineTask
from faceclust.scan.examine_pool import ExaminePhotos
from faceclust.scan.result import ScanResult
from faceclust.store.folder_cache import FolderCache, UnusableCacheError
from faceclust.store.home import LibraryHome
from faceclust.store.schema import CacheInfo, stored_name
from faceclust.types import PhotoRef, ScannedPhoto, SkippedPhoto


def look_again(
    home: LibraryHome,
    info: CacheInfo,
    photos: Iterable[str],
    examine: ExaminePhotos,
    progress: Progress,
    should_stop: ShouldStop,
    face_filter: FaceFilter,
) -> ScanResult:
    """Search these photos (POSIX paths below the root) thoroughly, and add new faces to their caches.

    A face is new if it overlaps none that was detected before. All earlier faces stay. The caller holds the
    library's lock. Raises UsageError if a photo was not scanned as it is now, CacheError if a cache cannot be
    written.
    """
    result = ScanResult()
    refs = [_read_ref(home.root, photo) for photo in dict.fromkeys(photos)]
    caches = {folder: FolderCache(home.cache_paths(folder, info.pack), info) for folder in {ref.folder for ref in refs}}
    for folder, cache in caches.items():
        face_filter.add_cache(cache, folder)
        _require_scanned(home.root, cache, [ref for ref in refs if ref.folder == folder])
    result.photos = len(refs)
    added: set[str] = set()  # ids: those of a photo's copies are the same
    progress.start("looking again", len(refs), "photos")
    tasks = (ExamineTask(ref, thorough=True) for ref in refs)
    for _, examined in examine(tasks, should_stop):
        result.add_stage_seconds(examined.seconds)
        photo = examined.photo
        if isinstance(photo, SkippedPhoto):
            result.skipped.append(photo)
        elif isinstance(photo, ScannedPhoto):
            result.scanned += 1
            if (marked := face_filter.mark_or_defer(photo)) is not None:
                added.update(_add_new_faces(caches[photo.ref.folder], marked))
        result.faces = len(added)
        progress.advance(faces=result.faces, skipped=len(result.skipped))
    for photo in face_filter.deferred_photos():
        added.update(_add_new_faces(caches[photo.ref.folder], photo))
    progress.finish()
    result.faces = len(added)
    result.remaining = result.photos - result.scanned - len(result.skipped)
    result.interrupted = result.remaining > 0
    return result


def _read_ref(root: Path, photo: str) -> PhotoRef:
    if is_video_name(photo):
        raise UsageError(f"{root / photo} is a video", hint="--again looks at photos only")
    status = lstat_if_present(os.fspath(root / photo))
    if status is None:
        raise UsageError(f"{root / photo} does not exist", hint="faceclust scan finds out what became of it")
    return PhotoRef(photo, status.st_size, status.st_mtime_ns)


def _require_scanned(root: Path, cache: FolderCache, refs: Sequence[PhotoRef]) -> None:
    """Raise UsageError unless the cache has these photos as they are now."""
    try:
        rows = cache.index()
    except UnusableCacheError as error:
        raise UsageError(str(error), hint="faceclust scan makes it again") from error
    for ref in refs:
        row = rows.get(stored_name(ref))
        if row is None or row.photo_hash is None or (row.size, row.mtime_ns) != (ref.size, ref.mtime_ns):
            raise UsageError(f"{root / ref.rel_path} has changed since it was scanned", hint="faceclust scan first")


def _add_new_faces(cache: FolderCache, photo: ScannedPhoto) -> tuple[str, ...]:
    """Add the faces that the cache lacks, except forgotten ones. Return their ids."""
    for before in cache.photos([stored_name(photo.ref)]):
        if before.content_hash == photo.content_hash:
            new = [row for row in find_new_faces(photo, before) if photo.face_ids[row] not in photo.forgotten]
            if new:
                cache.add_faces([photo.take(new)])
            return photo.take(new).face_ids
    return ()
