"""Properties that are lists of texts: keywords, names. What is to go goes, what is to come comes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lxml import etree

from faceclust.xmp.packet import BadPacketError, tag
from faceclust.xmp.rdf import (
    array_items,
    child_elements,
    find_array,
    property_attributes,
    property_elements,
    structure_element,
    text_of,
)
from faceclust.xmp.serialise import format_array, format_item
from faceclust.xmp.splice import EditablePacket


def property_texts(packet: EditablePacket, name: str) -> list[str]:
    """The texts of a property, however it is written."""
    found = [text for _, text in property_attributes(packet.root, name)]
    for element in property_elements(packet.root, name):
        found += (
            [text_of(entry) for entry in array_items(element)]
            if find_array(element) is not None
            else [text_of(element)]
        )
    return [text for text in found if text]


def change_list(
    packet: EditablePacket, name: str, kind: str, remove: Collection[str], add: Sequence[str]
) -> str | None:
    """Take the texts of `remove_file` out of a property and put those of `add` at its end. Gives the
    property as text where it is not there yet, and is to be; one without texts goes. Raises
    BadPacketError where it would have to be written anew and says more than a text."""
    there = property_elements(packet.root, name)
    holders = [element for element in there if find_array(element) is not None]
    # A list with one text is now and then written as if it were no list; then it becomes one.
    odd = [element for element in there if find_array(element) is None]
    kept = [text for text in non_list_texts(packet, name) if text not in remove]
    spelt = len(odd) + len(property_attributes(packet.root, name))
    if spelt and (add or len(kept) < len(non_list_texts(packet, name))):
        for block, _ in property_attributes(packet.root, name):
            packet.remove_attribute(block, name)
        for element in odd:
            if not _is_plain_text(element):
                raise BadPacketError(f"its {name} is neither a text nor a list")
            packet.remove(element)
        add = [*kept, *add]
    for element in holders:
        entries = array_items(element)
        stay = {entry for entry in entries if text_of(entry) not in remove}
        takes = add and element is holders[0]
        if entries and not stay and not takes and len(child_elements(element)) == 1:
            packet.remove(element)
            continue
        for entry in entries:
            if entry not in stay:
                packet.remove(entry)
        holder = find_array(element)
        if takes and holder is not None:
            packet.append(holder, *map(format_item, add))
    return format_array(name, kind, add) if add and not holders else None


def _is_plain_text(element: etree._Element) -> bool:
    """Is there nothing but a text in it, neither qualifiers nor a list deeper in?"""
    inner = structure_element(element)
    fields, names = child_elements(inner), {str(name) for name in (*element.attrib, *inner.attrib)}
    if [field.tag for field in fields] == [tag("rdf:value")]:
        return names <= {tag("rdf:parseType")} and _is_plain_text(fields[0])
    return not fields and names <= {tag("rdf:value")}


def non_list_texts(packet: EditablePacket, name: str) -> list[str]:
    """The texts of a property where it is not written as a list."""
    found = [text for _, text in property_attributes(packet.root, name)]
    found += [text_of(element) for element in property_elements(packet.root, name) if find_array(element) is None]
    return [text for text in found if text]
