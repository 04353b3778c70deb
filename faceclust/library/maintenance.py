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
from faceclust.files.atomic import TEMPORARY, remove
from faceclust.files.names import pack_of
from faceclust.people.journal import Journal
from faceclust.photos.face_ids import face_id
from faceclust.store.clusters import read_clusters
from faceclust.store.erase import find_traces
from faceclust.store.folder_cache import FolderCache, UnusableCacheError, is_unfinished, made_by, read_cache
from faceclust.store.home import FOLDERS, JOURNAL_NAME, SET_ASIDE, LibraryHome
from faceclust.store.inspection import Inspected, Problem, inspect_cache, listing
from faceclust.store.locations import CachePaths
from faceclust.store.schema import parquet_bytes, without_photos
from faceclust.store.thumbs import ThumbStore

_CACHES, _ASIDE, _UNFINISHED = "folder caches", "caches set aside", "unfinished files"
_PICTURES, _GROUPINGS, _OTHER = "face pictures", "groupings", "notes of the last scan"


# -- check ------------------------------------------------------------------


def check_caches(library: Catalogue, *, hash_photos: bool = False) -> dict[str, Any]:
    """Look through everything that is kept of a library, as `faceclust cache check --json` prints it;
    `problems` is empty where all is well. `hash_photos`: read the photos again too."""
    files = library.home.cache_files()
    total = Inspected()
    library.progress.start("checking caches", len(files), "caches")
    for path, folder in files:
        found = inspect_cache(path, library.root / folder, face_id, hash_photos=hash_photos)
        for name in ("photos", "faces", "missing", "changed", "hashed", "problems"):
            setattr(total, name, getattr(total, name) + getattr(found, name))
        library.progress.advance()
    library.progress.finish()
    for home in library.home.homes:
        total.problems += [*_bad_groupings(home), *_bad_lines(home / JOURNAL_NAME)]
    return {"library": str(library.root), "caches": len(files), **asdict(total)}


def _bad_groupings(home: Path) -> Iterator[Problem]:
    for name in ("clusters.parquet", "clusters-before.parquet"):
        try:
            read_clusters(home / name)
        except CacheError as error:
            yield Problem(str(home / name), str(error).removeprefix(f"{home / name} "), "type: faceclust cluster")


def _bad_lines(journal: Path) -> Iterator[Problem]:
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
class Going:
    """A file that goes: its kind, in words, and its size in bytes."""

    path: Path
    kind: str
    size: int


@dataclass
class Pruning:
    """What is of no use any more: `rows` by cache file, the names of photos that are gone; `saved`
    the bytes their rows take; `files` that go as a whole; `failed` what could not be done."""

    rows: dict[Path, list[str]] = field(default_factory=dict)
    saved: int = 0
    files: list[Going] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.saved + sum(going.size for going in self.files)

    @property
    def kinds(self) -> dict[str, int]:
        """Kind of file → how many go."""
        return dict(Counter(going.kind for going in self.files))


def prune_caches(library: Catalogue, *, dry_run: bool = False) -> Pruning:
    """Remove what is known of photos and folders that are gone, and what is left over: never a name,
    never a photo. Raises UsageError where no photo at all is there, LibraryBusyError."""
    if dry_run:
        return _plan_pruning(library.home)
    with library.home.locked("pruning caches"), library.home.journal_locked():
        plan = _plan_pruning(library.home)
        for path, photos in plan.rows.items():
            _try(plan.failed, lambda: _cache(path).drop(photos))  # noqa: B023 - called at once
        _remove(plan.files, plan.failed)
    _remove_empty_folders(_our_places(library.home))
    return plan


def _plan_pruning(home: LibraryHome) -> Pruning:
    plan, known = Pruning(), set[str]()
    photos = gone = 0
    files = home.cache_files()
    ours = set(_ours(home, files))
    for path, folder in files:
        try:
            rows = read_cache(path, made_by(path))
        except (UnusableCacheError, CacheError):  # for `check` to tell, and `scan` to make anew
            continue
        names = set(rows["photo"].to_pylist())
        missing = _missing(names, home.root / folder)
        rest = without_photos(rows, missing)
        photos, gone = photos + len(names), gone + len(missing)
        known.update(rest["face_id"].drop_null().to_pylist())
        if (path, folder) not in ours:
            continue
        if len(missing) == len(names):
            plan.files.append(_going(path, _CACHES))
        elif missing:
            plan.rows[path] = sorted(missing)
            plan.saved += max(0, _size(path) - len(parquet_bytes(rest)))
    if photos and gone == photos:
        raise UsageError(f"none of the {photos:,} photos known in {home.root} is there", hint="is the disk mounted?")
    plan.files += _left_over(home)
    for place in _our_places(home):
        thumbs = ThumbStore(place / "thumbs")
        plan.files += [_going(thumbs.path(face), _PICTURES) for face in sorted({*thumbs.kept()} - known)]
    return plan


def _missing(names: set[str], folder: Path) -> set[str]:
    try:
        return names - listing(folder).keys()
    except OSError:
        return set() if os.path.isdir(folder) else names


def _ours(home: LibraryHome, files: Iterable[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """Those that may be written to: none in a library whose files are kept elsewhere."""
    apart = not home.home.is_relative_to(home.root)
    return [(path, folder) for path, folder in files if not (apart and path.is_relative_to(home.root))]


def _our_places(home: LibraryHome) -> list[Path]:
    return [place for place, _ in _ours(home, ((place, "") for place in home.homes))]


def _left_over(home: LibraryHome) -> Iterator[Going]:
    places = _our_places(home)
    for path, _ in _ours(home, ((path, "") for path in find_traces(home).leftovers)):
        # Libraries in a part of this one look after their own, and half lines are what a user said.
        own = any(path.is_relative_to(place) for place in places)
        if is_unfinished(path.name) or (own and path.suffix == TEMPORARY):
            yield _going(path, _UNFINISHED)
        elif any(path.is_relative_to(place / SET_ASIDE) for place in places):
            yield _going(path, _ASIDE)


# -- clear ------------------------------------------------------------------


def plan_clearing(library: Catalogue, pack: str | None = None) -> list[Going]:
    """Every file that can be made again from the photos; `pack`: only what these models made."""
    home, going = library.home, list[Going]()
    for path, _ in find_traces(home).caches:
        if pack in (None, pack_of(path.name)):
            going.append(_going(path, _CACHES))
    going += [one for one in _left_over(home) if pack is None or pack_of(f".{one.path.name}") == pack]
    for place in home.homes:
        groupings = [place / "clusters.parquet", place / "clusters-before.parquet"]
        going += [_going(path, _GROUPINGS) for path in groupings if path.exists() and _made_with(path, pack)]
        if pack is None:
            thumbs = ThumbStore(place / "thumbs")
            going += [_going(thumbs.path(face), _PICTURES) for face in sorted(thumbs.kept())]
            notes = [place / home.last_scan_note.name, *sorted(place.glob("seen*.json"))]
            going += [_going(note, _OTHER) for note in notes if note.exists()]
    return going


def clear_caches(library: Catalogue, going: Iterable[Going]) -> None:
    """Delete the files of `plan_clearing`. Raises CacheError, naming the files, where some could not
    be; all else is done then."""
    failed: list[str] = []
    with library.home.locked("clearing caches"), library.home.journal_locked():
        _remove(going, failed)
    _remove_empty_folders(library.home.homes)
    if failed:
        raise CacheError("all else is gone, but " + "; ".join(failed))


def _made_with(path: Path, pack: str | None) -> bool:
    if pack is None:
        return True
    with contextlib.suppress(CacheError):
        found = read_clusters(path)
        return found is not None and found.models.partition(" ")[0] == pack
    return False


# -- both -------------------------------------------------------------------


def _going(path: Path, kind: str) -> Going:
    return Going(path, kind, _size(path))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _cache(path: Path) -> FolderCache:
    return FolderCache(CachePaths(path, (), path), made_by(path))


def _remove(files: Iterable[Going], failed: list[str]) -> None:
    for going in files:
        _try(failed, lambda: remove(going.path))  # noqa: B023 - called at once


def _try(failed: list[str], do: Any) -> None:
    try:
        do()
    except (CacheError, UnusableCacheError) as error:
        failed.append(str(error))


def _remove_empty_folders(homes: Iterable[Path]) -> None:
    for folder in (home / kind for home in homes for kind in (FOLDERS, SET_ASIDE, "thumbs")):
        for path, _, _ in os.walk(folder, topdown=False):
            with contextlib.suppress(OSError):  # not empty
                Path(path).rmdir()
