"""What stands in a folder of albums now, and whether it is still what was made."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from stat import S_ISREG

from faceclust.files.safe_paths import unsafe_reason
from faceclust.outputs.albums.manifest import ManifestEntry
from faceclust.types import PhotoInfo

NOT_OURS = "not made by faceclust"
CHANGED = "changed since it was made"
LAST_COPY = "the last copy of a photo that is gone"
UNKNOWN_CONTENT = "its content is that of no photo in the library"
_BLOCK_BYTES = 1 << 20  # bytes


class ExistingFiles:
    """The folder of albums and the library, as they were when this first looked at each file."""

    def __init__(self, root: Path, out: Path, photos: Mapping[str, PhotoInfo]) -> None:
        self._root, self._out, self._photos = root, str(out), photos
        self._folders: dict[str, str] = {"": ""}
        self._statuses: dict[str, os.stat_result | None] = {}
        self._listings: dict[str, frozenset[str]] = {}
        self._by_hash: dict[str, list[str]] | None = None

    def album_path(self, path: str) -> str:
        """The full path of what lies below the albums' folder."""
        return f"{self._out}{os.sep}{path}"

    def photo_path(self, photo: str) -> str:
        """The full path of a photo below the library (a full one stays as it is)."""
        return str(self._root / photo)

    def stat_photo(self, photo: str) -> os.stat_result | None:
        """What the system says of a photo; None where it is gone."""
        if photo not in self._statuses:
            try:
                self._statuses[photo] = (self._root / photo).stat()
            except (OSError, ValueError):
                self._statuses[photo] = None
        return self._statuses[photo]

    def blocked_reason(self, path: str) -> str | None:
        """Why nothing can be made there, in words; None where nothing stands in the way."""
        folder = self.unsafe_folder_reason(path.rpartition("/")[0])
        if folder or not os.path.lexists(self.album_path(path)):
            return folder or None
        return NOT_OURS

    def unsafe_folder_reason(self, path: str) -> str:
        """What is wrong with a folder below the albums', which need not be there; "" where nothing is.
        A link in the way could lead to the photos themselves."""
        if path not in self._folders:
            self._folders[path] = self.unsafe_folder_reason(path.rpartition("/")[0]) or unsafe_reason(
                self.album_path(path)
            )
        return self._folders[path]

    def has_exact_spelling(self, path: str) -> bool:
        """Is what is at this path listed by just these names? Not where the disk looks past their case.
        (Inode numbers would not tell: some file systems make them up path by path.)"""
        folder, _, name = path.rpartition("/")
        if folder not in self._listings:
            try:
                self._listings[folder] = frozenset(os.listdir(self.album_path(folder)))
            except OSError:
                self._listings[folder] = frozenset()
        return name in self._listings[folder] and (not folder or self.has_exact_spelling(folder))

    def find_own_entry(self, path: str, entries: Iterable[ManifestEntry]) -> ManifestEntry | None:
        """By which of these notes what stands there is still what was made; None where by none."""
        if self.unsafe_folder_reason(path.rpartition("/")[0]):
            return None
        return next((known for note in entries if (known := self._match_entry(self.album_path(path), note))), None)

    def keep_reason(self, path: str, entry: ManifestEntry) -> str:
        """Why a file of ours is not to be removed or replaced; "" where no content is lost by it. Anybody
        may have written the notes: that a photo of the library has the same bytes is looked up."""
        if entry.kind == "symlink":
            return ""
        photos = [entry.photo, *self._photos_with_hash(entry.hash)]
        if any(
            self._is_photo_outside_albums(photo) and self._has_same_content(self.album_path(path), photo)
            for photo in photos
        ):
            return ""
        return UNKNOWN_CONTENT if any(self.stat_photo(photo) is not None for photo in photos) else LAST_COPY

    def _photos_with_hash(self, photo_hash: str) -> list[str]:
        """The photos with these bytes, by what the library knows: one may have moved."""
        if self._by_hash is None:
            self._by_hash = {}
            for photo, facts in self._photos.items():
                self._by_hash.setdefault(facts.photo_hash, []).append(photo)
        return self._by_hash.get(photo_hash, []) if photo_hash else []

    def _is_photo_outside_albums(self, photo: str) -> bool:
        """Does this lie in the library, and not among the albums themselves?"""
        try:
            real = (self._root / photo).resolve()
        except (OSError, RuntimeError, ValueError):
            return False
        return (photo in self._photos or real.is_relative_to(self._root)) and not real.is_relative_to(self._out)

    def _match_entry(self, link: str, entry: ManifestEntry) -> ManifestEntry | None:
        """The note, if this is what it is of; with the time a copy has, where that was not noted yet."""
        try:
            if entry.kind == "symlink":
                return entry if str(Path(link).readlink()) == entry.to else None
            status = os.lstat(link)
        except (OSError, ValueError):
            return None
        if not S_ISREG(status.st_mode):
            return None
        if entry.kind == "hardlink":
            photo = self.stat_photo(entry.photo)
            same = status.st_ino == entry.inode or (photo is not None and os.path.samestat(status, photo))
            # With no other name left a number alone is too little: the system gives them out again.
            known = same and (
                status.st_nlink > 1 or (status.st_size, status.st_mtime_ns) == (entry.size, entry.mtime_ns)
            )
        else:
            known = (status.st_size, status.st_mtime_ns) == (entry.size, entry.made_mtime_ns or entry.mtime_ns)
        # Inodes and times change when albums are moved to another disk, times also by themselves on some.
        # What has the photo's own content can go at no loss, whoever made it.
        if known or self._has_same_content(link, entry.photo):
            return replace(entry, inode=status.st_ino if entry.inode else 0, made_mtime_ns=status.st_mtime_ns)
        return None

    def _has_same_content(self, link: str, photo: str) -> bool:
        """(Not by filecmp, which remembers what it found, also where the files have changed since.)"""
        try:
            status, there = os.lstat(link), Path(self.photo_path(photo)).stat()
            if not (S_ISREG(status.st_mode) and S_ISREG(there.st_mode)) or status.st_size != there.st_size:
                return False
            if os.path.samestat(status, there):  # another name of the photo
                return status.st_nlink > 1
            with open(link, "rb") as one, open(self.photo_path(photo), "rb") as other:
                while (block := one.read(_BLOCK_BYTES)) == other.read(_BLOCK_BYTES):
                    if not block:
                        return True
        except (OSError, ValueError):
            pass
        return False
