"""Pieces of XMP as text: what is written into a packet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

#: The packet that a new sidecar begins as. The mark in `begin` tells a reader the byte order.
EMPTY_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="faceclust">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
""".encode()
#: What no XML 1.0 document can hold, not even escaped.
_INVALID_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean_xml_text(text: str) -> str:
    """A name as XML can hold it, on one line."""
    return _INVALID_XML.sub("", re.sub(r"[\t\r\n]+", " ", text)).strip()


def format_attribute(name: str, value: str) -> str:
    """` name="value"`, with a space before it."""
    return f" {name}={quote_value(value)}"


def quote_value(value: str) -> str:
    """The value of an attribute, in quotes."""
    return '"' + escape(value, {'"': "&quot;"}) + '"'


def format_element(name: str, *inside: str, attributes: str = "") -> str:
    """An element with elements in it, a line each and indented by one."""
    if not inside:
        return f"<{name}{attributes}/>"
    lines = "\n".join(f" {line}" for part in inside for line in part.split("\n"))
    return f"<{name}{attributes}>\n{lines}\n</{name}>"


def format_item(value: str) -> str:
    """An item of an array."""
    return f"<rdf:li>{escape(value)}</rdf:li>"


def format_array(name: str, kind: str, values: Iterable[str]) -> str:
    """A property that is an array of `kind` ("Bag", "Seq") of these texts."""
    return format_element(name, format_element(f"rdf:{kind}", *map(format_item, values)))
