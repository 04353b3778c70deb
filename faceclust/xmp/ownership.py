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

from faceclust.xmp.rdf import items, properties, text_of
from faceclust.xmp.schemes import centred
from faceclust.xmp.values import Box, overlap

REGIONS, KEYWORDS = "faceclust:WroteRegions", "faceclust:WroteKeywords"
SUGGESTED = "faceclust:SuggestedRegions"
_SAME_BOX = 0.8  # a box written by us, and rounded by another program
_REGION = re.compile(r"(\S+) ([0-9.]{1,12}) ([0-9.]{1,12}) ([0-9.]{1,12}) ([0-9.]{1,12})(?: (.*))?", re.S)


@dataclass(frozen=True)
class NotedRegion:
    """A region that was written. `text`: as the note has it."""

    scheme: str
    box: Box
    name: str | None
    text: str

    def is_of(self, scheme: str, box: Box, name: str | None) -> bool:
        """Was this region, perhaps rounded since, written by it?"""
        return self.scheme == scheme and self.name == name and overlap(self.box, box) > _SAME_BOX


def region_note(scheme: str, box: Box, name: str | None) -> str:
    """What is noted of a region."""
    return " ".join((scheme, *centred(box), *([name] if name else [])))


def noted_regions(root: etree._Element, note: str = REGIONS) -> list[NotedRegion]:
    """The regions that are noted, or of another `note`; what cannot be understood is none."""
    found = []
    for text in _texts(root, note):
        if match := _REGION.fullmatch(text):
            try:
                x, y, width, height = map(float, match.groups()[1:5])
            except ValueError:
                continue
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            found.append(NotedRegion(match[1], box, match[6] or None, text))
    return found


def noted_keywords(root: etree._Element) -> set[tuple[str, str]]:
    """The keywords that are noted: property and value."""
    return {(name, value) for name, _, value in (text.partition(" ") for text in _texts(root, KEYWORDS))}


def _texts(root: etree._Element, name: str) -> list[str]:
    return [text_of(entry) for found in properties(root, name) for entry in items(found)]
