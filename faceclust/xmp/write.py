"""Faces and names into a packet: what is there of other programs stays, to the byte.

A region or keyword that faceclust wrote before (see mine.py) and that no longer holds is removed.
A region of another program is left alone; where it names somebody else on the same face, that is
told and nothing is written of the face.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from faceclust.xmp.arrays import texts
from faceclust.xmp.edit_regions import change_regions, listed_regions
from faceclust.xmp.keywords import change_keywords, change_note
from faceclust.xmp.ownership import KEYWORDS, REGIONS, SUGGESTED, noted_regions
from faceclust.xmp.packet import tag
from faceclust.xmp.rdf import descriptions, elements, properties
from faceclust.xmp.region_plan import NamedBox, note_of, plan_regions, without_conflicts
from faceclust.xmp.schemes import SCHEMES
from faceclust.xmp.serialise import EMPTY, attribute, clean, element
from faceclust.xmp.splice import Packet

_ABOUT = {tag("rdf:about"), "about"}


@dataclass(frozen=True)
class Merged:
    """A packet with the faces in it. `conflicts`: our name and the one that stays, for each face
    that another program gives another name."""

    data: bytes
    conflicts: tuple[tuple[str, str], ...] = ()


def merge_faces(old: bytes | None, faces: Iterable[NamedBox], size: tuple[int, int]) -> Merged:
    """The packet `old` (None: an empty one) with these faces; the same bytes where nothing changes.
    `size`: width and height of the stored picture, px. Raises BadPacketError for what is no XMP,
    or what cannot be changed without guessing."""
    packet = Packet(EMPTY if old is None else old)
    named = [replace(face, name=clean(face.name or "") or None) for face in faces]
    noted = noted_regions(packet.root)
    listed = {scheme.name: listed_regions(packet.root, scheme, size) for scheme in SCHEMES}
    foreign = {
        name: [region for region in regions if note_of(region, name, noted) is None] for name, regions in listed.items()
    }
    wanted, conflicts = without_conflicts(
        sorted(named, key=lambda face: face.box), [region for regions in foreign.values() for region in regions]
    )
    new, notes, suggested = [], [], []
    for scheme in SCHEMES:
        plan = plan_regions(scheme, wanted, listed[scheme.name], noted, size)
        notes += plan.notes
        suggested += plan.suggested
        new.append(change_regions(packet, scheme, plan, size, alone=not foreign[scheme.name]))
    new += change_keywords(packet, [face.name for face in wanted if face.name])
    for note, entries in ((REGIONS, notes), (SUGGESTED, suggested)):
        new.append(change_note(packet, note, texts(packet, note), entries))
    _place(packet, [text for text in new if text])
    return Merged(packet.result(), tuple(conflicts))


def without_ours(data: bytes) -> bytes | None:
    """The packet with what faceclust wrote taken out; None where nothing would be left. Raises
    BadPacketError."""
    others = merge_faces(data, [], (1, 1)).data
    left = Packet(others).root
    is_left = any(elements(block) or set(block.attrib) - _ABOUT for block in descriptions(left))
    return others if is_left else None


def _place(packet: Packet, new: Sequence[str]) -> None:
    """Put new properties into the block that has our note, else into a new one: no other block
    changes for them. A block of ours that would be empty goes."""
    noted = [found for name in (KEYWORDS, REGIONS, SUGGESTED) for found in properties(packet.root, name)]
    block = noted[0].getparent() if noted else None
    if new and block is not None:
        packet.append(block, *new)
    elif new:
        rdf = packet.root if packet.root.tag == tag("rdf:RDF") else next(packet.root.iter(tag("rdf:RDF")))
        first = next(descriptions(packet.root), None)
        about = first.get(tag("rdf:about"), first.get("about", "")) if first is not None else ""
        packet.append(rdf, element("rdf:Description", *new, attributes=attribute("rdf:about", str(about))))
    elif block is not None and not set(block.attrib) - _ABOUT and all(map(packet.is_cut, elements(block))):
        packet.cut(block)
