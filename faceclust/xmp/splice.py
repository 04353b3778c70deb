"""Edit a packet in place: all bytes outside the changed elements stay the same.

Serialising lxml's tree would change quotes, line ends and empty elements everywhere. So lxml is used to
navigate, and changes are spliced into the text at the positions that expat reports.
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
    """The position of an element in the text, as byte offsets.

    The content lies between the opening and the closing tag. For `<a/>`, `content_start` and
    `content_end` are both the element's end.
    """

    start: int
    content_start: int
    content_end: int
    end: int


class EditablePacket:
    """A packet with its tree and pending changes.

    Methods take elements of the tree at `root`, which does not reflect the changes.
    """

    def __init__(self, data: bytes) -> None:
        """Raises BadPacketError if it is not XMP or cannot be written back byte for byte."""
        try:
            self._text = decode_packet(data)
        except UnicodeError as error:
            raise BadPacketError(f"not a text: {error}") from error
        self.root = parse_packet_text(self._text).getroot()
        self._data = data
        self._source = self._text.utf8
        spans = _element_spans(self._source)
        found = [element for element in self.root.iter() if isinstance(element.tag, str)]
        if len(found) != len(spans):
            raise BadPacketError("two XML parsers read it differently")
        self._span_of = dict(zip(found, spans, strict=True))
        self._changes: list[tuple[int, int, bytes]] = []
        self._removed: set[etree._Element] = set()
        self._line_end = b"\r\n" if b"\r\n" in self._source else b"\n"

    def remove(self, element: etree._Element) -> None:
        """Remove an element and the white space before it."""
        start = self._span_of[element].start
        while start and self._source[start - 1] in _WHITESPACE:
            start -= 1
        self._change(start, self._span_of[element].end, b"")
        self._removed.add(element)

    def is_removed(self, element: etree._Element) -> bool:
        """Has the element been removed?"""
        return element in self._removed

    def replace(self, element: etree._Element, text: str) -> None:
        """Replace an element by XML in the notation of `append`."""
        span = self._span_of[element]
        parent = element.getparent()
        context = element if parent is None else parent
        self._change(span.start, span.end, self._format_insertion(text, context, span.start))

    def append(self, element: etree._Element, *texts: str) -> None:
        """Append child elements.

        Each is XML without outer indentation and with the prefixes of NAMESPACES. Prefixes that are not
        in scope there are declared.
        """
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
        """Remove an attribute by its name, such as "dc:subject". Raises BadPacketError."""
        span = self._span_of[element]
        opening = self._source[span.start : span.content_start]
        prefix, _, local = name.partition(":")
        known = [known for known, uri in element.nsmap.items() if known and uri == NAMESPACES[prefix]]
        written = {f"{one}:{local}".encode() for one in known}
        found = _OPENING_PATTERN.match(opening)
        # Match attributes one by one: the value of one may look like another.
        while found and (found := _ATTRIBUTE_PATTERN.match(opening, found.end())):
            if found[1] in written:
                self._change(span.start + found.start(), span.start + found.end(), b"")
                return
        raise BadPacketError(f"the attribute {name} cannot be found in the text")

    def result(self) -> bytes:
        """Return the file with all changes applied; without changes, the same bytes. Raises BadPacketError."""
        if not self._changes:
            return self._data
        out, at = [], 0
        # Of nested changes only the outer one counts: it removes its whole element.
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
            raise BadPacketError(f"its encoding cannot represent a name: {error}") from error

    def _change(self, start: int, end: int, new: bytes) -> None:
        self._changes.append((start, end, new))

    def _indent(self, at: int) -> bytes:
        """Return the white space before this position in its line; "" if there is other text."""
        line = self._source[self._source.rfind(b"\n", 0, at) + 1 : at]
        return line if not line.strip() else b""

    def _format_insertion(self, text: str, context: etree._Element, at: int = 0, *, indent: bytes = b"") -> bytes:
        indent = indent or self._line_end + self._indent(at)
        known = {prefix: uri for prefix, uri in context.nsmap.items() if prefix}
        return declare_prefixes(text, known).encode().replace(b"\n", indent)


def _element_spans(source: bytes) -> list[_Span]:
    """Return the spans of all elements, in the order of their opening tags."""
    parser = expat.ParserCreate("utf-8")
    starts: list[tuple[int, int]] = []
    ends: dict[int, tuple[int, int]] = {}
    opened: list[int] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        at = parser.CurrentByteIndex
        match = _TAG_PATTERN.match(source, at)
        opened.append(len(starts))
        starts.append((at, match.end() if match else at))

    def end(name: str) -> None:
        number, at = opened.pop(), parser.CurrentByteIndex
        content_start = starts[number][1]
        is_empty = source[content_start - 2 : content_start] == b"/>"
        ends[number] = (content_start, content_start) if is_empty else (at, source.index(b">", at) + 1)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(source, True)
    except expat.ExpatError as error:
        raise BadPacketError(f"not XML: {error}") from error
    return [_Span(*starts[number], *ends[number]) for number in range(len(starts))]


def declare_prefixes(text: str, in_scope: Mapping[str, str]) -> str:
    """Declare the prefixes of NAMESPACES that an element uses and `in_scope` lacks."""
    used = dict.fromkeys(first or second for first, second in _PREFIX_PATTERN.findall(text))
    missing = [prefix for prefix in used if prefix in NAMESPACES and in_scope.get(prefix) != NAMESPACES[prefix]]
    if not missing:
        return text
    end = re.search(r"[\s/>]", text)
    at = end.start() if end else len(text)
    return text[:at] + "".join(f' xmlns:{prefix}="{NAMESPACES[prefix]}"' for prefix in missing) + text[at:]
