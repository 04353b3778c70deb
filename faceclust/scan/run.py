"""Run a scan: compare → examine → save."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from faceclust.errors import FaceclustError
from faceclust.files.names import PRECISIONS
from faceclust.files.safe_paths import is_at_or_below
from faceclust.photos.embedded_metadata import EmbeddedMetadata
from faceclust.progress import Progress, ShouldStop
from faceclust.scan.away import count_photos_by_folder
from faceclust.scan.compare import FaceFilter, build_content_index, compare_folders
from faceclust.scan.copies import ContentIndex
from faceclust.scan.drawn_faces import DrawnFaces
from faceclust.scan.examine import ExaminedPhoto, ExamineTask, KnownPhoto, ScanSettings
from faceclust.scan.examine_pool import ExaminePhotos
from faceclust.scan.folder import ScanFolder
from faceclust.scan.missing_dates import find_missing_date, list_undated_photos
from faceclust.scan.model_change import ModelChangeReporter
from faceclust.scan.photo_dates import add_date
from faceclust.scan.result import ScanResult
from faceclust.scan.unchanged import environment_stamp, snapshot_away, update_snapshot
from faceclust.store.home import LibraryHome
from faceclust.store.schema import CacheInfo, stored_name
from faceclust.text.plural import format_count
from faceclust.types import TRANSIENT_REASONS, DrawnFace, PhotoRef, ScannedPhoto, SkippedPhoto

#: Seconds between saves.
SAVE_INTERVAL_SECONDS = 5.0


def scan_folders(
    home: LibraryHome,
    settings: ScanSettings,
    info: CacheInfo,
    starts: Iterable[str],
    examine: ExaminePhotos,
    progress: Progress,
    should_stop: ShouldStop,
    face_filter: FaceFilter,
    drawn: Sequence[DrawnFace] = (),
) -> ScanResult:
    """Update the caches of these folders (POSIX paths below the root) and all folders below them.

    `examine` examines the photos. `drawn`: the faces that the user drew, which the caches have afterwards.
    The caller holds the library's lock. Raises FaceclustError if the disk with the photos seems
    unmounted, and CacheError if the disk with the caches is full or gone.
    """
    run = _ScanRun(home, settings, info, list(starts), progress, face_filter, DrawnFaces(drawn))
    return run.run(examine, should_stop)


class _ScanRun:
    def __init__(
        self,
        home: LibraryHome,
        settings: ScanSettings,
        info: CacheInfo,
        starts: list[str],
        progress: Progress,
        face_filter: FaceFilter,
        drawn: DrawnFaces,
    ) -> None:
        self._home, self._settings, self._info, self._starts = home, settings, info, starts
        self._progress, self._face_filter, self._drawn = progress, face_filter, drawn
        self._result = ScanResult()
        # Taken at the start, so that journal entries written meanwhile are left to the next scan.
        self._stamp = environment_stamp(home, info.pack, info.precision)
        self._folders: dict[str, ScanFolder] = {}
        self._away: dict[str, int] = {}  # number of known photos by folder, on disks that are away
        self._removed_contents: Counter[str] = Counter()  # content hashes of removed photos
        self._deferred_counts: Counter[str] = Counter()
        self._unusable_faces: Counter[str] = Counter()  # by photo
        self._deferred: dict[PhotoRef, PhotoRef] = {}  # current reference of a deferred photo: as listed

    def run(self, examine: ExaminePhotos, should_stop: ShouldStop) -> ScanResult:
        started, result = time.monotonic(), self._result
        found = compare_folders(
            self._home, self._info, self._starts, self._settings, self._progress, result, self._note, self._face_filter
        )
        self._folders = {folder.name: folder for folder in found}
        self._away = count_photos_by_folder(self._home, self._info)
        if "" in self._starts:
            for root in self._home.roots.away:
                counts = (count for folder, count in self._away.items() if is_at_or_below(folder, root.path))
                result.away[root.path] = sum(counts)
        self._removed_contents.update(
            row.photo_hash for one in found for name in one.removed if (row := one.cached_rows[name]).photo_hash
        )
        copies = build_content_index(self._home, self._info, found, self._settings)
        self._add_missing_dates(found, should_stop)
        self._save_unchanged_folders(found, should_stop)
        pending = [ref for folder in found for ref in sorted(folder.pending)]
        self._examine(pending, copies, examine, should_stop)
        self._examine_drawn_faces(examine, should_stop)
        result.interrupted |= result.remaining > 0
        result.unsaved = sum(len(folder.unsaved) for folder in found)
        result.unwritten = sum(folder.save_failed for folder in found)
        if not result.remaining:
            self._update_snapshot(found)
        result.elapsed_seconds = time.monotonic() - started
        return result

    def _add_missing_dates(self, folders: list[ScanFolder], should_stop: ShouldStop) -> None:
        """Read the dates of photos that an older version scanned and found no date for."""
        undated = {folder: refs for folder in folders if (refs := list_undated_photos(folder))}
        if not undated:
            return
        self._progress.start("looking for dates", sum(map(len, undated.values())), "photos")
        found = 0
        for folder, refs in undated.items():
            dates = {}
            for ref in refs:
                if should_stop():
                    self._result.interrupted = True
                    break
                metadata = find_missing_date(self._home.root, ref)
                if metadata.taken_at:
                    dates[stored_name(ref)] = metadata
                self._progress.advance()
            else:
                found += len(dates) if folder.set_dates(dates, self._note) else 0
        self._progress.finish()
        if found:
            self._note(f"found the dates of {format_count(found, 'photo')} that had none")

    def _save_unchanged_folders(self, folders: list[ScanFolder], should_stop: ShouldStop) -> None:
        """Save folders without pending photos: removed rows and changed precisions."""
        idle = [folder for folder in folders if not folder.pending]
        previous = {folder.previous_precision for folder in folders if folder.previous_precision}
        if previous:
            self._note_precision_gain(previous)
            self._progress.start(f"storing embeddings as {self._info.precision}", len(idle), "folders")
        for folder in idle:
            if folder.previous_precision and should_stop():
                self._result.interrupted = True
                break
            self._save_folder(folder)
            if previous:
                self._progress.advance()
        if previous:
            self._progress.finish()

    def _note_precision_gain(self, previous: set[str]) -> None:
        """Note that stored embeddings do not become more exact, if a more exact precision was chosen."""
        least = min(previous, key=PRECISIONS.index)
        if PRECISIONS.index(least) < PRECISIONS.index(self._info.precision):
            self._note(
                f"embeddings are stored as {self._info.precision} from now on; those stored as {least} do not become "
                "more exact (to compute them again: faceclust cache clear, then faceclust scan)"
            )

    def _examine(
        self, pending: list[PhotoRef], copies: ContentIndex, examine: ExaminePhotos, should_stop: ShouldStop
    ) -> None:
        result, progress = self._result, self._progress
        last_saved = time.monotonic()
        change = ModelChangeReporter(self._home, self._info.pack, list(self._folders.values()), self._note)
        progress.start("scanning", len(pending), "photos")
        tasks = copies.iter_tasks(pending)
        for listed, examined in self._save_before_errors(examine(tasks, should_stop)):
            folder = self._folders[listed.folder]
            self._record_outcome(folder, listed, examined, copies)
            change.advance()
            progress.advance(faces=result.faces, skipped=len(result.skipped))
            if not folder.pending:
                self._save_folder(folder)
            if time.monotonic() - last_saved > SAVE_INTERVAL_SECONDS:
                self._save_unsaved_folders(force=False)
                last_saved = time.monotonic()
        self._note_unusable()
        result.remaining = len(pending) - result.scanned - result.copied - len(result.skipped)
        self._settle_deferred_photos()
        self._save_unsaved_folders()
        progress.finish()

    def _save_before_errors(
        self, examined: Iterator[tuple[PhotoRef, ExaminedPhoto]]
    ) -> Iterator[tuple[PhotoRef, ExaminedPhoto]]:
        """Pass results on. If no more can be had, as without any worker, save those before."""
        try:
            yield from examined
        except FaceclustError:
            self._save_unsaved_folders()
            raise

    def _examine_drawn_faces(self, examine: ExaminePhotos, should_stop: ShouldStop) -> None:
        """Add the drawn faces that the caches lack."""
        missing = {
            ref: faces for folder in self._folders.values() for ref, faces in self._drawn.missing_from(folder).items()
        }
        if not missing:
            return
        tasks = [ExamineTask(ref, drawn=faces) for ref, faces in missing.items()]
        self._progress.start("examining faces drawn by hand", len(tasks), "photos")
        found: dict[str, list[ScannedPhoto]] = defaultdict(list)
        left = Counter(ref.folder for ref in missing)
        for ref, examined in examine(tasks, should_stop):
            folder, photo = self._folders[ref.folder], examined.photo
            self._result.add_stage_seconds(examined.seconds)
            if isinstance(photo, SkippedPhoto):
                self._note(f"{self._home.root / ref.rel_path}: its faces drawn by hand are left out: {photo.reason}")
                folder.is_complete &= photo.reason not in TRANSIENT_REASONS
            elif isinstance(photo, ScannedPhoto):
                found[ref.folder].append(photo)
            left[ref.folder] -= 1
            if not left[ref.folder]:
                folder.add_faces(found.pop(ref.folder, ()), self._note)
            self._progress.advance()
        for name, photos in found.items():
            self._folders[name].add_faces(photos, self._note)
        if left.total():
            self._result.interrupted = True
            for name in +left:
                self._folders[name].is_complete = False
        self._progress.finish()

    def _settle_deferred_photos(self) -> None:
        """Record deferred photos if all others are examined; else leave them to the next scan."""
        result = self._result
        if result.remaining:
            result.scanned -= self._deferred_counts["scanned"]
            result.copied -= self._deferred_counts["copied"]
            result.remaining += len(self._deferred)
            return
        for photo in self._face_filter.deferred_photos():
            self._record_scanned(self._folders[photo.ref.folder], self._deferred[photo.ref], photo, found=True)

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
            if self._removed_contents[photo.content_hash]:  # the photo was moved
                self._removed_contents[photo.content_hash] -= 1
                result.removed -= 1
            photo = self._add_date(copies.copy_for(photo.ref, photo.content_hash))
        else:
            result.scanned += 1
            result.frames += photo.frame_count
            self._unusable_faces[photo.ref.rel_path] += examined.unusable_count
            copies.add(photo)
        marked = self._face_filter.mark_or_defer(photo)
        if marked is None:
            self._deferred[photo.ref] = listed
            self._deferred_counts["copied" if isinstance(examined.photo, KnownPhoto) else "scanned"] += 1
        else:
            self._record_scanned(folder, listed, marked, found=not isinstance(examined.photo, KnownPhoto))

    def _add_date(self, photo: ScannedPhoto) -> ScannedPhoto:
        """Date a copy by its own sidecar or name, if the other one had no date."""
        return replace(photo, metadata=add_date(photo.metadata, self._home.root / photo.ref.rel_path, EmbeddedMetadata))

    def _record_scanned(self, folder: ScanFolder, listed: PhotoRef, photo: ScannedPhoto, *, found: bool) -> None:
        if found:
            self._result.faces += len(photo.face_ids) - len(photo.forgotten)
        self._result.forgotten += len(photo.forgotten)
        folder.add(listed, photo)

    def _save_folder(self, folder: ScanFolder, *, force: bool = True) -> None:
        folder.save(self._result, self._note, force=force)

    def _save_unsaved_folders(self, *, force: bool = True) -> None:
        for folder in self._folders.values():
            if folder.unsaved:
                self._save_folder(folder, force=force)

    def _note_unusable(self) -> None:
        photos = sorted(+self._unusable_faces)
        if photos:
            more = f" and {len(photos) - 3:,} more" if len(photos) > 3 else ""
            self._note(
                f"faces left out because {self._info.pack} returns no usable vectors for them: "
                f"{self._unusable_faces.total():,}, on {', '.join(photos[:3])}{more}"
            )

    def _update_snapshot(self, folders: list[ScanFolder]) -> None:
        if self._settings.min_face:  # a later scan may look for smaller faces
            folders = []
        complete = [
            one
            for one in folders
            if one.is_complete and not (one.pending or one.unsaved or one.removed or one.previous_precision)
        ]
        away = {folder: snapshot_away(count) for folder, count in self._away.items()}
        update_snapshot(
            self._home,
            self._info.pack,
            self._starts,
            away | {folder.name: folder.to_snapshot() for folder in complete},
            self._stamp,
        )

    def _note(self, message: str) -> None:
        if message not in self._result.notes:
            self._result.notes.append(message)
            self._progress.note(message)
