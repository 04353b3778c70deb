"""Read people from a packet: face regions of both schemes, and names without a region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from lxml import etree

from faceclust.types import Box
from faceclust.xmp import areas
from faceclust.xmp.areas import parse_microsoft_box, parse_mwg_box
from faceclust.xmp.keywords import PATH_SEPARATORS
from faceclust.xmp.ownership import SUGGESTED_PROPERTY, OwnRegion, read_own_keywords, read_own_regions
from faceclust.xmp.packet import MAX_REGIONS, parse_packet, tag
from faceclust.xmp.rdf import ARRAYS, DESCRIPTION, ITEM
from faceclust.xmp.values import XmpFaces, XmpRegion

_RDF = tag("rdf:RDF")
_IGNORED_NAMESPACES = (f"{{{etree.QName(_RDF).namespace}}}", "{http://www.w3.org/XML/1998/namespace}")
_OWN_SCHEME_NAMES = {"mwg": "mwg-rs", "mp": "MP"}
_PERSON_PROPERTY = "Iptc4xmpExt:PersonInImage"

#: A property's value: the text of an attribute, or an element.
_Value = str | etree._Element


def read_packet(data: bytes) -> XmpFaces:
    """Read the people in a packet, in its order. Raises BadPacketError.

    Regions that are not faces or have no valid box are left out. A region's name may be any text, or
    None. All equivalent notations of RDF are read: properties as elements or attributes, in one or
    several descriptions, structures with or without a node of their own. Keywords that faceclust wrote
    are left out, for its regions have the same names.
    """
    root = parse_packet(data).getroot()
    properties = _PropertyReader(root.iter(DESCRIPTION), top_only=True)
    regions = [*_read_mwg_regions(properties), *_read_microsoft_regions(properties)][:MAX_REGIONS]
    suggested = read_own_regions(root, SUGGESTED_PROPERTY)[:MAX_REGIONS]
    own = read_own_keywords(root)
    people = [name for name in properties.texts(_PERSON_PROPERTY) if (_PERSON_PROPERTY, name) not in own]
    keywords = {
        path: None
        for name, separator in PATH_SEPARATORS.items()
        for text in properties.texts(name)
        if (name, text) not in own and (path := tuple(part.strip() for part in text.split(separator) if part.strip()))
    }
    return XmpFaces(
        regions=tuple(replace(region, confirmed=not _is_own_suggestion(region, suggested)) for region in regions),
        keywords=tuple(keywords),
        people=tuple(dict.fromkeys(people)),
        orientation=_parse_integer(properties.text("tiff:Orientation"), 1, 8),
    )


def _is_own_suggestion(region: XmpRegion, suggestions: Iterable[OwnRegion]) -> bool:
    return any(record.matches(_OWN_SCHEME_NAMES[region.scheme], region.box, region.name) for record in suggestions)


def _read_mwg_regions(properties: _PropertyReader) -> Iterator[XmpRegion]:
    """Read regions after the MWG guidelines 2.0, "Region metadata"."""
    for info in properties.structures("mwg-rs:Regions"):
        size = _read_applied_dimensions(info)
        for region in info.structures("mwg-rs:RegionList"):
            if (region.text("mwg-rs:Type") or "Face").strip().lower() != "face":
                continue
            for area in region.structures("mwg-rs:Area"):
                if box := _clip_box(parse_mwg_box(area.text, size)):
                    yield XmpRegion(region.text("mwg-rs:Name"), box, "mwg", size)


def _read_microsoft_regions(properties: _PropertyReader) -> Iterator[XmpRegion]:
    """Read regions after Microsoft's "People Tagging"."""
    for info in properties.structures("MP:RegionInfo"):
        for region in info.structures("MPRI:Regions"):
            if box := _clip_box(parse_microsoft_box(region.text("MPReg:Rectangle"))):
                yield XmpRegion(region.text("MPReg:PersonDisplayName"), box, "mp")


def _read_applied_dimensions(info: _PropertyReader) -> tuple[int, int] | None:
    for dimensions in info.structures("mwg-rs:AppliedToDimensions"):
        if found := areas.read_dimensions(dimensions.text):
            return found
    return None


def _clip_box(box: Box | None) -> Box | None:
    """Clip a box to the picture; None if its centre is outside, as the MWG guidelines demand."""
    if box is None:
        return None
    left, top, right, bottom = box
    if not (0 <= (left + right) / 2 <= 1 and 0 <= (top + bottom) / 2 <= 1):
        return None
    left, top, right, bottom = max(left, 0.0), max(top, 0.0), min(right, 1.0), min(bottom, 1.0)
    return (left, top, right, bottom) if right > left and bottom > top else None


def _parse_integer(text: str | None, minimum: int, maximum: int) -> int | None:
    value = (text or "").strip()
    return int(value) if value.isdecimal() and len(value) < 6 and minimum <= int(value) <= maximum else None


class _PropertyReader:
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

    def structures(self, name: str) -> Iterator[_PropertyReader]:
        """Yield the structures of a property: its own, or those of its list."""
        for value in self._values.get(tag(name), ()):
            if not isinstance(value, str):
                for item in _list_items(value):
                    # Fields are in the element itself (as attributes, or with parseType="Resource"),
                    # in a nested node, or in both.
                    yield _PropertyReader([item, *item.iterchildren(DESCRIPTION)])


def _list_items(value: etree._Element) -> list[etree._Element]:
    """Return the items of a list; a value that is not a list is its own item."""
    lists = [child for child in value.iterchildren(tag=etree.Element) if child.tag in ARRAYS]
    return [item for one in lists for item in one.iterchildren(ITEM)] if lists else [value]
