"""Ownership records: a packet lists what faceclust wrote, in a namespace of our own.

A list elsewhere would lose track of sidecars that are moved, copied or renamed with their photos, and
names would be stored in one more place. `faceclust:WroteRegions` has a text for each region: scheme,
centre, width and height, name. `faceclust:SuggestedRegions` repeats those with unconfirmed names.
`faceclust:WroteKeywords` has a text for each keyword: property and value. `faceclust:PeopleWithoutFace` has
the names of people without a region, because no face of theirs is to be seen. Everything else belongs to other
programs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from faceclust.types import Box, intersection_over_union
from faceclust.xmp.rdf import array_items, property_elements, text_of
from faceclust.xmp.schemes import format_centre_and_size

REGIONS_PROPERTY, KEYWORDS_PROPERTY = "faceclust:WroteRegions", "faceclust:WroteKeywords"
SUGGESTED_PROPERTY = "faceclust:SuggestedRegions"
WITHOUT_FACE_PROPERTY = "faceclust:PeopleWithoutFace"
OWN_PROPERTIES = (KEYWORDS_PROPERTY, REGIONS_PROPERTY, SUGGESTED_PROPERTY, WITHOUT_FACE_PROPERTY)
_SAME_BOX_IOU = 0.8  # another program may have rounded our box
_REGION_PATTERN = re.compile(r"(\S+) ([0-9.]{1,12}) ([0-9.]{1,12}) ([0-9.]{1,12}) ([0-9.]{1,12})(?: (.*))?", re.S)


@dataclass(frozen=True)
class OwnRegion:
    """A region that we wrote; `text` is its ownership record."""

    scheme: str
    box: Box
    name: str | None
    text: str

    def matches(self, scheme: str, box: Box, name: str | None) -> bool:
        """Is this the same region, possibly rounded by another program?"""
        return self.scheme == scheme and self.name == name and intersection_over_union(self.box, box) > _SAME_BOX_IOU


def format_region_record(scheme: str, box: Box, name: str | None) -> str:
    """Format the ownership record of a region."""
    return " ".join((scheme, *format_centre_and_size(box), *([name] if name else [])))


def read_own_regions(root: etree._Element, property_name: str = REGIONS_PROPERTY) -> list[OwnRegion]:
    """Read the ownership records of regions; invalid ones are skipped."""
    regions = []
    for text in _record_texts(root, property_name):
        if match := _REGION_PATTERN.fullmatch(text):
            try:
                x, y, width, height = map(float, match.groups()[1:5])
            except ValueError:
                continue
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            regions.append(OwnRegion(match[1], box, match[6] or None, text))
    return regions


def read_own_keywords(root: etree._Element) -> set[tuple[str, str]]:
    """Read the ownership records of keywords as (property, value)."""
    return {
        (name, value) for name, _, value in (text.partition(" ") for text in _record_texts(root, KEYWORDS_PROPERTY))
    }


def read_region_records(root: etree._Element) -> frozenset[str]:
    """Read the ownership records of regions as texts, see `format_region_record`."""
    return frozenset(_record_texts(root, REGIONS_PROPERTY))


def read_people_without_face(root: etree._Element) -> list[str]:
    """Read the names of the people of whom no face is to be seen, according to faceclust."""
    return _record_texts(root, WITHOUT_FACE_PROPERTY)


def _record_texts(root: etree._Element, name: str) -> list[str]:
    return [text_of(item) for element in property_elements(root, name) for item in array_items(element)]
