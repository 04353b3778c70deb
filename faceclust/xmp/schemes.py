"""The two schemes for face regions: that of the Metadata Working Group, and Microsoft's.

MWG ("Guidelines for Handling Image Metadata" 2.0, section 5.9) stores an area by its centre, and the
size of the picture. Microsoft's schema "People Tagging" stores a rectangle by its top left corner. Both
use fractions of the stored picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lxml import etree

from faceclust.types import Box
from faceclust.xmp.areas import parse_microsoft_box, parse_mwg_box, uses_pixels
from faceclust.xmp.packet import tag
from faceclust.xmp.rdf import field_element, field_names, field_text
from faceclust.xmp.serialise import format_attribute, format_element

_AREA_FIELDS = {tag(f"stArea:{name}") for name in ("x", "y", "w", "h", "unit")}
_MWG_FIELDS = {tag(f"mwg-rs:{name}") for name in ("Name", "Type", "Area")}
_MICROSOFT_FIELDS = {tag(f"MPReg:{name}") for name in ("Rectangle", "PersonDisplayName")}


@dataclass(frozen=True)
class PacketRegion:
    """A region in a packet: its element, box (None if invalid) and name.

    `has_only_own_fields`: it has no fields besides those that we write.
    """

    item: etree._Element
    box: Box | None
    name: str | None
    is_face: bool
    has_only_own_fields: bool


@dataclass(frozen=True)
class Scheme:
    """A notation of regions.

    The property `property_name` holds the array `list_name`. `read` parses an item of it, given the
    size of the picture if known. `to_xml` formats a box and a name as an item.
    """

    name: str
    property_name: str
    list_name: str
    read: Callable[[etree._Element, tuple[int, int] | None], PacketRegion]
    to_xml: Callable[[Box, str | None], str]


def _read_mwg(item: etree._Element, size: tuple[int, int] | None) -> PacketRegion:
    area = field_element(item, "mwg-rs:Area")
    fields = partial(field_text, area) if area is not None else None
    kind = field_text(item, "mwg-rs:Type")
    return PacketRegion(
        item,
        parse_mwg_box(fields, size) if fields else None,
        field_text(item, "mwg-rs:Name") or None,
        (kind or "Face").strip().lower() == "face",
        area is not None
        and field_names(item) <= _MWG_FIELDS
        and field_names(area) <= _AREA_FIELDS
        and not is_region_in_pixels(item),
    )


def is_region_in_pixels(item: etree._Element) -> bool:
    """Is the area of this MWG region in pixels? We write fractions only."""
    area = field_element(item, "mwg-rs:Area")
    return area is not None and uses_pixels(partial(field_text, area))


def _format_mwg(box: Box, name: str | None) -> str:
    x, y, width, height = format_centre_and_size(box)
    area = f' stArea:x="{x}" stArea:y="{y}" stArea:w="{width}" stArea:h="{height}" stArea:unit="normalized"'
    named = (format_attribute("mwg-rs:Name", name) if name else "") + ' mwg-rs:Type="Face"'
    inner = format_element("mwg-rs:Area", attributes=area)
    return format_element("rdf:li", format_element("rdf:Description", inner, attributes=named))


def _read_microsoft(item: etree._Element, size: tuple[int, int] | None) -> PacketRegion:
    box = parse_microsoft_box(field_text(item, "MPReg:Rectangle"))
    return PacketRegion(
        item, box, field_text(item, "MPReg:PersonDisplayName") or None, True, field_names(item) <= _MICROSOFT_FIELDS
    )


def _format_microsoft(box: Box, name: str | None) -> str:
    left, top, right, bottom = box
    rectangle = ", ".join(f"{value:.6f}" for value in (left, top, right - left, bottom - top))
    named = format_attribute("MPReg:PersonDisplayName", name) if name else ""
    fields = format_attribute("MPReg:Rectangle", rectangle) + named
    return format_element("rdf:li", format_element("rdf:Description", attributes=fields))


def format_centre_and_size(box: Box) -> tuple[str, str, str, str]:
    """Format centre, width and height of a box.

    A millionth is a fiftieth of a pixel in a picture 20,000 pixels wide.
    """
    left, top, right, bottom = box
    x, y, width, height = (
        f"{value:.6f}" for value in ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    )
    return x, y, width, height


SCHEMES = (
    Scheme("mwg-rs", "mwg-rs:Regions", "mwg-rs:RegionList", _read_mwg, _format_mwg),
    Scheme("MP", "MP:RegionInfo", "MPRI:Regions", _read_microsoft, _format_microsoft),
)
