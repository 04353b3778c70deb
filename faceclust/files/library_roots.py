"""The folders that hold the photos of one library: its own root, and additional roots such as other disks.

A photo below the own root has a relative POSIX path. A photo below an additional root has its absolute one,
so that a path means one photo.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeGuard

from faceclust.files.own_files import UnsafeFileError, path_below, unsafe_file
from faceclust.files.safe_paths import is_absolute_posix, is_at_or_below, is_path_below, relative_posix

_MAX_PATH_LENGTH = 4096  # characters


@dataclass(frozen=True)
class AdditionalRoot:
    """A folder outside the library's own root with photos of the library.

    `id`: hex digits that name the folder of its caches. `path`: absolute POSIX path. `is_added`: the user added it
    on this machine; nothing in another one is read. `is_here`: it is added, and its disk is mounted.
    """

    id: str
    path: str
    is_added: bool = True
    is_here: bool = True

    @property
    def state(self) -> str:
        """ "here", "away", or "not added" on this machine."""
        return "here" if self.is_here else "away" if self.is_added else "not added"


@dataclass(frozen=True)
class LibraryRoots:
    """The own root of a library, and its additional roots. It can be passed to worker processes."""

    own: Path
    additional: tuple[AdditionalRoot, ...] = ()

    def root_of(self, path: str) -> AdditionalRoot | None:
        """Return the additional root that a path of the library lies in; None for the own root.
        Raises UnsafeFileError for an absolute path outside of all additional roots."""
        if not is_absolute_posix(path):
            return None
        found = next((root for root in self.additional if is_at_or_below(path, root.path)), None)
        if found is None:
            raise unsafe_file(Path(path), "it lies outside of the library")
        return found

    def path_of(self, photo: str) -> Path:
        """Return where a photo lies. Raises UnsafeFileError if its path leads out of the library, or into a root
        that was not added on this machine."""
        root = self.root_of(photo)
        if root is None:
            return path_below(self.own, photo)
        if not root.is_added:
            raise unsafe_file(Path(photo), "its folder was not added on this machine")
        return path_below(Path(root.path), photo.removeprefix(f"{root.path}/"))

    def folder_path(self, folder: str) -> Path:
        """Return where a folder of the library lies; "" is the own root. Raises as `path_of` does."""
        if any(folder == root.path for root in self.additional if root.is_added):
            return Path(folder)
        return self.path_of(folder) if folder else self.own

    def path_in_library(self, path: Path) -> str | None:
        """Return the library's path of a photo or folder at an absolute path without symlinks; None if it lies
        outside of the roots that can be used here."""
        if path.is_relative_to(self.own):
            return relative_posix(self.own, path)
        text = path.as_posix()
        return text if any(is_at_or_below(text, root.path) for root in self.additional if root.is_added) else None

    def path_in_mirror(self, photo: str) -> str:
        """Return the relative path of a photo in a folder that mirrors the library: for one on an additional root,
        its absolute path without the file system's root."""
        return photo[len(PurePath(photo).anchor) :] if is_absolute_posix(photo) else photo

    def path_from_mirror(self, path: str) -> str:
        """Return the library's path of a photo or folder from its path in a mirror, the opposite of
        `path_in_mirror`."""
        for root in self.additional:
            below = self.path_in_mirror(root.path)
            if is_at_or_below(path, below):
                return root.path + path[len(below) :]
        return path

    def is_away(self, path: str) -> bool:
        """Is this photo or folder of the library on a disk that the user added here, and that is not mounted?"""
        try:
            root = self.root_of(path)
        except UnsafeFileError:
            return False
        return root is not None and root.is_added and not root.is_here

    def is_here(self, path: str) -> bool:
        """Is the disk with this photo or folder of the library mounted? True for the own root."""
        try:
            root = self.root_of(path)
        except UnsafeFileError:
            return False
        return root is None or root.is_here

    def split(self, path: str) -> tuple[Path, str]:
        """Return the root that a path of the library lies in, and the POSIX path below that root.
        Raises UnsafeFileError as `root_of` does."""
        root = self.root_of(path)
        if root is None:
            return self.own, path
        return Path(root.path), path[len(root.path) + 1 :]

    @property
    def here(self) -> tuple[AdditionalRoot, ...]:
        """The additional roots whose disks are mounted."""
        return tuple(root for root in self.additional if root.is_here)

    @property
    def away(self) -> tuple[AdditionalRoot, ...]:
        """The additional roots that are away, or were not added on this machine."""
        return tuple(root for root in self.additional if not root.is_here)

    def count_away(self, photos: Iterable[str]) -> int:
        """Return how many of these photos are on a disk that is away."""
        return sum(not self.is_here(photo) for photo in photos) if self.away else 0


def as_roots(root: Path | LibraryRoots) -> LibraryRoots:
    """Return the roots of a library that has no other root than this one, or the roots themselves."""
    return root if isinstance(root, LibraryRoots) else LibraryRoots(root)


def photo_path(root: Path | LibraryRoots, photo: str) -> Path:
    """Return where a photo of the library with this root, or these roots, lies.
    Raises UnsafeFileError if its path leads out of the library."""
    return as_roots(root).path_of(photo)


def is_root_path(path: object) -> TypeGuard[str]:
    """Is this the absolute POSIX path of a folder, without steps such as "..", that can be an additional root?
    For paths from untrusted files. The root of a whole file system is none."""
    if not isinstance(path, str) or len(path) > _MAX_PATH_LENGTH or not is_absolute_posix(path):
        return False
    pure = PurePath(path)
    below = path.removeprefix(PurePath(pure.anchor).as_posix()).removeprefix("/")
    return pure.is_absolute() and pure.as_posix() == path and is_path_below(below) and is_utf8_path(path)


def is_utf8_path(path: str) -> bool:
    """Can this path be stored in caches?"""
    try:
        os.fsencode(path).decode()
    except ValueError:
        return False
    return True
