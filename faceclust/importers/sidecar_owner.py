"""Find the photo that a sidecar or another program's path refers to."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from faceclust.files.names import RAW_EXTENSIONS
from faceclust.text.caseless import caseless_key


class PhotoLookup:
    """Looks up photos of a library (POSIX paths below its root) by other programs' names for them.

    A name in another case or Unicode form counts only if it is unambiguous: such names are one photo on
    some disks and two on others. macOS writes accents as characters of their own (NFD), other systems
    do not (NFC).
    """

    def __init__(self, photos: Iterable[str]) -> None:
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for photo in sorted(photos):
            self._by_name[caseless_key(photo)].append(photo)
            self._by_stem[caseless_key(_stem(photo))].append(photo)

    def find_by_name(self, name: str) -> Sequence[str]:
        """Find the photo with this path: none, one, or several if ambiguous."""
        return _closest_names(name, self._by_name.get(caseless_key(name), ()), str)

    def find_by_sidecar(self, sidecar: str) -> Sequence[str]:
        """Find the photo of a sidecar: none, one, or several if ambiguous.

        The naming of digiKam and darktable (`photo.jpg.xmp`) takes precedence over Adobe's
        (`photo.xmp`). In the latter, a single RAW file takes precedence over pictures made from it.
        """
        name = posixpath.splitext(sidecar)[0]
        if posixpath.splitext(name)[1] and (photos := self.find_by_name(name)):
            return photos
        photos = _closest_names(name, self._by_stem.get(caseless_key(name), ()), _stem)
        raw = [photo for photo in photos if posixpath.splitext(photo)[1].lower() in RAW_EXTENSIONS]
        return raw if len(raw) == 1 else photos


def _closest_names(name: str, photos: Sequence[str], key: Callable[[str], str]) -> Sequence[str]:
    """Return the photos whose key is exactly `name`, else those in the same case, else in its folder, else all."""
    if len(photos) < 2:
        return photos
    composed, folder = _compose(name), _compose(posixpath.dirname(name))
    exact = [photo for photo in photos if key(photo) == name]
    same_case = [photo for photo in photos if _compose(key(photo)) == composed]
    in_folder = [photo for photo in photos if _compose(posixpath.dirname(photo)) == folder]
    return exact or same_case or in_folder or photos


def _compose(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _stem(photo: str) -> str:
    return posixpath.splitext(photo)[0]
