"""Which photo a file beside the photos speaks of."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from faceclust.files.names import RAW_EXTENSIONS


class PhotoLookup:
    """The photos of a library (POSIX paths below its root), looked up by what other programs call
    them. What is written otherwise than the photo is taken for it only where no other is meant as
    well: names that differ in case alone are one photo on some disks and two on others."""

    def __init__(self, photos: Iterable[str]) -> None:
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for photo in sorted(photos):
            self._by_name[photo.casefold()].append(photo)
            self._by_stem[_stem(photo).casefold()].append(photo)

    def find_by_name(self, name: str) -> Sequence[str]:
        """The photo of this path; none, or several where it cannot be told which."""
        return _closest_names(name, self._by_name.get(name.casefold(), ()), str)

    def find_by_sidecar(self, sidecar: str) -> Sequence[str]:
        """The photo of a sidecar: as digiKam and darktable call it (`photo.jpg.xmp`), else as Adobe
        does (`photo.xmp`), where a RAW file has it before the pictures made from it. None, or several
        where it cannot be told which."""
        name = posixpath.splitext(sidecar)[0]
        if posixpath.splitext(name)[1] and (photos := self.find_by_name(name)):
            return photos
        photos = _closest_names(name, self._by_stem.get(name.casefold(), ()), _stem)
        raw = [photo for photo in photos if posixpath.splitext(photo)[1].lower() in RAW_EXTENSIONS]
        return raw if len(raw) == 1 else photos


def _closest_names(name: str, photos: Sequence[str], called: Callable[[str], str]) -> Sequence[str]:
    """Those called exactly so, else those of this very folder, else all."""
    exact = [photo for photo in photos if called(photo) == name]
    beside = [photo for photo in photos if posixpath.dirname(photo) == posixpath.dirname(name)]
    return exact or beside or photos


def _stem(photo: str) -> str:
    return posixpath.splitext(photo)[0]
