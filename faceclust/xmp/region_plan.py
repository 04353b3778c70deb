"""Match a packet's regions with the faces to write, and plan the changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faceclust.text.caseless import caseless_key
from faceclust.text.placeholders import is_placeholder_name
from faceclust.types import Box, intersection_over_union
from faceclust.xmp.ownership import OwnRegion, format_region_record
from faceclust.xmp.schemes import PacketRegion, Scheme

_SAME_FACE_IOU = 0.4


@dataclass(frozen=True)
class NamedBox:
    """A face to write: box (left, top, right, bottom) in fractions of the stored picture, and name.

    `confirmed` is false if the name is only suggested. `aliases` are other names of the person: another program's
    region with one of them has the right name already.
    """

    box: Box
    name: str | None = None
    confirmed: bool = True
    aliases: tuple[str, ...] = ()

    def is_called(self, name: str) -> bool:
        """Is this the name of the face, or an alias?"""
        return any(_is_same_name(name, own) for own in (self.name, *self.aliases) if own)


@dataclass(frozen=True)
class RegionPlan:
    """Regions to remove, faces to add, and the new ownership records.

    `suggested` has the records of faces whose name is unconfirmed.
    """

    remove: list[PacketRegion]
    add: list[NamedBox]
    records: list[str]
    suggested: list[str]


def find_own_region(region: PacketRegion, scheme: str, own_regions: Sequence[OwnRegion]) -> OwnRegion | None:
    """Return the ownership record of a region; None if it is not ours."""
    if region.box is None or not (region.is_face and region.has_only_own_fields):
        return None
    return next((record for record in own_regions if record.matches(scheme, region.box, region.name)), None)


def separate_conflicts(
    wanted: Sequence[NamedBox], foreign: Sequence[PacketRegion]
) -> tuple[list[NamedBox], list[tuple[str, str]]]:
    """Separate the faces that other programs have named otherwise.

    Return the other faces, and (our name, their name) of each conflict.
    """
    free, conflicts = [], []
    for face in wanted:
        names = [region.name for region in foreign if _is_same_face(region, face) and region.name]
        names = [name for name in names if not is_placeholder_name(name)]
        others = [name for name in names if face.name and not face.is_called(name)]
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
    """Plan the changes to the `existing` regions of a scheme, in a picture of `size` px."""
    missing, remove = list(wanted), []
    records: list[tuple[str, NamedBox]] = []
    for region in existing:
        own = find_own_region(region, scheme.name, own_regions)
        if own is None:
            missing = [face for face in missing if not _is_covered(region, face)]
            continue
        same = next(
            (face for face in missing if face.name == region.name and _is_same_box(region.box, face.box, size)), None
        )
        if same is None:
            remove.append(region)
        else:
            missing.remove(same)
            records.append((own.text, same))
    records += [(format_region_record(scheme.name, face.box, face.name), face) for face in missing]
    suggested = [text for text, face in records if face.name and not face.confirmed]
    return RegionPlan(remove, missing, [text for text, _ in records], suggested)


def _is_covered(region: PacketRegion, face: NamedBox) -> bool:
    """Does another program's region already have this face and its name?"""
    if not _is_same_face(region, face):
        return False
    return face.name is None or (region.name is not None and face.is_called(region.name))


def _is_same_face(region: PacketRegion, face: NamedBox) -> bool:
    return region.is_face and region.box is not None and intersection_over_union(region.box, face.box) > _SAME_FACE_IOU


def _is_same_box(box: Box | None, other: Box, size: tuple[int, int]) -> bool:
    """Do the boxes differ by at most one pixel?"""
    return box is not None and all(abs(a - b) * side <= 1 for a, b, side in zip(box, other, size * 2, strict=True))


def _is_same_name(name: str, other: str) -> bool:
    one, two = (" ".join(caseless_key(text).split()) for text in (name, other))
    return one == two
