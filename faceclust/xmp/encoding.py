"""Decode and encode packets: mostly UTF-8, but UTF-16 and others exist."""

from __future__ import annotations

import codecs
import contextlib
import re
from dataclasses import dataclass
from functools import cached_property

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its prefix
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Without a byte order mark the first character is "<" (XML 1.0, appendix F).
_FIRST_CHARACTERS = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_ENCODING_DECLARATION = re.compile(rb"""^\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
#: Text encodings. Python has codecs for other purposes as well.
_ALLOWED_CODECS = re.compile("utf-(8|16|32)|iso8859-|cp[0-9]|ascii|mac-|koi8-|gb|big5|shift_jis|euc_")
_PADDING = "\0 \t\r\n\ufeff"
#: Surrogates in UTF-8 (CESU-8): pairs that stand for one character, or single ones.
_SURROGATES = re.compile(rb"(?:\xed[\xa0-\xbf][\x80-\xbf])+")
#: The characters of bytes that are not UTF-8, by the code that Python's "surrogateescape" gives them.
_WINDOWS_1252 = {0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)}


@dataclass(frozen=True)
class PacketText:
    """A packet's text without surrounding white space, and its codec.

    `before` and `after` have the bytes of the white space; `before` includes the byte order mark.
    """

    content: str
    codec: str = "utf-8"
    before: bytes = b""
    after: bytes = b""

    @cached_property
    def utf8(self) -> bytes:
        return self.content.encode()

    def encode_file(self, content: bytes) -> bytes:
        """Encode a changed text (UTF-8) as a whole file in the packet's encoding. Raises UnicodeError."""
        return self.before + content.decode().encode(self.codec) + self.after


def decode_packet(data: bytes) -> PacketText:
    """Decode a packet or sidecar.

    Raises UnicodeError if the encoding is unknown, or if encoding again would change the bytes.
    """
    mark, codec = _detect_encoding(data)
    rest = data[len(mark) :]
    codec = codec or _declared_codec(rest) or "utf-8"
    if not _is_text_codec(codec):
        raise UnicodeError(f"unknown encoding {codec}")
    text = rest.decode(codec)
    if text.encode(codec) != rest:
        raise UnicodeError(f"it cannot be written back byte for byte in the encoding {codec}")
    core = text.strip(_PADDING)
    start = text.find(core)
    before, after = text[:start], text[start + len(core) :]
    return PacketText(core, codec, mark + before.encode(codec), after.encode(codec))


def decode_leniently(data: bytes) -> str:
    """Decode a packet for reading, whatever its bytes are.

    UTF-8 takes precedence over a declared encoding, as in exiftool. Invalid bytes in it are read as
    Windows-1252, and surrogates as the characters that they stand for.
    """
    mark, codec = _detect_encoding(data)
    rest = data[len(mark) :]
    if codec.startswith(("utf-16", "utf-32")):
        return rest.decode(codec, "replace").strip(_PADDING)
    for codec in ("utf-8", _declared_codec(rest)):
        if _is_text_codec(codec) and not (codec != "utf-8" and codec.lower().startswith("utf")):
            with contextlib.suppress(UnicodeError):
                return rest.decode(codec).strip(_PADDING)
    text = _SURROGATES.sub(_join_surrogates, rest).decode("utf-8", "surrogateescape")
    return text.translate(_WINDOWS_1252).strip(_PADDING)


def _detect_encoding(data: bytes) -> tuple[bytes, str]:
    """Return the byte order mark and the codec; "" if the bytes do not show it."""
    for mark, codec in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return mark, codec
    return b"", next((codec for first, codec in _FIRST_CHARACTERS if data.startswith(first)), "")


def _declared_codec(data: bytes) -> str:
    declared = _ENCODING_DECLARATION.match(data)
    return declared[1].decode() if declared else ""


def _is_text_codec(codec: str) -> bool:
    try:
        return bool(_ALLOWED_CODECS.match(codecs.lookup(codec).name))
    except LookupError:
        return False


def _join_surrogates(match: re.Match[bytes]) -> bytes:
    units = match[0].decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")
    return units.decode("utf-16", "replace").encode()
