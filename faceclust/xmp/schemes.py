"""The two ways in which photo programs note where a face is, and who it is.

MWG: "Guidelines for Handling Image Metadata" 2.0 of the Metadata Working Group, section 5.9: the
area by its centre, and the size of the picture it is of. Microsoft: the schema "People Tagging":
a rectangle by its top left corner. Both count in fractions of the picture as it is stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from faceclust.xmp.packet import tag
from faceclust.xmp.rdf import field, field_names, field_text
from faceclust.xmp.region import Box
from faceclust.xmp.texts import attribute, element

_AREA = {tag(f"stArea:{name}") for name in ("x", "y", "w", "h", "unit")}
_MWG = {tag(f"mwg-rs:{name}") for name in ("Name", "Type", "Area")}
_MP = {tag(f"MPReg:{name}") for name in ("Rectangle", "PersonDisplayName")}


@dataclass(frozen=True)
class Listed:
    """A region in a packet: its element, its `box` (None where it is no rectangle in fractions) and
    name. `plain`: it says nothing of a face that we do not write."""

    item: etree._Element
    box: Box | None
    name: str | None
    is_face: bool
    plain: bool


@dataclass(frozen=True)
class Scheme:
    """One way. `property` holds the array `list`; `read` makes sense of an item of it, `text`
    writes one."""

    name: str
    property: str
    list: str
    read: Callable[[etree._Element], Listed]
    text: Callable[[Box, str | None], str]


def _number(text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        return math.nan
    return value if abs(value) < 1e6 else math.nan


def _box(left: float, top: float, width: float, height: float) -> Box | None:
    box = (left, top, left + width, top + height)
    return box if all(map(math.isfinite, box)) and width > 0 and height > 0 else None


def _read_mwg(item: etree._Element) -> Listed:
    area = field(item, "mwg-rs:Area")
    box = None
    if area is not None and (field_text(area, "stArea:unit") or "normalized") == "normalized":
        x, y, width, height = (_number(field_text(area, f"stArea:{name}")) for name in "xywh")
        box = _box(x - width / 2, y - height / 2, width, height)
    kind = field_text(item, "mwg-rs:Type")
    return Listed(
        item,
        box,
        field_text(item, "mwg-rs:Name") or None,
        (kind or "Face").lower() == "face",
        area is not None and field_names(item) <= _MWG and field_names(area) <= _AREA,
    )


def _text_mwg(box: Box, name: str | None) -> str:
    x, y, width, height = centred(box)
    area = f' stArea:x="{x}" stArea:y="{y}" stArea:w="{width}" stArea:h="{height}" stArea:unit="normalized"'
    named = (attribute("mwg-rs:Name", name) if name else "") + ' mwg-rs:Type="Face"'
    inner = element("mwg-rs:Area", attributes=area)
    return element("rdf:li", element("rdf:Description", inner, attributes=named))


def _read_mp(item: etree._Element) -> Listed:
    parts = (field_text(item, "MPReg:Rectangle") or "").split(",")
    box = _box(*map(_number, parts)) if len(parts) == 4 else None
    return Listed(item, box, field_text(item, "MPReg:PersonDisplayName") or None, True, field_names(item) <= _MP)


def _text_mp(box: Box, name: str | None) -> str:
    left, top, right, bottom = box
    rectangle = ", ".join(f"{value:.6f}" for value in (left, top, right - left, bottom - top))
    named = attribute("MPReg:PersonDisplayName", name) if name else ""
    fields = attribute("MPReg:Rectangle", rectangle) + named
    return element("rdf:li", element("rdf:Description", attributes=fields))


def centred(box: Box) -> tuple[str, str, str, str]:
    """Centre, width and height of a box, as they are written: a millionth is a fiftieth of a pixel
    in a picture 20,000 pixels wide."""
    left, top, right, bottom = box
    x, y, width, height = (
        f"{value:.6f}" for value in ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    )
    return x, y, width, height


SCHEMES = (
    Scheme("mwg-rs", "mwg-rs:Regions", "mwg-rs:RegionList", _read_mwg, _text_mwg),
    Scheme("MP", "MP:RegionInfo", "MPRI:Regions", _read_mp, _text_mp),
)
