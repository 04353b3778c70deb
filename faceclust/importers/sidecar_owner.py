"""Find the photo that a sidecar or another program's path refers to."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from faceclust.files.names import RAW_EXTENSIONS


class PhotoLookup:
    """Looks up photos of a library (POSIX paths below its root) by other programs' names for them.

    A name in another spelling counts only if it is unambiguous: names that differ only in case are one
    photo on some disks and two on others.
    """

    def __init__(self, photos: Iterable[str]) -> None:
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for photo in sorted(photos):
            self._by_name[photo.casefold()].append(photo)
            self._by_stem[_stem(photo).casefold()].append(photo)

    def find_by_name(self, name: str) -> Sequence[str]:
        """Find the photo with this path: none, one, or several if ambiguous."""
        return _closest_names(name, self._by_name.get(name.casefold(), ()), str)

    def find_by_sidecar(self, sidecar: str) -> Sequence[str]:
        """Find the photo of a sidecar: none, one, or several if ambiguous.

        The naming of digiKam and darktable (`photo.jpg.xmp`) takes precedence over Adobe's
        (`photo.xmp`). In the latter, a single RAW file takes precedence over pictures made from it.
        """
        name = posixpath.splitext(sidecar)[0]
        if posixpath.splitext(name)[1] and (photos := self.find_by_name(name)):
            return photos
        photos = _closest_names(name, self._by_stem.get(name.casefold(), ()), _stem)
        raw = [photo for photo in photos if posixpath.splitext(photo)[1].lower() in RAW_EXTENSIONS]
        return raw if len(raw) == 1 else photos


def _closest_names(name: str, photos: Sequence[str], key: Callable[[str], str]) -> Sequence[str]:
    """Return the photos whose key is exactly `name`, else those in its folder, else all."""
    exact = [photo for photo in photos if key(photo) == name]
    in_folder = [photo for photo in photos if posixpath.dirname(photo) == posixpath.dirname(name)]
    return exact or in_folder or photos


def _stem(photo: str) -> str:
    return posixpath.splitext(photo)[0]
