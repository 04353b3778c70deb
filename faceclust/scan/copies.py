"""Photos whose content is known: moved or renamed since, or copies. They need no model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from faceclust.photos.examine import Task
from faceclust.scan.folder import ScanFolder
from faceclust.store.folder_cache import FolderCache, UnusableCacheError
from faceclust.types import PhotoRef, ScannedPhoto


class Copies:
    """What is known of photos by their content. Two files can only be the same where their sizes
    are, so that only photos of a waiting one's size are remembered."""

    def __init__(self, waiting: Iterable[PhotoRef], min_face: int | None) -> None:
        """`min_face`: photos in which only larger faces were looked for do not count."""
        self._min_face = min_face
        self._sizes: dict[int, int] = defaultdict(int)
        for ref in waiting:
            self._sizes[ref.size] += 1
        self._known: dict[int, dict[str, ScannedPhoto]] = defaultdict(dict)

    def learn_folder(self, folder: ScanFolder) -> None:
        """The photos a folder's cache has, also those that are gone from it."""
        wanted = {name for name, row in folder.rows.items() if row.photo_hash and row.size in self._sizes}
        if wanted:
            self.learn_cache(folder.cache, wanted)

    def learn_cache(self, cache: FolderCache, names: Iterable[str] | None = None) -> None:
        """These photos of a cache, None for all."""
        try:
            for photo in cache.photos(names):
                self.learn(photo)
        except UnusableCacheError:  # said where it matters
            return

    def learn(self, photo: ScannedPhoto) -> None:
        """A photo that was just scanned, or known before."""
        if photo.ref.size in self._sizes and self._is_enough(photo):
            self._known[photo.ref.size].setdefault(photo.content_hash, photo)

    def tasks(self, waiting: Iterable[PhotoRef]) -> Iterator[Task]:
        """A task for each photo, with the contents known by the time it is asked for. Of photos of
        one size all but the first come last: by then it is known what the first one holds."""
        later = []
        met = set()
        for ref in waiting:
            if self._sizes[ref.size] > 1 and ref.size in met:
                later.append(ref)
                continue
            met.add(ref.size)
            yield self._task(ref)
        yield from map(self._task, later)

    def photo(self, ref: PhotoRef, content_hash: str) -> ScannedPhoto:
        """What is known of the content, as what was found on the photo `ref`."""
        return replace(self._known[ref.size][content_hash], ref=ref)

    def _task(self, ref: PhotoRef) -> Task:
        return Task(ref, frozenset(self._known[ref.size]))

    def _is_enough(self, photo: ScannedPhoto) -> bool:
        return self._min_face is None or (photo.min_face is not None and photo.min_face <= self._min_face)
