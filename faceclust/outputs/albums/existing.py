"""The existing files of an albums folder, compared with the manifest and the photos."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from typing import BinaryIO

from faceclust.files.library_roots import LibraryRoots, as_roots
from faceclust.files.own_files import UnsafeFileError, list_own, open_own, stat_own
from faceclust.files.safe_paths import lstat_if_present, unsafe_reason
from faceclust.outputs.albums.manifest import ManifestEntry
from faceclust.types import PhotoInfo

NOT_OURS = "not made by faceclust"
CHANGED = "changed since it was made"
LAST_COPY = "the last copy of a photo that is gone"
DISK_AWAY = "its photo is on a disk that is away"
UNKNOWN_CONTENT = "no photo in the library has its content"
_BLOCK_BYTES = 1 << 20


class ExistingFiles:
    """The albums folder and the library, with the state of each file cached at first access."""

    def __init__(self, root: Path | LibraryRoots, out: Path, photos: Mapping[str, PhotoInfo]) -> None:
        """`root`: the library's root, or its roots if it has several."""
        self._roots, self._out, self._photos = as_roots(root), str(out), photos
        self._folders: dict[str, str] = {"": ""}
        self._statuses: dict[str, os.stat_result | None] = {}
        self._listings: dict[str, frozenset[str]] = {}
        self._by_hash: dict[str, list[str]] | None = None

    def album_path(self, path: str) -> str:
        """Return the full path of a path below the albums folder."""
        return f"{self._out}{os.sep}{path}"

    def photo_path(self, photo: str) -> str:
        """Return the full path of a photo. Raises UnsafeFileError if it is not below the library."""
        return str(self._roots.path_of(photo))

    def is_away(self, photo: str) -> bool:
        """Is a photo on a disk that is not mounted? Then it is not gone."""
        return self._roots.is_away(photo)

    def stat_photo(self, photo: str) -> os.stat_result | None:
        """Return the status of a photo; None if it is gone: missing, replaced by something else than a
        file, or behind a symlink. Raises OSError if that cannot be found out."""
        if photo not in self._statuses:
            try:
                status = stat_own(self._roots.path_of(photo))
            except UnsafeFileError:
                status = None
            self._statuses[photo] = status if status and S_ISREG(status.st_mode) else None
        return self._statuses[photo]

    def exists(self, path: str) -> bool:
        """Is there anything at this path below the albums folder? Raises OSError."""
        return lstat_if_present(self.album_path(path)) is not None

    def blocked_reason(self, path: str) -> str | None:
        """Return why nothing can be created at this path; None if the path is free."""
        folder = self.unsafe_folder_reason(path.rpartition("/")[0])
        if folder or not self.exists(path):
            return folder or None
        return NOT_OURS

    def unsafe_folder_reason(self, path: str) -> str:
        """Return why a folder below the albums folder is unsafe, or "". It need not exist.

        A folder that is a link could lead to the photos themselves.
        """
        if path not in self._folders:
            self._folders[path] = self.unsafe_folder_reason(path.rpartition("/")[0]) or unsafe_reason(
                self.album_path(path)
            )
        return self._folders[path]

    def has_exact_spelling(self, path: str) -> bool:
        """Is the file at this path spelt exactly so? A case-insensitive disk finds other spellings, too.

        Inode numbers would not help: some file systems make them up for each path.
        """
        folder, _, name = path.rpartition("/")
        if folder not in self._listings:
            self._listings[folder] = frozenset(list_own(Path(self.album_path(folder))))
        return name in self._listings[folder] and (not folder or self.has_exact_spelling(folder))

    def find_own_entry(self, path: str, entries: Iterable[ManifestEntry]) -> ManifestEntry | None:
        """Return the first entry that matches the file at this path; None if none does."""
        if self.unsafe_folder_reason(path.rpartition("/")[0]):
            return None
        matches = (self._match_entry(self.album_path(path), entry) for entry in entries)
        return next((match for match in matches if match), None)

    def keep_reason(self, path: str, entry: ManifestEntry) -> str:
        """Return why a file of ours must not be removed or replaced; "" if that loses no content.

        Anybody may have edited the manifest, so the file is compared with the photos of the library.
        """
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
        """Return the photos with this content hash. A photo may have moved."""
        if self._by_hash is None:
            self._by_hash = {}
            for path, photo in self._photos.items():
                self._by_hash.setdefault(photo.photo_hash, []).append(path)
        return self._by_hash.get(photo_hash, []) if photo_hash else []

    def _is_photo_outside_albums(self, photo: str) -> bool:
        """Is there a photo at this path in the library, but not in the albums folder?"""
        return self.stat_photo(photo) is not None and not self._roots.path_of(photo).is_relative_to(self._out)

    def _match_entry(self, link: str, entry: ManifestEntry) -> ManifestEntry | None:
        """Return the entry, with the file's modification time, if it matches the file."""
        status = lstat_if_present(link)
        if status is None:
            return None
        if entry.kind == "symlink":
            return entry if S_ISLNK(status.st_mode) and str(Path(link).readlink()) == entry.to else None
        if not S_ISREG(status.st_mode):
            return None
        if entry.kind == "hardlink":
            photo = self.stat_photo(entry.photo)
            same = status.st_ino == entry.inode or (photo is not None and os.path.samestat(status, photo))
            # Inode numbers are reused: with no other name left, size and time have to match as well.
            known = same and (
                status.st_nlink > 1 or (status.st_size, status.st_mtime_ns) == (entry.size, entry.mtime_ns)
            )
        else:
            known = (status.st_size, status.st_mtime_ns) == (entry.size, entry.made_mtime_ns or entry.mtime_ns)
        # Inodes and times change when albums move to another disk; on some disks times change anyway.
        # A file with the photo's own content can be removed without loss, whoever created it.
        if known or self._has_same_content(link, entry.photo):
            return replace(entry, inode=status.st_ino if entry.inode else 0, made_mtime_ns=status.st_mtime_ns)
        return None

    def _has_same_content(self, link: str, photo: str) -> bool:
        """Do both files have the same content? (filecmp would cache the result beyond changes.)"""
        try:
            with _open(Path(link)) as one, _open(self._roots.path_of(photo)) as other:
                status, original = os.fstat(one.fileno()), os.fstat(other.fileno())
                if os.path.samestat(status, original):  # a hard link of the photo
                    return status.st_nlink > 1
                if status.st_size != original.st_size:
                    return False
                while (block := one.read(_BLOCK_BYTES)) == other.read(_BLOCK_BYTES):
                    if not block:
                        return True
        except (FileNotFoundError, UnsafeFileError):
            pass
        return False


def _open(path: Path) -> BinaryIO:
    return os.fdopen(open_own(path), "rb")
