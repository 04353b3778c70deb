"""Find the face of the library that PHOTO#N stands for."""

from __future__ import annotations

import difflib
import os
import posixpath
import shlex
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from faceclust.errors import UsageError
from faceclust.files.library_roots import LibraryRoots, as_roots
from faceclust.files.safe_paths import is_absolute_posix
from faceclust.files.user_folders import expand_user
from faceclust.text.plural import format_count
from faceclust.types import FaceOccurrence
from faceclust.types.face_numbers import format_face_address

#: Names that a mistyped one is compared with, and their length: difflib would take minutes for hostile ones.
_MAX_COMPARED_NAMES, _MAX_COMPARED_LENGTH = 10_000, 40
_MAX_LISTED = 3


def find_photo(root: Path | LibraryRoots, photos: Collection[str], typed: str) -> str:
    """Return the photo of the library that the user typed: one of `photos`, paths of the library.

    `root`: the library's root, or its roots if it has several. A path is relative to the working folder or to the
    library; the end of a path is enough if no other photo has it. Raises UsageError for an unknown photo, and if
    several are meant.
    """
    roots = as_roots(root)
    found = _match_path(roots, photos, typed)
    if not found and not _is_explicit(typed):
        key = "/" + _normal_form(typed)
        found = [photo for photo in photos if f"/{_normal_form(photo)}".endswith(key)]
    if len(found) == 1:
        return found[0]
    if found:
        more = f" and {len(found) - _MAX_LISTED:,} more" if len(found) > _MAX_LISTED else ""
        listed = ", ".join(found[:_MAX_LISTED])
        raise UsageError(
            f"{typed} is {len(found):,} photos of the library: {listed}{more}",
            hint=f"type the whole path, such as {shlex.quote(str(roots.own / found[-1]))}",
        )
    raise UsageError(f"there is no photo {typed} in the library", hint=_advise(roots, photos, typed))


def find_numbered_face(faces: Iterable[FaceOccurrence], photo: str, number: int) -> str:
    """Return the id of face `number` of the `faces` of a photo, from left to right. Raises UsageError."""
    ids = [face.face_id for face in faces]
    if not ids:
        raise UsageError(f"{photo} has no faces", hint="a scan finds faces of a certain size and sharpness only")
    if not 1 <= number <= len(ids):
        last = format_face_address(photo, len(ids))
        raise UsageError(
            f"{photo} has {format_count(len(ids), 'face')}, so there is no face {number}",
            hint=f"faces are numbered from the left, from 1: the last is {last}",
        )
    return ids[number - 1]


def _match_path(roots: LibraryRoots, photos: Collection[str], typed: str) -> list[str]:
    """The photos at this path: from the working folder, or from the library."""
    paths = [*_paths_from_here(roots, typed), *([] if _is_explicit(typed) else [posixpath.normpath(typed)])]
    return list(dict.fromkeys(path for path in paths if path in photos))


def _paths_from_here(roots: LibraryRoots, typed: str) -> Iterator[str]:
    if is_absolute_posix(typed):
        yield posixpath.normpath(typed)  # its disk may be away
    if (path := _path_in_library(roots, typed)) is not None:
        yield path


def _path_in_library(roots: LibraryRoots, typed: str) -> str | None:
    """The library's path of a typed one; None if it lies outside of the library."""
    with suppress(OSError, ValueError, UsageError):  # a NUL, a symlink loop, an unknown user
        path = Path(typed) if os.path.lexists(typed) else expand_user(typed)
        return roots.path_in_library(Path(os.path.realpath(path.parent)) / path.name)
    return None


def _is_explicit(typed: str) -> bool:
    """Whether this is a path of the file system, and not the end of one."""
    return typed.startswith(("/", "./", "../", "~"))


def _normal_form(path: str) -> str:
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def _advise(roots: LibraryRoots, photos: Collection[str], typed: str) -> str:
    if os.path.lexists(typed):
        is_inside = _path_in_library(roots, typed) is not None
        return "if it is new: faceclust scan" if is_inside else f"it is not in {roots.own}; --library chooses another"
    name = posixpath.basename(typed).casefold()
    same = [photo for photo in photos if posixpath.basename(photo).casefold() == name]
    names = {
        posixpath.basename(photo).casefold()[:_MAX_COMPARED_LENGTH]: photo
        for photo in islice(photos, _MAX_COMPARED_NAMES)
    }
    close = difflib.get_close_matches(name[:_MAX_COMPARED_LENGTH], names, n=_MAX_LISTED)
    near = same or [names[key] for key in close]
    if near:
        return f"did you mean {' or '.join(near[:_MAX_LISTED])}?"
    return "a photo is given by its path from here or from the library's folder"
