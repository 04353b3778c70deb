"""What stands in a folder of albums now, and whether it is still what was made."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from stat import S_ISREG

from faceclust.files.safe_paths import wrong_with
from faceclust.outputs.albums.manifest import Note
from faceclust.types import PhotoFacts

NOT_OURS = "not made by faceclust"
CHANGED = "changed since it was made"
LAST = "the last copy of a photo that is gone"
OTHER = "its content is that of no photo in the library"
_BLOCK = 1 << 20  # bytes


class Disk:
    """The folder of albums and the library, as they were when this first looked at each file."""

    def __init__(self, root: Path, out: Path, photos: Mapping[str, PhotoFacts]) -> None:
        self._root, self._out, self._photos = root, str(out), photos
        self._folders: dict[str, str] = {"": ""}
        self._statuses: dict[str, os.stat_result | None] = {}
        self._listings: dict[str, frozenset[str]] = {}
        self._by_hash: dict[str, list[str]] | None = None

    def at(self, path: str) -> str:
        """The full path of what lies below the albums' folder."""
        return f"{self._out}{os.sep}{path}"

    def photo(self, photo: str) -> str:
        """The full path of a photo below the library (a full one stays as it is)."""
        return str(self._root / photo)

    def status(self, photo: str) -> os.stat_result | None:
        """What the system says of a photo; None where it is gone."""
        if photo not in self._statuses:
            try:
                self._statuses[photo] = (self._root / photo).stat()
            except (OSError, ValueError):
                self._statuses[photo] = None
        return self._statuses[photo]

    def obstacle(self, path: str) -> str | None:
        """Why nothing can be made there, in words; None where nothing stands in the way."""
        folder = self.folder(path.rpartition("/")[0])
        if folder or not os.path.lexists(self.at(path)):
            return folder or None
        return NOT_OURS

    def folder(self, path: str) -> str:
        """What is wrong with a folder below the albums', which need not be there; "" where nothing is.
        A link in the way could lead to the photos themselves."""
        if path not in self._folders:
            self._folders[path] = self.folder(path.rpartition("/")[0]) or wrong_with(self.at(path))
        return self._folders[path]

    def is_spelt_so(self, path: str) -> bool:
        """Is what is at this path listed by just these names? Not where the disk looks past their case.
        (Inode numbers would not tell: some file systems make them up path by path.)"""
        folder, _, name = path.rpartition("/")
        if folder not in self._listings:
            try:
                self._listings[folder] = frozenset(os.listdir(self.at(folder)))
            except OSError:
                self._listings[folder] = frozenset()
        return name in self._listings[folder] and (not folder or self.is_spelt_so(folder))

    def own(self, path: str, notes: Iterable[Note]) -> Note | None:
        """By which of these notes what stands there is still what was made; None where by none."""
        if self.folder(path.rpartition("/")[0]):
            return None
        return next((known for note in notes if (known := self._known(self.at(path), note))), None)

    def held_by(self, path: str, note: Note) -> str:
        """Why a file of ours is not to be removed or replaced; "" where no content is lost by it. Anybody
        may have written the notes: that a photo of the library has the same bytes is looked up."""
        if note.kind == "symlink":
            return ""
        photos = [note.photo, *self._of_hash(note.hash)]
        if any(self._is_photo_elsewhere(photo) and self._same_content(self.at(path), photo) for photo in photos):
            return ""
        return OTHER if any(self.status(photo) is not None for photo in photos) else LAST

    def _of_hash(self, photo_hash: str) -> list[str]:
        """The photos with these bytes, by what the library knows: one may have moved."""
        if self._by_hash is None:
            self._by_hash = {}
            for photo, facts in self._photos.items():
                self._by_hash.setdefault(facts.photo_hash, []).append(photo)
        return self._by_hash.get(photo_hash, []) if photo_hash else []

    def _is_photo_elsewhere(self, photo: str) -> bool:
        """Does this lie in the library, and not among the albums themselves?"""
        try:
            real = (self._root / photo).resolve()
        except (OSError, RuntimeError, ValueError):
            return False
        return (photo in self._photos or real.is_relative_to(self._root)) and not real.is_relative_to(self._out)

    def _known(self, link: str, note: Note) -> Note | None:
        """The note, if this is what it is of; with the time a copy has, where that was not noted yet."""
        try:
            if note.kind == "symlink":
                return note if str(Path(link).readlink()) == note.to else None
            status = os.lstat(link)
        except (OSError, ValueError):
            return None
        if not S_ISREG(status.st_mode):
            return None
        if note.kind == "hardlink":
            photo = self.status(note.photo)
            same = status.st_ino == note.inode or (photo is not None and os.path.samestat(status, photo))
            # With no other name left a number alone is too little: the system gives them out again.
            known = same and (status.st_nlink > 1 or (status.st_size, status.st_mtime_ns) == (note.size, note.mtime_ns))
        else:
            known = (status.st_size, status.st_mtime_ns) == (note.size, note.made_mtime_ns or note.mtime_ns)
        # Inodes and times change when albums are moved to another disk, times also by themselves on some.
        # What has the photo's own content can go at no loss, whoever made it.
        if known or self._same_content(link, note.photo):
            return replace(note, inode=status.st_ino if note.inode else 0, made_mtime_ns=status.st_mtime_ns)
        return None

    def _same_content(self, link: str, photo: str) -> bool:
        """(Not by filecmp, which remembers what it found, also where the files have changed since.)"""
        try:
            status, there = os.lstat(link), Path(self.photo(photo)).stat()
            if not (S_ISREG(status.st_mode) and S_ISREG(there.st_mode)) or status.st_size != there.st_size:
                return False
            if os.path.samestat(status, there):  # another name of the photo
                return status.st_nlink > 1
            with open(link, "rb") as one, open(self.photo(photo), "rb") as other:
                while (block := one.read(_BLOCK)) == other.read(_BLOCK):
                    if not block:
                        return True
        except (OSError, ValueError):
            pass
        return False
