"""Carrying out what is to become of a packet's regions."""

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
    """The regions that a packet has by a scheme. `read_dimensions`: of the stored picture, px; what counts in
    pixels is taken as of it where the packet does not tell."""
    return [
        scheme.read(entry, _applied_dimensions(found) or size)
        for found in property_elements(root, scheme.property_name)
        for entry in _region_items(found, scheme)
    ]


def _region_items(property_element: etree._Element, scheme: Scheme) -> list[etree._Element]:
    inner = field_element(property_element, scheme.list_name)
    return array_items(inner) if inner is not None else []


def _applied_dimensions(property_element: etree._Element) -> tuple[int, int] | None:
    there = field_element(property_element, "mwg-rs:AppliedToDimensions")
    return areas.read_dimensions(partial(field_text, there)) if there is not None else None


def change_regions(
    packet: EditablePacket, scheme: Scheme, plan: RegionPlan, size: tuple[int, int], *, only_own: bool
) -> str:
    """Carry a plan out; `alone`: there are no regions of other programs. Gives the property as text
    where it is not there yet, and is to be, else "". Raises BadPacketError."""
    there = property_elements(packet.root, scheme.property_name)
    fields = []
    added = [scheme.to_xml(face.box, face.name) for face in plan.add]
    if not there:
        return _format_property(scheme, added, size) if added else ""
    if plan.remove and only_own and not plan.notes and all(_has_only_known_fields(found, scheme) for found in there):
        for found in there:
            packet.remove(found)
        return ""
    for region in plan.remove:
        packet.remove(region.item)
    if added:
        fields += _append_regions(packet, scheme, there[0], added)
    if plan.notes and scheme.name == "mwg-rs":
        fields += _change_dimensions(packet, there[0], size, has_foreign=not only_own)
    if fields:  # at once: of two changes to one empty element the first alone would be made
        packet.append(structure_element(there[0]), *fields)
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
    """Add to the list of regions; gives it as text where it is not there yet."""
    inner = field_element(property_element, scheme.list_name)
    if inner is not None:
        holder = find_array(inner)
        if holder is not None:
            packet.append(holder, *added)
        elif child_elements(inner):
            raise BadPacketError(f"its {scheme.list_name} is no list")
        else:
            packet.replace(inner, format_element(scheme.list_name, format_element("rdf:Bag", *added)))
        return []
    fields = structure_element(property_element)
    if (
        fields is property_element
        and not child_elements(property_element)
        and property_element.get(tag("rdf:parseType")) is None
    ):
        raise BadPacketError(f"its {scheme.property_name} is no structure")
    return [format_element(scheme.list_name, format_element("rdf:Bag", *added))]


def _format_dimensions(size: tuple[int, int]) -> str:
    fields = f' stDim:w="{size[0]}" stDim:h="{size[1]}" stDim:unit="pixel"'
    return format_element("mwg-rs:AppliedToDimensions", attributes=fields)


def _change_dimensions(
    packet: EditablePacket, property_element: etree._Element, size: tuple[int, int], *, has_foreign: bool
) -> list[str]:
    """Have the regions' picture be ours; gives it as text where none is told yet, but for others'
    regions in pixels, whose picture only they know. Raises BadPacketError where others' are of
    another shape."""
    there = field_element(property_element, "mwg-rs:AppliedToDimensions")
    if there is None:
        in_pixels = any(map(is_region_in_pixels, _region_items(property_element, SCHEMES[0])))
        return [] if in_pixels else [_format_dimensions(size)]
    width, height = (areas.parse_number(field_text(there, f"stDim:{side}")) for side in "wh")
    if has_foreign:
        if width > 0 and height > 0 and abs(width * size[1] / (height * size[0]) - 1) > _MAX_ASPECT_DIFFERENCE:
            raise BadPacketError(
                f"its regions are of a picture of {width:g}×{height:g} pixels, the photo has {size[0]}×{size[1]}"
            )
    elif (width, height) != size:
        packet.replace(there, _format_dimensions(size))
    return []
