"""Changing a packet where it has to change, and leaving every other byte as it is.

lxml says what a packet means, but writing its tree out again would change how all of it is
written: quotes, line ends, empty elements. So changes are made in the text, at the places that
expat finds its elements in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.parsers import expat

from lxml import etree

from faceclust.xmp.encoding import decode_packet
from faceclust.xmp.packet import NAMESPACES, BadPacketError, parse_packet_text
from faceclust.xmp.rdf import child_elements

_TAG_PATTERN = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_OPENING_PATTERN = re.compile(rb"<[^\s/>]+")
_ATTRIBUTE_PATTERN = re.compile(rb"""\s+([^\s=/>]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
_WHITESPACE = b" \t\r\n"
_PREFIX_PATTERN = re.compile(r"</?([A-Za-z_][\w.-]*):|\s([A-Za-z_][\w.-]*):[\w.-]+=")


@dataclass(frozen=True)
class _Span:
    """Where an element is in the text: its first byte, those after its opening tag and before its
    closing one, and the one after its end. Of `<a/>`, `inside` and `close` are its end."""

    start: int
    content_start: int
    content_end: int
    end: int


class EditablePacket:
    """A packet, its tree, and the changes to it so far. Elements are those of the `root`; a change
    does not show in the tree."""

    def __init__(self, data: bytes) -> None:
        """Raises BadPacketError for what is no XMP, or cannot be written back as it was."""
        try:
            self._text = decode_packet(data)
        except UnicodeError as error:
            raise BadPacketError(f"no text: {error}") from error
        self.root = parse_packet_text(self._text).getroot()
        self._data = data
        self._source = self._text.utf8
        spans = _element_spans(self._source)
        found = [element for element in self.root.iter() if isinstance(element.tag, str)]
        if len(found) != len(spans):
            raise BadPacketError("no XML that two readers understand alike")
        self._span_of = dict(zip(found, spans, strict=True))
        self._changes: list[tuple[int, int, bytes]] = []
        self._removed: set[etree._Element] = set()
        self._line_end = b"\r\n" if b"\r\n" in self._source else b"\n"

    def remove(self, element: etree._Element) -> None:
        """Take an element out, with the white space before it."""
        start = self._span_of[element].start
        while start and self._source[start - 1] in _WHITESPACE:
            start -= 1
        self._change(start, self._span_of[element].end, b"")
        self._removed.add(element)

    def is_removed(self, element: etree._Element) -> bool:
        """Has the element been taken out?"""
        return element in self._removed

    def replace(self, element: etree._Element, text: str) -> None:
        """Put an element in another's place; see `append` for its text."""
        span = self._span_of[element]
        around = element.getparent()
        self._change(
            span.start, span.end, self._format_insertion(text, element if around is None else around, span.start)
        )

    def append(self, element: etree._Element, *texts: str) -> None:
        """Add elements as the last ones below an element. Each is XML, indented from 0 on, with the
        prefixes of NAMESPACES; those that do not mean the same there are declared in it."""
        span, inner = self._span_of[element], child_elements(element)
        last = self._line_end + self._indent(span.start)
        indent = self._line_end + self._indent(self._span_of[inner[0]].start) if inner else last + b" "
        new = b"".join(indent + self._format_insertion(text, element, indent=indent) for text in texts)
        if inner:
            at = self._span_of[inner[-1]].end
            self._change(at, at, new)
        elif span.content_start == span.end:
            opened = self._source[span.start : span.end].removesuffix(b"/>").rstrip()
            name = opened[1:].split(None, 1)[0]
            self._change(span.start, span.end, opened + b">" + new + last + b"</" + name + b">")
        elif self._source[span.content_start : span.content_end].strip():
            self._change(span.content_end, span.content_end, new + last)
        else:
            self._change(span.content_start, span.content_end, new + last)

    def remove_attribute(self, element: etree._Element, name: str) -> None:
        """Take out an attribute by its name ("dc:subject"). Raises BadPacketError."""
        span = self._span_of[element]
        opening = self._source[span.start : span.content_start]
        prefix, _, local = name.partition(":")
        known = [known for known, uri in element.nsmap.items() if known and uri == NAMESPACES[prefix]]
        written = {f"{one}:{local}".encode() for one in known}
        found = _OPENING_PATTERN.match(opening)
        # One after the other: what looks like an attribute may be in the value of another.
        while found and (found := _ATTRIBUTE_PATTERN.match(opening, found.end())):
            if found[1] in written:
                self._change(span.start + found.start(), span.start + found.end(), b"")
                return
        raise BadPacketError(f"the attribute {name} is not where it should be")

    def result(self) -> bytes:
        """The file with the changes, the same bytes where there are none. Raises BadPacketError."""
        if not self._changes:
            return self._data
        out, at = [], 0
        # Of changes one in another only the outer one counts: its element is cut as a whole.
        for start, end, new in sorted(
            self._changes, key=lambda change: (change[0], -change[1] if not change[2] else 0)
        ):
            if end <= at and start < at:
                continue
            out += [self._source[at:start], new]
            at = end
        out.append(self._source[at:])
        try:
            return self._text.encode_file(b"".join(out))
        except UnicodeError as error:
            raise BadPacketError(f"a name cannot be written in its encoding: {error}") from error

    def _change(self, start: int, end: int, new: bytes) -> None:
        self._changes.append((start, end, new))

    def _indent(self, at: int) -> bytes:
        """The white space a line begins with, where nothing else is before this place in it."""
        line = self._source[self._source.rfind(b"\n", 0, at) + 1 : at]
        return line if not line.strip() else b""

    def _format_insertion(self, text: str, context: etree._Element, at: int = 0, *, indent: bytes = b"") -> bytes:
        indent = indent or self._line_end + self._indent(at)
        known = {prefix: uri for prefix, uri in context.nsmap.items() if prefix}
        return declare_prefixes(text, known).encode().replace(b"\n", indent)


def _element_spans(source: bytes) -> list[_Span]:
    """Where the elements are, in the order of their opening tags."""
    parser = expat.ParserCreate("utf-8")
    starts: list[tuple[int, int]] = []
    ends: dict[int, tuple[int, int]] = {}
    opened: list[int] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        at = parser.CurrentByteIndex
        found = _TAG_PATTERN.match(source, at)
        opened.append(len(starts))
        starts.append((at, found.end() if found else at))

    def end(name: str) -> None:
        number, at = opened.pop(), parser.CurrentByteIndex
        empty = source[starts[number][1] - 2 : starts[number][1]] == b"/>"
        inside = starts[number][1]
        ends[number] = (inside, inside) if empty else (at, source.index(b">", at) + 1)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(source, True)
    except expat.ExpatError as error:
        raise BadPacketError(f"no XML: {error}") from error
    return [_Span(*starts[number], *ends[number]) for number in range(len(starts))]


def declare_prefixes(text: str, in_scope: Mapping[str, str]) -> str:
    """An element as text, with declarations of the prefixes of NAMESPACES that `known` has not."""
    used = dict.fromkeys(first or second for first, second in _PREFIX_PATTERN.findall(text))
    missing = [prefix for prefix in used if prefix in NAMESPACES and in_scope.get(prefix) != NAMESPACES[prefix]]
    if not missing:
        return text
    end = re.search(r"[\s/>]", text)
    at = end.start() if end else len(text)
    return text[:at] + "".join(f' xmlns:{prefix}="{NAMESPACES[prefix]}"' for prefix in missing) + text[at:]
