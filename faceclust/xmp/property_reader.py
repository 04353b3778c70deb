"""Read the values of properties in all equivalent notations of RDF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lxml import etree

from faceclust.xmp.packet import tag
from faceclust.xmp.rdf import ARRAYS, DESCRIPTION, ITEM

_RDF = tag("rdf:RDF")
_IGNORED_NAMESPACES = (f"{{{etree.QName(_RDF).namespace}}}", "{http://www.w3.org/XML/1998/namespace}")

#: A property's value: the text of an attribute, or an element.
_Value = str | etree._Element


class PropertyReader:
    """Reads the properties of one RDF resource from all its nodes."""

    def __init__(self, nodes: Iterable[etree._Element], *, top_only: bool = False) -> None:
        self._values: dict[str, list[_Value]] = {}
        for node in nodes:
            parent = node.getparent()
            if top_only and (parent is None or parent.tag != _RDF):
                continue
            for name, text in node.attrib.items():
                if not str(name).startswith(_IGNORED_NAMESPACES):
                    self._values.setdefault(str(name), []).append(str(text))
            for child in node.iterchildren(tag=etree.Element):
                self._values.setdefault(str(child.tag), []).append(child)

    def text(self, name: str) -> str | None:
        """Return the first text of a property; None if it has none."""
        return next(iter(self.texts(name)), None)

    def texts(self, name: str) -> list[str]:
        """Return all texts of a property: its own, or those of its list."""
        texts = []
        for value in self._values.get(tag(name), ()):
            for item in [value] if isinstance(value, str) else _list_items(value):
                text = item if isinstance(item, str) else "".join(map(str, item.itertext(tag=etree.Element)))
                if text.strip():
                    texts.append(text.strip())
        return texts

    def structures(self, name: str) -> Iterator[PropertyReader]:
        """Yield the structures of a property: its own, or those of its list."""
        for value in self._values.get(tag(name), ()):
            if not isinstance(value, str):
                items = _list_items(value)
                if items != [value] and any(child.tag not in ARRAYS for child in value.iterchildren(tag=etree.Element)):
                    items.append(value)  # a repaired packet may have fields beside a list
                for item in items:
                    # Fields are in the element itself (as attributes, or with parseType="Resource"),
                    # in a nested node, or in both.
                    yield PropertyReader([item, *item.iterchildren(DESCRIPTION)])


def _list_items(value: etree._Element) -> list[etree._Element]:
    """Return the items of a list; a value that is not a list is its own item."""
    lists = [child for child in value.iterchildren(tag=etree.Element) if child.tag in ARRAYS]
    return [item for one in lists for item in one.iterchildren(ITEM)] if lists else [value]
