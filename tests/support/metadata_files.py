"""Build photos of every format with EXIF, XMP and IPTC in every place where programs put them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial

import imagecodecs
import pillow_heif
from PIL import Image

from tests.support.photo_files import build_dng, draw_scene, encode_image
from tests.support.xmp_packets import build_array, build_mwg_regions, build_region, build_sidecar

XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
_DATES = (
    " xmlns:exif='http://ns.adobe.com/exif/1.0/' exif:DateTimeOriginal='2018-04-16T11:33:55'"
    " xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='8'"
)
XMP = build_sidecar(
    build_array("dc:subject", "beach"), build_mwg_regions(build_region("Anna", 0.5, 0.5, 0.2, 0.2)), attributes=_DATES
).encode()
OTHER_XMP = build_sidecar("  <xmp:Rating>3</xmp:Rating>").encode()
PNG_TIME = b"2016:02:14 09:31:53"


def _dataset(number: int, value: bytes) -> bytes:
    return b"\x1c\2" + bytes([number]) + struct.pack(">H", len(value)) + value


_UTF8 = b"\x1c\1\x5a\0\3\x1b%G"
IPTC = _UTF8 + b"".join(
    _dataset(number, value)
    for number, value in ((25, b"hill"), (25, "Zoë".encode()), (55, b"20170315"), (60, b"103254+0100"))
)


def build_exif() -> bytes:
    """Build an EXIF block with its header: a date, a camera, orientation 6, a place and keywords of Windows."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Canon", "Canon Test1", 6
    exif[0x9C9E] = "sea;Zoë\0".encode("utf-16-le")
    exif.get_ifd(0x8769)[0x9003] = "2019:05:17 12:34:56"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 30.0, 0.0), 3: "W", 4: (11.0, 15.0, 0.0)})
    block = bytes(exif.tobytes())
    return block if block.startswith(b"Exif\0\0") else b"Exif\0\0" + block


EXIF = build_exif()
TIFF = EXIF[6:]


def photoshop(record: bytes) -> bytes:
    """Build Photoshop's image resources: another one, then an IPTC record."""
    other = b"8BIM\x04\x0a\3abc" + struct.pack(">I", 3) + b"xyz\0"
    return other + b"8BIM\4\4\0\0" + struct.pack(">I", len(record)) + record + bytes(len(record) % 2)


# -- JPEG -----------------------------------------------------------------------


def segment(content: bytes, marker: int = 0xE1) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg(*segments: bytes) -> bytes:
    data = encode_image(draw_scene(), "JPEG")
    return data[:2] + b"".join(segments) + data[2:]


def extended_xmp() -> bytes:
    guid = b"A" * 32
    note = b"xmlns:xmpNote='http://ns.adobe.com/xmp/note/' xmpNote:HasExtendedXMP='" + guid + b"'"
    main = OTHER_XMP.replace(b" rdf:about=''", b" rdf:about='' " + note)
    half = len(XMP) // 2
    parts = [
        segment(
            b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", len(XMP), at) + XMP[at : at + half + 1]
        )
        for at in (half + 1, 0)
    ]
    return jpeg(segment(XMP_HEADER + main), *parts)


# -- PNG ------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes, late: bool = False) -> bytes:
    data = encode_image(draw_scene(), "PNG")
    at = len(data) - 12 if late else 33  # before IEND, or after IHDR
    return data[:at] + b"".join(chunks) + data[at:]


def text_chunk(kind: str, keyword: bytes, text: bytes) -> bytes:
    if kind == "tEXt":
        return chunk(b"tEXt", keyword + b"\0" + text)
    if kind == "zTXt":
        return chunk(b"zTXt", keyword + b"\0\0" + zlib.compress(text))
    if kind == "iTXt":
        return chunk(b"iTXt", keyword + b"\0\0\0\0\0" + text)
    return chunk(b"iTXt", keyword + b"\0\1\0\0\0" + zlib.compress(text))


TEXT_CHUNKS = ("tEXt", "zTXt", "iTXt", "compressed iTXt")


def raw_profile(name: str, content: bytes) -> bytes:
    digits = content.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return f"\n{name}\n{len(content):8d}\n{lines}\n".encode()


# -- other formats ----------------------------------------------------------------


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """Build a WebP with chunks after the picture."""
    out = encode_image(draw_scene(), "WEBP", lossless=True)[12:]
    canvas = struct.pack("<I", 0b1100) + (191).to_bytes(3, "little") + (127).to_bytes(3, "little")
    parts = [b"VP8X" + struct.pack("<I", 10) + canvas, out]
    parts += [kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2) for kind, content in chunks]
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def directory(tags: dict[int, tuple[int, int, bytes]], start: int) -> bytes:
    """Build a TIFF directory at an offset. Each tag has a type, a count and a value."""
    values, entries = b"", b""
    after = start + 2 + 12 * len(tags) + 4
    for number, (kind, count, value) in sorted(tags.items()):
        at = value.ljust(4, b"\0")
        if len(value) > 4:
            at = struct.pack("<I", after + len(values))
            values += value + bytes(len(value) % 2)
        entries += struct.pack("<HHI", number, kind, count) + at
    return struct.pack("<H", len(tags)) + entries + bytes(4) + values


def tiff(tags: dict[int, tuple[int, int, bytes]], exif: dict[int, tuple[int, int, bytes]] | None = None) -> bytes:
    """Build a TIFF with additional tags, and an EXIF directory."""
    pixels = draw_scene().tobytes()
    inner = directory(exif or {}, 8 + len(pixels))
    numbers = {256: 192, 257: 128, 259: 1, 262: 2, 273: 8, 277: 3, 278: 128, 279: len(pixels)}
    outer = {number: (4, 1, struct.pack("<I", value)) for number, value in numbers.items()}
    outer |= {258: (3, 3, struct.pack("<3H", 8, 8, 8)), **tags}
    if exif:
        outer[34665] = (4, 1, struct.pack("<I", 8 + len(pixels)))
    start = 8 + len(pixels) + len(inner)
    return b"II*\0" + struct.pack("<I", start) + pixels + inner + directory(outer, start)


def tiff_with_exif() -> bytes:
    keywords = "sea;Zoë\0".encode("utf-16-le")
    tags = {271: (2, 6, b"Canon\0"), 272: (2, 12, b"Canon Test1\0"), 274: (3, 1, b"\6\0")}
    date = {0x9003: (2, 20, b"2019:05:17 12:34:56\0")}
    return tiff(tags | {0x9C9E: (1, len(keywords), keywords)}, date)


def heif(**metadata: bytes) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(draw_scene()).save(out, quality=90, **metadata)
    return out.getvalue()


def avif(**metadata: bytes) -> bytes:
    out = io.BytesIO()
    draw_scene().save(out, "AVIF", **metadata)
    return out.getvalue()


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def jxl(*boxes: bytes) -> bytes:
    head = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    return head + b"".join(boxes) + box(b"jxlc", encode_image(draw_scene(), "JXL"))


def brob(kind: bytes, content: bytes) -> bytes:
    return box(b"brob", kind + bytes(imagecodecs.brotli_encode(content)))


def gif() -> bytes:
    data = encode_image(draw_scene(), "GIF")
    at = 13 + (3 << (data[10] & 7) + 1)
    trailer = bytes([1, *range(255, -1, -1), 0])
    return data[:at] + b"!\xff\x0bXMP DataXMP" + XMP + trailer + data[at:]


def iter_cases() -> Iterator[tuple[str, str, str, Callable[[], bytes]]]:
    """Yield the name of a case, the kind of metadata in it, the file's extension, and its builder.

    Kinds are "exif", "xmp", "iptc" and "png", a date in PNG text.
    """
    eight_bim = b"Photoshop 3.0\0" + photoshop(IPTC)
    jpegs = {
        "EXIF": ("exif", [segment(EXIF)]),
        "EXIF after an empty one": ("exif", [segment(b"Exif\0\0"), segment(EXIF)]),
        "EXIF after stray bytes": ("exif", [segment(b"x", 0xE4), b"\0\xff\0ab", segment(EXIF)]),
        "XMP": ("xmp", [segment(XMP_HEADER + XMP)]),
        "second XMP": ("xmp", [segment(XMP_HEADER + OTHER_XMP), segment(XMP_HEADER + XMP)]),
        "XMP after stray bytes": ("xmp", [segment(b"x", 0xE4), bytes(700), segment(XMP_HEADER + XMP)]),
        "XMP after padding": ("xmp", [segment(b"x", 0xE4), b"\xff" * 9, segment(XMP_HEADER + XMP)]),
        "IPTC": ("iptc", [segment(eight_bim, 0xED)]),
        "IPTC in two segments": (
            "iptc",
            [segment(eight_bim[:40], 0xED), segment(b"Photoshop 3.0\0" + eight_bim[40:], 0xED)],
        ),
    }
    for name, (kind, segments) in jpegs.items():
        yield f"JPEG {name}", kind, "jpg", partial(jpeg, *segments)
    yield "JPEG extended XMP", "xmp", "jpg", extended_xmp
    yield "PNG eXIf", "exif", "png", lambda: png(chunk(b"eXIf", TIFF))
    profiles = [
        ("exif", "exif", EXIF),
        ("APP1", "exif", EXIF),
        ("APP1", "xmp", XMP_HEADER + XMP),
        ("xmp", "xmp", XMP),
        ("iptc", "iptc", photoshop(IPTC)),
        ("8bim", "iptc", photoshop(IPTC)),
    ]
    for chunk_kind in TEXT_CHUNKS:
        texts = {
            "XMP": ("xmp", text_chunk(chunk_kind, b"XML:com.adobe.xmp", XMP)),
            "date": ("png", text_chunk(chunk_kind, b"Creation Time", PNG_TIME)),
        }
        for name, kind, content in profiles:
            profile = raw_profile(name, content)
            texts[f"raw profile {name} with {kind}"] = (
                kind,
                text_chunk(chunk_kind, f"Raw profile type {name}".encode(), profile),
            )
        for name, (kind, text) in texts.items():
            for late in (False, True):
                place = " after the picture" if late else ""
                yield f"PNG {name} in {chunk_kind}{place}", kind, "png", partial(png, text, late=late)
    yield "WebP EXIF", "exif", "webp", lambda: webp((b"EXIF", TIFF))
    yield "WebP EXIF with a header", "exif", "webp", lambda: webp((b"EXIF", EXIF))
    yield "WebP XMP", "xmp", "webp", lambda: webp((b"EXIF", b""), (b"XMP ", XMP))
    yield "TIFF EXIF", "exif", "tif", tiff_with_exif
    resources = photoshop(IPTC)
    padded = IPTC + bytes(-len(IPTC) % 4)
    tiff_tags = {
        "XMP": ("xmp", {700: (1, len(XMP), XMP)}),
        "XMP, undefined type": ("xmp", {700: (7, len(XMP), XMP)}),
        "IPTC": ("iptc", {33723: (7, len(IPTC), IPTC)}),
        "IPTC as integers": ("iptc", {33723: (4, len(padded) // 4, padded)}),
        "IPTC in Photoshop's tag": ("iptc", {34377: (1, len(resources), resources)}),
    }
    for name, (kind, tags) in tiff_tags.items():
        yield f"TIFF {name}", kind, "tif", partial(tiff, tags)
    yield "HEIC EXIF", "exif", "heic", lambda: heif(exif=EXIF)
    yield "HEIC XMP", "xmp", "heic", lambda: heif(xmp=XMP)
    yield "AVIF EXIF", "exif", "avif", lambda: avif(exif=EXIF)
    yield "AVIF XMP", "xmp", "avif", lambda: avif(xmp=XMP)
    yield "JPEG XL EXIF", "exif", "jxl", lambda: jxl(box(b"Exif", bytes(4) + TIFF))
    yield "JPEG XL XMP", "xmp", "jxl", lambda: jxl(box(b"xml ", XMP))
    yield "JPEG XL compressed EXIF", "exif", "jxl", lambda: jxl(brob(b"Exif", bytes(4) + TIFF))
    yield "JPEG XL compressed XMP", "xmp", "jxl", lambda: jxl(brob(b"xml ", XMP))
    yield "GIF XMP", "xmp", "gif", gif
    yield "DNG XMP", "xmp", "dng", lambda: build_dng(draw_scene(), extra_tags={700: (1, len(XMP), XMP)})
    yield "DNG IPTC", "iptc", "dng", lambda: build_dng(draw_scene(), extra_tags={33723: (7, len(IPTC), IPTC)})
