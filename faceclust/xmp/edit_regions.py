"""Apply a region plan to a packet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from lxml import etree

from faceclust.xmp import areas
from faceclust.xmp.packet import BadPacketError, tag
from faceclust.xmp.rdf import (
    array_items,
    child_elements,
    field_element,
    field_names,
    field_text,
    find_array,
    property_elements,
    structure_element,
)
from faceclust.xmp.region_plan import RegionPlan
from faceclust.xmp.schemes import SCHEMES, PacketRegion, Scheme, is_region_in_pixels
from faceclust.xmp.serialise import format_element
from faceclust.xmp.splice import EditablePacket

_MAX_ASPECT_DIFFERENCE = 0.02  # of the ratio of width to height


def read_regions(root: etree._Element, scheme: Scheme, size: tuple[int, int] | None = None) -> list[PacketRegion]:
    """Read a packet's regions of one scheme.

    `size` is the stored picture's width and height in px. Regions in pixels refer to it if the packet
    itself has no dimensions.
    """
    return [
        scheme.read(item, _applied_dimensions(element) or size)
        for element in property_elements(root, scheme.property_name)
        for item in _region_items(element, scheme)
    ]


def _region_items(property_element: etree._Element, scheme: Scheme) -> list[etree._Element]:
    inner = field_element(property_element, scheme.list_name)
    return array_items(inner) if inner is not None else []


def _applied_dimensions(property_element: etree._Element) -> tuple[int, int] | None:
    dimensions = field_element(property_element, "mwg-rs:AppliedToDimensions")
    return areas.read_dimensions(partial(field_text, dimensions)) if dimensions is not None else None


def change_regions(
    packet: EditablePacket, scheme: Scheme, plan: RegionPlan, size: tuple[int, int], *, only_own: bool
) -> str:
    """Apply a plan. `only_own`: there are no regions of other programs.

    Return the property as XML if it has to be created, else "". Raises BadPacketError.
    """
    elements = property_elements(packet.root, scheme.property_name)
    added = [scheme.to_xml(face.box, face.name) for face in plan.add]
    if not elements:
        return _format_property(scheme, added, size) if added else ""
    has_only_own = only_own and all(_has_only_known_fields(element, scheme) for element in elements)
    if plan.remove and has_only_own and not plan.records:
        for element in elements:
            packet.remove(element)
        return ""
    for region in plan.remove:
        packet.remove(region.item)
    fields = _append_regions(packet, scheme, elements[0], added) if added else []
    if plan.records and scheme.name == "mwg-rs":
        fields += _change_dimensions(packet, elements[0], size, has_foreign=not only_own)
    if fields:  # in one call: of two insertions into an empty element only the first would be kept
        packet.append(structure_element(elements[0]), *fields)
    return ""


def _has_only_known_fields(property_element: etree._Element, scheme: Scheme) -> bool:
    return field_names(property_element) <= {tag(scheme.list_name), tag("mwg-rs:AppliedToDimensions")}


def _format_property(scheme: Scheme, added: Sequence[str], size: tuple[int, int]) -> str:
    inner = [_format_dimensions(size)] if scheme.name == "mwg-rs" else []
    inner.append(format_element(scheme.list_name, format_element("rdf:Bag", *added)))
    return format_element(scheme.property_name, *inner, attributes=' rdf:parseType="Resource"')


def _append_regions(
    packet: EditablePacket, scheme: Scheme, property_element: etree._Element, added: Sequence[str]
) -> list[str]:
    """Append regions to the list; return the list as XML if it has to be created."""
    inner = field_element(property_element, scheme.list_name)
    if inner is not None:
        holder = find_array(inner)
        if holder is not None:
            packet.append(holder, *added)
        elif child_elements(inner):
            raise BadPacketError(f"its {scheme.list_name} is not a list")
        else:
            packet.replace(inner, format_element(scheme.list_name, format_element("rdf:Bag", *added)))
        return []
    fields = structure_element(property_element)
    if (
        fields is property_element
        and not child_elements(property_element)
        and property_element.get(tag("rdf:parseType")) is None
    ):
        raise BadPacketError(f"its {scheme.property_name} is not a structure")
    return [format_element(scheme.list_name, format_element("rdf:Bag", *added))]


def _format_dimensions(size: tuple[int, int]) -> str:
    fields = f' stDim:w="{size[0]}" stDim:h="{size[1]}" stDim:unit="pixel"'
    return format_element("mwg-rs:AppliedToDimensions", attributes=fields)


def _change_dimensions(
    packet: EditablePacket, property_element: etree._Element, size: tuple[int, int], *, has_foreign: bool
) -> list[str]:
    """Set the dimensions that regions refer to; return them as XML if they have to be created.

    Regions in pixels without dimensions refer to an unknown picture: then none are added. Raises
    BadPacketError if other programs' regions refer to a picture of another aspect ratio.
    """
    dimensions = field_element(property_element, "mwg-rs:AppliedToDimensions")
    if dimensions is None:
        in_pixels = any(map(is_region_in_pixels, _region_items(property_element, SCHEMES[0])))
        return [] if in_pixels else [_format_dimensions(size)]
    width, height = (areas.parse_number(field_text(dimensions, f"stDim:{side}")) for side in "wh")
    if has_foreign:
        if width > 0 and height > 0 and abs(width * size[1] / (height * size[0]) - 1) > _MAX_ASPECT_DIFFERENCE:
            raise BadPacketError(
                f"its regions refer to a picture of {width:g}×{height:g} pixels, but the photo has {size[0]}×{size[1]}"
            )
    elif (width, height) != size:
        packet.replace(dimensions, _format_dimensions(size))
    return []
