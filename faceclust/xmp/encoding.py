"""A packet's bytes as characters, and back: UTF-8 mostly, but UTF-16 and others are met."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import cached_property

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before that of UTF-16, which is its beginning
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Without a mark, the first character is still "<" (XML 1.0, appendix F).
_FIRST_CHARACTERS = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_ENCODING_DECLARATION = re.compile(rb"""^\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
#: Codecs that XML may be in; Python has others, for other ends.
_ALLOWED_CODECS = re.compile("utf-(8|16|32)|iso8859-|cp[0-9]|ascii|mac-|koi8-|gb|big5|shift_jis|euc_")
_PADDING = "\0 \t\r\n\ufeff"


@dataclass(frozen=True)
class PacketText:
    """A packet's characters, without the white space before and after them (`before` has the byte
    order mark as well), and the codec that makes bytes of them."""

    content: str
    codec: str = "utf-8"
    before: bytes = b""
    after: bytes = b""

    @cached_property
    def utf8(self) -> bytes:
        return self.content.encode()

    def encode_file(self, content: bytes) -> bytes:
        """A whole file of these characters, in the packet's own encoding. Raises UnicodeError."""
        return self.before + content.decode().encode(self.codec) + self.after


def decode_packet(data: bytes) -> PacketText:
    """The characters of a packet or sidecar. Raises UnicodeError for bytes that no known encoding
    gives, or does not give back."""
    mark, codec = next(((mark, codec) for mark, codec in _BYTE_ORDER_MARKS if data.startswith(mark)), (b"", ""))
    rest = data[len(mark) :]
    if not codec:
        codec = next((codec for first, codec in _FIRST_CHARACTERS if rest.startswith(first)), "")
    declared = _ENCODING_DECLARATION.match(rest)
    codec = codec or (declared[1].decode() if declared else "utf-8")
    try:
        known = _ALLOWED_CODECS.match(codecs.lookup(codec).name)
    except LookupError:
        known = None
    if not known:
        raise UnicodeError(f"the encoding {codec} is not known")
    text = rest.decode(codec)
    if text.encode(codec) != rest:
        raise UnicodeError(f"the encoding {codec} has several ways to write it")
    core = text.strip(_PADDING)
    start = text.find(core)
    before, after = text[:start], text[start + len(core) :]
    return PacketText(core, codec, mark + before.encode(codec), after.encode(codec))
