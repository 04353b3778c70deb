"""Read Picasa's `.picasa.ini`, one in each folder, and `contacts.xml`.

The formats were never documented; they are known from reverse engineering and from exiftool's
`picasa_faces.config`. By the latter, boxes refer to the stored picture of a JPEG and to the upright
picture of a RAW file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from faceclust.importers.small_files import UnreadableFileError, decode_text
from faceclust.photos.picasa_ini import INI_SPELLINGS, iter_entries, parse_rotation
from faceclust.types import Box
from faceclust.xmp.safe_xml import InvalidXmlError, parse_xml

INI_NAMES = frozenset(spelling.lower() for spelling in INI_SPELLINGS)
CONTACTS_NAME = "contacts.xml"
#: The contact id of faces without a name.
UNNAMED_CONTACT = "ffffffffffffffff"

_FACE_PATTERN = re.compile(r"rect64\(([0-9a-f]{1,16})\)\s*,\s*([0-9a-f]{1,16})", re.IGNORECASE)
_RECT64_SCALE = 65535


@dataclass(frozen=True)
class PicasaIni:
    """The contents of one `.picasa.ini`.

    `faces` has (box in fractions, contact id) of each face by file name. `contacts` has the names in
    this file by contact id. `rotations` has the rotation by file name, as an EXIF orientation.
    """

    faces: dict[str, list[tuple[Box, str]]] = field(default_factory=dict)
    contacts: dict[str, str] = field(default_factory=dict)
    rotations: dict[str, int] = field(default_factory=dict)


def read_ini(data: bytes) -> PicasaIni:
    """Read the faces and contacts in a `.picasa.ini`; other lines are ignored."""
    ini = PicasaIni()
    for section, key, value in iter_entries(decode_text(data)):
        if section.lower() == "contacts2":  # id=name;address;…
            if name := value.partition(";")[0].strip():
                ini.contacts[_normalise_contact_id(key)] = name
        elif key.strip().lower() == "faces":
            found = (
                (parse_rect64(rect), _normalise_contact_id(contact)) for rect, contact in _FACE_PATTERN.findall(value)
            )
            ini.faces[section] = [(box, contact) for box, contact in found if box[0] < box[2] and box[1] < box[3]]
        elif (rotation := parse_rotation(key, value)) is not None:
            ini.rotations[section] = rotation
    return ini


def read_contacts(data: bytes) -> dict[str, str]:
    """Read the names in a `contacts.xml` by contact id. Raises UnreadableFileError."""
    try:
        root = parse_xml(data)
    except InvalidXmlError as error:
        raise UnreadableFileError(str(error)) from error
    contacts = {}
    for contact in root.iter("contact"):
        contact_id, name = contact.get("id"), contact.get("name") or contact.get("display")
        if contact_id and name and name.strip():
            contacts[_normalise_contact_id(str(contact_id))] = str(name).strip()
    return contacts


def parse_rect64(rect64: str) -> Box:
    """Parse a rect64: left, top, right, bottom in 1/65535, as 16 hex digits without leading zeros."""
    digits = rect64.rjust(16, "0")
    left, top, right, bottom = (int(digits[at : at + 4], 16) / _RECT64_SCALE for at in (0, 4, 8, 12))
    return left, top, right, bottom


def resolve_contact(contact: str, folder_contacts: Mapping[str, str], other_contacts: Mapping[str, str]) -> str | None:
    """Return the name of a contact; "" for a face without a name, None for an unknown contact."""
    if contact == UNNAMED_CONTACT:
        return ""
    return folder_contacts.get(contact) or other_contacts.get(contact)


def _normalise_contact_id(text: str) -> str:
    return text.strip().lower().rjust(16, "0")
