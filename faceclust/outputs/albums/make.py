"""Carrying out a plan. Killed at any moment, it leaves nothing that is not noted."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from faceclust.errors import FaceclustError
from faceclust.files.lock import locked
from faceclust.outputs.albums.existing import CHANGED, Disk
from faceclust.outputs.albums.links import COPIES, failure, make_link, put
from faceclust.outputs.albums.manifest import TEMPORARY, Manifest, Note, read_manifest, write_manifest
from faceclust.outputs.albums.plan import AlbumPlan, Left
from faceclust.outputs.albums.safe_names import name_key
from faceclust.progress import Progress, Silent

_LOCK = ".faceclust-albums.lock"
_MEANWHILE = "something else has come there in the meantime"


def make_albums(plan: AlbumPlan, progress: Progress | None = None) -> tuple[Left, ...]:
    """Do what the plan says. Gives what was left alone, beside what the plan says of it, for it had
    changed in the meantime or its photo could not be read.

    What is to be made is noted before it is, and a copy gets its name when it is whole. Raises
    FaceclustError where a link cannot be made, or the folder is not as it was planned for.
    """
    try:
        if not (plan.make or plan.remove) and plan.found in (Manifest(), _outcome(plan)):
            return ()
        plan.out.mkdir(parents=True, exist_ok=True)
        with locked(plan.out / _LOCK, "makes albums"):
            if read_manifest(plan.out) != plan.found:
                raise FaceclustError(f"{plan.out} was changed by another faceclust", hint="run it again")
            return _Work(plan, progress or Silent()).do()
    except OSError as error:
        raise failure(error, plan.kind, plan.out) from error


class _Work:
    def __init__(self, plan: AlbumPlan, progress: Progress) -> None:
        self._plan, self._progress = plan, progress
        self._disk = Disk(plan.root, plan.out, plan.photos)
        self._known = {**plan.keep, **plan.stay, **plan.remove, **plan.replace}
        self._to_make = dict(plan.make)
        self._needed = _folders_of((*plan.make, *plan.keep, *plan.stay))
        self._new = self._folders_to_make()
        self._ready: set[str] = set()
        self._left: list[Left] = []
        self._temporary = self._disk.at(TEMPORARY)

    def do(self) -> tuple[Left, ...]:
        self._clear()
        self._note()
        try:
            for path, note in self._plan.remove.items():
                self._remove(path, note)
            self._remove_folders()
            self._make_all()
        except BaseException:
            with contextlib.suppress(OSError):  # what was noted before holds all of it as well
                self._clear()
                self._note()
            raise
        self._to_make.clear()
        self._note(done=True)
        return tuple(self._left)

    def _folders_to_make(self) -> set[str]:
        """Also those that are there by another spelling, on a disk that does not tell cases apart, and
        will have gone."""
        keys = set(map(name_key, self._plan.found.folders))
        return {
            folder
            for folder in self._needed - self._plan.found.folders
            if not os.path.lexists(self._disk.at(folder))
            or (name_key(folder) in keys and not self._disk.is_spelt_so(folder))
        }

    def _note(self, *, done: bool = False) -> None:
        folders = self._plan.found.folders | self._new
        if done:
            folders = frozenset(folder for folder in folders if os.path.isdir(self._disk.at(folder)))
        write_manifest(self._plan.out, Manifest(self._plan.library, self._known, self._to_make, folders))

    def _clear(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            Path(self._temporary).unlink()

    def _remove(self, path: str, note: Note) -> None:
        if self._is_free(path, note):
            Path(self._disk.at(path)).unlink()
        elif os.path.lexists(self._disk.at(path)):
            self._left.append(Left(path, CHANGED))
        del self._known[path]

    def _is_free(self, path: str, note: Note) -> bool:
        """Is what stands there still ours to remove, or to put something in its place?"""
        return self._disk.own(path, [note]) is not None and not self._disk.held_by(path, note)

    def _remove_folders(self) -> None:
        """Remove the empty folders that were made for what is no longer there, the deepest first."""
        for folder in sorted(self._plan.found.folders - self._needed, key=lambda path: (-path.count("/"), path)):
            if not self._disk.folder(folder):
                with contextlib.suppress(OSError):  # something of the user's is in it
                    Path(self._disk.at(folder)).rmdir()

    def _make_all(self) -> None:
        slow = self._plan.kind in COPIES and self._to_make
        if slow:
            self._progress.start("copying photos", len(self._to_make), "photos")
        try:
            for path, note in self._plan.make.items():
                try:
                    self._known[path] = self._make(path, note)
                except OSError as error:
                    self._left.append(Left(path, self._reason(error, path, note)))
                    self._clear()
                del self._to_make[path]
                if slow:
                    self._progress.advance()
        finally:
            if slow:
                self._progress.finish()

    def _make(self, path: str, note: Note) -> Note:
        """Put a link or copy in its place; gives what it is known by."""
        folder = path.rpartition("/")[0]
        if self._disk.folder(folder):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self._disk.at(folder))
        if folder not in self._ready:
            Path(self._disk.at(folder)).mkdir(parents=True, exist_ok=True)
            self._ready.add(folder)
        link, photo, before = self._disk.at(path), self._disk.photo(note.photo), self._plan.replace.get(path)
        if before is not None and self._is_free(path, before):
            make_link(photo, self._temporary, note.kind, note.to)
            Path(self._temporary).replace(link)
            self._clear()  # a name for the file that stood there is still left where both were the same
        elif note.kind in COPIES:
            make_link(photo, self._temporary, note.kind, note.to)
            put(self._temporary, link)
        else:
            make_link(photo, link, note.kind, note.to)
        if note.kind not in COPIES:
            return note
        status = os.lstat(link)
        return replace(note, size=status.st_size, made_mtime_ns=status.st_mtime_ns)

    def _reason(self, error: OSError, path: str, note: Note) -> str:
        """Why one link could not be made; raises the error again where no other can be either."""
        if isinstance(error, FileExistsError):
            return _MEANWHILE
        photo = self._disk.photo(note.photo)
        if not os.path.exists(photo):
            return "its photo is gone"
        if note.kind in COPIES and not os.access(photo, os.R_OK):
            return "its photo cannot be read"
        if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):
            return error.strerror or str(error)
        raise OSError(error.errno, error.strerror or str(error), self._disk.at(path)) from error


def _outcome(plan: AlbumPlan) -> Manifest:
    """What will be noted where nothing is to be made or removed."""
    known = {**plan.keep, **plan.stay}
    idle = plan.found.folders - _folders_of(known)
    return Manifest(plan.library, known, {}, plan.found.folders - idle)


def _folders_of(paths: Iterable[str]) -> set[str]:
    """Every folder that these paths lie in, below the albums' own."""
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders
