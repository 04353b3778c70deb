"""Repair packets that are not quite XML, so that their names can be read.

Programs leave control characters, bare "&", undeclared prefixes and more in packets, and other programs
read them nevertheless. The repaired text is for reading only. No entity is ever expanded from a
declaration: a text that declares any is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.entities import html5
from xml.sax.saxutils import escape

from faceclust.xmp.safe_xml import InvalidXmlError
from faceclust.xmp.serialise import INVALID_XML

#: Damaged packets are small. A longer text would take long to repair.
MAX_REPAIRED_LENGTH = 2_000_000
_MAX_DEPTH, _MAX_PREFIXES = 200, 500  # libxml2 allows a depth of 256
_ROOT = "repaired"

_NAME = r"(?:[A-Za-z_][\w.-]*+:)?[A-Za-z_][\w.-]*+"
_DECLARATION = re.compile(r"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_SECTION_START = re.compile(r"<!--|<!\[CDATA\[|<\?")
_SECTION_END = {"<!--": "-->", "<![CDATA[": "]]>", "<?": ">"}  # some programs omit the "?" of "?>"
_REFERENCE_NAME = r"(?:#(?:([0-9]{1,9})|[xX]([0-9A-Fa-f]{1,8}))|([A-Za-z][A-Za-z0-9]{1,32}));"
_BARE_AMPERSAND = re.compile(f"&(?!{_REFERENCE_NAME})")
_REFERENCE = re.compile(f"&(?!(?:amp|lt|gt|quot|apos);){_REFERENCE_NAME}")
_RDF_END = re.compile(r"</(?:[\w.-]+:)?RDF\s*>")
_ITEM_END = re.compile(r"</(?:[\w.-]+:)?li\s*>")
_TAG = re.compile(rf"""<(/?)({_NAME})(?=[\s/>])((?:[^<>"']|"[^"]*"|'[^']*')*+)>""", re.ASCII)
_ATTRIBUTE = re.compile(rf"""(?<![\w.:-])({_NAME})\s*+=\s*+("[^"]*"|'[^']*')""", re.ASCII)

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://[A-Za-z0-9._~/?=;,!()-]+|[A-Za-z][A-Za-z0-9._/:-]*)#?")


def repair_xml(text: str, namespaces: Mapping[str, str]) -> str:
    """Repair a packet's text; `namespaces` maps the prefixes that need no declaration.

    Comments and processing instructions are dropped. Invalid characters are removed, HTML's entities
    become characters, and tags that do not match are closed or dropped. If the end is missing, only
    complete items of lists are kept. The result has one more element around all others.
    Raises InvalidXmlError if it is too long, too deep, or declares a document type or entities.
    """
    if len(text) > MAX_REPAIRED_LENGTH:
        raise InvalidXmlError(f"not XML, and longer than {MAX_REPAIRED_LENGTH:,} characters")
    if _DECLARATION.search(text):
        raise InvalidXmlError("it declares a document type, which photo programs never do")
    text = _repair_references(_remove_sections(text))
    if not _RDF_END.search(text):
        text = text[: max((match.end() for match in _ITEM_END.finditer(text)), default=0)]
    return _balance_tags(text, namespaces)


def _remove_sections(text: str) -> str:
    """Remove comments and processing instructions, and convert CDATA sections to text."""
    parts, at, unclosed = [], 0, set[str]()
    for match in _SECTION_START.finditer(text):
        start = match[0]
        if match.start() < at or start in unclosed:
            continue
        end = text.find(_SECTION_END[start], match.end())
        if end < 0:
            unclosed.add(start)
            continue
        parts.append(text[at : match.start()])
        if start == "<![CDATA[":
            parts.append(escape(text[match.end() : end]))
        at = end + len(_SECTION_END[start])
    return "".join([*parts, text[at:]])


def _repair_references(text: str) -> str:
    """Replace references by characters, escape bare "&", and remove what XML does not allow."""
    text = _REFERENCE.sub(_resolve_reference, _BARE_AMPERSAND.sub("&amp;", text))
    # Two references, or two characters, may be the halves of one character in UTF-16.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return INVALID_XML.sub("", text)


def _resolve_reference(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        known = html5.get(f"{name};")
        return escape(known) if known else f"&amp;{name};"
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return escape(chr(code)) if code < 0x110000 else ""


def _balance_tags(text: str, namespaces: Mapping[str, str]) -> str:
    """Write well-formed tags: attributes quoted and unique, each element closed, all prefixes declared."""
    parts, opened, at = list[str](), list[str](), 0
    declared, used = dict[str, str](), dict[str, None]()
    for match in _TAG.finditer(text):
        parts.append(_escape_text(text[at : match.start()]))
        at = match.end()
        is_end, name, rest = match.groups()
        if not is_end:
            attributes = _parse_attributes(rest)
            used |= dict.fromkeys(key.partition(":")[0] for key in (name, *attributes) if ":" in key)
            declared |= {key[6:]: value[1:-1] for key, value in attributes.items() if key.startswith("xmlns:")}
            is_empty = rest.endswith("/")
            parts.append(f"<{name}{_format_attributes(attributes)}{'/' * is_empty}>")
            opened += [name] * (not is_empty)
        elif name in opened:
            while (last := opened.pop()) != name:
                parts.append(f"</{last}>")
            parts.append(f"</{name}>")
        if len(opened) > _MAX_DEPTH or len(used) > _MAX_PREFIXES:
            raise InvalidXmlError("not XML: too many nested elements or prefixes")
    parts += [_escape_text(text[at:]), *(f"</{name}>" for name in reversed(opened))]
    uris = {
        prefix: namespaces.get(prefix) or declared.get(prefix) or f"urn:undeclared:{prefix}"
        for prefix in used
        if prefix not in ("xml", "xmlns")
    }
    root = _format_attributes({f"xmlns:{prefix}": f'"{uri}"' for prefix, uri in uris.items()})
    return f"<{_ROOT}{root}>{''.join(parts)}</{_ROOT}>"


def _parse_attributes(text: str) -> dict[str, str]:
    """Return the attributes of a tag with their quoted values; of several with a name, the last one."""
    found = {name: value.replace("<", "&lt;") for name, value in _ATTRIBUTE.findall(text)}
    return {name: value for name, value in found.items() if not _is_invalid_declaration(name, value[1:-1])}


def _is_invalid_declaration(name: str, value: str) -> bool:
    """Is this the declaration of a reserved prefix, or of an invalid URI? libxml2 accepts neither."""
    is_declaration = name == "xmlns" or name.startswith("xmlns:")
    return is_declaration and (name in ("xmlns:xml", "xmlns:xmlns") or not _URI.fullmatch(value))


def _format_attributes(attributes: Mapping[str, str]) -> str:
    return "".join(f" {name}={value}" for name, value in attributes.items())


def _escape_text(text: str) -> str:
    return text.replace("<", "&lt;").replace("]]>", "]]&gt;")
