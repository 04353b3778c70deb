"""What Picasa keeps in `.picasa.ini`, one in each folder, and in `contacts.xml`.

The files were never documented; their form is known from what people found in them, and from
exiftool's `picasa_faces.config`, which also knows that boxes relate to the stored picture of a
JPEG and to the upright one of a RAW file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from faceclust.importers.small_files import UnreadableFileError, decode_text
from faceclust.types import Box

INI_NAMES = frozenset([".picasa.ini", "picasa.ini"])
CONTACTS_NAME = "contacts.xml"
#: Whose face this is, Picasa has not been told.
UNNAMED_CONTACT = "ffffffffffffffff"

_SECTION_PATTERN = re.compile(r"\s*\[(.+)\]\s*")
_FACE_PATTERN = re.compile(r"rect64\(([0-9a-f]{1,16})\)\s*,\s*([0-9a-f]{1,16})", re.IGNORECASE)
_RECT64_SCALE = 65535


@dataclass(frozen=True)
class PicasaIni:
    """One folder's file. `faces`: by file name, box (fractions) and number of the contact for each
    face; `contacts`: names by number, as far as they stand here."""

    faces: dict[str, list[tuple[Box, str]]] = field(default_factory=dict)
    contacts: dict[str, str] = field(default_factory=dict)


def read_ini(data: bytes) -> PicasaIni:
    """The faces and contacts in a `.picasa.ini`; lines that say something else are passed by."""
    ini, section = PicasaIni(), ""
    for line in decode_text(data).splitlines():
        if header := _SECTION_PATTERN.fullmatch(line):
            section = header[1].strip()
            continue
        key, equals, value = line.partition("=")
        if not equals:
            continue
        if section.lower() == "contacts2":  # number=name;address;…
            if name := value.partition(";")[0].strip():
                ini.contacts[_normalise_contact_id(key)] = name
        elif key.strip().lower() == "faces":
            found = (
                (parse_rect64(rect), _normalise_contact_id(contact)) for rect, contact in _FACE_PATTERN.findall(value)
            )
            ini.faces[section] = [(box, contact) for box, contact in found if box[0] < box[2] and box[1] < box[3]]
    return ini


def read_contacts(data: bytes) -> dict[str, str]:
    """Names by number, of a `contacts.xml`. Raises UnreadableError."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableFileError(f"it is no XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnreadableFileError("it declares a document type, which Picasa's never does")
    contacts = {}
    for contact in root.iter("contact"):
        number, name = contact.get("id"), contact.get("name") or contact.get("display")
        if number and name and name.strip():
            contacts[_normalise_contact_id(str(number))] = str(name).strip()
    return contacts


def parse_rect64(rect64: str) -> Box:
    """Four 16-bit numbers in hexadecimal digits, without leading zeros: left, top, right, bottom in
    65535ths."""
    digits = rect64.rjust(16, "0")
    left, top, right, bottom = (int(digits[at : at + 4], 16) / _RECT64_SCALE for at in (0, 4, 8, 12))
    return left, top, right, bottom


def format_rect64(box: Box) -> str:
    """The other way round, to 1/65535."""
    return "".join(f"{round(side * _RECT64_SCALE):04x}" for side in box).lstrip("0") or "0"


def resolve_contact(contact: str, folder_contacts: Mapping[str, str], other_contacts: Mapping[str, str]) -> str | None:
    """The name of a contact: "" for a face that has none in Picasa, None where it is not known."""
    if contact == UNNAMED_CONTACT:
        return ""
    return folder_contacts.get(contact) or other_contacts.get(contact)


def _normalise_contact_id(text: str) -> str:
    return text.strip().lower().rjust(16, "0")
