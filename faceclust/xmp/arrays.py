"""Properties that are lists of texts: keywords, names. What is to go goes, what is to come comes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lxml import etree

from faceclust.xmp.packet import BadPacketError, tag
from faceclust.xmp.rdf import array, attributes, elements, items, properties, structure, text_of
from faceclust.xmp.serialise import item, listing
from faceclust.xmp.splice import Packet


def texts(packet: Packet, name: str) -> list[str]:
    """The texts of a property, however it is written."""
    found = [text for _, text in attributes(packet.root, name)]
    for element in properties(packet.root, name):
        found += [text_of(entry) for entry in items(element)] if array(element) is not None else [text_of(element)]
    return [text for text in found if text]


def change_list(packet: Packet, name: str, kind: str, remove: Collection[str], add: Sequence[str]) -> str | None:
    """Take the texts of `remove` out of a property and put those of `add` at its end. Gives the
    property as text where it is not there yet, and is to be; one without texts goes. Raises
    BadPacketError where it would have to be written anew and says more than a text."""
    there = properties(packet.root, name)
    holders = [element for element in there if array(element) is not None]
    # A list with one text is now and then written as if it were no list; then it becomes one.
    odd = [element for element in there if array(element) is None]
    kept = [text for text in texts_of_odd(packet, name) if text not in remove]
    spelt = len(odd) + len(attributes(packet.root, name))
    if spelt and (add or len(kept) < len(texts_of_odd(packet, name))):
        for block, _ in attributes(packet.root, name):
            packet.drop_attribute(block, name)
        for element in odd:
            if not _is_text(element):
                raise BadPacketError(f"its {name} is neither a text nor a list")
            packet.cut(element)
        add = [*kept, *add]
    for element in holders:
        entries = items(element)
        stay = {entry for entry in entries if text_of(entry) not in remove}
        takes = add and element is holders[0]
        if entries and not stay and not takes and len(elements(element)) == 1:
            packet.cut(element)
            continue
        for entry in entries:
            if entry not in stay:
                packet.cut(entry)
        holder = array(element)
        if takes and holder is not None:
            packet.append(holder, *map(item, add))
    return listing(name, kind, add) if add and not holders else None


def _is_text(element: etree._Element) -> bool:
    """Is there nothing but a text in it, neither qualifiers nor a list deeper in?"""
    inner = structure(element)
    fields, names = elements(inner), {str(name) for name in (*element.attrib, *inner.attrib)}
    if [field.tag for field in fields] == [tag("rdf:value")]:
        return names <= {tag("rdf:parseType")} and _is_text(fields[0])
    return not fields and names <= {tag("rdf:value")}


def texts_of_odd(packet: Packet, name: str) -> list[str]:
    """The texts of a property where it is not written as a list."""
    found = [text for _, text in attributes(packet.root, name)]
    found += [text_of(element) for element in properties(packet.root, name) if array(element) is None]
    return [text for text in found if text]
