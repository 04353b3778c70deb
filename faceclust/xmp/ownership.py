"""What of a packet faceclust has written: noted in the packet itself, under a namespace of its own.

A list kept elsewhere would lose the sidecar that is moved, copied or renamed with its photo, and
would be one more place that names are in. `faceclust:WroteRegions` has a text for each region: scheme,
centre, width and height, name; `faceclust:SuggestedRegions` repeats those whose name nobody confirmed.
`faceclust:WroteKeywords` has one for each keyword: property, value. What is not noted there is
somebody else's.
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
_SAME_BOX_IOU = 0.8  # a box written by us, and rounded by another program
_REGION_PATTERN = re.compile(r"(\S+) ([0-9.]{1,12}) ([0-9.]{1,12}) ([0-9.]{1,12}) ([0-9.]{1,12})(?: (.*))?", re.S)


@dataclass(frozen=True)
class OwnRegion:
    """A region that was written. `text`: as the note has it."""

    scheme: str
    box: Box
    name: str | None
    text: str

    def matches(self, scheme: str, box: Box, name: str | None) -> bool:
        """Was this region, perhaps rounded since, written by it?"""
        return self.scheme == scheme and self.name == name and intersection_over_union(self.box, box) > _SAME_BOX_IOU


def format_region_note(scheme: str, box: Box, name: str | None) -> str:
    """What is noted of a region."""
    return " ".join((scheme, *format_centre_and_size(box), *([name] if name else [])))


def read_own_regions(root: etree._Element, property_name: str = REGIONS_PROPERTY) -> list[OwnRegion]:
    """The regions that are noted, or of another `note`; what cannot be understood is none."""
    found = []
    for text in _note_texts(root, property_name):
        if match := _REGION_PATTERN.fullmatch(text):
            try:
                x, y, width, height = map(float, match.groups()[1:5])
            except ValueError:
                continue
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            found.append(OwnRegion(match[1], box, match[6] or None, text))
    return found


def read_own_keywords(root: etree._Element) -> set[tuple[str, str]]:
    """The keywords that are noted: property and value."""
    return {(name, value) for name, _, value in (text.partition(" ") for text in _note_texts(root, KEYWORDS_PROPERTY))}


def _note_texts(root: etree._Element, name: str) -> list[str]:
    return [text_of(entry) for found in property_elements(root, name) for entry in array_items(found)]
