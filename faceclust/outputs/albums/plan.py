"""What a folder of albums needs to be as asked for: a value, which `make` carries out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from faceclust.errors import FaceclustError, UsageError
from faceclust.files.names import ALBUMS_MARKER, HOME_FOLDER, PHOTO_EXTENSIONS
from faceclust.outputs.albums.arrange import arrange_albums
from faceclust.outputs.albums.existing import CHANGED, ExistingFiles
from faceclust.outputs.albums.layout import DEFAULT_LAYOUT, parse_layout
from faceclust.outputs.albums.links import COPY_KINDS, LinkTargets, require_link_kind
from faceclust.outputs.albums.manifest import Manifest, ManifestEntry, read_manifest
from faceclust.outputs.albums.safe_names import name_key
from faceclust.outputs.albums.selection import Album
from faceclust.types import PhotoInfo


@dataclass(frozen=True)
class SkippedPath:
    """Something that stands in the albums' folder and is left as it is, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class AlbumPlan:
    """What would be done below `out`: links to make (path → what it will be known by), of which
    those in `replace` take the place of an own one; those that are right already; own ones to
    remove; and what is left alone. `stay` are own files that are not removed though nothing asks
    for them; `found` is what was noted when the plan was made; `albums` are those with a photo;
    `photos` all of the library."""

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


def plan_albums(
    albums: Iterable[Album],
    photos: Mapping[str, PhotoInfo],
    root: Path,
    folders: Iterable[Path],
    out: Path,
    *,
    layout: str = DEFAULT_LAYOUT,
    kind: str = "symlink",
    absolute: bool = False,
) -> AlbumPlan:
    """What these albums need in `out`. `photos`: all of the library at `root`, by their paths;
    `folders`: where they lie; `absolute`: symbolic links hold full paths. Raises UsageError for a
    senseless layout and where `out` cannot hold albums; FaceclustError where what was noted of it
    cannot be read, or no photo is there."""
    require_link_kind(kind)
    pattern = parse_layout(layout)
    root = root.resolve()
    out = _resolve_out_folder(out, root, folders)
    found = read_manifest(out)
    disk, targets = ExistingFiles(root, out, photos), LinkTargets(root, out, absolute=absolute)
    shown = _available_albums(albums, disk, root)
    paths = arrange_albums(shown, photos, pattern)
    own, left = {}, {}
    for path in found.links.keys() | found.making.keys():
        note = disk.find_own_entry(path, (_relative_to_library(note, root) for note in found.entries_for(path)))
        if note is not None:
            own[path] = note
        elif os.path.lexists(disk.album_path(path)):
            left[path] = disk.unsafe_folder_reason(path.rpartition("/")[0]) or CHANGED
    # What is at a path by another spelling, on a disk that looks past it, will be gone by then.
    leaving = {name_key(path) for path in own.keys() - paths.keys()}
    plan = AlbumPlan(root, out, kind, targets.library_path, found, tuple(album.label for album in shown), photos=photos)
    for path, photo in paths.items():
        wanted = _make_entry(
            disk, photo, kind, targets.target_for(path, photo) if kind == "symlink" else "", photos[photo]
        )
        if path not in own:
            obstacle = left.get(path) or disk.blocked_reason(path)
            if obstacle is None or (name_key(path) in leaving and not disk.has_exact_spelling(path)):
                plan.make[path] = wanted
            else:
                left[path] = obstacle
        elif _is_up_to_date(own[path], wanted):
            copied = kind in COPY_KINDS  # a copy is known by the time it was given
            plan.keep[path] = replace(wanted, made_mtime_ns=own[path].made_mtime_ns) if copied else wanted
        elif held := disk.keep_reason(path, own[path]):
            left[path], plan.retained[path] = held, own[path]
        else:
            plan.make[path], plan.replace[path] = wanted, own[path]
    for path in sorted(own.keys() - paths.keys()):
        if held := disk.keep_reason(path, own[path]):
            left[path], plan.retained[path] = held, own[path]
        else:
            plan.remove[path] = own[path]
    return replace(plan, skipped=tuple(SkippedPath(path, left[path]) for path in sorted(left)))


def _resolve_out_folder(out: Path, root: Path, folders: Iterable[Path]) -> Path:
    """The folder without links in its path, for they would lead relative links astray."""
    try:
        real = out.resolve()
        holds_library = any(folder.is_relative_to(real) for folder in (root, *folders))
        in_home = real.is_relative_to(root) and HOME_FOLDER in real.relative_to(root).parts
        nearest = next(path for path in (real, *real.parents) if os.path.lexists(path))
        if nearest.is_dir() and not (holds_library or in_home or _holds_photos(real)):
            return real
    except (OSError, RuntimeError, ValueError) as error:  # no permission, a ring of links
        raise UsageError(f"{out} cannot hold albums: {error}", hint="choose another folder") from error
    raise UsageError(f"{out} cannot hold albums", hint="name a folder of its own, such as ~/People")


def _holds_photos(folder: Path) -> bool:
    """Is this a folder of photos, or of a scanned library, rather than one for albums?"""
    if not folder.is_dir() or (folder / ALBUMS_MARKER).exists():
        return False
    return any(
        (entry.name.startswith(".faceclust") and not entry.name.startswith(".faceclust-albums"))
        or (entry.suffix.lower() in PHOTO_EXTENSIONS and not entry.is_symlink())
        for entry in folder.iterdir()
    )


def _available_albums(albums: Iterable[Album], disk: ExistingFiles, root: Path) -> Sequence[Album]:
    """The albums with those of their photos that have not gone since the scan."""
    albums = [album for album in albums if album.photos]
    there = [
        Album(album.id, album.label, frozenset(photo for photo in album.photos if disk.stat_photo(photo) is not None))
        for album in albums
    ]
    if albums and not any(album.photos for album in there):
        raise FaceclustError(f"none of the photos is in {root}", hint="is the disk mounted? else type: faceclust scan")
    return [album for album in there if album.photos]


def _make_entry(disk: ExistingFiles, photo: str, kind: str, to: str, facts: PhotoInfo) -> ManifestEntry:
    if kind == "symlink":
        return ManifestEntry(kind, photo, to)
    status = disk.stat_photo(photo)
    assert status is not None  # photos that are gone are in no album
    inode = status.st_ino if kind == "hardlink" else 0
    return ManifestEntry(
        kind, photo, inode=inode, size=status.st_size, mtime_ns=status.st_mtime_ns, hash=facts.photo_hash
    )


def _is_up_to_date(own: ManifestEntry, wanted: ManifestEntry) -> bool:
    """Does a link of ours show this photo as it is now? A copy may have been left behind."""
    if (own.kind, own.photo, own.to) != (wanted.kind, wanted.photo, wanted.to):
        return False
    if own.kind == "hardlink":
        return own.inode == wanted.inode
    return own.kind == "symlink" or (own.size, own.mtime_ns) == (wanted.size, wanted.mtime_ns)


def _relative_to_library(entry: ManifestEntry, root: Path) -> ManifestEntry:
    """A note with its photo's path seen from the library: the first format had full ones."""
    if not entry.photo.startswith(f"{root}{os.sep}"):
        return entry
    return replace(entry, photo=Path(entry.photo).relative_to(root).as_posix())
