"""Read face regions in the notations of other programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from faceclust.types import Box
from faceclust.xmp.areas import parse_iptc_box, parse_microsoft_box, parse_mwg_box, read_dimensions
from faceclust.xmp.property_reader import PropertyReader
from faceclust.xmp.values import XmpRegion

#: Words in the types and roles of an IPTC region that stands for a person (IPTC NewsCodes "imageregiontype").
_PERSON_TYPE = re.compile(r"\b(?:human|face|head ?shot|person|people)\b", re.IGNORECASE)

_TYPE_AS_NAME = re.compile(rf"{_PERSON_TYPE.pattern}[\s#]*[0-9]*", re.IGNORECASE)


@dataclass
class FoundRegions:
    """The regions of a packet.

    `people` are the names of faces without an area. `other` counts regions of other kinds than faces,
    and `invalid` those of faces with an invalid area.
    """

    regions: list[XmpRegion] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    other: int = 0
    invalid: int = 0

    def add(self, region: XmpRegion | None, name: str | None, *, has_area: bool) -> None:
        """Add a region; None if its area is missing or invalid."""
        if region is not None:
            self.regions.append(region)
        elif has_area:
            self.invalid += 1
        elif name:
            self.people.append(name)


def read_regions(properties: PropertyReader, size: tuple[int, int] | None) -> FoundRegions:
    """Read the face regions of all schemes, those of the Metadata Working Group first.

    Regions in pixels refer to `size` (width and height of the stored picture) if the packet has no
    dimensions itself.
    """
    found = FoundRegions()
    _read_mwg_regions(properties, found, size)
    _read_microsoft_regions(properties, found)
    _read_iptc_regions(properties, found, size)
    _read_acdsee_regions(properties, found, size)
    return found


def _read_mwg_regions(properties: PropertyReader, found: FoundRegions, size: tuple[int, int] | None) -> None:
    """Read regions after the MWG guidelines 2.0, "Region metadata"."""
    for info in properties.structures("mwg-rs:Regions"):
        applied_to = _read_applied_dimensions(info, "mwg-rs", "stDim")
        for region in info.structures("mwg-rs:RegionList"):
            if not _is_face(region.text("mwg-rs:Type")):
                found.other += 1
                continue
            name = region.text("mwg-rs:Name")
            areas = [area for area in region.structures("mwg-rs:Area") if area.text("stArea:x") is not None]
            for area in areas:
                box = _clip_box(parse_mwg_box(area.text, applied_to or size))
                found.add(box and XmpRegion(name, box, "mwg", applied_to), name, has_area=True)
            if not areas:
                found.add(None, name, has_area=False)


def _read_microsoft_regions(properties: PropertyReader, found: FoundRegions) -> None:
    """Read regions after Microsoft's "People Tagging". A person may have no rectangle."""
    for info in properties.structures("MP:RegionInfo"):
        for region in info.structures("MPRI:Regions"):
            name, rectangle = region.text("MPReg:PersonDisplayName"), region.text("MPReg:Rectangle")
            box = _clip_box(parse_microsoft_box(rectangle))
            found.add(box and XmpRegion(name, box, "mp"), name, has_area=rectangle is not None)


def _read_iptc_regions(properties: PropertyReader, found: FoundRegions, size: tuple[int, int] | None) -> None:
    """Read regions after the IPTC photo metadata standard 2023.2, "Image Region"."""
    for region in properties.structures("Iptc4xmpExt:ImageRegion"):
        names = [*region.texts("Iptc4xmpExt:PersonInImage"), *detailed_names(region)]
        if not (names or _is_person_type(region)):
            found.other += 1
            continue
        if not names:  # the region's own name is often just its type
            names = [name for name in region.texts("Iptc4xmpExt:Name")[:1] if not _TYPE_AS_NAME.fullmatch(name)]
        if len(names) > 1:  # a group
            found.people += names
            continue
        name = names[0] if names else None
        boundaries = list(region.structures("Iptc4xmpExt:RegionBoundary"))
        for boundary in boundaries[:1]:
            vertices = [vertex.text for vertex in boundary.structures("Iptc4xmpExt:rbVertices")]
            box = _clip_box(parse_iptc_box(boundary.text, vertices, size))
            found.add(box and XmpRegion(name, box, "iptc"), name, has_area=True)
        if not boundaries:
            found.add(None, name, has_area=False)


def detailed_names(properties: PropertyReader) -> Iterator[str]:
    """Yield the names in IPTC's "Person Shown in the Image with Details"."""
    for person in properties.structures("Iptc4xmpExt:PersonInImageWDetails"):
        yield from person.texts("Iptc4xmpExt:PersonName")[:1]


def _is_person_type(region: PropertyReader) -> bool:
    entities = (entity for kind in ("rCtype", "rRole") for entity in region.structures(f"Iptc4xmpExt:{kind}"))
    texts = (
        text for entity in entities for name in ("xmp:Identifier", "Iptc4xmpExt:Name") for text in entity.texts(name)
    )
    return any(map(_PERSON_TYPE.search, texts))


def _read_acdsee_regions(properties: PropertyReader, found: FoundRegions, size: tuple[int, int] | None) -> None:
    """Read ACDSee's regions: the area that the user drew, else the one that ACDSee found."""
    for info in properties.structures("acdsee-rs:Regions"):
        applied_to = _read_applied_dimensions(info, "acdsee-rs", "acdsee-stDim")
        for region in info.structures("acdsee-rs:RegionList"):
            if not _is_face(region.text("acdsee-rs:Type")):
                found.other += 1
                continue
            assigned = (region.text("acdsee-rs:NameAssignType") or "manual").lower()
            name = region.text("acdsee-rs:Name") if assigned != "denied" else None
            areas = (area for kind in ("DLYArea", "ALGArea") for area in region.structures(f"acdsee-rs:{kind}"))
            area = next((area for area in areas if area.text("acdsee-stArea:x") is not None), None)
            box = _clip_box(parse_mwg_box(area.text, applied_to or size, "acdsee-stArea")) if area else None
            is_confirmed = assigned == "manual"
            found.add(box and XmpRegion(name, box, "acdsee", applied_to, is_confirmed), name, has_area=area is not None)


def _is_face(kind: str | None) -> bool:
    return (kind or "Face").strip().lower() == "face"


def _read_applied_dimensions(info: PropertyReader, prefix: str, field_prefix: str) -> tuple[int, int] | None:
    for dimensions in info.structures(f"{prefix}:AppliedToDimensions"):
        if found := read_dimensions(dimensions.text, field_prefix):
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
