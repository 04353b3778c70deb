"""Plan the changes to an albums folder; `make` executes the plan."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from faceclust.errors import FaceclustError, UsageError
from faceclust.files.library_roots import LibraryRoots, as_roots
from faceclust.files.names import (
    ALBUMS_MARKER,
    CROPS_MARKER,
    HOME_FOLDER,
    HOME_MARKER,
    PHOTO_EXTENSIONS,
    REPORT_MARKER,
    has_cache_prefix,
)
from faceclust.files.own_files import stat_own
from faceclust.outputs.albums.arrange import arrange_albums
from faceclust.outputs.albums.existing import CHANGED, DISK_AWAY, ExistingFiles
from faceclust.outputs.albums.layout import DEFAULT_LAYOUT, parse_layout
from faceclust.outputs.albums.links import COPY_KINDS, LinkTargets, require_link_kind
from faceclust.outputs.albums.manifest import Manifest, ManifestEntry, read_albums_manifest
from faceclust.outputs.albums.safe_names import name_key
from faceclust.outputs.albums.selection import Album
from faceclust.types import PhotoInfo


@dataclass(frozen=True)
class SkippedPath:
    """A path in the albums folder that is left alone, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True)
class AlbumPlan:
    """The planned changes below `out`, as manifest entries by path.

    `make` has links to create; those also in `replace` take the place of an existing link of ours.
    `keep` has links that are up to date, `remove` links to remove. `retained` has files of ours that
    hold content found nowhere else. `skipped` has all paths that are left alone. `albums` are the
    labels of the albums with at least one photo, `photos` are all photos of the library, and `roots` its roots.
    """

    root: Path
    out: Path
    kind: str
    library: str
    previous_manifest: Manifest
    albums: tuple[str, ...] = ()
    make: dict[str, ManifestEntry] = field(default_factory=dict)
    replace: dict[str, ManifestEntry] = field(default_factory=dict)
    keep: dict[str, ManifestEntry] = field(default_factory=dict)
    remove: dict[str, ManifestEntry] = field(default_factory=dict)
    retained: dict[str, ManifestEntry] = field(default_factory=dict)
    skipped: tuple[SkippedPath, ...] = ()
    photos: Mapping[str, PhotoInfo] = field(default_factory=dict, repr=False)
    roots: LibraryRoots | None = None


def build_album_plan(
    albums: Iterable[Album],
    photos: Mapping[str, PhotoInfo],
    root: Path | LibraryRoots,
    folders: Iterable[Path],
    out: Path,
    *,
    layout: str = DEFAULT_LAYOUT,
    kind: str = "symlink",
    absolute: bool = False,
) -> AlbumPlan:
    """Plan the changes that these albums need in `out`.

    `photos` are all photos of the library at `root`, or with these roots, by path; `folders` are the folders they
    are in. Symbolic links to photos on a disk that is away are planned, too; of other links to them, the
    existing ones are kept.
    With `absolute`, symbolic links have absolute targets. Raises UsageError for an invalid layout or
    an unsuitable `out`. Raises FaceclustError if the manifest cannot be read or no photo is available.
    """
    require_link_kind(kind)
    pattern = parse_layout(layout)
    roots = as_roots(root)
    root = roots.own.resolve()
    roots = replace(roots, own=root)
    out = _resolve_out_folder(out, root, folders)
    manifest = read_albums_manifest(out)
    disk, targets = ExistingFiles(roots, out, photos), LinkTargets(root, out, absolute=absolute)
    available = _available_albums(albums, disk, root)
    labels = tuple(album.label for album in available)
    plan = AlbumPlan(root, out, kind, targets.library_path, manifest, labels, photos=photos, roots=roots)
    paths = arrange_albums(available, photos, pattern)
    own, skipped = _find_own_links(manifest, disk, root)
    # On a case-insensitive disk, a link to be removed may block the same path in another spelling.
    vacated = {name_key(path) for path in own.keys() - paths.keys()}
    for path, photo in paths.items():
        if disk.is_away(photo) and kind != "symlink":
            if path in own:
                plan.keep[path] = own[path]
            else:
                skipped[path] = DISK_AWAY
            continue
        target = targets.target_for(path, photo) if kind == "symlink" else ""
        wanted = _make_entry(disk, photo, kind, target, photos[photo])
        if path in own:
            reason = _plan_own_link(plan, disk, path, own[path], wanted)
        else:
            obstacle = skipped.get(path) or disk.blocked_reason(path) or ""
            is_vacated = bool(obstacle) and name_key(path) in vacated and not disk.has_exact_spelling(path)
            reason = "" if is_vacated else obstacle
            if not reason:
                plan.make[path] = wanted
        if reason:
            skipped[path] = reason
    for path in sorted(own.keys() - paths.keys() - plan.keep.keys()):
        if reason := _plan_own_link(plan, disk, path, own[path], None):
            skipped[path] = reason
    return replace(plan, skipped=tuple(SkippedPath(path, skipped[path]) for path in sorted(skipped)))


def _find_own_links(
    manifest: Manifest, disk: ExistingFiles, root: Path
) -> tuple[dict[str, ManifestEntry], dict[str, str]]:
    """Return the listed links that are unchanged, and the reasons to skip the others, both by path."""
    own, skipped = {}, {}
    for path in manifest.links.keys() | manifest.making.keys():
        entries = (_relative_to_library(entry, root) for entry in manifest.entries_for(path))
        if (entry := disk.find_own_entry(path, entries)) is not None:
            own[path] = entry
        elif disk.exists(path):
            skipped[path] = disk.unsafe_folder_reason(path.rpartition("/")[0]) or CHANGED
    return own, skipped


def _plan_own_link(
    plan: AlbumPlan, disk: ExistingFiles, path: str, own: ManifestEntry, wanted: ManifestEntry | None
) -> str:
    """Plan to keep, replace or (`wanted` is None) remove a link of ours; return the reason if it has to stay."""
    if wanted is not None and _is_up_to_date(own, wanted):
        is_copy = plan.kind in COPY_KINDS  # a copy is identified by its own modification time
        plan.keep[path] = replace(wanted, made_mtime_ns=own.made_mtime_ns) if is_copy else wanted
        return ""
    if reason := disk.keep_reason(path, own):
        plan.retained[path] = own
        return reason
    if wanted is None:
        plan.remove[path] = own
    else:
        plan.make[path], plan.replace[path] = wanted, own
    return ""


def _resolve_out_folder(out: Path, root: Path, folders: Iterable[Path]) -> Path:
    """Resolve symlinks in the folder's path, which would break relative links, and check the folder.

    Raises UsageError if it is no place for albums.
    """
    try:
        real = out.resolve()
        holds_library = any(folder.is_relative_to(real) for folder in (root, *folders))
        in_home = real.is_relative_to(root) and HOME_FOLDER in real.relative_to(root).parts
        nearest = next(path for path in (real, *real.parents) if os.path.lexists(path))
        if nearest.is_dir() and not (holds_library or in_home or _holds_photos(real)):
            return real
    except (OSError, RuntimeError, ValueError) as error:  # no permission, a loop of links
        raise UsageError(f"{out} cannot hold albums: {error}", hint="choose another folder") from error
    raise UsageError(f"{out} cannot hold albums", hint="name a folder of its own, such as ~/People")


def _holds_photos(folder: Path) -> bool:
    """Is this a folder of photos or of a scanned library?"""
    if not folder.is_dir() or stat_own(folder / ALBUMS_MARKER) is not None:
        return False
    return any(
        has_cache_prefix(entry.name)
        or entry.name in (HOME_FOLDER, HOME_MARKER, REPORT_MARKER, CROPS_MARKER)
        or (entry.suffix.lower() in PHOTO_EXTENSIONS and not entry.is_symlink())
        for entry in folder.iterdir()
    )


def _available_albums(albums: Iterable[Album], disk: ExistingFiles, root: Path) -> Sequence[Album]:
    """Return the albums with their photos that still exist, or are on a disk that is away.
    Raises FaceclustError if there are none."""

    def is_available(photo: str) -> bool:
        return disk.is_away(photo) or disk.stat_photo(photo) is not None

    albums = [album for album in albums if album.photos]
    available = [Album(album.id, album.label, frozenset(filter(is_available, album.photos))) for album in albums]
    if albums and not any(album.photos for album in available):
        raise FaceclustError(f"none of the photos is in {root}", hint="is the disk mounted? If so: faceclust scan")
    return [album for album in available if album.photos]


def _make_entry(disk: ExistingFiles, path: str, kind: str, link_target: str, photo: PhotoInfo) -> ManifestEntry:
    if kind == "symlink":
        return ManifestEntry(kind, path, link_target)
    status = disk.stat_photo(path)
    assert status is not None  # missing photos are in no album
    inode = status.st_ino if kind == "hardlink" else 0
    return ManifestEntry(
        kind, path, inode=inode, size=status.st_size, mtime_ns=status.st_mtime_ns, hash=photo.photo_hash
    )


def _is_up_to_date(own: ManifestEntry, wanted: ManifestEntry) -> bool:
    """Does a link of ours match the photo's current state? A copy may be outdated."""
    if (own.kind, own.photo, own.to) != (wanted.kind, wanted.photo, wanted.to):
        return False
    if own.kind == "hardlink":
        return own.inode == wanted.inode
    return own.kind == "symlink" or (own.size, own.mtime_ns) == (wanted.size, wanted.mtime_ns)


def _relative_to_library(entry: ManifestEntry, root: Path) -> ManifestEntry:
    """Return the entry with its photo's path relative to the library: format 1 had absolute paths."""
    if not entry.photo.startswith(f"{root}{os.sep}"):
        return entry
    return replace(entry, photo=Path(entry.photo).relative_to(root).as_posix())
