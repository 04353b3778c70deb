"""Merge faces and names into a packet; the data of other programs stay the same to the byte.

Outdated regions and keywords of our own (see ownership.py) are removed. Other programs' regions are
left alone. If one of them has another name for a face, the face is not written but reported as a
conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from faceclust.xmp.arrays import property_texts
from faceclust.xmp.edit_regions import change_regions, read_regions
from faceclust.xmp.keywords import change_keywords, change_records
from faceclust.xmp.ownership import (
    OWN_PROPERTIES,
    REGIONS_PROPERTY,
    SUGGESTED_PROPERTY,
    WITHOUT_FACE_PROPERTY,
    read_own_regions,
)
from faceclust.xmp.packet import MAX_REGIONS, BadPacketError, tag
from faceclust.xmp.rdf import child_elements, descriptions, property_elements
from faceclust.xmp.region_plan import NamedBox, find_own_region, plan_regions, separate_conflicts
from faceclust.xmp.schemes import SCHEMES
from faceclust.xmp.serialise import EMPTY_PACKET, clean_xml_text, format_attribute, format_element
from faceclust.xmp.splice import EditablePacket

_ABOUT_ATTRIBUTES = {tag("rdf:about"), "about"}


@dataclass(frozen=True)
class MergeResult:
    """A packet with the faces in it.

    `conflicts` has (our name, kept name) of each face that another program has named otherwise.
    """

    data: bytes
    conflicts: tuple[tuple[str, str], ...] = ()


def merge_faces(
    old: bytes | None, faces: Iterable[NamedBox], size: tuple[int, int], without_face: Iterable[str] = ()
) -> MergeResult:
    """Merge faces into the packet `old` (None for an empty one); without changes, return the same bytes.

    `size` is the stored picture's width and height in px. People `without_face` get keywords, but no region.
    Raises BadPacketError if `old` is not XMP, or cannot be changed unambiguously.
    """
    packet = EditablePacket(EMPTY_PACKET if old is None else old)
    named = [replace(face, name=clean_xml_text(face.name or "") or None) for face in faces]
    own_regions = read_own_regions(packet.root)
    existing = {scheme.name: read_regions(packet.root, scheme, size) for scheme in SCHEMES}
    if max(len(own_regions), *(len(regions) for regions in existing.values())) > MAX_REGIONS:
        raise BadPacketError(f"it has more than {MAX_REGIONS:,} regions")
    foreign = {
        name: [region for region in regions if find_own_region(region, name, own_regions) is None]
        for name, regions in existing.items()
    }
    wanted, conflicts = separate_conflicts(
        sorted(named, key=lambda face: face.box), [region for regions in foreign.values() for region in regions]
    )
    new, records, suggested = [], [], []
    for scheme in SCHEMES:
        plan = plan_regions(scheme, wanted, existing[scheme.name], own_regions, size)
        records += plan.records
        suggested += plan.suggested
        new.append(change_regions(packet, scheme, plan, size, only_own=not foreign[scheme.name]))
    absent = list(dict.fromkeys(filter(None, map(clean_xml_text, without_face))))
    names = [*(face.name for face in wanted if face.name), *absent]
    new += change_keywords(packet, names)
    own = ((REGIONS_PROPERTY, records), (SUGGESTED_PROPERTY, suggested), (WITHOUT_FACE_PROPERTY, absent))
    for name, texts in own:
        new.append(change_records(packet, name, property_texts(packet, name), texts))
    _insert_properties(packet, [text for text in new if text])
    return MergeResult(packet.result(), tuple(conflicts))


def strip_own_data(data: bytes) -> bytes | None:
    """Remove everything that faceclust wrote; None if nothing is left. Raises BadPacketError."""
    stripped = merge_faces(data, [], (1, 1)).data
    blocks = descriptions(EditablePacket(stripped).root)
    has_data = any(child_elements(block) or set(block.attrib) - _ABOUT_ATTRIBUTES for block in blocks)
    return stripped if has_data else None


def _insert_properties(packet: EditablePacket, new: Sequence[str]) -> None:
    """Insert new properties into the block with our ownership records, or into a new block.

    No other block changes. A block of ours that would become empty is removed.
    """
    records = [element for name in OWN_PROPERTIES for element in property_elements(packet.root, name)]
    block = records[0].getparent() if records else None
    if new and block is not None:
        packet.append(block, *new)
    elif new:
        rdf = packet.root if packet.root.tag == tag("rdf:RDF") else next(packet.root.iter(tag("rdf:RDF")))
        first = next(descriptions(packet.root), None)
        about = first.get(tag("rdf:about"), first.get("about", "")) if first is not None else ""
        packet.append(
            rdf, format_element("rdf:Description", *new, attributes=format_attribute("rdf:about", str(about)))
        )
    elif (
        block is not None
        and not set(block.attrib) - _ABOUT_ATTRIBUTES
        and all(map(packet.is_removed, child_elements(block)))
    ):
        packet.remove(block)
