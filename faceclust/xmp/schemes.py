"""The two ways in which photo programs note where a face is, and who it is.

MWG: "Guidelines for Handling Image Metadata" 2.0 of the Metadata Working Group, section 5.9: the
area by its centre, and the size of the picture it is of. Microsoft: the schema "People Tagging":
a rectangle by its top left corner. Both count in fractions of the picture as it is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lxml import etree

from faceclust.xmp.areas import in_pixels, microsoft_box, mwg_box
from faceclust.xmp.packet import tag
from faceclust.xmp.rdf import field, field_names, field_text
from faceclust.xmp.serialise import attribute, element
from faceclust.xmp.values import Box

_AREA = {tag(f"stArea:{name}") for name in ("x", "y", "w", "h", "unit")}
_MWG = {tag(f"mwg-rs:{name}") for name in ("Name", "Type", "Area")}
_MP = {tag(f"MPReg:{name}") for name in ("Rectangle", "PersonDisplayName")}


@dataclass(frozen=True)
class Listed:
    """A region in a packet: its element, its `box` (None where it is no rectangle) and
    name. `plain`: it says nothing of a face that we do not write."""

    item: etree._Element
    box: Box | None
    name: str | None
    is_face: bool
    plain: bool


@dataclass(frozen=True)
class Scheme:
    """One way. `property` holds the array `list`; `read` makes sense of an item of it, given the
    size of the picture it is of, where known; `text` writes one."""

    name: str
    property: str
    list: str
    read: Callable[[etree._Element, tuple[int, int] | None], Listed]
    text: Callable[[Box, str | None], str]


def _read_mwg(item: etree._Element, size: tuple[int, int] | None) -> Listed:
    area = field(item, "mwg-rs:Area")
    fields = partial(field_text, area) if area is not None else None
    kind = field_text(item, "mwg-rs:Type")
    return Listed(
        item,
        mwg_box(fields, size) if fields else None,
        field_text(item, "mwg-rs:Name") or None,
        (kind or "Face").strip().lower() == "face",
        area is not None and field_names(item) <= _MWG and field_names(area) <= _AREA and not is_in_pixels(item),
    )


def is_in_pixels(item: etree._Element) -> bool:
    """Is the area of this region of the MWG in pixels, as we write none?"""
    area = field(item, "mwg-rs:Area")
    return area is not None and in_pixels(partial(field_text, area))


def _text_mwg(box: Box, name: str | None) -> str:
    x, y, width, height = centred(box)
    area = f' stArea:x="{x}" stArea:y="{y}" stArea:w="{width}" stArea:h="{height}" stArea:unit="normalized"'
    named = (attribute("mwg-rs:Name", name) if name else "") + ' mwg-rs:Type="Face"'
    inner = element("mwg-rs:Area", attributes=area)
    return element("rdf:li", element("rdf:Description", inner, attributes=named))


def _read_mp(item: etree._Element, size: tuple[int, int] | None) -> Listed:
    box = microsoft_box(field_text(item, "MPReg:Rectangle"))
    return Listed(item, box, field_text(item, "MPReg:PersonDisplayName") or None, True, field_names(item) <= _MP)


def _text_mp(box: Box, name: str | None) -> str:
    left, top, right, bottom = box
    rectangle = ", ".join(f"{value:.6f}" for value in (left, top, right - left, bottom - top))
    named = attribute("MPReg:PersonDisplayName", name) if name else ""
    fields = attribute("MPReg:Rectangle", rectangle) + named
    return element("rdf:li", element("rdf:Description", attributes=fields))


def centred(box: Box) -> tuple[str, str, str, str]:
    """Centre, width and height of a box, as they are written: a millionth is a fiftieth of a pixel
    in a picture 20,000 pixels wide."""
    left, top, right, bottom = box
    x, y, width, height = (
        f"{value:.6f}" for value in ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    )
    return x, y, width, height


SCHEMES = (
    Scheme("mwg-rs", "mwg-rs:Regions", "mwg-rs:RegionList", _read_mwg, _text_mwg),
    Scheme("MP", "MP:RegionInfo", "MPRI:Regions", _read_mp, _text_mp),
)
