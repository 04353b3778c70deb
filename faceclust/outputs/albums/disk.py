"""What stands in a folder of albums now, and whether it is still what was made."""

from __future__ import annotations

import filecmp
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from faceclust.outputs.albums.manifest import Note
from faceclust.types import PhotoFacts

NOT_OURS = "not made by faceclust"
CHANGED = "changed since it was made"
LAST = "the last copy of a photo that is gone"
FOLDER_IS_LINK = "its folder is a link"
FOLDER_IS_FILE = "a file stands where its folder would be"


class Disk:
    """The folder of albums and the library, as they were when this first looked at each file."""

    def __init__(self, root: Path, out: Path, photos: Mapping[str, PhotoFacts]) -> None:
        self._root, self._out, self._photos = root, str(out), photos
        self._folders: dict[str, str] = {"": ""}
        self._statuses: dict[str, os.stat_result | None] = {}
        self._listings: dict[str, frozenset[str]] = {}
        self._kept: frozenset[str] | None = None

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
            self._folders[path] = self.folder(path.rpartition("/")[0]) or _wrong_with(self.at(path))
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

    def is_last(self, note: Note) -> bool:
        """Is this file all that is left of a photo? Then it is not ours to remove."""
        if note.kind == "symlink" or self.status(note.photo) is not None:
            return False
        if self._kept is None:
            there = (facts.photo_hash for photo, facts in self._photos.items() if self.status(photo) is not None)
            self._kept = frozenset(there)
        return note.hash not in self._kept

    def _known(self, link: str, note: Note) -> Note | None:
        """The note, if this is what it is of; with the time a copy has, where that was not noted yet."""
        try:
            if note.kind == "symlink":
                return note if str(Path(link).readlink()) == note.to else None
            status = os.lstat(link)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(status.st_mode):
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
        if known or self._same_content(link, status, note.photo):
            return replace(note, inode=status.st_ino if note.inode else 0, made_mtime_ns=status.st_mtime_ns)
        return None

    def _same_content(self, link: str, status: os.stat_result, photo: str) -> bool:
        there = self.status(photo)
        if there is None or there.st_size != status.st_size:
            return False
        try:
            return filecmp.cmp(link, self.photo(photo), shallow=False)
        except OSError:
            return False


def _wrong_with(folder: str) -> str:
    try:
        status = os.lstat(folder)
    except OSError:
        return ""
    if stat.S_ISLNK(status.st_mode) or _is_junction(status):
        return FOLDER_IS_LINK
    return "" if stat.S_ISDIR(status.st_mode) else FOLDER_IS_FILE


def _is_junction(status: os.stat_result) -> bool:
    """A folder of Windows that leads elsewhere."""
    return bool(getattr(status, "st_file_attributes", 0) & 0x400)  # FILE_ATTRIBUTE_REPARSE_POINT
