"""The conductor of a scan: look → examine → save."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from faceclust.files.names import PRECISIONS
from faceclust.progress import Progress, StopAsked
from faceclust.scan.compare import Forgotten, known_contents, look_through
from faceclust.scan.copies import Copies
from faceclust.scan.examine import Examined, KnownPhoto, Look
from faceclust.scan.examine_pool import examine_photos
from faceclust.scan.folder import ScanFolder
from faceclust.scan.model_change import ModelChange
from faceclust.scan.result import ScanResult
from faceclust.scan.unchanged import note_seen, surroundings
from faceclust.store.home import LibraryHome
from faceclust.store.schema import CacheInfo
from faceclust.types import PhotoRef, ScannedPhoto, SkippedPhoto

#: Seconds between two times of saving.
SAVE_EVERY = 5.0


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
    date. The caller holds the library's lock. Raises FaceclustError where the disk with the photos
    seems not to be there, CacheError where the one with the caches is full or gone."""
    return _Scan(home, look, info, list(starts), progress, forgotten).run(workers, stop_asked)


class _Scan:
    def __init__(
        self,
        home: LibraryHome,
        look: Look,
        info: CacheInfo,
        starts: list[str],
        progress: Progress,
        forgotten: Forgotten,
    ) -> None:
        self._home, self._look, self._info, self._starts = home, look, info, starts
        self._progress, self._forgotten = progress, forgotten
        self._result = ScanResult()
        # Now, not when all is done: what is said in the journal meanwhile is for the next scan.
        self._stamp = surroundings(home, info.pack, info.precision)
        self._folders: dict[str, ScanFolder] = {}
        self._gone: Counter[str] = Counter()  # contents of photos that are no longer where they were
        self._held_back: Counter[str] = Counter()
        self._unusable: Counter[str] = Counter()  # faces left out, by photo
        self._held: dict[PhotoRef, PhotoRef] = {}  # photos held back, by what they are now: as listed

    def run(self, workers: int, stop_asked: StopAsked) -> ScanResult:
        started, result = time.monotonic(), self._result
        found = look_through(
            self._home, self._info, self._starts, self._look, self._progress, result, self._note, self._forgotten
        )
        self._folders = {folder.name: folder for folder in found}
        self._gone.update(row.photo_hash for one in found for name in one.removed if (row := one.rows[name]).photo_hash)
        copies = known_contents(self._home, self._info, found, self._look)
        self._save_known(found, stop_asked)
        waiting = [ref for folder in found for ref in sorted(folder.waiting)]
        self._examine(waiting, copies, workers, stop_asked)
        result.interrupted |= result.left > 0
        result.unsaved = sum(len(folder.done) for folder in found)
        if not result.left:
            self._note_seen(found)
        result.elapsed = time.monotonic() - started
        return result

    def _save_known(self, folders: list[ScanFolder], stop_asked: StopAsked) -> None:
        """Save what is known of folders in which no photo is to be looked at."""
        known = [folder for folder in folders if not folder.waiting]
        others = {folder.was for folder in folders if folder.was}
        wanted = self._info.precision
        if any(PRECISIONS.index(was) < PRECISIONS.index(wanted) for was in others):
            self._note(
                f"embeddings kept as {wanted} from now on; those of {min(others, key=PRECISIONS.index)} "
                "become no more exact by that (only faceclust cache clear and a new scan make them anew)"
            )
        if others:
            self._progress.start(f"storing embeddings as {wanted}", len(known), "folders")
        for folder in known:
            if folder.was and stop_asked():
                self._result.interrupted = True
                break
            self._save(folder)
            if others:
                self._progress.advance()
        if others:
            self._progress.finish()

    def _examine(self, waiting: list[PhotoRef], copies: Copies, workers: int, stop_asked: StopAsked) -> None:
        result, progress = self._result, self._progress
        last_saved = time.monotonic()
        change = ModelChange(self._home, self._info.pack, list(self._folders.values()), self._note)
        progress.start("scanning", len(waiting), "photos")
        tasks = copies.tasks(waiting)
        for listed, examined in examine_photos(self._home.root, self._look, tasks, workers, stop_asked):
            folder = self._folders[listed.folder]
            self._take(folder, listed, examined, copies)
            change.advance()
            progress.advance(faces=result.faces, skipped=len(result.skipped))
            if not folder.waiting:
                self._save(folder)
            if time.monotonic() - last_saved > SAVE_EVERY:
                for folder in self._folders.values():
                    if folder.done:
                        self._save(folder, at_once=False)
                last_saved = time.monotonic()
        self._note_unusable()
        result.left = len(waiting) - result.scanned - result.copied - len(result.skipped)
        if result.left:  # not all photos have been seen: the next scan does the held ones again
            result.scanned -= self._held_back["scanned"]
            result.copied -= self._held_back["copied"]
            result.left += len(self._held)
        else:
            for photo in self._forgotten.rest():
                self._add(self._folders[photo.ref.folder], self._held[photo.ref], photo, found=True)
        for folder in self._folders.values():
            if folder.done:
                self._save(folder)
        progress.finish()

    def _take(self, folder: ScanFolder, listed: PhotoRef, examined: Examined, copies: Copies) -> None:
        result, photo = self._result, examined.photo
        result.add_seconds(examined.seconds)
        if isinstance(photo, SkippedPhoto):
            result.skipped.append(photo)
            folder.add(listed, photo)
            return
        if isinstance(photo, KnownPhoto):
            result.copied += 1
            if self._gone[photo.content_hash]:  # it has moved
                self._gone[photo.content_hash] -= 1
                result.removed -= 1
            photo = copies.photo(photo.ref, photo.content_hash)
        else:
            result.scanned += 1
            self._unusable[photo.ref.rel_path] += examined.unusable
            copies.learn(photo)
        marked = self._forgotten.take(photo)
        if marked is None:
            self._held[photo.ref] = listed
            self._held_back["copied" if isinstance(examined.photo, KnownPhoto) else "scanned"] += 1
        else:
            self._add(folder, listed, marked, found=not isinstance(examined.photo, KnownPhoto))

    def _add(self, folder: ScanFolder, listed: PhotoRef, photo: ScannedPhoto, *, found: bool) -> None:
        if found:
            self._result.faces += len(photo.face_ids) - len(photo.forgotten)
        self._result.forgotten += len(photo.forgotten)
        folder.add(listed, photo)

    def _save(self, folder: ScanFolder, *, at_once: bool = True) -> None:
        folder.save(self._result, self._note, at_once=at_once)

    def _note_unusable(self) -> None:
        photos = sorted(+self._unusable)
        if photos:
            more = f" and {len(photos) - 3:,} more" if len(photos) > 3 else ""
            self._note(
                f"faces left out, as {self._info.pack} gives no usable numbers for them: "
                f"{self._unusable.total():,}, on {', '.join(photos[:3])}{more}"
            )

    def _note_seen(self, folders: list[ScanFolder]) -> None:
        if self._look.min_face:  # whether that is enough for others to come, only they can tell
            folders = []
        whole = [one for one in folders if one.settled and not (one.waiting or one.done or one.removed or one.was)]
        note_seen(
            self._home, self._info.pack, self._starts, {folder.name: folder.as_seen() for folder in whole}, self._stamp
        )

    def _note(self, message: str) -> None:
        if message not in self._result.notes:
            self._result.notes.append(message)
            self._progress.note(message)
