"""What a packet says of people: face regions by both schemes, and names without a place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from lxml import etree

from faceclust.types import Box
from faceclust.xmp import areas
from faceclust.xmp.areas import parse_microsoft_box, parse_mwg_box
from faceclust.xmp.ownership import SUGGESTED_PROPERTY, OwnRegion, read_own_keywords, read_own_regions
from faceclust.xmp.packet import parse_packet, tag
from faceclust.xmp.values import XmpFaces, XmpRegion

_RDF, _DESCRIPTION, _ITEM = tag("rdf:RDF"), tag("rdf:Description"), tag("rdf:li")
_ARRAYS = frozenset(map(tag, ("rdf:Bag", "rdf:Seq", "rdf:Alt")))
_IGNORED_NAMESPACES = (f"{{{etree.QName(_RDF).namespace}}}", "{http://www.w3.org/XML/1998/namespace}")
_MAX_REGIONS = 2000
_OWN_SCHEME_NAMES = {"mwg": "mwg-rs", "mp": "MP"}
_PERSON_PROPERTY = "Iptc4xmpExt:PersonInImage"
_KEYWORD_SEPARATORS = (("digiKam:TagsList", "/"), ("lr:hierarchicalSubject", "|"))

#: A property's value: of an attribute, or of an element.
_Value = str | etree._Element


def read_packet(data: bytes) -> XmpFaces:
    """What the packet says of people, in the order it says it. Regions of other things than faces,
    and such as are no rectangle, are left out; a name may be anything, or None. RDF is read in
    every form that says the same: properties as elements or attributes, in one description or
    several, structures with or without a node of their own. Keywords that faceclust itself has written
    are left out: its regions say the same, and where. Raises BadPacketError."""
    root = parse_packet(data).getroot()
    properties = _PropertyReader(root.iter(_DESCRIPTION), top_only=True)
    regions = [*_read_mwg_regions(properties), *_read_microsoft_regions(properties)][:_MAX_REGIONS]
    suggested = read_own_regions(root, SUGGESTED_PROPERTY)[:_MAX_REGIONS]
    own = read_own_keywords(root)
    people = [name for name in properties.texts(_PERSON_PROPERTY) if (_PERSON_PROPERTY, name) not in own]
    keywords = {
        path: None
        for name, separator in _KEYWORD_SEPARATORS
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
    return any(note.matches(_OWN_SCHEME_NAMES[region.scheme], region.box, region.name) for note in suggestions)


def _read_mwg_regions(properties: _PropertyReader) -> Iterator[XmpRegion]:
    """MWG guidelines 2.0, "Region metadata": a centre and a size, normalised."""
    for info in properties.structures("mwg-rs:Regions"):
        size = _read_applied_dimensions(info)
        for region in info.structures("mwg-rs:RegionList"):
            if (region.text("mwg-rs:Type") or "Face").strip().lower() != "face":
                continue
            for area in region.structures("mwg-rs:Area"):
                if box := _clip_box(parse_mwg_box(area.text, size)):
                    yield XmpRegion(region.text("mwg-rs:Name"), box, "mwg", size)


def _read_microsoft_regions(properties: _PropertyReader) -> Iterator[XmpRegion]:
    """Microsoft's "People Tagging": left, top, width, height, as fractions, in one text."""
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
    """The part of the box that is in the picture; None where its centre is not, which the MWG wants
    ignored."""
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
    """The properties of one thing that RDF describes, wherever they stand."""

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
        """The first text that a property has."""
        return next(iter(self.texts(name)), None)

    def texts(self, name: str) -> list[str]:
        """All texts of a property: its own, or those of its list."""
        found = []
        for value in self._values.get(tag(name), ()):
            for item in [value] if isinstance(value, str) else _list_items(value):
                text = item if isinstance(item, str) else "".join(map(str, item.itertext(tag=etree.Element)))
                if text.strip():
                    found.append(text.strip())
        return found

    def structures(self, name: str) -> Iterator[_PropertyReader]:
        """The structures that a property is, or is a list of."""
        for value in self._values.get(tag(name), ()):
            if not isinstance(value, str):
                for item in _list_items(value):
                    # The fields stand in the element itself (as attributes, or by
                    # parseType="Resource"), in a node inside it, or some here and some there.
                    yield _PropertyReader([item, *item.iterchildren(_DESCRIPTION)])


def _list_items(value: etree._Element) -> list[etree._Element]:
    lists = [child for child in value.iterchildren(tag=etree.Element) if child.tag in _ARRAYS]
    return [item for one in lists for item in one.iterchildren(_ITEM)] if lists else [value]
