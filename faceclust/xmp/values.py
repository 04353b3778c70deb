"""Faces in XMP as values, and the rotation of boxes with their picture."""

from __future__ import annotations

from dataclasses import dataclass

from faceclust.types import Box


@dataclass(frozen=True)
class XmpRegion:
    """A face region in a packet.

    `box` is (left, top, right, bottom) in fractions of the stored picture. `applied_to` is that
    picture's width and height in px according to the packet, or None. `scheme` is "mwg" (Metadata
    Working Group), "mp" (Microsoft), "iptc" or "acdsee". `confirmed` is false if the name is only a
    suggestion, of faceclust or of the other program. `is_own`: faceclust wrote the region, and nobody changed it.
    """

    name: str | None
    box: Box
    scheme: str
    applied_to: tuple[int, int] | None = None
    confirmed: bool = True
    is_own: bool = False


@dataclass(frozen=True)
class XmpFaces:
    """The people in a packet.

    `keywords` has the path of each hierarchical keyword, such as ("People", "Anna"). `people` has names
    without a region. `without_face` has those that faceclust wrote, of people whose face is not to be seen.
    `orientation` is the EXIF orientation in the packet, or None. `other_regions`
    counts regions of other kinds than faces, and `invalid_regions` those of faces with an invalid area.
    """

    regions: tuple[XmpRegion, ...] = ()
    keywords: tuple[tuple[str, ...], ...] = ()
    people: tuple[str, ...] = ()
    without_face: tuple[str, ...] = ()
    orientation: int | None = None
    other_regions: int = 0
    invalid_regions: int = 0


def upright_box(box: Box, orientation: int) -> Box:
    """Convert a box (in fractions) from the stored to the upright picture.

    `orientation` is an EXIF orientation, 1 to 8 (Exif 2.32, tag 274); other values change nothing.
    """
    left, top, right, bottom = box
    turned = {
        2: (1 - right, top, 1 - left, bottom),
        3: (1 - right, 1 - bottom, 1 - left, 1 - top),
        4: (left, 1 - bottom, right, 1 - top),
        5: (top, left, bottom, right),
        6: (1 - bottom, left, 1 - top, right),
        7: (1 - bottom, 1 - right, 1 - top, 1 - left),
        8: (top, 1 - right, bottom, 1 - left),
    }
    return turned.get(orientation, box)


def stored_box(box: Box, orientation: int) -> Box:
    """Convert a box from the upright to the stored picture: the inverse of `upright_box`."""
    return upright_box(box, {6: 8, 8: 6}.get(orientation, orientation))


def stored_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Convert width and height from the upright to the stored picture, or back."""
    return size[::-1] if orientation in (5, 6, 7, 8) else size
