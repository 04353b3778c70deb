"""Carrying out what is to become of a packet's regions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from lxml import etree

from faceclust.xmp import areas
from faceclust.xmp.packet import BadPacketError, tag
from faceclust.xmp.rdf import array, elements, field, field_names, field_text, items, properties, structure
from faceclust.xmp.region_plan import RegionPlan
from faceclust.xmp.schemes import SCHEMES, Listed, Scheme, is_in_pixels
from faceclust.xmp.serialise import element
from faceclust.xmp.splice import Packet

_SAME_SHAPE = 0.02  # of the ratio of width to height


def listed_regions(root: etree._Element, scheme: Scheme, size: tuple[int, int] | None = None) -> list[Listed]:
    """The regions that a packet has by a scheme. `size`: of the stored picture, px; what counts in
    pixels is taken as of it where the packet does not tell."""
    return [
        scheme.read(entry, _applied_to(found) or size)
        for found in properties(root, scheme.property)
        for entry in _entries(found, scheme)
    ]


def _entries(found: etree._Element, scheme: Scheme) -> list[etree._Element]:
    inner = field(found, scheme.list)
    return items(inner) if inner is not None else []


def _applied_to(found: etree._Element) -> tuple[int, int] | None:
    there = field(found, "mwg-rs:AppliedToDimensions")
    return areas.size(partial(field_text, there)) if there is not None else None


def change_regions(packet: Packet, scheme: Scheme, plan: RegionPlan, size: tuple[int, int], *, alone: bool) -> str:
    """Carry a plan out; `alone`: there are no regions of other programs. Gives the property as text
    where it is not there yet, and is to be, else "". Raises BadPacketError."""
    there = properties(packet.root, scheme.property)
    fields = []
    added = [scheme.text(face.box, face.name) for face in plan.add]
    if not there:
        return _property(scheme, added, size) if added else ""
    if plan.cut and alone and not plan.notes and all(_is_plain(found, scheme) for found in there):
        for found in there:
            packet.cut(found)
        return ""
    for region in plan.cut:
        packet.cut(region.item)
    if added:
        fields += _append_regions(packet, scheme, there[0], added)
    if plan.notes and scheme.name == "mwg-rs":
        fields += _change_size(packet, there[0], size, others=not alone)
    if fields:  # at once: of two changes to one empty element the first alone would be made
        packet.append(structure(there[0]), *fields)
    return ""


def _is_plain(found: etree._Element, scheme: Scheme) -> bool:
    return field_names(found) <= {tag(scheme.list), tag("mwg-rs:AppliedToDimensions")}


def _property(scheme: Scheme, added: Sequence[str], size: tuple[int, int]) -> str:
    inner = [_size_text(size)] if scheme.name == "mwg-rs" else []
    inner.append(element(scheme.list, element("rdf:Bag", *added)))
    return element(scheme.property, *inner, attributes=' rdf:parseType="Resource"')


def _append_regions(packet: Packet, scheme: Scheme, found: etree._Element, added: Sequence[str]) -> list[str]:
    """Add to the list of regions; gives it as text where it is not there yet."""
    inner = field(found, scheme.list)
    if inner is not None:
        holder = array(inner)
        if holder is not None:
            packet.append(holder, *added)
        elif elements(inner):
            raise BadPacketError(f"its {scheme.list} is no list")
        else:
            packet.replace(inner, element(scheme.list, element("rdf:Bag", *added)))
        return []
    fields = structure(found)
    if fields is found and not elements(found) and found.get(tag("rdf:parseType")) is None:
        raise BadPacketError(f"its {scheme.property} is no structure")
    return [element(scheme.list, element("rdf:Bag", *added))]


def _size_text(size: tuple[int, int]) -> str:
    fields = f' stDim:w="{size[0]}" stDim:h="{size[1]}" stDim:unit="pixel"'
    return element("mwg-rs:AppliedToDimensions", attributes=fields)


def _change_size(packet: Packet, found: etree._Element, size: tuple[int, int], *, others: bool) -> list[str]:
    """Have the regions' picture be ours; gives it as text where none is told yet, but for others'
    regions in pixels, whose picture only they know. Raises BadPacketError where others' are of
    another shape."""
    there = field(found, "mwg-rs:AppliedToDimensions")
    if there is None:
        in_pixels = any(map(is_in_pixels, _entries(found, SCHEMES[0])))
        return [] if in_pixels else [_size_text(size)]
    width, height = (areas.number(field_text(there, f"stDim:{side}")) for side in "wh")
    if others:
        if width > 0 and height > 0 and abs(width * size[1] / (height * size[0]) - 1) > _SAME_SHAPE:
            raise BadPacketError(
                f"its regions are of a picture of {width:g}×{height:g} pixels, the photo has {size[0]}×{size[1]}"
            )
    elif (width, height) != size:
        packet.replace(there, _size_text(size))
    return []
