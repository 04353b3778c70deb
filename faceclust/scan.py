"""A scan, from crawl to cache: which photos need work, and saving as it goes."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from faceclust.errors import CacheError
from faceclust.photos.crawl import crawl
from faceclust.photos.examine import Examined, KnownPhoto, Look, Task
from faceclust.photos.pool import examine_photos
from faceclust.progress import Progress, StopAsked
from faceclust.store.folder_cache import FolderCache, OutdatedCacheError, UnusableCacheError
from faceclust.store.home import LibraryHome
from faceclust.store.schema import CacheInfo, stored_name
from faceclust.types import PhotoRef, ScannedPhoto, SkippedPhoto

#: Seconds of work at most that a crash may lose.
SAVE_EVERY = 5.0
_OUTDATED = "made with an older version of the models: all photos are scanned again"


@dataclass
class ScanResult:
    """What a scan did. `seconds` is processor time of the workers by stage, and of saving.
    `interrupted` is true where a stop was asked: `left` photos are still to be done. `unsaved`
    photos were done, but their folder's cache could not be written; `notes` says why. `faces`
    were found; `forgotten` ones are not among them."""

    photos: int = 0
    unchanged: int = 0
    scanned: int = 0
    removed: int = 0
    faces: int = 0
    forgotten: int = 0
    left: int = 0
    unsaved: int = 0
    interrupted: bool = False
    elapsed: float = 0.0
    skipped: list[SkippedPhoto] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def skip_counts(self) -> dict[str, int]:
        """Photos passed by in this scan, by reason."""
        return dict(sorted(Counter(photo.reason.value for photo in self.skipped).items()))


class Forgotten(Protocol):
    """Sees to it that a scan does not bring forgotten faces back."""

    def look(self, cache: FolderCache, folder: str) -> None:
        """Told of the cache of each folder, before any photo is looked at. May raise CacheError."""

    def take(self, photo: ScannedPhoto) -> ScannedPhoto | None:
        """The photo with its forgotten faces marked; None where that shows only once all photos
        have been seen."""

    def rest(self) -> Iterable[ScannedPhoto]:
        """Those photos, marked."""


def scan_folders(
    home: LibraryHome,
    look: Look,
    info: CacheInfo,
    starts: Iterable[str],
    workers: int,
    progress: Progress,
    stop_asked: StopAsked,
    forgotten: Forgotten,
) -> ScanResult:
    """Bring the caches of these folders (POSIX paths below the root) and all below them up to
    date. The caller holds the library's lock."""
    started = time.monotonic()
    result = ScanResult()
    folders = _look(home, info, starts, progress, result, forgotten)
    work = [ref for folder in folders for ref in sorted(folder.waiting)]
    progress.start("scanning", len(work), "photos")
    held = 0
    last_saved = time.monotonic()
    by_folder = {folder.name: folder for folder in folders}
    for folder in folders:
        if folder.removed and not folder.waiting:
            folder.save(progress, result)
    for examined in examine_photos(home.root, look, [Task(ref) for ref in work], workers, stop_asked):
        folder = by_folder[examined.photo.ref.folder]
        assert not isinstance(examined.photo, KnownPhoto)
        _count(result, examined)
        photo = forgotten.take(examined.photo) if isinstance(examined.photo, ScannedPhoto) else examined.photo
        if photo is None:
            held += 1
        else:
            folder.add(photo, result)
        progress.advance(faces=result.faces, skipped=len(result.skipped))
        if not folder.waiting:
            folder.save(progress, result)
        if time.monotonic() - last_saved > SAVE_EVERY:
            _save_all(folders, progress, result)
            last_saved = time.monotonic()
    result.left = len(work) - result.scanned - len(result.skipped)
    if result.left:  # not all photos have been seen: the next scan does these again
        result.scanned, result.left = result.scanned - held, result.left + held
    else:
        for photo in forgotten.rest():
            by_folder[photo.ref.folder].add(photo, result)
    _save_all(folders, progress, result)
    progress.finish()
    result.unsaved = sum(len(folder.done) for folder in folders)
    result.interrupted = result.left > 0
    result.elapsed = time.monotonic() - started
    return result


class _Folder:
    """One folder in a scan: photos known and unchanged, photos waiting, photos done but unsaved."""

    def __init__(
        self, home: LibraryHome, name: str, cache: FolderCache, known: Sequence[PhotoRef], waiting: Iterable[PhotoRef]
    ) -> None:
        self.home, self.name, self.cache = home, name, cache
        self.known, self.waiting = list(known), set(waiting)
        self.done: dict[PhotoRef, ScannedPhoto | SkippedPhoto] = {}
        self.removed = 0

    def add(self, photo: ScannedPhoto | SkippedPhoto, result: ScanResult) -> None:
        self.waiting.discard(photo.ref)
        self.done[photo.ref] = photo
        if isinstance(photo, ScannedPhoto):
            result.faces += len(photo.face_ids) - len(photo.forgotten)
            result.forgotten += len(photo.forgotten)

    def save(self, progress: Progress, result: ScanResult) -> None:
        if not self.done and not self.removed:
            return
        if self.done and not self._is_there():
            # Its disk was unmounted, say: a file left in the bare mount point would hide.
            if not os.path.isdir(self.home.home):
                raise CacheError(f"{self.home.root} is gone; what was saved is on it", hint="is its disk mounted?")
            _note_once(f"{self.home.root / self.name}: its photos are gone, nothing is saved there", progress, result)
            return
        began = time.process_time()
        try:
            self.cache.update(self.known, self.done)
        except CacheError as error:
            if getattr(error.__cause__, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise
            # One folder that cannot be written to is no reason to leave the others.
            _note_once(str(error), progress, result)
            return
        self.known += self.done
        self.done, self.removed = {}, 0
        _add_seconds(result, {"write": time.process_time() - began})

    def _is_there(self) -> bool:
        # Asked of the photos, since some network file systems give a folder a new number now and then.
        return any(os.path.lexists(self.home.root / ref.rel_path) for ref in chain(self.done, self.known))


def _look(
    home: LibraryHome,
    info: CacheInfo,
    starts: Iterable[str],
    progress: Progress,
    result: ScanResult,
    forgotten: Forgotten,
) -> list[_Folder]:
    """Crawl, and compare with what is known: no photo is opened."""
    progress.start("looking for photos", None)
    folders: dict[str, _Folder] = {}
    for start in starts:
        for found in crawl(home.root, start):
            if found.error:
                _note(f"{home.root / found.rel_path}: not looked into: {found.error}", progress, result)
                continue
            if found.rel_path in folders:
                continue
            cache = FolderCache(home.folder_cache(found.rel_path, info.pack), info)
            try:
                forgotten.look(cache, found.rel_path)
            except CacheError as error:
                _note(str(error), progress, result)
            index = _index(cache, progress, result)
            known = [ref for ref in found.photos if index.get(stored_name(ref)) == (ref.size, ref.mtime_ns)]
            folder = _Folder(home, found.rel_path, cache, known, set(found.photos).difference(known))
            folder.removed = len(index.keys() - {stored_name(ref) for ref in found.photos})
            folders[found.rel_path] = folder
            result.photos += len(found.photos)
            result.unchanged += len(known)
            result.removed += folder.removed
            progress.advance(len(found.photos))
    progress.finish()
    return list(folders.values())


def _index(cache: FolderCache, progress: Progress, result: ScanResult) -> dict[str, tuple[int, int]]:
    try:
        return cache.index()
    except OutdatedCacheError:
        if _OUTDATED not in result.notes:
            _note(_OUTDATED, progress, result)
        return cache.start_over()
    except UnusableCacheError as error:
        cache.set_aside()
        _note(f"{error}; set aside as {cache.paths.aside}, its photos are scanned again", progress, result)
        return {}


def _note(message: str, progress: Progress, result: ScanResult) -> None:
    result.notes.append(message)
    progress.note(message)


def _note_once(message: str, progress: Progress, result: ScanResult) -> None:
    if message not in result.notes:
        _note(message, progress, result)


def _count(result: ScanResult, examined: Examined) -> None:
    _add_seconds(result, examined.seconds)
    if isinstance(examined.photo, SkippedPhoto):
        result.skipped.append(examined.photo)
    else:
        result.scanned += 1


def _add_seconds(result: ScanResult, seconds: dict[str, float]) -> None:
    for stage, spent in seconds.items():
        result.seconds[stage] = result.seconds.get(stage, 0.0) + spent


def _save_all(folders: Iterable[_Folder], progress: Progress, result: ScanResult) -> None:
    for folder in folders:
        if folder.done:
            folder.save(progress, result)
