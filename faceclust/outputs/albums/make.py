"""Execute an album plan. A run killed at any moment leaves no link outside the manifest."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from faceclust.errors import FaceclustError
from faceclust.files.lock import hold_file_lock
from faceclust.files.output_files import make_subfolders, remove_abandoned_outputs
from faceclust.files.own_files import UnsafeFileError, make_own_folder
from faceclust.files.safe_paths import lstat_if_present
from faceclust.outputs.albums.existing import CHANGED, ExistingFiles
from faceclust.outputs.albums.links import COPY_KINDS, link_error, make_link, move_into_place
from faceclust.outputs.albums.manifest import (
    TEMPORARY_NAME,
    Manifest,
    ManifestEntry,
    read_albums_manifest,
    write_albums_manifest,
)
from faceclust.outputs.albums.plan import AlbumPlan, SkippedPath
from faceclust.outputs.albums.safe_names import name_key
from faceclust.progress import Progress, SilentProgress

_ALBUMS_LOCK = ".faceclust-albums.lock"
_APPEARED_MEANWHILE = "another file has appeared there in the meantime"


def apply_album_plan(plan: AlbumPlan, progress: Progress | None = None) -> tuple[SkippedPath, ...]:
    """Execute the plan. Return the paths skipped beyond the plan: changed files, unreadable photos.

    The manifest lists each link before it is created, and a copy gets its name when it is complete.
    Raises FaceclustError if links cannot be created, or if the folder has changed since planning.
    """
    try:
        if not (plan.make or plan.remove) and plan.previous_manifest in (Manifest(), _expected_manifest(plan)):
            return ()
        make_own_folder(plan.out)
        with hold_file_lock(plan.out / _ALBUMS_LOCK, "makes albums"):
            remove_abandoned_outputs(plan.out)
            if read_albums_manifest(plan.out) != plan.previous_manifest:
                raise FaceclustError(f"{plan.out} was changed by another faceclust", hint="run it again")
            return _AlbumWriter(plan, progress or SilentProgress()).run()
    except OSError as error:
        raise link_error(error, plan.kind, plan.out) from error


class _AlbumWriter:
    def __init__(self, plan: AlbumPlan, progress: Progress) -> None:
        self._plan, self._progress = plan, progress
        self._disk = ExistingFiles(plan.roots or plan.root, plan.out, plan.photos)
        self._entries = {**plan.keep, **plan.retained, **plan.remove, **plan.replace}
        self._to_make = dict(plan.make)
        self._needed_folders = _parent_folders((*plan.make, *plan.keep, *plan.retained))
        self._new_folders = self._folders_to_make()
        self._created_folders: set[str] = set()
        self._skipped: list[SkippedPath] = []
        self._temporary = self._disk.album_path(TEMPORARY_NAME)

    def run(self) -> tuple[SkippedPath, ...]:
        self._remove_temporary()
        self._save_manifest()
        try:
            for path, entry in self._plan.remove.items():
                self._remove(path, entry)
            self._remove_folders()
            self._make_all()
        except BaseException:
            with contextlib.suppress(OSError):  # the manifest saved at the start covers this case too
                self._remove_temporary()
                self._save_manifest()
            raise
        self._to_make.clear()
        self._save_manifest(done=True)
        return tuple(self._skipped)

    def _folders_to_make(self) -> set[str]:
        """Return the folders to create.

        On a case-insensitive disk they include those that exist in another spelling and will be removed.
        """
        keys = set(map(name_key, self._plan.previous_manifest.folders))
        return {
            folder
            for folder in self._needed_folders - self._plan.previous_manifest.folders
            if not self._disk.exists(folder) or (name_key(folder) in keys and not self._disk.has_exact_spelling(folder))
        }

    def _save_manifest(self, *, done: bool = False) -> None:
        folders = self._plan.previous_manifest.folders | self._new_folders
        if done:
            folders = frozenset(
                folder
                for folder in folders
                if self._disk.exists(folder) and not self._disk.unsafe_folder_reason(folder)
            )
        write_albums_manifest(self._plan.out, Manifest(self._plan.library, self._entries, self._to_make, folders))

    def _remove_temporary(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            Path(self._temporary).unlink()

    def _remove(self, path: str, entry: ManifestEntry) -> None:
        if self._is_replaceable(path, entry):
            Path(self._disk.album_path(path)).unlink()
        elif self._disk.exists(path):
            self._skipped.append(SkippedPath(path, CHANGED))
        del self._entries[path]

    def _is_replaceable(self, path: str, entry: ManifestEntry) -> bool:
        """May the file at this path be removed or replaced?"""
        return self._disk.find_own_entry(path, [entry]) is not None and not self._disk.keep_reason(path, entry)

    def _remove_folders(self) -> None:
        """Remove our folders that are no longer needed, deepest first, if they are empty."""
        for folder in sorted(
            self._plan.previous_manifest.folders - self._needed_folders, key=lambda path: (-path.count("/"), path)
        ):
            if not self._disk.unsafe_folder_reason(folder):
                with contextlib.suppress(OSError):  # not empty: the user has files in it
                    Path(self._disk.album_path(folder)).rmdir()

    def _make_all(self) -> None:
        slow = self._plan.kind in COPY_KINDS and self._to_make
        if slow:
            self._progress.start("copying photos", len(self._to_make), "photos")
        try:
            for path, entry in self._plan.make.items():
                try:
                    self._entries[path] = self._make_one(path, entry)
                except OSError as error:
                    self._skipped.append(SkippedPath(path, self._skip_reason(error, path, entry)))
                    self._remove_temporary()
                del self._to_make[path]
                if slow:
                    self._progress.advance()
        finally:
            if slow:
                self._progress.finish()

    def _make_one(self, path: str, entry: ManifestEntry) -> ManifestEntry:
        """Create a link or copy and return its manifest entry."""
        folder = path.rpartition("/")[0]
        if self._disk.unsafe_folder_reason(folder):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self._disk.album_path(folder))
        if folder not in self._created_folders:
            make_subfolders(self._plan.out, folder)
            self._created_folders.add(folder)
        link, photo, before = (
            self._disk.album_path(path),
            self._disk.photo_path(entry.photo),
            self._plan.replace.get(path),
        )
        if before is not None and self._is_replaceable(path, before):
            make_link(photo, self._temporary, entry.kind, entry.to)
            Path(self._temporary).replace(link)
            self._remove_temporary()  # renaming does nothing if both names are hard links of one file
        elif entry.kind in COPY_KINDS:
            make_link(photo, self._temporary, entry.kind, entry.to)
            move_into_place(self._temporary, link)
        else:
            make_link(photo, link, entry.kind, entry.to)
        if entry.kind not in COPY_KINDS:
            return entry
        status = os.lstat(link)
        return replace(entry, size=status.st_size, made_mtime_ns=status.st_mtime_ns)

    def _skip_reason(self, error: OSError, path: str, entry: ManifestEntry) -> str:
        """Return why one link failed. Raises the error again if it would affect all other links."""
        if isinstance(error, FileExistsError):
            return _APPEARED_MEANWHILE
        photo = self._disk.photo_path(entry.photo)
        if isinstance(error, UnsafeFileError) or lstat_if_present(photo) is None:
            return "its photo is gone"
        if entry.kind in COPY_KINDS and not os.access(photo, os.R_OK):
            return "its photo cannot be read"
        if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):
            return error.strerror or str(error)
        raise OSError(error.errno, error.strerror or str(error), self._disk.album_path(path)) from error


def _expected_manifest(plan: AlbumPlan) -> Manifest:
    """Return the manifest after a plan without links to create or remove."""
    entries = {**plan.keep, **plan.retained}
    return Manifest(plan.library, entries, {}, plan.previous_manifest.folders & _parent_folders(entries))


def _parent_folders(paths: Iterable[str]) -> set[str]:
    """Return all parent folders of these paths below the albums folder."""
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders
