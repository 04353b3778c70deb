"""The date in a packet."""

from __future__ import annotations

from datetime import datetime

from faceclust.text.dates import parse_date
from faceclust.xmp.packet import parse_packet
from faceclust.xmp.rdf import property_attributes, property_elements, text_of

#: The properties with the date a picture was taken or digitised, the preferred one first (XMP specification, part 2,
#: and the MWG guidelines 2.0, "Date/Time"). The dates of changes and of imports are others.
_DATE_PROPERTIES = ("exif:DateTimeOriginal", "photoshop:DateCreated", "exif:DateTimeDigitized", "xmp:CreateDate")


def read_date(data: bytes) -> datetime | None:
    """Return the date in a packet, without its time zone; midnight if only the day is known.

    None without a valid date. Raises BadPacketError.
    """
    root = parse_packet(data, lenient=True).getroot()
    texts = (
        text
        for name in _DATE_PROPERTIES
        for text in (
            *(text for _, text in property_attributes(root, name)),
            *(text_of(element) for element in property_elements(root, name)),
        )
    )
    return next(filter(None, map(parse_date, texts)), None)
