"""Which regions of a packet are ours, which faces they show, and so what there is to do."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from faceclust.types import Box, intersection_over_union
from faceclust.xmp.ownership import OwnRegion, format_region_note
from faceclust.xmp.schemes import PacketRegion, Scheme

_SAME_FACE_IOU = 0.4  # of the area that either box has


@dataclass(frozen=True)
class NamedBox:
    """A face to write: fractions of the stored picture (left, top, right, bottom), and whose it is;
    not `confirmed`: by what faceclust suggests."""

    box: Box
    name: str | None = None
    confirmed: bool = True


@dataclass(frozen=True)
class RegionPlan:
    """Regions to take out, faces to add, and what is then to be noted as ours; of that, what has
    a name that is only `suggested`."""

    remove: list[PacketRegion]
    add: list[NamedBox]
    notes: list[str]
    suggested: list[str]


def find_own_region(region: PacketRegion, scheme: str, own_regions: Sequence[OwnRegion]) -> OwnRegion | None:
    """The note by which a region is ours."""
    if region.box is None or not (region.is_face and region.has_only_own_fields):
        return None
    return next((note for note in own_regions if note.matches(scheme, region.box, region.name)), None)


def separate_conflicts(
    wanted: Sequence[NamedBox], foreign: Sequence[PacketRegion]
) -> tuple[list[NamedBox], list[tuple[str, str]]]:
    """The faces but those that other programs give another name; and of these our name and theirs."""
    free, conflicts = [], []
    for face in wanted:
        names = [region.name for region in foreign if _is_same_face(region, face) and region.name]
        others = [name for name in names if face.name and not _is_same_name(name, face.name)]
        if others and len(others) == len(names):
            conflicts.append((face.name or "", others[0]))
        else:
            free.append(face)
    return free, conflicts


def plan_regions(
    scheme: Scheme,
    wanted: Sequence[NamedBox],
    existing: Sequence[PacketRegion],
    own_regions: Sequence[OwnRegion],
    size: tuple[int, int],
) -> RegionPlan:
    """What is to become of the `join_truncated` regions of a scheme in a picture of `read_dimensions`, px."""
    left, cut = list(wanted), []
    notes: list[tuple[str, NamedBox]] = []
    for region in existing:
        note = find_own_region(region, scheme.name, own_regions)
        if note is None:
            left = [face for face in left if not _is_covered(region, face)]
            continue
        same = next(
            (face for face in left if face.name == region.name and _is_same_box(region.box, face.box, size)), None
        )
        if same is None:
            cut.append(region)
        else:
            left.remove(same)
            notes.append((note.text, same))
    notes += [(format_region_note(scheme.name, face.box, face.name), face) for face in left]
    suggested = [text for text, face in notes if face.name and not face.confirmed]
    return RegionPlan(cut, left, [text for text, _ in notes], suggested)


def _is_covered(region: PacketRegion, face: NamedBox) -> bool:
    """Does another program's region already say what there is to say of a face?"""
    if not _is_same_face(region, face):
        return False
    return face.name is None or (region.name is not None and _is_same_name(region.name, face.name))


def _is_same_face(region: PacketRegion, face: NamedBox) -> bool:
    return region.is_face and region.box is not None and intersection_over_union(region.box, face.box) > _SAME_FACE_IOU


def _is_same_box(box: Box | None, other: Box, size: tuple[int, int]) -> bool:
    """Are the boxes the same to the pixel?"""
    return box is not None and all(abs(a - b) * side <= 1 for a, b, side in zip(box, other, size * 2, strict=True))


def _is_same_name(name: str, other: str) -> bool:
    one, two = (" ".join(unicodedata.normalize("NFKC", text).casefold().split()) for text in (name, other))
    return one == two
