"""The conductor of a scan: look → examine → save."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from faceclust.files.names import PRECISIONS
from faceclust.progress import Progress, ShouldStop
from faceclust.scan.compare import FaceFilter, build_content_index, compare_folders
from faceclust.scan.copies import ContentIndex
from faceclust.scan.examine import ExaminedPhoto, KnownPhoto, ScanSettings
from faceclust.scan.examine_pool import examine_photos
from faceclust.scan.folder import ScanFolder
from faceclust.scan.model_change import ModelChangeReporter
from faceclust.scan.result import ScanResult
from faceclust.scan.unchanged import environment_stamp, update_snapshot
from faceclust.store.home import LibraryHome
from faceclust.store.schema import CacheInfo
from faceclust.types import PhotoRef, ScannedPhoto, SkippedPhoto

#: Seconds between two times of saving.
SAVE_INTERVAL_SECONDS = 5.0


def scan_folders(
    home: LibraryHome,
    settings: ScanSettings,
    info: CacheInfo,
    starts: Iterable[str],
    workers: int,
    progress: Progress,
    should_stop: ShouldStop,
    face_filter: FaceFilter,
) -> ScanResult:
    """Bring the caches of these folders (POSIX paths below the root) and all below them up to
    date. The caller holds the library's lock. Raises FaceclustError where the disk with the photos
    seems not to be there, CacheError where the one with the caches is full or gone."""
    return _ScanRun(home, settings, info, list(starts), progress, face_filter).run(workers, should_stop)


class _ScanRun:
    def __init__(
        self,
        home: LibraryHome,
        look: ScanSettings,
        info: CacheInfo,
        starts: list[str],
        progress: Progress,
        forgotten: FaceFilter,
    ) -> None:
        self._home, self._settings, self._info, self._starts = home, look, info, starts
        self._progress, self._face_filter = progress, forgotten
        self._result = ScanResult()
        # Now, not when all is done: what is said in the journal meanwhile is for the next scan.
        self._stamp = environment_stamp(home, info.pack, info.precision)
        self._folders: dict[str, ScanFolder] = {}
        self._removed_contents: Counter[str] = Counter()  # contents of photos that are no longer where they were
        self._deferred_counts: Counter[str] = Counter()
        self._unusable_faces: Counter[str] = Counter()  # faces left out, by photo
        self._deferred: dict[PhotoRef, PhotoRef] = {}  # photos held back, by what they are now: as listed

    def run(self, workers: int, stop_asked: ShouldStop) -> ScanResult:
        started, result = time.monotonic(), self._result
        found = compare_folders(
            self._home, self._info, self._starts, self._settings, self._progress, result, self._note, self._face_filter
        )
        self._folders = {folder.name: folder for folder in found}
        self._removed_contents.update(
            row.photo_hash for one in found for name in one.removed if (row := one.cached_rows[name]).photo_hash
        )
        copies = build_content_index(self._home, self._info, found, self._settings)
        self._save_unchanged_folders(found, stop_asked)
        waiting = [ref for folder in found for ref in sorted(folder.pending)]
        self._examine(waiting, copies, workers, stop_asked)
        result.interrupted |= result.remaining > 0
        result.unsaved = sum(len(folder.unsaved) for folder in found)
        if not result.remaining:
            self._update_snapshot(found)
        result.elapsed_seconds = time.monotonic() - started
        return result

    def _save_unchanged_folders(self, folders: list[ScanFolder], stop_asked: ShouldStop) -> None:
        """Save what is known of folders in which no photo is to be looked at."""
        known = [folder for folder in folders if not folder.pending]
        others = {folder.previous_precision for folder in folders if folder.previous_precision}
        wanted = self._info.precision
        if any(PRECISIONS.index(was) < PRECISIONS.index(wanted) for was in others):
            self._note(
                f"embeddings kept as {wanted} from now on; those of {min(others, key=PRECISIONS.index)} "
                "become no more exact by that (only faceclust cache clear and a new scan make them anew)"
            )
        if others:
            self._progress.start(f"storing embeddings as {wanted}", len(known), "folders")
        for folder in known:
            if folder.previous_precision and stop_asked():
                self._result.interrupted = True
                break
            self._save_folder(folder)
            if others:
                self._progress.advance()
        if others:
            self._progress.finish()

    def _examine(self, waiting: list[PhotoRef], copies: ContentIndex, workers: int, stop_asked: ShouldStop) -> None:
        result, progress = self._result, self._progress
        last_saved = time.monotonic()
        change = ModelChangeReporter(self._home, self._info.pack, list(self._folders.values()), self._note)
        progress.start("scanning", len(waiting), "photos")
        tasks = copies.iter_tasks(waiting)
        for listed, examined in examine_photos(self._home.root, self._settings, tasks, workers, stop_asked):
            folder = self._folders[listed.folder]
            self._record_outcome(folder, listed, examined, copies)
            change.advance()
            progress.advance(faces=result.faces, skipped=len(result.skipped))
            if not folder.pending:
                self._save_folder(folder)
            if time.monotonic() - last_saved > SAVE_INTERVAL_SECONDS:
                for folder in self._folders.values():
                    if folder.unsaved:
                        self._save_folder(folder, at_once=False)
                last_saved = time.monotonic()
        self._note_unusable()
        result.remaining = len(waiting) - result.scanned - result.copied - len(result.skipped)
        if result.remaining:  # not all photos have been seen: the next scan does the held ones again
            result.scanned -= self._deferred_counts["scanned"]
            result.copied -= self._deferred_counts["copied"]
            result.remaining += len(self._deferred)
        else:
            for photo in self._face_filter.deferred_photos():
                self._record_scanned(self._folders[photo.ref.folder], self._deferred[photo.ref], photo, found=True)
        for folder in self._folders.values():
            if folder.unsaved:
                self._save_folder(folder)
        progress.finish()

    def _record_outcome(
        self, folder: ScanFolder, listed: PhotoRef, examined: ExaminedPhoto, copies: ContentIndex
    ) -> None:
        result, photo = self._result, examined.photo
        result.add_stage_seconds(examined.seconds)
        if isinstance(photo, SkippedPhoto):
            result.skipped.append(photo)
            folder.add(listed, photo)
            return
        if isinstance(photo, KnownPhoto):
            result.copied += 1
            if self._removed_contents[photo.content_hash]:  # it has moved
                self._removed_contents[photo.content_hash] -= 1
                result.removed -= 1
            photo = copies.copy_for(photo.ref, photo.content_hash)
        else:
            result.scanned += 1
            self._unusable_faces[photo.ref.rel_path] += examined.unusable_count
            copies.add(photo)
        marked = self._face_filter.mark_or_defer(photo)
        if marked is None:
            self._deferred[photo.ref] = listed
            self._deferred_counts["copied" if isinstance(examined.photo, KnownPhoto) else "scanned"] += 1
        else:
            self._record_scanned(folder, listed, marked, found=not isinstance(examined.photo, KnownPhoto))

    def _record_scanned(self, folder: ScanFolder, listed: PhotoRef, photo: ScannedPhoto, *, found: bool) -> None:
        if found:
            self._result.faces += len(photo.face_ids) - len(photo.forgotten)
        self._result.forgotten += len(photo.forgotten)
        folder.add(listed, photo)

    def _save_folder(self, folder: ScanFolder, *, at_once: bool = True) -> None:
        folder.save(self._result, self._note, force=at_once)

    def _note_unusable(self) -> None:
        photos = sorted(+self._unusable_faces)
        if photos:
            more = f" and {len(photos) - 3:,} more" if len(photos) > 3 else ""
            self._note(
                f"faces left out, as {self._info.pack} gives no usable numbers for them: "
                f"{self._unusable_faces.total():,}, on {', '.join(photos[:3])}{more}"
            )

    def _update_snapshot(self, folders: list[ScanFolder]) -> None:
        if self._settings.min_face:  # whether that is enough for others to come, only they can tell
            folders = []
        whole = [
            one
            for one in folders
            if one.is_complete and not (one.pending or one.unsaved or one.removed or one.previous_precision)
        ]
        update_snapshot(
            self._home,
            self._info.pack,
            self._starts,
            {folder.name: folder.to_snapshot() for folder in whole},
            self._stamp,
        )

    def _note(self, message: str) -> None:
        if message not in self._result.notes:
            self._result.notes.append(message)
            self._progress.note(message)
