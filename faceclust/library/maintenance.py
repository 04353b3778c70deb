"""The care of a library's caches: are they whole, what can go. Photos are only ever read."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import CacheError, UsageError
from faceclust.files.atomic import TEMPORARY_SUFFIX, remove_file
from faceclust.files.names import pack_of_cache_file
from faceclust.people.journal import Journal
from faceclust.photos.face_ids import face_id
from faceclust.store.clusters import read_clusters
from faceclust.store.erase import find_traces
from faceclust.store.folder_cache import (
    FolderCache,
    UnusableCacheError,
    is_unfinished_cache,
    read_cache,
    read_cache_info,
)
from faceclust.store.home import FOLDERS_NAME, JOURNAL_NAME, SET_ASIDE_NAME, LibraryHome
from faceclust.store.inspection import InspectionResult, Problem, inspect_cache, stat_files
from faceclust.store.locations import CachePaths
from faceclust.store.schema import encode_parquet, without_photos
from faceclust.store.thumbs import ThumbStore

_KIND_FOLDER_CACHE, _KIND_SET_ASIDE, _KIND_UNFINISHED = "folder caches", "caches set aside", "unfinished files"
_KIND_FACE_PICTURE, _KIND_GROUPING, _KIND_SCAN_NOTE = "face pictures", "groupings", "notes of the last scan"


# -- check ------------------------------------------------------------------


def check_caches(library: Catalogue, *, hash_photos: bool = False) -> dict[str, Any]:
    """Look through everything that is kept of a library, as `faceclust cache check --json` prints it;
    `problems` is empty where all is well. `hash_photos`: read the photos again too."""
    files = library.home.cache_files()
    total = InspectionResult()
    library.progress.start("checking caches", len(files), "caches")
    for path, folder in files:
        found = inspect_cache(path, library.root / folder, face_id, hash_photos=hash_photos)
        for name in ("photos", "faces", "missing", "changed", "hashed", "problems"):
            setattr(total, name, getattr(total, name) + getattr(found, name))
        library.progress.advance()
    library.progress.finish()
    for home in library.home.homes:
        total.problems += [*_check_clusterings(home), *_check_journal(home / JOURNAL_NAME)]
    return {"library": str(library.root), "caches": len(files), **asdict(total)}


def _check_clusterings(home: Path) -> Iterator[Problem]:
    for name in ("clusters.parquet", "clusters-before.parquet"):
        try:
            read_clusters(home / name)
        except CacheError as error:
            yield Problem(str(home / name), str(error).removeprefix(f"{home / name} "), "type: faceclust cluster")


def _check_journal(journal: Path) -> Iterator[Problem]:
    notes: list[str] = []
    try:
        Journal(journal, (), notes.append).events()
    except CacheError as error:
        yield Problem(str(journal), str(error), "check the disk; is there a backup?")
    for note in notes:
        where, _, what = note.removeprefix(str(journal)).removeprefix(":").partition(": ")
        yield Problem(f"{journal}:{where}", what, "mend the line, or take the file from a backup")


# -- prune ------------------------------------------------------------------


@dataclass(frozen=True)
class Deletion:
    """A file that goes: its kind, in words, and its size in bytes."""

    path: Path
    kind: str
    size: int


@dataclass
class PrunePlan:
    """What is of no use any more: `rows` by cache file, the names of photos that are gone; `saved`
    the bytes their rows take; `files` that go as a whole; `failed` what could not be done."""

    stale_photos: dict[Path, list[str]] = field(default_factory=dict)
    bytes_saved: int = 0
    files: list[Deletion] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.bytes_saved + sum(going.size for going in self.files)

    @property
    def count_by_kind(self) -> dict[str, int]:
        """Kind of file → how many go."""
        return dict(Counter(going.kind for going in self.files))


def prune_caches(library: Catalogue, *, dry_run: bool = False) -> PrunePlan:
    """Remove what is known of photos and folders that are gone, and what is left over: never a name,
    never a photo. Raises UsageError where no photo at all is there, LibraryBusyError."""
    if dry_run:
        return _plan_prune(library.home)
    with library.home.lock("pruning caches"), library.home.lock_journal():
        plan = _plan_prune(library.home)
        for path, photos in plan.stale_photos.items():
            _collect_failure(plan.failures, lambda: _open_cache(path).remove_photos(photos))  # noqa: B023 - called at once
        _delete_files(plan.files, plan.failures)
    _remove_empty_folders(_writable_homes(library.home))
    return plan


def _plan_prune(home: LibraryHome) -> PrunePlan:
    plan, known = PrunePlan(), set[str]()
    photos = gone = 0
    files = home.cache_files()
    ours = set(_writable_files(home, files))
    for path, folder in files:
        try:
            rows = read_cache(path, read_cache_info(path))
        except (UnusableCacheError, CacheError):  # for `check` to tell, and `scan` to make anew
            continue
        names = set(rows["photo"].to_pylist())
        missing = _missing_photos(names, home.root / folder)
        rest = without_photos(rows, missing)
        photos, gone = photos + len(names), gone + len(missing)
        known.update(rest["face_id"].drop_null().to_pylist())
        if (path, folder) not in ours:
            continue
        if len(missing) == len(names):
            plan.files.append(_plan_deletion(path, _KIND_FOLDER_CACHE))
        elif missing:
            plan.stale_photos[path] = sorted(missing)
            plan.bytes_saved += max(0, _file_size(path) - len(encode_parquet(rest)))
    if photos and gone == photos:
        raise UsageError(f"none of the {photos:,} photos known in {home.root} is there", hint="is the disk mounted?")
    plan.files += _find_leftovers(home)
    for place in _writable_homes(home):
        thumbs = ThumbStore(place / "thumbs")
        plan.files += [
            _plan_deletion(thumbs.path(face), _KIND_FACE_PICTURE) for face in sorted({*thumbs.face_ids()} - known)
        ]
    return plan


def _missing_photos(names: set[str], folder: Path) -> set[str]:
    try:
        return names - stat_files(folder).keys()
    except OSError:
        return set() if os.path.isdir(folder) else names


def _writable_files(home: LibraryHome, files: Iterable[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """Those that may be written to: none in a library whose files are kept elsewhere."""
    apart = not home.home.is_relative_to(home.root)
    return [(path, folder) for path, folder in files if not (apart and path.is_relative_to(home.root))]


def _writable_homes(home: LibraryHome) -> list[Path]:
    return [place for place, _ in _writable_files(home, ((place, "") for place in home.homes))]


def _find_leftovers(home: LibraryHome) -> Iterator[Deletion]:
    places = _writable_homes(home)
    for path, _ in _writable_files(home, ((path, "") for path in find_traces(home).leftovers)):
        # Libraries in a part of this one look after their own, and half lines are what a user said.
        own = any(path.is_relative_to(place) for place in places)
        if is_unfinished_cache(path.name) or (own and path.suffix == TEMPORARY_SUFFIX):
            yield _plan_deletion(path, _KIND_UNFINISHED)
        elif any(path.is_relative_to(place / SET_ASIDE_NAME) for place in places):
            yield _plan_deletion(path, _KIND_SET_ASIDE)


# -- clear ------------------------------------------------------------------


def plan_clear(library: Catalogue, pack: str | None = None) -> list[Deletion]:
    """Every file that can be made again from the photos; `pack`: only what these models made."""
    home, going = library.home, list[Deletion]()
    for path, _ in find_traces(home).caches:
        if pack in (None, pack_of_cache_file(path.name)):
            going.append(_plan_deletion(path, _KIND_FOLDER_CACHE))
    going += [one for one in _find_leftovers(home) if pack is None or pack_of_cache_file(f".{one.path.name}") == pack]
    for place in home.homes:
        groupings = [place / "clusters.parquet", place / "clusters-before.parquet"]
        going += [
            _plan_deletion(path, _KIND_GROUPING) for path in groupings if path.exists() and _is_made_with(path, pack)
        ]
        if pack is None:
            thumbs = ThumbStore(place / "thumbs")
            going += [_plan_deletion(thumbs.path(face), _KIND_FACE_PICTURE) for face in sorted(thumbs.face_ids())]
            notes = [place / home.last_scan_file.name, *sorted(place.glob("seen*.json"))]
            going += [_plan_deletion(note, _KIND_SCAN_NOTE) for note in notes if note.exists()]
    return going


def clear_caches(library: Catalogue, deletions: Iterable[Deletion]) -> None:
    """Delete the files of `plan_clear`. Raises CacheError, naming the files, where some could not
    be; all else is done then."""
    failed: list[str] = []
    with library.home.lock("clearing caches"), library.home.lock_journal():
        _delete_files(deletions, failed)
    _remove_empty_folders(library.home.homes)
    if failed:
        raise CacheError("all else is gone, but " + "; ".join(failed))


def _is_made_with(path: Path, pack: str | None) -> bool:
    if pack is None:
        return True
    with contextlib.suppress(CacheError):
        found = read_clusters(path)
        return found is not None and found.models.partition(" ")[0] == pack
    return False


# -- both -------------------------------------------------------------------


def _plan_deletion(path: Path, kind: str) -> Deletion:
    return Deletion(path, kind, _file_size(path))


def _file_size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _open_cache(path: Path) -> FolderCache:
    return FolderCache(CachePaths(path, (), path), read_cache_info(path))


def _delete_files(files: Iterable[Deletion], failed: list[str]) -> None:
    for going in files:
        _collect_failure(failed, lambda: remove_file(going.path))  # noqa: B023 - called at once


def _collect_failure(failed: list[str], do: Any) -> None:
    try:
        do()
    except (CacheError, UnusableCacheError) as error:
        failed.append(str(error))


def _remove_empty_folders(homes: Iterable[Path]) -> None:
    for folder in (home / kind for home in homes for kind in (FOLDERS_NAME, SET_ASIDE_NAME, "thumbs")):
        for path, _, _ in os.walk(folder, topdown=False):
            with contextlib.suppress(OSError):  # not empty
                Path(path).rmdir()
