"""Navigate the RDF of a packet, which has several notations for the same data.

Adobe's XMP specification, part 1, section 7.9, lists the equivalent notations. A field is an attribute
or an element. A structure is a nested rdf:Description, an element with parseType Resource, or has only
attributes. A value with qualifiers is a structure with an rdf:value.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from faceclust.xmp.packet import tag

DESCRIPTION, ITEM = tag("rdf:Description"), tag("rdf:li")
ARRAYS = (tag("rdf:Bag"), tag("rdf:Seq"), tag("rdf:Alt"))
_VALUE = tag("rdf:value")


def child_elements(element: etree._Element) -> list[etree._Element]:
    """Return the child elements, without comments and processing instructions."""
    return [child for child in element if isinstance(child.tag, str)]


def descriptions(root: etree._Element) -> Iterator[etree._Element]:
    """Yield the top-level blocks of properties. Nested ones describe other pictures, such as ingredients."""
    rdf = root if root.tag == tag("rdf:RDF") else next(root.iter(tag("rdf:RDF")), None)
    if rdf is not None:
        yield from (child for child in child_elements(rdf) if child.tag == DESCRIPTION)


def property_elements(root: etree._Element, name: str) -> list[etree._Element]:
    """Return the elements of a property such as "dc:subject"; valid packets have at most one."""
    return [child for block in descriptions(root) for child in child_elements(block) if child.tag == tag(name)]


def property_attributes(root: etree._Element, name: str) -> list[tuple[etree._Element, str]]:
    """Return (block, value) of a property that is written as an attribute."""
    return [(block, str(block.attrib[tag(name)])) for block in descriptions(root) if tag(name) in block.attrib]


def structure_element(element: etree._Element) -> etree._Element:
    """Return the element whose children and attributes are the fields of a structure."""
    inner = child_elements(element)
    return inner[0] if len(inner) == 1 and inner[0].tag == DESCRIPTION else element


def field_element(element: etree._Element, name: str) -> etree._Element | None:
    """Return a structure's field that is written as an element; None if it is missing."""
    return next((child for child in child_elements(structure_element(element)) if child.tag == tag(name)), None)


def field_text(element: etree._Element, name: str) -> str | None:
    """Return the text of a field in any notation; None if it is missing."""
    found = field_element(element, name)
    if found is not None:
        return text_of(found)
    value = structure_element(element).get(tag(name))
    return value if value is not None else element.get(tag(name))


def field_names(element: etree._Element) -> set[str]:
    """Return the names of a structure's fields in lxml's notation, without those of RDF itself."""
    inner = structure_element(element)
    names = {str(child.tag) for child in child_elements(inner)} | {str(name) for name in inner.attrib}
    rdf = tag("rdf:li").removesuffix("li")
    return {name for name in names | {str(name) for name in element.attrib} if not name.startswith(rdf)}


def find_array(element: etree._Element) -> etree._Element | None:
    """Return the rdf:Bag, rdf:Seq or rdf:Alt of a property; None if it is not an array."""
    return next((child for child in child_elements(element) if child.tag in ARRAYS), None)


def array_items(element: etree._Element) -> list[etree._Element]:
    """Return the items of an array property; none if it is not an array."""
    holder = find_array(element)
    return [] if holder is None else [child for child in child_elements(holder) if child.tag == ITEM]


def text_of(element: etree._Element) -> str:
    """Return the text of a value without surrounding white space; "" for a structure."""
    inner = structure_element(element)
    value = next((child for child in child_elements(inner) if child.tag == _VALUE), None)
    if value is not None:
        return text_of(value)
    if inner.get(_VALUE) is not None:
        return str(inner.get(_VALUE)).strip()
    if child_elements(element):
        return ""
    return "".join([element.text or "", *(child.tail or "" for child in element)]).strip()
