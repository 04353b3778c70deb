"""Walking the RDF of a packet: one thing can be written in many ways.

Adobe's XMP specification, part 1, section 7.9, has the ways that equal each other: a field is an
attribute or an element; a structure is a nested rdf:Description, or an element of parseType
Resource, or all attributes; a value with qualifiers is a structure with an rdf:value.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from faceclust.xmp.packet import tag

_DESCRIPTION, _VALUE, _ITEM = tag("rdf:Description"), tag("rdf:value"), tag("rdf:li")
_ARRAYS = (tag("rdf:Bag"), tag("rdf:Seq"), tag("rdf:Alt"))


def child_elements(element: etree._Element) -> list[etree._Element]:
    """The elements right below, without comments and instructions."""
    return [child for child in element if isinstance(child.tag, str)]


def descriptions(root: etree._Element) -> Iterator[etree._Element]:
    """The blocks that hold a packet's own properties. Those deeper in, such as what an edited
    picture tells of its parts, say nothing of this picture."""
    rdf = root if root.tag == tag("rdf:RDF") else next(root.iter(tag("rdf:RDF")), None)
    if rdf is not None:
        yield from (child for child in child_elements(rdf) if child.tag == _DESCRIPTION)


def property_elements(root: etree._Element, name: str) -> list[etree._Element]:
    """The elements of a property ("dc:subject"), of which there should be one."""
    return [child for block in descriptions(root) for child in child_elements(block) if child.tag == tag(name)]


def property_attributes(root: etree._Element, name: str) -> list[tuple[etree._Element, str]]:
    """A property written as an attribute: the block, and the value."""
    return [(block, str(block.attrib[tag(name)])) for block in descriptions(root) if tag(name) in block.attrib]


def structure_element(element: etree._Element) -> etree._Element:
    """The element whose children and attributes are the fields of a structure."""
    inner = child_elements(element)
    return inner[0] if len(inner) == 1 and inner[0].tag == _DESCRIPTION else element


def field_element(element: etree._Element, name: str) -> etree._Element | None:
    """The element that is a field of a structure, where it is written as one."""
    return next((child for child in child_elements(structure_element(element)) if child.tag == tag(name)), None)


def field_text(element: etree._Element, name: str) -> str | None:
    """The text of a field, however it is written; None where there is none."""
    found = field_element(element, name)
    if found is not None:
        return text_of(found)
    value = structure_element(element).get(tag(name))
    return value if value is not None else element.get(tag(name))


def field_names(element: etree._Element) -> set[str]:
    """The names of all fields of a structure, as lxml spells them, without what belongs to RDF."""
    inner = structure_element(element)
    names = {str(child.tag) for child in child_elements(inner)} | {str(name) for name in inner.attrib}
    rdf = tag("rdf:li").removesuffix("li")
    return {name for name in names | {str(name) for name in element.attrib} if not name.startswith(rdf)}


def find_array(element: etree._Element) -> etree._Element | None:
    """The rdf:Bag, rdf:Seq or rdf:Alt in a property."""
    return next((child for child in child_elements(element) if child.tag in _ARRAYS), None)


def array_items(element: etree._Element) -> list[etree._Element]:
    """The items of a property that is an array; none where it is no array."""
    holder = find_array(element)
    return [] if holder is None else [child for child in child_elements(holder) if child.tag == _ITEM]


def text_of(element: etree._Element) -> str:
    """The text of a value, without white space around it; "" for a structure."""
    inner = structure_element(element)
    value = next((child for child in child_elements(inner) if child.tag == _VALUE), None)
    if value is not None:
        return text_of(value)
    if inner.get(_VALUE) is not None:
        return str(inner.get(_VALUE)).strip()
    if child_elements(element):
        return ""
    return "".join([element.text or "", *(child.tail or "" for child in element)]).strip()
