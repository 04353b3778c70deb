"""Change properties that are lists of texts, such as keywords and names."""

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
    """Return the texts of a property in any of its notations."""
    texts = [text for _, text in property_attributes(packet.root, name)]
    for element in property_elements(packet.root, name):
        texts += map(text_of, array_items(element) if find_array(element) is not None else [element])
    return [text for text in texts if text]


def change_list(
    packet: EditablePacket, name: str, kind: str, remove: Collection[str], add: Sequence[str]
) -> str | None:
    """Remove the texts in `remove` from a property, and append those in `add`.

    A property without texts left is removed. Return the property as XML if it has to be created, else
    None. Raises BadPacketError if the property would have to be rewritten but has more than plain texts.
    """
    add = _take_out_plain_values(packet, name, remove, add)
    lists = [element for element in property_elements(packet.root, name) if find_array(element) is not None]
    for element in lists:
        _change_array(packet, element, remove, add if element is lists[0] else ())
    return format_array(name, kind, add) if add and not lists else None


def _take_out_plain_values(
    packet: EditablePacket, name: str, remove: Collection[str], add: Sequence[str]
) -> Sequence[str]:
    """Remove the values of a property that are not in a list; return the kept ones followed by `add`.

    Some programs write a list of one text as a plain value. It stays unless something changes.
    """
    attributes = property_attributes(packet.root, name)
    elements = [element for element in property_elements(packet.root, name) if find_array(element) is None]
    texts = [text for text in [text for _, text in attributes] + [text_of(element) for element in elements] if text]
    kept = [text for text in texts if text not in remove]
    if not (attributes or elements) or not (add or len(kept) < len(texts)):
        return add
    for block, _ in attributes:
        packet.remove_attribute(block, name)
    for element in elements:
        if not _is_plain_text(element):
            raise BadPacketError(f"its {name} is neither a text nor a list")
        packet.remove(element)
    return [*kept, *add]


def _change_array(packet: EditablePacket, element: etree._Element, remove: Collection[str], add: Sequence[str]) -> None:
    """Change a property that has a list; remove the property if the list would become empty."""
    items = array_items(element)
    kept = {item for item in items if text_of(item) not in remove}
    if items and not kept and not add and len(child_elements(element)) == 1:
        packet.remove(element)
        return
    for item in items:
        if item not in kept:
            packet.remove(item)
    array = find_array(element)
    if add and array is not None:
        packet.append(array, *map(format_item, add))


def _is_plain_text(element: etree._Element) -> bool:
    """Does the element have only a text, without qualifiers or nested lists?"""
    inner = structure_element(element)
    fields, names = child_elements(inner), {str(name) for name in (*element.attrib, *inner.attrib)}
    if [field.tag for field in fields] == [tag("rdf:value")]:
        return names <= {tag("rdf:parseType")} and _is_plain_text(fields[0])
    return not fields and names <= {tag("rdf:value")}
