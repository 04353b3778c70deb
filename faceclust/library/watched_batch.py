"""One batch of `watch`: scan the changed folders, group the new faces, and say whom they look like."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import CacheError, FaceclustError, NothingScannedError
from faceclust.library.grouping import cluster
from faceclust.library.scanning import scan
from faceclust.progress import ShouldStop
from faceclust.store.schema import release_memory
from faceclust.store.settings import included_folders, pack_in_use, scans_videos
from faceclust.text.plural import format_count
from faceclust.types import Clustering, PhotoRef, SkippedPhoto, SkipReason

if TYPE_CHECKING:
    from faceclust.scan.result import ScanResult

_WORTH_A_RETRY = (SkipReason.UNREADABLE, SkipReason.OUT_OF_MEMORY)


def _now() -> datetime:
    return datetime.now().astimezone()


@dataclass(frozen=True)
class WatchedBatch:
    """What one batch of `watch` found, or the `problem` that kept it from being processed, with its `hint`.

    `scanned`, `copied`, `removed`, `skipped`: photos, as of a scan. `faces`: faces that the library did not have
    after the batch before. Of these, `suggested` has each name with the number of faces that look like that person,
    most first, and `joined` is the number of those in unnamed groups that were there before. `new_groups` are the
    numbers of the groups that were made, `alone` is the number of new faces in no group.
    """

    scanned: int = 0
    copied: int = 0
    removed: int = 0
    skipped: int = 0
    faces: int = 0
    suggested: tuple[tuple[str, int], ...] = ()
    joined: int = 0
    new_groups: tuple[int, ...] = ()
    alone: int = 0
    problem: str | None = None
    hint: str | None = None
    at: datetime = field(default_factory=_now)

    def __bool__(self) -> bool:
        """Whether there is anything to report."""
        return any(value for name, value in asdict(self).items() if name != "at")

    @classmethod
    def failed(cls, problem: str, hint: str | None = None) -> WatchedBatch:
        """Return a batch that was not processed."""
        return cls(problem=problem, hint=hint)


class BatchRunner:
    """Processes batches of a library. Each opens the library afresh, as another process may have changed its models.

    `options`: those of `scan`; None stands for the default.
    """

    def __init__(self, library: Catalogue, options: dict[str, Any], should_stop: ShouldStop) -> None:
        self._library, self._should_stop = library, should_stop
        self._options = {name: value for name, value in options.items() if value is not None}
        # A pack that was asked for stays; the configured one may change.
        is_requested = library.pack_name != pack_in_use(library.root).value
        self._pack = library.pack if is_requested else None
        self.folders_to_retry: set[Path] = set()  # they have photos that could not be read for the moment
        self._skipped: set[tuple[PhotoRef, SkipReason]] = set()
        self._known: frozenset[str] | None = None  # the faces after the last batch; None before the first

    def find_roots(self) -> tuple[list[Path], list[Path]]:
        """Return the roots of the library that are here, its own one first, and those that are away. Without its own
        root, with what was scanned, nothing can be done."""
        home = self._library.home
        home.reload_roots()
        try:
            if os.path.isdir(home.root) and home.exists() and not home.seems_unmounted():
                additional = [root for root in home.roots.additional if root.is_added]
                here = [home.root, *(Path(root.path) for root in additional if root.is_here)]
                return here, [Path(root.path) for root in additional if not root.is_here]
        except (CacheError, OSError):
            pass
        return [], [home.root]

    def included_folders(self, root: Path) -> list[str]:
        """Return the folders of other programs (POSIX paths below this root) that scans visit."""
        try:
            paths = [self._library.root / name for name in included_folders(self._library.root)]
        except FaceclustError:  # the next batch reports the configuration file
            return []
        return [path.relative_to(root).as_posix() for path in paths if path.is_relative_to(root)]

    def scans_videos(self) -> bool:
        """Do scans of the library look at videos, too?"""
        try:
            return scans_videos(self._library.root)
        except FaceclustError:  # the next batch reports the configuration file
            return False

    def run(self, folders: Collection[Path] | None) -> WatchedBatch | None:
        """Process these folders, or the whole library. None if nothing was new.

        Raises the errors of `scan` and `cluster`, and FaceclustError for a scan that could not save everything.
        """
        library = Catalogue(self._library.root, pack=self._pack, progress=self._library.progress)
        library.home.require()  # its disk may have gone a moment ago
        if self._known is None:
            self._known = _list_faces(library)
        try:
            result = scan(
                library,
                sorted(folders or ()),
                should_stop=self._should_stop,
                **self._options,
            )
            _require_saved(result)
            faces = {} if result.interrupted else self._group_faces(library)
            skipped = self._record_skipped(result.skipped)
        finally:
            self._library.invalidate()
            del library
            release_memory()
        batch = WatchedBatch(result.scanned, result.copied, max(0, result.removed), skipped, **faces)
        return batch or None

    def _record_skipped(self, photos: Collection[SkippedPhoto]) -> int:
        """Count the photos that were not skipped for the same reason before, and have those retried that may be read
        later."""
        new = {(photo.ref, photo.reason) for photo in photos} - self._skipped
        self._skipped |= new
        self.folders_to_retry |= {self._library.root / ref.folder for ref, reason in new if reason in _WORTH_A_RETRY}
        return len(new)

    def _group_faces(self, library: Catalogue) -> dict[str, Any]:
        if not (faces := _list_faces(library)):
            return {}
        made = _group_if_needed(library)
        assert self._known is not None
        fields = _describe_faces(library, faces - self._known, made)
        self._known = faces
        return fields


def _require_saved(result: ScanResult) -> None:
    for number, what in (
        (result.unsaved, "the results for {} could not be saved"),
        (result.unwritten, "the caches of {} could not be written"),
        (result.unreadable, "{} could not be read"),
    ):
        if number:
            noun = "photo" if number == result.unsaved else "folder"
            raise FaceclustError(what.format(format_count(number, noun)), hint="it is tried again")


def _group_if_needed(library: Catalogue) -> frozenset[int]:
    """Group the faces if some are in no clustering yet. Return the groups that were made from new faces alone."""
    before = _last_clustering(library)
    grouped = frozenset(before.face_ids.tolist()) if before is not None else frozenset[str]()
    if grouped.issuperset(library.faces.face_ids.tolist()):
        return frozenset()
    options = asdict(before.params) if before is not None else {}
    changes = cluster(library, **options).changes
    return frozenset(changes.new_groups if changes is not None else library.group_members)


def _describe_faces(library: Catalogue, new: Collection[str], made: frozenset[int]) -> dict[str, Any]:
    """Return the fields of a `WatchedBatch` about its faces. `made`: the groups that it made."""
    names = Counter(person.label for face in new if (person := library.person_of.get(face)))
    others = [library.group_of.get(face) for face in new if face not in library.person_of]
    return {
        "faces": len(new),
        "suggested": tuple(sorted(names.items(), key=lambda pair: (-pair[1], pair[0]))),
        "joined": sum(group is not None and group not in made for group in others),
        "new_groups": tuple(sorted(made)),
        "alone": others.count(None),
    }


def _list_faces(library: Catalogue) -> frozenset[str]:
    """Return the ids of all faces; none before the first scan."""
    try:
        return library.table.face_ids()
    except NothingScannedError:
        return frozenset()


def _last_clustering(library: Catalogue) -> Clustering | None:
    try:
        return library.clustering
    except CacheError:  # damaged: it is set aside and made again
        return None
