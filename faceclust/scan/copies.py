"""Photos whose content is known: moved or renamed since, or copies. They need no model."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from faceclust.scan.examine import ExamineTask, ScanSettings
from faceclust.scan.folder import ScanFolder
from faceclust.store.folder_cache import FolderCache, UnusableCacheError
from faceclust.store.schema import CachedPhoto
from faceclust.types import PhotoRef, ScannedPhoto

#: Contents a photo is compared with at most: some formats give every photo of a camera one size,
#: and what is sent along with each of very many photos must not grow with their number.
MAX_COMPARED_CONTENTS = 100


class ContentIndex:
    """What is known of photos by their content. Two files can only be the same where their sizes
    are, so that only photos of a waiting one's size are remembered."""

    def __init__(self, waiting: Iterable[PhotoRef], settings: ScanSettings) -> None:
        """Photos that were looked at less closely than by `look` do not count."""
        self._settings = settings
        self._waiting = Counter(ref.size for ref in waiting)
        self._known: dict[int, dict[str, ScannedPhoto]] = defaultdict(dict)
        self._similar: dict[tuple[int, str | int], list[str]] = defaultdict(list)

    def add_folder(self, folder: ScanFolder) -> None:
        """The photos a folder's cache has, also those that are gone from it."""
        with contextlib.suppress(UnusableCacheError):  # said where it matters
            self._add_rows(folder.cache, folder.cached_rows)

    def add_cache(self, cache: FolderCache) -> None:
        """The photos of a cache; one that cannot be used has none."""
        with contextlib.suppress(UnusableCacheError):
            self._add_rows(cache, cache.index())

    def _add_rows(self, cache: FolderCache, rows: Mapping[str, CachedPhoto]) -> None:
        wanted = {name for name, row in rows.items() if row.photo_hash and self._waiting[row.size]}
        if wanted:  # to take out whole rows costs much, and few photos have the size of a waiting one
            for photo in cache.photos(wanted):
                self.add(photo)

    def add(self, photo: ScannedPhoto) -> None:
        """A photo that was just scanned, or known before."""
        ref = photo.ref
        if self._waiting[ref.size] and self._settings.is_satisfied_by(photo.min_face, max(photo.full_size)):
            self._known[ref.size].setdefault(photo.content_hash, photo)
            for trait in (ref.name, ref.mtime_ns):
                self._similar[ref.size, trait].append(photo.content_hash)

    def iter_tasks(self, waiting: Iterable[PhotoRef]) -> Iterator[ExamineTask]:
        """A task for each photo, with the contents known by the time it is asked for. Of photos of
        one size all but the first come last: by then it is known what the first one holds."""
        later = []
        met = set()
        for ref in waiting:
            if ref.size in met:
                later.append(ref)
                continue
            met.add(ref.size)
            yield self._make_task(ref)
        yield from map(self._make_task, later)

    def copy_for(self, ref: PhotoRef, content_hash: str) -> ScannedPhoto:
        """What is known of the content, as what was found on the photo `ref`."""
        return replace(self._known[ref.size][content_hash], ref=ref)

    def _make_task(self, ref: PhotoRef) -> ExamineTask:
        self._waiting[ref.size] -= 1  # once none is left, no more has to be remembered
        known: Iterable[str] = self._known.get(ref.size, ())
        if len(self._known.get(ref.size, ())) > MAX_COMPARED_CONTENTS:
            # A moved photo keeps its time, and as a rule its name.
            akin = itertools.chain(
                self._similar.get((ref.size, ref.name), ()), self._similar.get((ref.size, ref.mtime_ns), ())
            )
            known = itertools.islice(akin, MAX_COMPARED_CONTENTS)
        return ExamineTask(ref, frozenset(known))
