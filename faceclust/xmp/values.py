"""What XMP says of faces, as values; and how a box turns with its picture."""

from __future__ import annotations

from dataclasses import dataclass

from faceclust.types import Box


@dataclass(frozen=True)
class XmpRegion:
    """A face as a program wrote it. `box`: left, top, right, bottom as fractions of the stored
    picture; `applied_to`: that picture's width and height in pixels as the program says, None
    where it does not; `scheme`: "mwg" or "mp", by which it was written; not `sure`: faceclust wrote
    it, as a suggestion that nobody had confirmed."""

    name: str | None
    box: Box
    scheme: str
    applied_to: tuple[int, int] | None = None
    confirmed: bool = True


@dataclass(frozen=True)
class XmpFaces:
    """All that a packet says of people. `keywords`: each hierarchical keyword as its path, such as
    ("People", "Anna"); `people`: names without a place in the picture. `orientation`: the EXIF
    orientation that the packet itself gives, if it does."""

    regions: tuple[XmpRegion, ...] = ()
    keywords: tuple[tuple[str, ...], ...] = ()
    people: tuple[str, ...] = ()
    orientation: int | None = None


def upright_box(box: Box, orientation: int) -> Box:
    """A box (fractions) of the stored picture as one of the upright picture. EXIF orientation 1 to 8
    (Exif 2.32, tag 274); any other turns nothing."""
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
    """A box of the upright picture as one of the stored picture: `upright_box` backwards."""
    return upright_box(box, {6: 8, 8: 6}.get(orientation, orientation))


def stored_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height of the stored picture, from those of the upright one; and back."""
    return size[::-1] if orientation in (5, 6, 7, 8) else size
