"""Faces and names into a packet: what is there of other programs stays, to the byte.

A region or keyword that faceclust wrote before (see mine.py) and that no longer holds is removed.
A region of another program is left alone; where it names somebody else on the same face, that is
told and nothing is written of the face.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from faceclust.xmp.arrays import property_texts
from faceclust.xmp.edit_regions import change_regions, read_regions
from faceclust.xmp.keywords import change_keywords, change_note
from faceclust.xmp.ownership import KEYWORDS_PROPERTY, REGIONS_PROPERTY, SUGGESTED_PROPERTY, read_own_regions
from faceclust.xmp.packet import tag
from faceclust.xmp.rdf import child_elements, descriptions, property_elements
from faceclust.xmp.region_plan import NamedBox, find_own_region, plan_regions, separate_conflicts
from faceclust.xmp.schemes import SCHEMES
from faceclust.xmp.serialise import EMPTY_PACKET, clean_xml_text, format_attribute, format_element
from faceclust.xmp.splice import EditablePacket

_ABOUT_ATTRIBUTES = {tag("rdf:about"), "about"}


@dataclass(frozen=True)
class MergeResult:
    """A packet with the faces in it. `count_conflicts`: our name and the one that stays, for each face
    that another program gives another name."""

    data: bytes
    conflicts: tuple[tuple[str, str], ...] = ()


def merge_faces(old: bytes | None, faces: Iterable[NamedBox], size: tuple[int, int]) -> MergeResult:
    """The packet `old` (None: an empty one) with these faces; the same bytes where nothing changes.
    `read_dimensions`: width and height of the stored picture, px. Raises BadPacketError for what is no XMP,
    or what cannot be changed without guessing."""
    packet = EditablePacket(EMPTY_PACKET if old is None else old)
    named = [replace(face, name=clean_xml_text(face.name or "") or None) for face in faces]
    noted = read_own_regions(packet.root)
    listed = {scheme.name: read_regions(packet.root, scheme, size) for scheme in SCHEMES}
    foreign = {
        name: [region for region in regions if find_own_region(region, name, noted) is None]
        for name, regions in listed.items()
    }
    wanted, conflicts = separate_conflicts(
        sorted(named, key=lambda face: face.box), [region for regions in foreign.values() for region in regions]
    )
    new, notes, suggested = [], [], []
    for scheme in SCHEMES:
        plan = plan_regions(scheme, wanted, listed[scheme.name], noted, size)
        notes += plan.notes
        suggested += plan.suggested
        new.append(change_regions(packet, scheme, plan, size, only_own=not foreign[scheme.name]))
    new += change_keywords(packet, [face.name for face in wanted if face.name])
    for note, entries in ((REGIONS_PROPERTY, notes), (SUGGESTED_PROPERTY, suggested)):
        new.append(change_note(packet, note, property_texts(packet, note), entries))
    _insert_properties(packet, [text for text in new if text])
    return MergeResult(packet.result(), tuple(conflicts))


def strip_own_data(data: bytes) -> bytes | None:
    """The packet with what faceclust wrote taken out; None where nothing would be left. Raises
    BadPacketError."""
    others = merge_faces(data, [], (1, 1)).data
    left = EditablePacket(others).root
    is_left = any(child_elements(block) or set(block.attrib) - _ABOUT_ATTRIBUTES for block in descriptions(left))
    return others if is_left else None


def _insert_properties(packet: EditablePacket, new: Sequence[str]) -> None:
    """Put new properties into the block that has our note, else into a new one: no other block
    changes for them. A block of ours that would be empty goes."""
    noted = [
        found
        for name in (KEYWORDS_PROPERTY, REGIONS_PROPERTY, SUGGESTED_PROPERTY)
        for found in property_elements(packet.root, name)
    ]
    block = noted[0].getparent() if noted else None
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
