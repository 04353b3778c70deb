"""Write XMP sidecars with the names of faces, beside the photos or in a separate tree.

Photos are never written. An existing sidecar is backed up and extended; an unreadable one is left
alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from faceclust.errors import UsageError
from faceclust.files.library_roots import LibraryRoots, as_roots
from faceclust.files.names import RAW_EXTENSIONS
from faceclust.files.output_files import make_subfolders, remove_abandoned_outputs, write_own_atomically
from faceclust.files.own_files import (
    PRIVATE_FILE_MODE,
    UnsafeFileError,
    make_own_folder,
    own_exists,
    path_below,
    read_own,
    stat_own,
)
from faceclust.files.safe_paths import is_among_photos, lstat_if_present, relative_posix
from faceclust.text.caseless import caseless_key
from faceclust.types import Box, PhotoInfo
from faceclust.xmp.new_packet import build_new_packet
from faceclust.xmp.packet import MAX_PACKET_BYTES, NAMESPACES, BadPacketError
from faceclust.xmp.region_plan import NamedBox
from faceclust.xmp.values import stored_box, stored_size
from faceclust.xmp.write import MergeResult, merge_faces, strip_own_data

#: Naming schemes of sidecars: that of digiKam and darktable, and that of Adobe.
SIDECAR_NAMES = ("file.jpg.xmp", "file.xmp")
_BACKUP_SUFFIX = ".faceclust-backup"

_OWN_NAMESPACE = NAMESPACES["faceclust"].encode()

#: Reads the orientation and, if known, the upright size of a photo file; None if it has neither.
OrientationReader = Callable[[Path], tuple[int, tuple[int, int] | None] | None]

#: Reads the XMP packets of a photo file, and its keywords in other notations.
EmbeddedMetadataReader = Callable[[Path], tuple[Sequence[bytes], Sequence[str]]]


@dataclass(frozen=True)
class UprightFace:
    """A face to write. The box is in fractions of the upright photo, None for a person without a face to be seen.

    `confirmed` is false if the name is only suggested. `aliases` are other names of the person.
    """

    box: Box | None
    name: str | None
    confirmed: bool = True
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sidecar:
    """A sidecar and the planned action.

    `photo` is a path below the library. `action` is "make", "change", "same", or "leave" with a
    `reason`. `without_face` has the people on the photo of whom no face is to be seen. `conflicts` has (our
    name, kept name) of faces that another program has named otherwise.
    `initial_packet` is the content that a new sidecar starts from, and `new_mode` the mode of a new
    sidecar: who may read the photo may read it, as other programs have to read both.
    """

    photo: str
    path: Path
    faces: tuple[NamedBox, ...] = ()
    without_face: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    action: str = "leave"
    reason: str = ""
    conflicts: tuple[tuple[str, str], ...] = ()
    initial_packet: bytes | None = None
    new_mode: int = PRIVATE_FILE_MODE

    @property
    def people(self) -> list[str]:
        """The names to write, without duplicates."""
        return list(dict.fromkeys([*(face.name for face in self.faces if face.name), *self.without_face]))


@dataclass(frozen=True)
class SidecarPlan:
    """The planned sidecars: below the folder `base`, or beside the photos if it is None. `missing_photos` have faces
    to write but no longer exist; `away` is the number of those on disks that are away."""

    base: Path | None
    sidecars: tuple[Sidecar, ...] = ()
    missing_photos: tuple[str, ...] = ()
    away: int = 0

    def with_action(self, *actions: str) -> list[Sidecar]:
        return [sidecar for sidecar in self.sidecars if sidecar.action in actions]


def plan_sidecars(
    root: Path | LibraryRoots,
    faces: Mapping[str, Sequence[UprightFace]],
    photos: Mapping[str, PhotoInfo],
    read_orientation: OrientationReader,
    read_embedded: EmbeddedMetadataReader,
    out: Path | None = None,
    names: str = SIDECAR_NAMES[0],
) -> SidecarPlan:
    """Plan the sidecars of the photos in `faces`, which maps a photo to the faces to write.

    `photos` are all photos of the library at `root`, or with these roots: sidecars of the others may have to be
    cleaned. Photos on disks that are away are left out.
    `read_embedded` reads a photo's own metadata, whose people and keywords a new sidecar repeats. `out`
    is the folder of a separate tree of sidecars, None for beside the photos.
    Raises UsageError, and OSError if the photos or sidecars cannot be found.
    """
    roots, out = as_roots(root), out.resolve() if out is not None else None
    root = roots.own
    status = None if out is None else lstat_if_present(str(out))
    if out is not None and (out == root.resolve() or (status is not None and not S_ISDIR(status.st_mode))):
        raise UsageError(f"{out} cannot hold sidecars", hint="name another folder, or type --where sidecar")
    if out is not None and is_among_photos(out, root, photos):
        raise UsageError(f"there are photos of the library in or beside {out}", hint="name a folder without photos")
    if roots.away:
        away = roots.count_away(photo for photo, found in faces.items() if found)
        photos = {photo: info for photo, info in photos.items() if roots.is_here(photo)}
        plan = _SidecarPlanner(roots, faces, photos, read_orientation, read_embedded, out).plan(names)
        return replace(plan, away=away)
    return _SidecarPlanner(roots, faces, photos, read_orientation, read_embedded, out).plan(names)


class _SidecarPlanner:
    def __init__(
        self,
        roots: LibraryRoots,
        faces: Mapping[str, Sequence[UprightFace]],
        photos: Mapping[str, PhotoInfo],
        read_orientation: OrientationReader,
        read_embedded: EmbeddedMetadataReader,
        out: Path | None,
    ) -> None:
        self._roots, self._out = roots, out
        self._faces, self._photos = faces, photos
        self._read_orientation, self._read_embedded = read_orientation, read_embedded
        self._sidecars: list[Sidecar] = []
        self._missing_photos: list[str] = []

    def plan(self, names: str) -> SidecarPlan:
        for photo, other in _suffixless_name_clashes(self._photos):
            if self._faces.get(photo):
                reason = f"its sidecar would have the same name as the one of {Path(other).name}"
                self._sidecars.append(Sidecar(photo, self._sidecar_path(photo), reason=reason))
        photos_by_sidecar = self._photos_by_sidecar(names)
        for path, photos in sorted(photos_by_sidecar.items()):
            owner = self._settle_owner(path, photos)
            if owner is not None:
                self._plan_named_sidecar(owner, path)
        for path, photo in self._other_named_sidecars(names, photos_by_sidecar):
            if self._photo_status(photo):
                self._add(self._plan_file(photo, path, ()))
        return SidecarPlan(self._out, tuple(self._sidecars), tuple(self._missing_photos))

    def _settle_owner(self, path: Path, photos: Sequence[str]) -> str | None:
        """Return the photo that gets a sidecar, and skip those that would have to share it."""
        wanted = [photo for photo in photos if self._faces.get(photo)]
        excluded = dict(_resolve_shared_sidecar(wanted))
        for photo, other in excluded.items():
            self._sidecars.append(Sidecar(photo, path, reason=f"{other} has the same sidecar"))
        if not wanted:
            return photos[0]
        return next((photo for photo in wanted if photo not in excluded), None)

    def _plan_named_sidecar(self, photo: str, path: Path) -> None:
        faces = self._faces.get(photo, ())
        if not (faces or _is_taken(path)):
            return
        if self._photo_status(photo):
            self._add(self._plan_file(photo, path, faces))
        elif faces:
            self._missing_photos.append(photo)

    def _photo_status(self, photo: str) -> os.stat_result | None:
        """Return the status of a photo; None if it is missing, no regular file, or behind a symlink."""
        try:
            status = stat_own(self._roots.path_of(photo))
        except UnsafeFileError:
            return None
        return status if status and S_ISREG(status.st_mode) else None

    def _plan_file(self, photo: str, path: Path, faces: Sequence[UprightFace]) -> Sidecar | None:
        file, status = self._roots.path_of(photo), self._photo_status(photo)
        others = status.st_mode & 0o066 if status else 0
        sidecar = Sidecar(photo, path, new_mode=PRIVATE_FILE_MODE | others)
        return _plan_sidecar(sidecar, file, self._photos[photo], faces, self._read_orientation, self._read_embedded)

    def _sidecar_path(self, stem: str) -> Path:
        """Return the sidecar of a photo, given by its path with or without the suffix."""
        if self._out is None:
            return self._roots.path_of(f"{stem}.xmp")
        return path_below(self._out, f"{self._roots.path_in_mirror(stem)}.xmp")

    def _photos_by_sidecar(self, names: str) -> dict[Path, list[str]]:
        """Map each sidecar to its photos: several if only their suffixes differ."""
        keeps_suffix, photos = names == SIDECAR_NAMES[0], self._photos
        groups: dict[str, list[str]] = defaultdict(list)
        for photo in sorted(photos.keys() - dict(_suffixless_name_clashes(photos))):
            # Many disks are case-insensitive.
            groups[photo if keeps_suffix else caseless_key(_remove_suffix(photo))].append(photo)
        found: dict[Path, list[str]] = {}
        for group in groups.values():
            stem = group[0] if keeps_suffix else _remove_suffix(group[0])
            found.setdefault(self._sidecar_path(self._existing_form(stem)), []).extend(group)
        return found

    def _existing_form(self, stem: str) -> str:
        """Return the sidecar's path without ".xmp" in the Unicode form that exists, unless it is another photo's."""
        if stem.isascii():
            return stem
        others = (unicodedata.normalize(form, stem) for form in ("NFC", "NFD"))
        forms = (stem, *(form for form in others if form not in self._photos))
        return next((form for form in forms if _is_taken(self._sidecar_path(form))), stem)

    def _other_named_sidecars(self, names: str, sidecars: Collection[Path]) -> Iterator[tuple[Path, str]]:
        """Yield the existing sidecars of the other naming scheme, each with its photo.

        An earlier run may have written names into them that contradict this run.
        """
        for other in SIDECAR_NAMES:
            if other != names:
                for path, group in sorted(self._photos_by_sidecar(other).items()):
                    if path not in sidecars and _is_taken(path):
                        yield path, group[0]

    def _add(self, sidecar: Sidecar | None) -> None:
        if sidecar is not None:
            self._sidecars.append(sidecar)


def write_sidecars(plan: SidecarPlan) -> Iterator[Sidecar]:
    """Execute a plan; yield each sidecar to write with the action that was taken."""
    for folder in {sidecar.path.parent for sidecar in plan.sidecars}:
        with contextlib.suppress(OSError):  # each sidecar in it will say why
            remove_abandoned_outputs(folder)
    for sidecar in plan.with_action("make", "change"):
        try:
            yield _write_sidecar(sidecar, plan.base)
        except (BadPacketError, OSError) as error:
            yield replace(sidecar, action="leave", reason=_error_reason(error, sidecar))


def _remove_suffix(photo: str) -> str:
    return photo.removesuffix(Path(photo).suffix)


def _is_taken(path: Path) -> bool:
    """Is there a sidecar, or something in its place? Nothing behind a symlink is one. Raises OSError."""
    try:
        return stat_own(path) is not None
    except UnsafeFileError:
        return False
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return False


def _suffixless_name_clashes(photos: Iterable[str]) -> list[tuple[str, str]]:
    """Return each photo without suffix whose sidecar other programs take for that of another photo."""
    with_suffix = {
        caseless_key(photo.removesuffix(suffix)): photo for photo in sorted(photos) if (suffix := Path(photo).suffix)
    }
    return [
        (photo, with_suffix[caseless_key(photo)])
        for photo in sorted(photos)
        if not Path(photo).suffix and caseless_key(photo) in with_suffix
    ]


def _resolve_shared_sidecar(photos: Sequence[str]) -> list[tuple[str, str]]:
    """Of photos with one sidecar, return those that cannot have it, each with another photo's name.

    A single RAW file takes precedence over the pictures made from it.
    """
    if len(photos) < 2:
        return []
    raw = [photo for photo in photos if Path(photo).suffix.lower() in RAW_EXTENSIONS]
    owner = raw[0] if len(raw) == 1 else None
    others = {photo: owner or next(other for other in photos if other != photo) for photo in photos}
    return [(photo, other.rpartition("/")[2]) for photo, other in others.items() if photo != owner]


def _plan_sidecar(
    sidecar: Sidecar,
    file: Path,
    photo: PhotoInfo,
    faces: Sequence[UprightFace],
    read_orientation: OrientationReader,
    read_embedded: EmbeddedMetadataReader,
) -> Sidecar | None:
    """Plan one sidecar of a photo file; None if there is nothing to write or clean."""
    try:
        old = _read_sidecar(sidecar.path)
        if not faces and (old is None or _OWN_NAMESPACE not in old.replace(b"\0", b"")):
            return None
        orientation, size = read_orientation(file) or (photo.orientation, None)
        if size not in (None, photo.size):
            return replace(sidecar, reason="the photo has changed since the last scan")
        boxes = [
            NamedBox(stored_box(face.box, orientation), face.name, face.confirmed, face.aliases)
            for face in faces
            if face.box
        ]
        without_face = tuple(dict.fromkeys(face.name for face in faces if face.name and not face.box))
        size = stored_size(photo.size, orientation)
        sidecar = replace(sidecar, faces=tuple(boxes), without_face=without_face, size=size)
        if old is None:
            initial, merged = _start_sidecar(sidecar, *read_embedded(file))
            return replace(sidecar, action="make", conflicts=merged.conflicts, initial_packet=initial)
        merged = merge_faces(old, boxes, size, without_face)
    except (BadPacketError, OSError) as error:
        return replace(sidecar, reason=_error_reason(error, sidecar))
    return replace(sidecar, action="same" if merged.data == old else "change", conflicts=merged.conflicts)


def _start_sidecar(sidecar: Sidecar, packets: Sequence[bytes], keywords: Sequence[str]) -> tuple[bytes, MergeResult]:
    """Return the initial packet of a new sidecar, and the packet merged with our faces.

    Regions of the photo that contradict ours, such as those from before a crop, are not copied. Raises
    BadPacketError if a packet of the photo is unreadable: a sidecar without its keywords would hide them.
    """
    try:
        initial = build_new_packet(packets, keywords)
    except BadPacketError as error:
        raise BadPacketError(f"the photo's own XMP cannot be repeated in a new sidecar: {error}") from error
    try:
        return initial, merge_faces(initial, sidecar.faces, sidecar.size, sidecar.without_face)
    except BadPacketError:
        initial = build_new_packet(packets, keywords, regions=False)
        return initial, merge_faces(initial, sidecar.faces, sidecar.size, sidecar.without_face)


def _write_sidecar(sidecar: Sidecar, base: Path | None) -> Sidecar:
    path = sidecar.path
    old = _read_sidecar(path)
    start = sidecar.initial_packet if old is None else old
    merged = merge_faces(start, sidecar.faces, sidecar.size, sidecar.without_face)
    if merged.data == old:
        return replace(sidecar, action="same", conflicts=merged.conflicts)
    if old is None and base is not None:
        make_own_folder(base)
        make_subfolders(base, relative_posix(base, path.parent))
    if old is not None:
        backup, status = path.with_name(path.name + _BACKUP_SUFFIX), stat_own(path)
        # The backup has none of our own names: a person forgotten later would stay in it.
        if not own_exists(backup) and (others := strip_own_data(old)) is not None:
            write_own_atomically(backup, others, new_mode=status.st_mode & 0o666 if status else sidecar.new_mode)
    write_own_atomically(path, merged.data, new_mode=sidecar.new_mode)
    return replace(sidecar, action="make" if old is None else "change", conflicts=merged.conflicts)


def _read_sidecar(path: Path) -> bytes | None:
    """Read a sidecar; None if it does not exist. Raises OSError: UnsafeFileError for anything but a
    regular file of moderate size."""
    try:
        return read_own(path, MAX_PACKET_BYTES)
    except FileNotFoundError:
        return None


def _error_reason(error: Exception, sidecar: Sidecar) -> str:
    if not isinstance(error, OSError):
        return str(error)
    reason = error.strerror or str(error)
    return reason if error.filename == str(sidecar.path) else f"{error.filename}: {reason}"
