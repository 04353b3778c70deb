"""Make an outer or inner folder the root of a library, or end a library. Names are never lost."""

from __future__ import annotations

import io
import os
import posixpath
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faceclust.errors import CacheError, UsageError
from faceclust.files.atomic import make_private_folder, remove_file, write_private_atomically
from faceclust.files.names import DEFAULT_PACK, pack_of_cache_file
from faceclust.files.own_files import (
    is_own_folder,
    list_own,
    own_exists,
    read_own,
    remove_own_folder,
    translate_os_errors,
    walk_own,
)
from faceclust.files.safe_paths import is_absolute_posix, is_at_or_below, relative_posix
from faceclust.files.user_folders import data_folder
from faceclust.people.events import effective_events
from faceclust.people.journal import Journal
from faceclust.people.journal_lines import (
    MAX_JOURNAL_SIZE,
    encode_record,
    is_damaged,
    merge_journals,
    parse_record,
    split_lines,
)
from faceclust.people.journal_reader import read_journal
from faceclust.people.sent_page import decode_page, encode_page
from faceclust.store.config import CONFIG_FILE_NAME
from faceclust.store.erase import find_traces
from faceclust.store.find_library import enclosing_library, forget_library, remember_library, resolve_folder
from faceclust.store.home import FOLDERS_NAME, JOURNAL_NAME, SENT_PAGES_NAME, LibraryHome
from faceclust.store.home_files import is_home_file
from faceclust.store.locations import cache_dirs_of, forget_cache_dirs, save_added_roots
from faceclust.store.roots_file import overlaps
from faceclust.store.settings import copy_config_including, included_folders

#: The folder in the user's data folder for the journals of libraries that were ended.
_ENDED_FOLDER = "ended-libraries"
_MAX_FILE_SIZE = 1 << 30  # bytes
#: Bytes of a library's name in the name of such a journal. File systems allow 255 in all.
_MAX_NAME_SIZE = 200
_TORN_NAME = Path(JOURNAL_NAME).with_suffix(".torn").name


@dataclass(frozen=True)
class EndPlan:
    """The files that make a folder a library.

    `files`: to delete; all can be made again from the photos, except `config`, the library's options (None if it
    has none). `answers`: the number of answers in effect; they are kept in a file elsewhere.
    """

    root: Path
    homes: tuple[Path, ...]
    files: tuple[Path, ...]
    config: Path | None
    answers: int


def move_library(root: Path, target: Path) -> int:
    """Make `target`, a folder around the library at `root` or in it, the root of the library.

    It keeps its names, options, groups and caches. If `target` is a library, the journals are merged. Photos
    outside of `target` are no longer part of the library; their names stay in the journal. Return the number of
    answers now in effect. Raises UsageError if neither folder contains the other, if somebody else's files are in
    the library's home, or if an answer cannot be moved; LibraryBusyError, CacheError.
    """
    target = resolve_folder(target)
    if target == root or not (target.is_relative_to(root) or root.is_relative_to(target)):
        raise UsageError(
            f"{target} is not a folder around the library {root}, or in it",
            hint="names move with a library's folder, and to a copy by faceclust journal --merge",
        )
    source = LibraryHome(root)
    home = LibraryHome(target, cache_dir=next(iter(cache_dirs_of(root)), None))
    _require_movable_roots(source, home)
    with source.lock("moving the library"), source.lock_journal():
        _list_home_files(source)  # before anything is written at the target
        relocated = list(_relocated_journals(source, target))
        torn = [read_journal(place / _TORN_NAME) for place in source.homes]
        with home.lock("moving the library"), home.lock_journal():
            _merge_into(home.journal, relocated)
            _merge_into(home.journal.with_name(_TORN_NAME), torn)
            _copy_files(source, home)
            plan = _plan_end(source, lambda folder: not _is_outside(relocate(folder or ".", root, target)))
            _delete(plan.files)
    _delete_homes(plan)
    forget_library(root)
    remember_library(target)
    return len(effective_events(Journal(home.journal).events()))


def _require_movable_roots(source: LibraryHome, home: LibraryHome) -> None:
    """Raise UsageError if the additional folders of a library cannot be those of the library at its new root."""
    for one in source.roots.additional:
        if overlaps(one.path, home.root):
            raise UsageError(
                f"{one.path} is an additional folder of the library, and would be a part of {home.root}",
                hint=f"first: faceclust scan --library {shlex.quote(str(source.root))} "
                f"--remove-root {shlex.quote(one.path)}",
            )
    if source.roots.additional and home.roots.additional:
        raise UsageError(
            f"both {source.root} and {home.root} have additional folders",
            hint="take those of one library off it first: faceclust scan --remove-root PATH",
        )


def _merge_into(file: Path, others: Iterable[bytes]) -> None:
    """Add the lines of other journals to a file."""
    before = read_journal(file)
    merged = merge_journals([before, *others])
    _require_size(merged)
    if merged != before:
        write_private_atomically(file, lambda stream: stream.write(merged))


def _relocated_journals(source: LibraryHome, target: Path) -> Iterator[bytes]:
    """Yield the journals of a library with the photo paths relative to `target`. Raises UsageError if a line
    would no longer be valid."""
    for place in source.homes:
        yield b"".join(_relocate_line(line, source.root, target) for line in _lines(read_journal(place / JOURNAL_NAME)))


def _lines(content: bytes) -> Iterator[bytes]:
    return split_lines(io.BytesIO(content))


def _relocate_line(line: bytes, root: Path, target: Path) -> bytes:
    """Return a line of the journal with its photo paths relative to `target`; an unreadable one as it is."""
    record = parse_record(line)
    if record is None or is_damaged(line):
        return line.rstrip(b"\r\n") + b"\n"
    for field in ("faces", "rest"):
        faces = record.get(field)
        if isinstance(faces, list):
            record[field] = [_relocate_face(face, root, target) for face in faces]
    relocated = encode_record(record)
    if is_damaged(relocated):
        raise UsageError(
            f"an answer cannot be moved to {target}: its photo paths would be too long",
            hint="the library stays as it is; move it to a folder that is nearer",
        )
    return relocated


def _relocate_face(face: Any, root: Path, target: Path) -> Any:
    if isinstance(face, dict) and isinstance(photo := face.get("photo"), str):
        return face | {"photo": relocate(photo, root, target)}
    return face


def relocate(path: str, root: Path, target: Path) -> str:
    """Return a POSIX path below `root` relative to `target`. It begins with ".." if it is outside of `target`, so
    that it is not taken for another photo. Bytes of the folders that are not UTF-8 become \\xNN, as in caches."""
    if is_absolute_posix(path):  # on another disk
        return path
    start, end = (os.fsencode(folder.as_posix()).decode("utf-8", "backslashreplace") for folder in (root, target))
    return posixpath.relpath(posixpath.join(start, path), end)


def _is_outside(path: str) -> bool:
    return path == ".." or path.startswith("../")


def _copy_files(source: LibraryHome, home: LibraryHome) -> None:
    """Copy what the new home lacks: options, groups, the questions of pages that were sent, and caches that are not
    kept beside the photos."""
    if not any(own_exists(place / CONFIG_FILE_NAME) for place in home.homes) and own_exists(source.config_file):
        file, included = home.home / CONFIG_FILE_NAME, included_folders(source.root)
        moved = [relocate(folder, source.root, home.root) for folder in included]
        if included:
            copy_config_including([folder for folder in moved if not _is_outside(folder)], source.config_file, file)
        else:
            _copy(source.config_file, file)
    if not own_exists(home.existing_clusters()) and own_exists(clusters := source.existing_clusters()):
        _copy(clusters, home.clusters)
    for page in _list_sent_pages(source):
        if not own_exists(new := home.home / SENT_PAGES_NAME / page.name):
            _copy(page, new, lambda content: _relocate_page(content, source.root, home.root))
    if source.roots.additional:
        home.set_roots(source.roots.additional)
    for path, folder in source.cache_files():
        moved_folder = relocate(folder or ".", source.root, home.root)
        if any(path.is_relative_to(place) for place in source.homes) and not _is_outside(moved_folder):
            new = home.home / FOLDERS_NAME / moved_folder / path.name
            if is_absolute_posix(folder):
                new = home.cache_paths(folder, pack_of_cache_file(path.name) or DEFAULT_PACK).write_path
            if not own_exists(new):
                _copy(path, new)


def _list_sent_pages(home: LibraryHome) -> Iterator[Path]:
    for place in home.homes:
        if is_own_folder(folder := place / SENT_PAGES_NAME):
            with translate_os_errors():
                yield from (folder / name for name in list_own(folder) if is_home_file(f"{SENT_PAGES_NAME}/{name}"))


def _relocate_page(content: bytes, root: Path, target: Path) -> bytes:
    """Return the questions of a sent page with the paths below the new root. One that cannot be read stays as it is."""
    try:
        page = decode_page(content)
        questions = [
            one
            and replace(one, faces=tuple(replace(face, photo=relocate(face.photo, root, target)) for face in one.faces))
            for one in page.questions
        ]
        return encode_page(replace(page, questions=tuple(questions)))
    except ValueError:
        return content


def _copy(path: Path, target: Path, change: Callable[[bytes], bytes] = bytes) -> None:
    with translate_os_errors():
        content = change(read_own(path, _MAX_FILE_SIZE))
    make_private_folder(target.parent)
    write_private_atomically(target, lambda stream: stream.write(content))
    with translate_os_errors():
        os.utime(target, ns=(times := path.lstat().st_mtime_ns, times))  # the oldest sent pages go first


def plan_end(root: Path) -> EndPlan:
    """Plan to end the library at `root`: to delete what faceclust made there. Libraries in and around it keep
    their files. Raises CacheError if a folder cannot be listed, UsageError if somebody else's files are in a home,
    or if a library around it uses its answers."""
    outer = enclosing_library(root.parent)
    plan = _plan_end(LibraryHome(root), lambda folder: outer is not None)
    if outer is not None and plan.answers:
        raise UsageError(
            f"{root} is a part of the library {outer}, which uses its answers",
            hint=f"faceclust library move {shlex.quote(str(root))} {shlex.quote(str(outer))}",
        )
    return plan


def _plan_end(home: LibraryHome, is_shared: Callable[[str], bool]) -> EndPlan:
    """Plan to delete a library's homes, and its caches beside photos unless another library shares the folder."""
    homes, files = _list_home_files(home)
    nested = home.nested_libraries()
    files += [
        path
        for path, folder in find_traces(home).caches
        if not is_shared(folder)
        and not any(is_at_or_below(folder, other) for other in nested)
        and not any(path.is_relative_to(place) for place in homes)
    ]
    answers = effective_events(Journal(home.journal, [(place / JOURNAL_NAME, "") for place in home.homes[1:]]).events())
    config = home.config_file if own_exists(home.config_file) else None
    return EndPlan(home.root, homes, tuple(files), config, len(answers))


def _list_home_files(home: LibraryHome) -> tuple[tuple[Path, ...], list[Path]]:
    """Return the existing homes of a library and the files in them. Raises UsageError if faceclust did not write
    one of the files: it is the user's, and the home cannot be deleted while it is there."""
    with translate_os_errors():
        homes = tuple(place for place in home.homes if is_own_folder(place))
        files = []
        for place in homes:
            for folder, _, names in walk_own(place):
                for name in names:
                    if not is_home_file(posixpath.join(relative_posix(place, folder), name)):
                        raise UsageError(
                            f"{folder / name} is not a file of faceclust", hint="move it elsewhere, then try again"
                        )
                    files.append(folder / name)
    return homes, files


def end_library(plan: EndPlan) -> Path | None:
    """Carry out a plan of `plan_end`. Return the file that the answers were moved to, None if there were none.

    Raises LibraryBusyError, and CacheError if a file cannot be deleted; the answers are safe then.
    """
    home = LibraryHome(plan.root)
    with home.lock("ending the library"), home.lock_journal():
        kept = _set_answers_aside(home)
        _delete(plan.files)
    _delete_homes(plan)
    forget_library(plan.root)
    return kept


def _set_answers_aside(home: LibraryHome) -> Path | None:
    names = (JOURNAL_NAME, _TORN_NAME)
    journal = merge_journals([read_journal(place / name) for place in home.homes for name in names])
    if not journal:
        return None
    _require_size(journal)
    folder, number = data_folder() / _ENDED_FOLDER, 1
    name = os.fsencode(home.root.name)[:_MAX_NAME_SIZE].decode("utf-8", "ignore") or "root"
    while own_exists(file := folder / f"{name}-{number}.jsonl"):
        number += 1
    make_private_folder(folder)
    write_private_atomically(file, lambda stream: stream.write(journal))
    return file


def _require_size(journal: bytes) -> None:
    if len(journal) > MAX_JOURNAL_SIZE:
        raise UsageError(f"the journal would be larger than {MAX_JOURNAL_SIZE:,} bytes")


def _delete(files: Iterable[Path]) -> None:
    for path in files:
        if not _is_lock(path):
            remove_file(path)


def _is_lock(path: Path) -> bool:
    return path.name in ("lock", "lock.owner", "people.lock", "people.lock.owner")


def _delete_homes(plan: EndPlan) -> None:
    """Delete the folders of a library's home and the locks in them, which were held until now."""
    with _folders_may_stay():
        for folder, name in [
            (folder, name) for home in plan.homes for folder, _, names in walk_own(home) for name in names
        ]:
            if _is_lock(folder / name):
                remove_file(folder / name)
        for home in plan.homes:
            for folder, _, _ in reversed(list(walk_own(home))):
                remove_own_folder(folder)
    forget_cache_dirs(plan.root)
    save_added_roots(plan.root, {})


@contextmanager
def _folders_may_stay() -> Iterator[None]:
    """Raise a CacheError in place of an OSError, such as of a folder with files of the user in it."""
    try:
        yield
    except OSError as error:
        raise CacheError(f"{error.filename} cannot be deleted: {error.strerror or error}") from error
