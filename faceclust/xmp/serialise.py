"""Pieces of XMP as text: what is written into a packet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

#: The packet that a new sidecar begins as. The mark in `begin` tells a reader the byte order.
EMPTY = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="faceclust">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
""".encode()
#: What no XML 1.0 document can hold, not even escaped.
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """A name as XML can hold it, on one line."""
    return _NO_XML.sub("", re.sub(r"[\t\r\n]+", " ", text)).strip()


def attribute(name: str, value: str) -> str:
    """` name="value"`, with a space before it."""
    return f" {name}={quoted(value)}"


def quoted(value: str) -> str:
    """The value of an attribute, in quotes."""
    return '"' + escape(value, {'"': "&quot;"}) + '"'


def element(name: str, *inside: str, attributes: str = "") -> str:
    """An element with elements in it, a line each and indented by one."""
    if not inside:
        return f"<{name}{attributes}/>"
    lines = "\n".join(f" {line}" for part in inside for line in part.split("\n"))
    return f"<{name}{attributes}>\n{lines}\n</{name}>"


def item(value: str) -> str:
    """An item of an array."""
    return f"<rdf:li>{escape(value)}</rdf:li>"


def listing(name: str, kind: str, values: Iterable[str]) -> str:
    """A property that is an array of `kind` ("Bag", "Seq") of these texts."""
    return element(name, element(f"rdf:{kind}", *map(item, values)))
