"""Add folders outside of a library's own root to it, such as other disks, and remove them again."""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import UsageError
from faceclust.files.atomic import remove_file, write_private_atomically
from faceclust.files.library_roots import AdditionalRoot, is_root_path
from faceclust.files.names import EXCLUDED_FOLDER_MARKERS, HOME_FOLDER, is_hidden_or_system_folder
from faceclust.files.own_files import list_own, remove_own_folder, stat_own, translate_os_errors, walk_own
from faceclust.files.safe_paths import is_absolute_posix, join_posix, relative_posix
from faceclust.files.user_folders import expand_user
from faceclust.library.naming import journal_transaction
from faceclust.people.journal_lines import (
    MAX_JOURNAL_SIZE,
    count_distinct_lines,
    encode_record,
    is_damaged,
    merge_journals,
    parse_record,
    split_lines,
)
from faceclust.people.journal_reader import read_journal
from faceclust.scan.away import count_known_photos, holds_known_photos
from faceclust.store.find_library import resolve_folder
from faceclust.store.home import JOURNAL_NAME
from faceclust.store.locations import NestedHomes
from faceclust.store.ownership import require_trusted_library
from faceclust.store.roots_file import MAX_ROOTS, is_mounted, new_root, overlaps


@dataclass(frozen=True)
class AddedRoot:
    """An additional root, and what adding it changed. `answers`: the number of answers taken over from libraries
    at the folder or in it. `is_new`: it was not known here before."""

    root: AdditionalRoot
    answers: int
    is_new: bool


def add_root(library: Catalogue, folder: str | os.PathLike[str], *, is_copy: bool = False) -> AddedRoot:
    """Make a folder outside of the library, such as one on another disk, a part of it. A scan examines its photos.

    The names that were given in a library at that folder, or in it, are taken over; that library stays as it is.
    `is_copy`: add it although it holds the photos of a root that is away. Raises UsageError if the folder overlaps
    the library or another root, is empty, seems to be the disk of a root that is away, or holds a library of another
    user; LibraryBusyError, CacheError.
    """
    path = _resolve_new_root(folder)
    library.home.reload_roots()
    known = _find_known_root(library, path, is_copy=is_copy)
    if known and known.is_added:
        return AddedRoot(known, 0, is_new=False)
    journals = _read_former_journals(library, path)  # before the lock: a whole disk may take minutes
    with library.home.lock("adding a folder"):
        library.home.reload_roots()
        known = _find_known_root(library, path, is_copy=is_copy)  # another process may have added one meanwhile
        if known and known.is_added:
            return AddedRoot(known, 0, is_new=False)
        roots = library.roots.additional
        others = tuple(root for root in roots if root is not known)
        root = replace(known, is_added=True) if known else new_root(path.as_posix(), roots)
        answers = _take_over_answers(library, path, journals)
        library.home.set_roots((*others, root))
    library.reopen_journal()
    return AddedRoot(next(one for one in library.roots.additional if one.id == root.id), answers, is_new=True)


def remove_root(library: Catalogue, folder: str | os.PathLike[str]) -> int:
    """Remove an additional root. Return the number of its photos that were known.

    Nothing on its disk changes. Its cached faces are deleted; the names given to them stay in the journal. Raises
    UsageError if the folder is no additional root, LibraryBusyError, CacheError.
    """
    with library.home.lock("removing a folder"):
        library.home.reload_roots()
        root = _find_root(library, folder)
        photos = count_known_photos(library.home, library.cache_info, root)
        for place in [*library.home.root_folders_of(root), *library.home.set_aside_folders_of(root)]:
            _delete_folder(place)
        library.home.set_roots(tuple(one for one in library.roots.additional if one.id != root.id))
    library.invalidate()
    return photos


def move_root(library: Catalogue, old: str | os.PathLike[str], new: str | os.PathLike[str]) -> AdditionalRoot:
    """Record that the disk of an additional root is found at another path, so that no photo has to be examined again.

    Raises UsageError if `old` is no additional root, if `new` overlaps the library or another root, or if it does not
    hold the photos known at `old`; LibraryBusyError.
    """
    path = _resolve_new_root(new)
    with library.home.lock("moving a folder"):
        library.home.reload_roots()
        root = _find_root(library, old)
        others = tuple(one for one in library.roots.additional if one.id != root.id)
        _require_apart(library.root, others, path)
        if holds_known_photos(library.home, library.cache_info, root, path.as_posix()) is False:
            raise UsageError(
                f"{path} does not hold the photos of {root.path}",
                hint=f"if it is another disk: faceclust scan --add-root {shlex.quote(str(path))}",
            )
        library.home.set_roots((*others, replace(root, path=path.as_posix(), is_added=True)))
    library.invalidate()
    return next(one for one in library.roots.additional if one.id == root.id)


def _resolve_new_root(folder: str | os.PathLike[str]) -> Path:
    path = resolve_folder(folder)
    if not is_root_path(path.as_posix()):
        raise UsageError(f"{path} cannot be a part of a library", hint="name a folder on the disk")
    if not is_mounted(path):
        raise UsageError(f"{path} is empty", hint="is its disk mounted?")
    with translate_os_errors():
        is_output = not EXCLUDED_FOLDER_MARKERS.isdisjoint(list_own(path))
    if is_output or any(is_hidden_or_system_folder(part) for part in path.parts[-1:]):
        raise UsageError(f"{path} is not a folder of photos", hint="scans skip such folders")
    return path


def _find_known_root(library: Catalogue, path: Path, *, is_copy: bool) -> AdditionalRoot | None:
    """Return the additional root at `path`; None if it is new and can be added. Raises UsageError if it cannot."""
    roots = library.roots.additional
    known = next((root for root in roots if root.path == path.as_posix()), None)
    if known and known.is_added:
        return known
    others = tuple(root for root in roots if root is not known)
    _require_apart(library.root, others, path)
    if not known and not is_copy:
        _require_unknown_disk(library, path)
    if len(others) >= MAX_ROOTS:
        raise UsageError(f"a library has at most {MAX_ROOTS} additional folders")
    return known


def _require_apart(own: Path, others: tuple[AdditionalRoot, ...], path: Path) -> None:
    """Raise UsageError if a folder lies in the library or in another of its roots, or contains one of them."""
    if path.is_relative_to(own):
        raise UsageError(f"{path} is in the library {own} already", hint=f"faceclust scan {shlex.quote(str(path))}")
    if own.is_relative_to(path):
        hint = f"to make it the library: faceclust library move {shlex.quote(str(own))} {shlex.quote(str(path))}"
        raise UsageError(f"{path} contains the library {own}", hint=hint)
    for root in others:
        if path.is_relative_to(root.path):
            hint = f"faceclust scan {shlex.quote(str(path))}"
            raise UsageError(f"{path} is in the library already, as a part of {root.path}", hint=hint)
        if overlaps(root.path, path):
            hint = f"first: faceclust scan --remove-root {shlex.quote(root.path)}"
            raise UsageError(f"{path} contains {root.path}, which is a part of the library", hint=hint)


def _require_unknown_disk(library: Catalogue, path: Path) -> None:
    """Raise UsageError if a folder holds the photos of a root that is away: its disk seems to have another path."""
    for root in library.roots.away:
        if holds_known_photos(library.home, library.cache_info, root, path.as_posix()):
            move = f"faceclust scan --move-root {shlex.quote(root.path)} {shlex.quote(str(path))}"
            raise UsageError(
                f"{path} holds the photos of {root.path}, which is away",
                hint=f"if it is that disk: {move}; if it is a copy: add --yes",
            )


def _find_root(library: Catalogue, folder: str | os.PathLike[str]) -> AdditionalRoot:
    """Find an additional root by its path, which may be away. Raises UsageError."""
    typed = os.path.abspath(expand_user(folder))  # noqa: PTH100 - its disk may be away
    paths = {Path(typed).as_posix(), Path(os.path.realpath(typed)).as_posix()}
    for root in library.roots.additional:
        if root.path in paths:
            return root
    known = ", ".join(root.path for root in library.roots.additional)
    hint = f"additional folders: {known}" if known else "this library has no additional folders"
    raise UsageError(f"{folder} is not an additional folder of the library {library.root}", hint=hint)


def _delete_folder(folder: Path) -> None:
    """Delete a folder of caches in a home. Raises CacheError."""
    with translate_os_errors():
        found = list(walk_own(folder))
        for path, _, files in found:
            for name in files:
                remove_file(path / name)
        for path, _, _ in reversed(found):
            remove_own_folder(path)


# -- the names of libraries on the disk ------------------------------------------


def _read_former_journals(library: Catalogue, top: Path) -> list[bytes]:
    """Return the usable lines of the journals of the libraries at a folder and in it, with absolute photo paths.

    Raises UsageError if such a library belongs to another user, or if the journals are too large; CacheError.
    """
    journals, total = list[bytes](), 0
    for file, folder in _list_journals(library, top):
        with translate_os_errors():
            if stat_own(file) is None:
                continue
            if file.parent == folder / HOME_FOLDER:  # other homes are in the user's own folders
                require_trusted_library(folder, can_be_chosen=False)
        journal = bytearray()
        for line in _relocate(read_journal(file), folder.as_posix()):
            total += len(line)
            if total > MAX_JOURNAL_SIZE:
                raise _too_large(top)
            journal += line
        journals.append(bytes(journal))
    return journals


def _take_over_answers(library: Catalogue, path: Path, journals: list[bytes]) -> int:
    """Add the answers of the libraries at a folder, and in it, to the journal. Return their number.

    They are copied, so that they stay known while the disk is away. Raises UsageError if the journal would be too
    large, CacheError.
    """
    if not any(journals):
        return 0
    with journal_transaction(library):
        own = read_journal(library.journal.path)
        merged = merge_journals([own, *journals])
        if len(merged) > MAX_JOURNAL_SIZE:
            raise _too_large(path)
        if merged != own:
            write_private_atomically(library.journal.path, lambda stream: stream.write(merged))
    return merged.count(b"\n") - count_distinct_lines(own)


def _too_large(path: Path) -> UsageError:
    return UsageError(
        f"the names given in {path} cannot be taken over: the journal would be larger than {MAX_JOURNAL_SIZE:,} bytes"
    )


def _list_journals(library: Catalogue, top: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the journals of the libraries at a folder and in it, which may be missing, with the folders that their
    photo paths start at. Raises CacheError."""
    nested = NestedHomes()
    library.progress.start("looking for libraries", None, "folders")
    with translate_os_errors():
        for path, folders, files in walk_own(top, lambda error: None):
            library.progress.advance()
            if not EXCLUDED_FOLDER_MARKERS.isdisjoint(files):
                folders.clear()
                continue
            start = join_posix(top.as_posix(), below) if (below := relative_posix(top, path)) else top.as_posix()
            yield from ((home / JOURNAL_NAME, Path(start)) for home in nested.find(path, folders))
            folders[:] = [name for name in folders if not is_hidden_or_system_folder(name)]
    library.progress.finish()


def _relocate(journal: bytes, folder: str) -> Iterator[bytes]:
    """Yield the usable lines of another library's journal with absolute photo paths."""
    for line in split_lines(io.BytesIO(journal)):
        record = None if is_damaged(line) else parse_record(line)
        if record is None:
            continue
        for field in ("faces", "rest"):
            if isinstance(faces := record.get(field), list):
                record[field] = [_relocate_face(face, folder) for face in faces]
        if not is_damaged(relocated := encode_record(record)):
            yield relocated


def _relocate_face(face: Any, folder: str) -> Any:
    if isinstance(face, dict) and isinstance(photo := face.get("photo"), str) and not is_absolute_posix(photo):
        return face | {"photo": join_posix(folder, photo)}
    return face
