"""XMP sidecars: files beside the photos, or below another folder, that name the faces on them.

A photo is never written. A sidecar that is there is added to, after a copy of it was put beside it;
one that cannot be understood is left as it is.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISREG

from faceclust.errors import FaceclustError, UsageError
from faceclust.files.atomic import write_output_atomically
from faceclust.files.names import RAW_EXTENSIONS
from faceclust.files.safe_paths import is_among_photos, unsafe_parent
from faceclust.types import Box, PhotoInfo
from faceclust.xmp.new_packet import build_new_packet
from faceclust.xmp.packet import NAMESPACES, BadPacketError
from faceclust.xmp.region_plan import NamedBox
from faceclust.xmp.values import stored_box, stored_size
from faceclust.xmp.write import MergeResult, merge_faces, strip_own_data

#: How sidecars are called: as digiKam and darktable do, and as Adobe does.
SIDECAR_NAMES = ("file.jpg.xmp", "file.xmp")
_BACKUP_SUFFIX = ".faceclust-backup"
_MAX_SIDECAR_BYTES = 32_000_000  # bytes
_OWN_NAMESPACE = NAMESPACES["faceclust"].encode()

#: Orientation and, where known, upright size of a photo's file; None where it does not tell.
OrientationReader = Callable[[Path], tuple[int, tuple[int, int] | None] | None]

#: XMP packet and IPTC keywords in a photo's file.
EmbeddedMetadataReader = Callable[[Path], tuple[bytes | None, Sequence[str]]]


@dataclass(frozen=True)
class UprightFace:
    """A face to write: its box as fractions of the upright photo, and whose it is; not
    `confirmed`: by what faceclust suggests."""

    box: Box
    name: str | None
    confirmed: bool = True


@dataclass(frozen=True)
class Sidecar:
    """A sidecar and what is to become of it. `photo`: path below the library; `action`: "make",
    "change", "same" or, where it is left alone, "leave", with the reason in `why`. `count_conflicts`: our
    name and the one that stays, of faces that another program gives another name. `seed`: the packet
    that a new one begins as."""

    photo: str
    path: Path
    faces: tuple[NamedBox, ...] = ()
    size: tuple[int, int] = (0, 0)
    action: str = "leave"
    reason: str = ""
    conflicts: tuple[tuple[str, str], ...] = ()
    initial_packet: bytes | None = None

    @property
    def people(self) -> list[str]:
        """The names written in it, each once."""
        return list(dict.fromkeys(face.name for face in self.faces if face.name))


@dataclass(frozen=True)
class SidecarPlan:
    """What would be written. `gone`: photos with faces that are not there any more."""

    sidecars: tuple[Sidecar, ...] = ()
    missing_photos: tuple[str, ...] = ()

    def with_action(self, *actions: str) -> list[Sidecar]:
        return [sidecar for sidecar in self.sidecars if sidecar.action in actions]


def plan_sidecars(
    root: Path,
    faces: Mapping[str, Sequence[UprightFace]],
    facts: Mapping[str, PhotoInfo],
    read_orientation: OrientationReader,
    read_embedded: EmbeddedMetadataReader,
    out: Path | None = None,
    names: str = SIDECAR_NAMES[0],
) -> SidecarPlan:
    """What the sidecars of these photos need. `faces`: photo → the faces to name in its sidecar;
    `facts`: every photo of the library at `root`, for sidecars that have to be cleaned; `inside`: what
    the photos say themselves, which new sidecars repeat by the properties that they have; `out`: the
    folder to write the same tree below, None for beside the photos. Raises UsageError."""
    if out is not None and (out.resolve() == root.resolve() or (out.exists() and not out.is_dir())):
        raise UsageError(f"{out} cannot hold sidecars", hint="name another folder, or type --where sidecar")
    if out is not None and is_among_photos(out, root, facts):
        raise UsageError(f"there are photos of the library in or beside {out}", hint="name a folder without photos")
    found = [
        Sidecar(
            photo, (out or root) / f"{photo}.xmp", reason=f"its sidecar would be called as that of {Path(other).name}"
        )
        for photo, other in _suffixless_name_clashes(facts)
        if faces.get(photo)
    ]
    gone: list[str] = []
    sidecars = _photos_by_sidecar(out or root, facts, names)
    for path, photos in sorted(sidecars.items()):
        wanted = [photo for photo in photos if faces.get(photo)]
        shared = _resolve_shared_sidecar(wanted)
        found += [Sidecar(photo, path, reason=f"its sidecar is that of {other} too") for photo, other in shared]
        photo = next((photo for photo in wanted if photo not in dict(shared)), None if wanted else photos[0])
        if photo is None or not (faces.get(photo) or path.is_file()):
            continue
        if out is not None and (wrong := unsafe_parent(out, path.relative_to(out).as_posix())):
            found.append(Sidecar(photo, path, reason=wrong))
            continue
        if not (root / photo).exists():
            gone += [photo] if faces.get(photo) else []
            continue
        sidecar = _plan_sidecar(root / photo, path, facts[photo], faces.get(photo, ()), read_orientation, read_embedded)
        found += [sidecar] if sidecar else []
    for path, photo in _other_named_sidecars(out or root, facts, names, sidecars):
        if (root / photo).exists() and not (out is not None and unsafe_parent(out, path.relative_to(out).as_posix())):
            sidecar = _plan_sidecar(root / photo, path, facts[photo], (), read_orientation, read_embedded)
            found += [sidecar] if sidecar else []
    return SidecarPlan(tuple(found), tuple(gone))


def write_sidecars(plan: SidecarPlan) -> Iterator[Sidecar]:
    """Carry out a plan; gives each sidecar that was to be written, as what became of it."""
    for sidecar in plan.with_action("make", "change"):
        try:
            yield _write_sidecar(sidecar)
        except (BadPacketError, FaceclustError, OSError) as error:
            yield replace(sidecar, action="leave", reason=_error_reason(error))


def _photos_by_sidecar(base: Path, photos: Mapping[str, PhotoInfo], names: str) -> dict[Path, list[str]]:
    """Sidecar → the photos it is of: more than one where only the ending tells them apart."""
    of: dict[str, list[str]] = defaultdict(list)
    for photo in sorted(photos.keys() - dict(_suffixless_name_clashes(photos))):
        stem = photo if names == SIDECAR_NAMES[0] else photo.removesuffix(Path(photo).suffix)
        # On many disks names that differ in case alone are one.
        of[stem if names == SIDECAR_NAMES[0] else stem.casefold()].append(photo)
    made = {}
    for stem, group in of.items():
        first = group[0]
        name = stem if names == SIDECAR_NAMES[0] else first.removesuffix(Path(first).suffix)
        made[base / f"{name}.xmp"] = group
    return made


def _other_named_sidecars(
    base: Path, photos: Mapping[str, PhotoInfo], names: str, sidecars: Collection[Path]
) -> Iterator[tuple[Path, str]]:
    """Sidecars called by the other one of NAMES, each with a photo of it: what an earlier run wrote
    into them would contradict this one's."""
    for other in SIDECAR_NAMES:
        if other != names:
            for path, group in sorted(_photos_by_sidecar(base, photos, other).items()):
                if path not in sidecars and path.is_file():
                    yield path, group[0]


def _suffixless_name_clashes(photos: Iterable[str]) -> list[tuple[str, str]]:
    """Photos without an ending, whose sidecar other programs take for that of a photo with one: each
    with such a photo."""
    ended = {photo.removesuffix(end).casefold(): photo for photo in sorted(photos) if (end := Path(photo).suffix)}
    return [
        (photo, ended[photo.casefold()])
        for photo in sorted(photos)
        if not Path(photo).suffix and photo.casefold() in ended
    ]


def _resolve_shared_sidecar(photos: Sequence[str]) -> list[tuple[str, str]]:
    """Of photos that would share a sidecar: those that cannot have it, each with another one. A RAW
    file has it before the pictures made from it."""
    if len(photos) < 2:
        return []
    raw = [photo for photo in photos if Path(photo).suffix.lower() in RAW_EXTENSIONS]
    owner = raw[0] if len(raw) == 1 else None
    others = {photo: owner or next(other for other in photos if other != photo) for photo in photos}
    return [(photo, other.rpartition("/")[2]) for photo, other in others.items() if photo != owner]


def _plan_sidecar(
    file: Path,
    path: Path,
    facts: PhotoInfo,
    faces: Sequence[UprightFace],
    read_orientation: OrientationReader,
    read_embedded: EmbeddedMetadataReader,
) -> Sidecar | None:
    sidecar = Sidecar(facts.photo, path)
    try:
        old = _read_sidecar(path)
        if not faces and (old is None or _OWN_NAMESPACE not in old.replace(b"\0", b"")):
            return None
        laid = read_orientation(file)
        orientation, size = laid or (facts.orientation, None)
        if size not in (None, facts.size):
            return replace(sidecar, reason="the photo has changed since the last scan")
        boxes = [NamedBox(stored_box(face.box, orientation), face.name, face.confirmed) for face in faces]
        sidecar = replace(sidecar, faces=tuple(boxes), size=stored_size(facts.size, orientation))
        if old is None:
            seed, merged = _start_sidecar(sidecar, *read_embedded(file))
            return replace(sidecar, action="make", conflicts=merged.conflicts, initial_packet=seed)
        merged = merge_faces(old, boxes, sidecar.size)
    except (BadPacketError, OSError) as error:
        return replace(sidecar, reason=_error_reason(error))
    return replace(sidecar, action="same" if merged.data == old else "change", conflicts=merged.conflicts)


def _start_sidecar(sidecar: Sidecar, packet: bytes | None, keywords: Sequence[str]) -> tuple[bytes, MergeResult]:
    """What a new sidecar begins as, and is to be. Regions in the photo that ours do not go with, such
    as of the picture before it was cut, are left to the photo."""
    seed = build_new_packet(packet, keywords)
    try:
        return seed, merge_faces(seed, sidecar.faces, sidecar.size)
    except BadPacketError:
        seed = build_new_packet(packet, keywords, regions=False)
        return seed, merge_faces(seed, sidecar.faces, sidecar.size)


def _write_sidecar(sidecar: Sidecar) -> Sidecar:
    path = sidecar.path
    old = _read_sidecar(path)
    merged = merge_faces(sidecar.initial_packet if old is None else old, sidecar.faces, sidecar.size)
    if merged.data == old:
        return replace(sidecar, action="same", conflicts=merged.conflicts)
    if old is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    else:
        backup = path.with_name(path.name + _BACKUP_SUFFIX)
        # Names that we wrote are not in it: one that is forgotten since would stay there.
        if not os.path.lexists(backup) and (others := strip_own_data(old)) is not None:
            write_output_atomically(backup, lambda stream: stream.write(others))
            shutil.copymode(path, backup)
    write_output_atomically(
        path, lambda stream: stream.write(merged.data), hint="is the disk full or the folder read-only?"
    )
    return replace(sidecar, action="make" if old is None else "change", conflicts=merged.conflicts)


def _read_sidecar(path: Path) -> bytes | None:
    """The sidecar, None where there is none. Raises OSError, or BadPacketError for what is no file
    to read."""
    if not os.path.lexists(path):
        return None
    if not path.exists():
        raise BadPacketError("it is a link that leads nowhere")
    status = path.stat()
    if not S_ISREG(status.st_mode):
        raise BadPacketError("it is no ordinary file")
    if status.st_size > _MAX_SIDECAR_BYTES:
        raise BadPacketError(f"larger than {_MAX_SIDECAR_BYTES:,} bytes")
    return path.read_bytes()


def _error_reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
