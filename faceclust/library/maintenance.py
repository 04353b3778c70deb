"""Check, prune and clear the caches of a library. Photos are only ever read."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from faceclust.catalogue.catalogue import Catalogue
from faceclust.catalogue.remap import pack_of_clustering
from faceclust.errors import CacheError, NewerCacheError, UsageError
from faceclust.files.atomic import TEMPORARY_SUFFIX, remove_file
from faceclust.files.names import pack_of_cache_file
from faceclust.files.output_files import is_unfinished_output
from faceclust.files.own_files import list_own, remove_own_folder, stat_own, translate_os_errors, walk_own
from faceclust.files.user_folders import config_folder, state_folder
from faceclust.library.failures import collect_failures
from faceclust.people.journal import Journal
from faceclust.photos.face_ids import face_id
from faceclust.store.clusters import DamagedClusteringError, read_clusters
from faceclust.store.erase import find_traces
from faceclust.store.folder_cache import (
    FolderCache,
    UnusableCacheError,
    is_unfinished_cache,
    read_any_cache,
    read_cache_info,
)
from faceclust.store.home import FOLDERS_NAME, JOURNAL_NAME, SET_ASIDE_NAME, LibraryHome
from faceclust.store.inspection import InspectionResult, Problem, inspect_cache, stat_files
from faceclust.store.locations import CachePaths, saved_cache_dirs_folder
from faceclust.store.roots_file import ROOTS_NAME
from faceclust.store.schema import encode_parquet, without_photos
from faceclust.store.thumbs import ThumbStore

_KIND_FOLDER_CACHE, _KIND_SET_ASIDE, _KIND_UNFINISHED = "folder caches", "caches set aside", "unfinished files"
_KIND_FACE_PICTURE, _KIND_GROUPING, _KIND_SCAN_NOTE = "face pictures", "groupings", "notes of the last scan"


# -- check ------------------------------------------------------------------


def check_caches(library: Catalogue, *, hash_photos: bool = False) -> dict[str, Any]:
    """Check every file of a library, and return the record that `faceclust cache check --json` prints.

    `problems` is empty if nothing is wrong. `hash_photos`: hash the photos again as well. `away`: the number of
    photos on disks that are away, which are not looked for.
    """
    files = library.home.cache_files()
    total, away = InspectionResult(), 0
    library.progress.start("checking caches", len(files), "caches")
    for path, folder in files:
        photos = library.root / folder if library.is_here(folder) else None
        found = inspect_cache(path, photos, face_id, hash_photos=hash_photos)
        away += 0 if photos else found.photos
        if found.problems and (pack := pack_of_cache_file(path.name)):
            library.home.discard_scan_snapshot(pack)
        for name in ("photos", "faces", "missing", "changed", "hashed", "problems"):
            setattr(total, name, getattr(total, name) + getattr(found, name))
        library.progress.advance()
    library.progress.finish()
    for home in library.home.homes:
        total.problems += [*_check_clusterings(home), *_check_journal(home / JOURNAL_NAME)]
    return {"library": str(library.root), "caches": len(files), "away": away, **asdict(total)}


def _check_clusterings(home: Path) -> Iterator[Problem]:
    for name in ("clusters.parquet", "clusters-before.parquet"):
        try:
            read_clusters(home / name)
        except CacheError as error:
            yield Problem(str(home / name), str(error).removeprefix(f"{home / name} "), "faceclust cluster")


def _check_journal(journal: Path) -> Iterator[Problem]:
    notes: list[str] = []
    try:
        Journal(journal, (), notes.append).events()
    except CacheError as error:
        yield Problem(str(journal), str(error), "check the disk, or restore the file from a backup")
    for note in notes:
        line, _, message = note.removeprefix(str(journal)).removeprefix(":").partition(": ")
        yield Problem(f"{journal}:{line}", message, "repair the line, or restore the file from a backup")


# -- prune ------------------------------------------------------------------


@dataclass(frozen=True)
class Deletion:
    """A file to delete: its kind, in words, and its size in bytes."""

    path: Path
    kind: str
    size: int


@dataclass
class PrunePlan:
    """The rows and files that are of no use any more.

    `stale_photos`: cache file → names of photos that are gone. `bytes_saved`: size of their rows.
    `files`: files to delete. `failures`: messages of what could not be done.
    """

    stale_photos: dict[Path, list[str]] = field(default_factory=dict)
    bytes_saved: int = 0
    files: list[Deletion] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes freed in all."""
        return self.bytes_saved + sum(deletion.size for deletion in self.files)


def prune_caches(library: Catalogue, *, dry_run: bool = False) -> PrunePlan:
    """Remove the cached rows of photos and folders that are gone, and leftover files.

    Names and photos are never removed. `dry_run`: only plan it. Raises UsageError if all photos are
    gone, LibraryBusyError if another process writes to the library.
    """
    if dry_run:
        return _plan_prune(library.home)
    with library.home.lock("pruning caches"), library.home.lock_journal():
        plan = _plan_prune(library.home)
        for path, photos in plan.stale_photos.items():
            with collect_failures(plan.failures):
                _open_cache(path).remove_photos(photos)
        _delete_files(plan.files, plan.failures)
    _remove_empty_folders(_writable_homes(library.home))
    return plan


def _plan_prune(home: LibraryHome) -> PrunePlan:
    plan, known_faces = PrunePlan(), set[str]()
    photo_counts, gone_counts = Counter[str](), Counter[str]()  # by root
    files = home.cache_files()
    writable = set(_writable_files(home, files))
    for path, folder in files:
        try:
            rows = read_any_cache(path)[1]
        except (UnusableCacheError, NewerCacheError):  # `check_caches` reports it
            continue
        names = set(rows["photo"].to_pylist())
        with translate_os_errors():
            missing = names - stat_files(home.root / folder).keys() if home.roots.is_here(folder) else set[str]()
        remaining = without_photos(rows, missing)
        root = str(home.roots.split(folder)[0])
        photo_counts[root] += len(names)
        gone_counts[root] += len(missing)
        known_faces.update(remaining["face_id"].drop_null().to_pylist())
        if (path, folder) not in writable:
            continue
        if missing and len(missing) == len(names):
            plan.files.append(_plan_deletion(path, _KIND_FOLDER_CACHE))
        elif missing:
            plan.stale_photos[path] = sorted(missing)
            plan.bytes_saved += max(0, _file_size(path) - len(encode_parquet(remaining)))
    for root, count in photo_counts.items():
        if count and gone_counts[root] == count:
            raise UsageError(f"all {count:,} photos known in {root} are missing", hint="is the disk mounted?")
    plan.files += _find_leftovers(home)
    for place in _writable_homes(home):
        thumbs = ThumbStore(place / "thumbs")
        unknown = sorted({*thumbs.face_ids()} - known_faces)
        plan.files += [_plan_deletion(thumbs.path(face), _KIND_FACE_PICTURE) for face in unknown]
    return plan


def _writable_files(home: LibraryHome, files: Iterable[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """The files that may be written to: none inside a library whose files are kept elsewhere."""
    is_elsewhere = not home.home.is_relative_to(home.root)
    return [(path, folder) for path, folder in files if not (is_elsewhere and path.is_relative_to(home.root))]


def _writable_homes(home: LibraryHome) -> list[Path]:
    return [place for place, _ in _writable_files(home, ((place, "") for place in home.homes))]


def _find_leftovers(home: LibraryHome) -> Iterator[Deletion]:
    places = _writable_homes(home)
    for path, _ in _writable_files(home, ((path, "") for path in find_traces(home).leftovers)):
        # Nested libraries prune their own homes. Torn journal lines stay: they hold the user's answers.
        is_own = any(path.is_relative_to(place) for place in places)
        if (
            is_unfinished_cache(path.name)
            or is_unfinished_output(path.name)
            or (is_own and path.suffix == TEMPORARY_SUFFIX)
        ):
            yield _plan_deletion(path, _KIND_UNFINISHED)
        elif any(path.is_relative_to(place / ROOTS_NAME) for place in places):  # of a root that was removed
            yield _plan_deletion(path, _KIND_FOLDER_CACHE)
        elif any(path.is_relative_to(place / SET_ASIDE_NAME) for place in places):
            yield _plan_deletion(path, _KIND_SET_ASIDE)
    for folder in sorted({config_folder(), state_folder(), saved_cache_dirs_folder()}):
        with translate_os_errors():
            names = list_own(folder)
        yield from (
            _plan_deletion(folder / name, _KIND_UNFINISHED) for name in names if name.endswith(TEMPORARY_SUFFIX)
        )


# -- clear ------------------------------------------------------------------


def plan_clear(library: Catalogue, pack: str | None = None) -> list[Deletion]:
    """Plan to delete every file that can be made again from the photos. What is known of photos on disks that are
    away stays.

    `pack`: only the files made with the pack of this name.
    """
    home = library.home
    deletions = [
        _plan_deletion(path, _KIND_FOLDER_CACHE)
        for path, folder in find_traces(home).caches
        if pack in (None, pack_of_cache_file(path.name)) and home.roots.is_here(folder)
    ]
    faces_away = _read_faces_away(home)
    deletions += [
        deletion
        for deletion in _find_leftovers(home)
        if pack is None or pack_of_cache_file(f".{deletion.path.name}") == pack
    ]
    for place in home.homes:
        groupings = [place / "clusters.parquet", place / "clusters-before.parquet"]
        deletions += [
            _plan_deletion(path, _KIND_GROUPING) for path in groupings if _exists(path) and _is_made_with(path, pack)
        ]
        if pack is None:
            thumbs = ThumbStore(place / "thumbs")
            deletions += [
                _plan_deletion(thumbs.path(face), _KIND_FACE_PICTURE)
                for face in sorted({*thumbs.face_ids()} - faces_away)
            ]
            with translate_os_errors():
                names = list_own(place)
            notes = [name for name in names if name == home.last_scan_file.name or fnmatch(name, "seen*.json")]
            deletions += [_plan_deletion(place / note, _KIND_SCAN_NOTE) for note in notes]
    return deletions


def _read_faces_away(home: LibraryHome) -> set[str]:
    """Return the ids of the known faces on disks that are away."""
    found = set[str]()
    for root in home.roots.away:
        for path, _ in home.cache_files_of(root):
            with contextlib.suppress(UnusableCacheError, NewerCacheError):
                found.update(read_any_cache(path)[1]["face_id"].drop_null().to_pylist())
    return found


def clear_caches(library: Catalogue, deletions: Iterable[Deletion]) -> None:
    """Delete the files of `plan_clear`.

    Raises CacheError naming the files that could not be deleted, after all others are gone.
    """
    failures: list[str] = []
    with library.home.lock("clearing caches"), library.home.lock_journal():
        _delete_files(deletions, failures)
    _remove_empty_folders(library.home.homes)
    library.home.allow_new()
    if failures:
        raise CacheError("everything else is deleted, but " + "; ".join(failures))


def _is_made_with(path: Path, pack: str | None) -> bool:
    if pack is None:
        return True
    with contextlib.suppress(DamagedClusteringError):
        found = read_clusters(path)
        return found is not None and pack_of_clustering(found) == pack
    return False


# -- files ------------------------------------------------------------------


def _plan_deletion(path: Path, kind: str) -> Deletion:
    return Deletion(path, kind, _file_size(path))


def _exists(path: Path) -> bool:
    """Is there anything that would have to be deleted? Raises CacheError if that is unknown."""
    with translate_os_errors():
        return stat_own(path) is not None


def _file_size(path: Path) -> int:
    """Size in bytes; 0 for a file that has gone meanwhile. Raises CacheError."""
    with translate_os_errors():
        status = stat_own(path)
    return status.st_size if status else 0


def _open_cache(path: Path) -> FolderCache:
    return FolderCache(CachePaths(path, (), path), read_cache_info(path))


def _delete_files(deletions: Iterable[Deletion], failures: list[str]) -> None:
    for deletion in deletions:
        with collect_failures(failures):
            remove_file(deletion.path)


def _remove_empty_folders(homes: Iterable[Path]) -> None:
    for folder in (home / kind for home in homes for kind in (FOLDERS_NAME, ROOTS_NAME, SET_ASIDE_NAME, "thumbs")):
        with contextlib.suppress(OSError):  # it can stay
            for path, _, _ in reversed(list(walk_own(folder))):
                with contextlib.suppress(OSError):  # not empty
                    remove_own_folder(path)
