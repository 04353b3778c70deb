"""Photos as other programs' catalogues describe them, and their counterparts in the library."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from faceclust.files.safe_paths import is_absolute_posix
from faceclust.importers.values import Frame, PhotoNames, Region
from faceclust.text.caseless import caseless_key
from faceclust.types import PhotoInfo

#: A photo's candidates are left out if there are more: they are as good as ambiguous. Longer paths are invalid,
#: and paths with a longer part, in characters: folding a long run of combining characters takes quadratic time.
_MAX_CANDIDATES, _MAX_PATH, _MAX_PART = 100, 4_096, 255
#: Maximum distance of a side from the photo's upper left corner, in widths or heights of the photo.
_MAX_DISTANCE = 10
#: Maximum difference of two times of one photo.
_MAX_SECONDS = 60


@dataclass(frozen=True)
class CataloguePhoto:
    """A photo in another program's catalogue.

    `below` is its path below `root`, the folder that the program was given. `regions` are on the upright
    photo: in pixels, or in fractions if `is_fractional`. `size` is the photo's width and height in px, or the
    other way round before it was turned upright; None if unknown. `people` have no region. `taken_at` is in
    local time. `is_moved`: the program has its own folders, so that the name alone may tell the photo.
    """

    root: str
    below: str
    regions: tuple[Region, ...] = ()
    people: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    is_fractional: bool = False
    taken_at: datetime | None = None
    is_moved: bool = False

    def to_photo_names(self, photo: PhotoInfo, source: str, where: str) -> PhotoNames:
        """Return the names for a photo of the library, with boxes in fractions."""
        size = self.size or photo.size
        if _aspect_difference(size[::-1], photo.size) < _aspect_difference(size, photo.size):
            size = size[1], size[0]
        width, height = (1, 1) if self.is_fractional else size
        boxes = [
            (left / width, top / height, right / width, bottom / height)
            for left, top, right, bottom in (region.box for region in self.regions)
        ]
        regions = tuple(
            replace(region, box=box)
            for region, box in zip(self.regions, boxes, strict=True)
            if max(map(abs, box)) <= _MAX_DISTANCE
        )
        return PhotoNames(
            photo.photo,
            source,
            where,
            regions=regions,
            people=self.people,
            frame=Frame.UPRIGHT,
            applied_to=size if self.size else None,
        )


@dataclass
class MatchedPhotos:
    """The catalogue's photos by the library's path, those that fit several photos, and those that fit none."""

    found: dict[str, CataloguePhoto] = field(default_factory=dict)
    ambiguous: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def match_catalogue(root: Path, photos: Mapping[str, PhotoInfo], catalogue: Sequence[CataloguePhoto]) -> MatchedPhotos:
    """Find the library's photo of each photo in a catalogue by the path.

    Either path may begin higher up, or on another disk: one must end with all of the other that is below its
    own root. A name without a folder in common counts only if the photo was taken at the same time; if a time
    is missing, it has to be in no folder there and to have the same size. The longest common end counts, then
    the folders that most photos agree on. Capitals and Unicode forms may differ.
    """
    matcher = _PathMatcher(root, photos)
    candidates = [matcher.find_candidates(photo) for photo in catalogue]
    votes = Counter(prefixes for found in candidates for prefixes in set(found.values()))
    chosen: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)  # photo → index in the catalogue → rank
    matched = MatchedPhotos()
    for number, found in enumerate(candidates):
        ranks = {photo: (-len(prefixes[0]), votes[prefixes]) for photo, prefixes in found.items()}
        highest = max(ranks.values(), default=None)
        best = [photo for photo, rank in ranks.items() if rank == highest]
        if len(best) == 1:
            chosen[best[0]][number] = ranks[best[0]]
        elif best:
            matched.ambiguous[catalogue[number].below] = tuple(sorted(best))
        else:
            matched.unknown.append(catalogue[number].below)
    for photo, rank_of in sorted(chosen.items()):
        highest = max(rank_of.values())
        best_numbers = [number for number, rank in rank_of.items() if rank == highest]
        matched.unknown += [catalogue[number].below for number, rank in rank_of.items() if rank != highest]
        if len(best_numbers) == 1:
            matched.found[photo] = catalogue[best_numbers[0]]
        else:
            matched.ambiguous |= {catalogue[number].below: (photo,) for number in best_numbers}
    return matched


class _PathMatcher:
    def __init__(self, root: Path, photos: Mapping[str, PhotoInfo]) -> None:
        self._photos = photos
        self._root = tuple(map(caseless_key, root.parts))
        self._by_end: dict[tuple[str, ...], list[str]] = defaultdict(list)  # by name, and by folder and name
        for photo in sorted(photos):
            if parts := _split(photo):
                self._by_end[parts[-1:]].append(photo)
                self._by_end[(*self._root[-1:], *parts)[-2:]].append(photo)

    def find_candidates(self, photo: CataloguePhoto) -> Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Return the photos that this one may be, each with the beginnings of both paths that differ."""
        top, below = _split(photo.root), _split(photo.below)
        whole = (*top, *below)
        similar = (self._by_end.get(whole[-2:], ()), self._by_end.get(whole[-1:], ())) if below else ()
        found = {}
        for candidate in next((photos for photos in similar if 0 < len(photos) <= _MAX_CANDIDATES), ()):
            own = _split(candidate)
            mine = own if is_absolute_posix(candidate) else (*self._root, *own)
            common = _count_common_end(whole, mine)
            needed = min(len(own), len(below) if photo.is_moved else max(len(below), 2))
            if common >= needed and self._is_same_picture(photo, candidate, len(below), common):
                found[candidate] = whole[: len(whole) - common], mine[: len(mine) - common]
        return found

    def _is_same_picture(self, photo: CataloguePhoto, candidate: str, depth: int, common: int) -> bool:
        """Is it likely that a photo with the same name is this one? Cameras use names again.

        `depth`: number of folders and name below the program's root. `common`: those that are the same.
        """
        info = self._photos[candidate]
        if common >= 2 and not photo.is_moved:
            return True
        if photo.taken_at is not None and info.taken_at is not None:
            return abs(photo.taken_at - info.taken_at.replace(tzinfo=None)) <= timedelta(seconds=_MAX_SECONDS)
        return common >= 2 or (depth == 1 and photo.size is not None and sorted(photo.size) == sorted(info.size))


def _aspect_difference(a: tuple[int, int], b: tuple[int, int]) -> float:
    return abs(math.log(a[0] / a[1]) - math.log(b[0] / b[1]))


def _count_common_end(a: Sequence[str], b: Sequence[str]) -> int:
    common = 0
    while common < min(len(a), len(b)) and a[-1 - common] == b[-1 - common]:
        common += 1
    return common


def _split(path: str) -> tuple[str, ...]:
    if len(path) > _MAX_PATH:
        return ()
    parts = [part for part in path.replace("\\", "/").split("/") if part]
    return tuple(map(caseless_key, parts)) if max(map(len, parts), default=0) <= _MAX_PART else ()
