"""Photos of known content: moved, renamed or copied. They need no model."""

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

#: Contents a photo is compared with. Some formats give all photos of a camera the same size, and
#: the messages to the workers must not grow with the number of photos.
MAX_COMPARED_CONTENTS = 100


class ContentIndex:
    """Scanned photos by content.

    Only photos with the size of a pending photo are kept, because copies have equal sizes.
    """

    def __init__(self, pending: Iterable[PhotoRef], settings: ScanSettings) -> None:
        """Photos that were examined less closely than `settings` ask for are left out."""
        self._settings = settings
        self._pending = Counter(ref.size for ref in pending)
        self._known: dict[int, dict[str, ScannedPhoto]] = defaultdict(dict)
        self._similar: dict[tuple[int, str | int], list[str]] = defaultdict(list)

    def add_folder(self, folder: ScanFolder) -> None:
        """Add the photos in a folder's cache, including those that are gone from the folder."""
        with contextlib.suppress(UnusableCacheError):  # reported when the folder is scanned
            self._add_rows(folder.cache, folder.cached_rows)

    def add_cache(self, cache: FolderCache) -> None:
        """Add the photos of a cache. An unusable cache has none."""
        with contextlib.suppress(UnusableCacheError):
            self._add_rows(cache, cache.index())

    def _add_rows(self, cache: FolderCache, rows: Mapping[str, CachedPhoto]) -> None:
        wanted = {name for name, row in rows.items() if row.photo_hash and self._pending[row.size]}
        if wanted:  # reading full rows is slow, and few photos have the size of a pending one
            for photo in cache.photos(wanted):
                self.add(photo)

    def add(self, photo: ScannedPhoto) -> None:
        """Add a photo, scanned just now or cached."""
        ref = photo.ref
        if self._pending[ref.size] and self._settings.is_satisfied_by(photo.min_face, photo.full_size):
            self._known[ref.size].setdefault(photo.content_hash, photo)
            for trait in (ref.name, ref.mtime_ns):
                self._similar[ref.size, trait].append(photo.content_hash)

    def iter_tasks(self, pending: Iterable[PhotoRef]) -> Iterator[ExamineTask]:
        """Yield a task for each photo, with the contents known by then.

        All but the first photo of each size come last, when the first one's content is known.
        """
        later = []
        sizes = set()
        for ref in pending:
            if ref.size in sizes:
                later.append(ref)
                continue
            sizes.add(ref.size)
            yield self._make_task(ref)
        yield from map(self._make_task, later)

    def copy_for(self, ref: PhotoRef, content_hash: str) -> ScannedPhoto:
        """Return the cached result of the content, as the result of the photo `ref`."""
        return replace(self._known[ref.size][content_hash], ref=ref)

    def _make_task(self, ref: PhotoRef) -> ExamineTask:
        self._pending[ref.size] -= 1  # at 0, contents of this size need no longer be kept
        known: Iterable[str] = self._known.get(ref.size, ())
        if len(self._known.get(ref.size, ())) > MAX_COMPARED_CONTENTS:
            # A moved photo keeps its time, and usually its name.
            similar = itertools.chain(
                self._similar.get((ref.size, ref.name), ()), self._similar.get((ref.size, ref.mtime_ns), ())
            )
            known = itertools.islice(similar, MAX_COMPARED_CONTENTS)
        return ExamineTask(ref, frozenset(known))
