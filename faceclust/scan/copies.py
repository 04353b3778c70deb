"""Photos whose content is known: moved or renamed since, or copies. They need no model."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from faceclust.scan.examine import Look, Task
from faceclust.scan.folder import ScanFolder
from faceclust.store.folder_cache import FolderCache, UnusableCacheError
from faceclust.store.schema import KnownPhotoRow
from faceclust.types import PhotoRef, ScannedPhoto

#: Contents a photo is compared with at most: some formats give every photo of a camera one size,
#: and what is sent along with each of very many photos must not grow with their number.
MOST_COMPARED = 100


class Copies:
    """What is known of photos by their content. Two files can only be the same where their sizes
    are, so that only photos of a waiting one's size are remembered."""

    def __init__(self, waiting: Iterable[PhotoRef], look: Look) -> None:
        """Photos that were looked at less closely than by `look` do not count."""
        self._look = look
        self._waiting = Counter(ref.size for ref in waiting)
        self._known: dict[int, dict[str, ScannedPhoto]] = defaultdict(dict)
        self._akin: dict[tuple[int, str | int], list[str]] = defaultdict(list)

    def learn_folder(self, folder: ScanFolder) -> None:
        """The photos a folder's cache has, also those that are gone from it."""
        with contextlib.suppress(UnusableCacheError):  # said where it matters
            self._learn(folder.cache, folder.rows)

    def learn_cache(self, cache: FolderCache) -> None:
        """The photos of a cache; one that cannot be used has none."""
        with contextlib.suppress(UnusableCacheError):
            self._learn(cache, cache.index())

    def _learn(self, cache: FolderCache, rows: Mapping[str, KnownPhotoRow]) -> None:
        wanted = {name for name, row in rows.items() if row.photo_hash and self._waiting[row.size]}
        if wanted:  # to take out whole rows costs much, and few photos have the size of a waiting one
            for photo in cache.photos(wanted):
                self.learn(photo)

    def learn(self, photo: ScannedPhoto) -> None:
        """A photo that was just scanned, or known before."""
        ref = photo.ref
        if self._waiting[ref.size] and self._look.is_enough(photo.min_face, max(photo.full_size)):
            self._known[ref.size].setdefault(photo.content_hash, photo)
            for trait in (ref.name, ref.mtime_ns):
                self._akin[ref.size, trait].append(photo.content_hash)

    def tasks(self, waiting: Iterable[PhotoRef]) -> Iterator[Task]:
        """A task for each photo, with the contents known by the time it is asked for. Of photos of
        one size all but the first come last: by then it is known what the first one holds."""
        later = []
        met = set()
        for ref in waiting:
            if ref.size in met:
                later.append(ref)
                continue
            met.add(ref.size)
            yield self._task(ref)
        yield from map(self._task, later)

    def photo(self, ref: PhotoRef, content_hash: str) -> ScannedPhoto:
        """What is known of the content, as what was found on the photo `ref`."""
        return replace(self._known[ref.size][content_hash], ref=ref)

    def _task(self, ref: PhotoRef) -> Task:
        self._waiting[ref.size] -= 1  # once none is left, no more has to be remembered
        known: Iterable[str] = self._known.get(ref.size, ())
        if len(self._known.get(ref.size, ())) > MOST_COMPARED:
            # A moved photo keeps its time, and as a rule its name.
            akin = itertools.chain(
                self._akin.get((ref.size, ref.name), ()), self._akin.get((ref.size, ref.mtime_ns), ())
            )
            known = itertools.islice(akin, MOST_COMPARED)
        return Task(ref, frozenset(known))
