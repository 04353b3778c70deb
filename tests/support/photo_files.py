"""Build photo files of every format, ICC profiles and minimal RAW files."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import imagecodecs
import numpy as np
import pillow_heif
from PIL import Image


def draw_scene(width: int = 192, height: int = 128) -> Image.Image:
    """Draw a scene: red top left, green top right, blue bottom left, white bottom right."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 255, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 255)
    return Image.fromarray(pixels)


def encode_image(image: Image.Image, format: str, exif: Image.Exif | bytes | None = None, **options: object) -> bytes:
    out = io.BytesIO()
    if format == "HEIF":
        pillow_heif.from_pillow(image).save(
            out, quality=95, exif=exif.tobytes() if isinstance(exif, Image.Exif) else exif
        )
    elif format == "JXL":
        return bytes(imagecodecs.jpegxl_encode(np.asarray(image), **options))
    else:
        extra = {"exif": exif} if exif is not None else {}
        image.save(out, format, **extra, **options)
    return out.getvalue()


def encode_animation(image: Image.Image, format: str) -> bytes:
    """Encode an animation of the image and a black frame."""
    return encode_image(image, format, save_all=True, append_images=[Image.new("RGB", image.size)])


def encode_cmyk_jpeg(image: Image.Image, **options: object) -> bytes:
    """Encode a CMYK JPEG, inverted as Adobe's programs write it."""
    return encode_image(image.convert("CMYK"), "JPEG", **options)


def name_corner_colours(pixels: np.ndarray) -> list[str]:
    """Name the nearest colour of the scene at the centre of each quarter of the picture."""
    names = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
    height, width = pixels.shape[:2]
    found = []
    for y in (height // 4, 3 * height // 4):
        for x in (width // 4, 3 * width // 4):
            pixel = pixels[y, x].astype(int)
            found.append(min(names, key=lambda name: int(np.abs(pixel - names[name]).sum())))
    return found


#: `name_corner_colours` of the upright scene.
UPRIGHT_CORNERS = ["red", "green", "blue", "white"]


def build_icc_profile(tags: dict[bytes, bytes], space: bytes, connection: bytes) -> bytes:
    """Build an ICC profile, version 2, with these tags."""
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(79), **tags}
    body, table = b"", struct.pack(">I", len(tags))
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    kind = b"mntr" if space == b"RGB " else b"prtr"
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"lcms", 0x02400000, kind, space, connection)
    head += struct.pack(">6H", 2019, 7, 20, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + table + body


def build_wide_gamut_profile(gamma: float = 2.2) -> bytes:
    """Build an RGB profile with the primaries of Adobe RGB."""
    points = {b"wtpt": (0.9642, 1, 0.8249), b"rXYZ": (0.60974, 0.31111, 0.01947)}
    points |= {b"gXYZ": (0.20528, 0.62567, 0.06087), b"bXYZ": (0.14919, 0.06322, 0.74457)}
    tags = {
        name: b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in point)) for name, point in points.items()
    }
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    return build_icc_profile(tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve), b"RGB ", b"XYZ ")


def build_cmyk_profile() -> bytes:
    """Build a CMYK profile whose first ink gives red over any other ink; paper is white."""
    cube = b"".join(bytes((136, 208, 195)) if corner & 8 else bytes((255, 128, 128)) for corner in range(16))
    ramp = bytes(range(256))
    unit = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + unit + ramp * 4 + cube + ramp * 3
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return build_icc_profile({b"wtpt": white, b"A2B0": table, b"A2B1": table}, b"CMYK", b"Lab ")


def build_dng(
    image: Image.Image,
    preview: bytes | None = None,
    orientation: int = 1,
    extra_tags: dict[int, tuple[int, int, bytes]] | None = None,
) -> bytes:
    """Build a DNG with the image as a mosaic (RGGB, 16 bits) and an optional JPEG `preview`.

    Image and preview are stored as given; `orientation` is the EXIF tag for both.
    """
    pixels = np.asarray(image.convert("RGB"))
    mosaic = np.zeros(pixels.shape[:2], "<u2")
    for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[row::2, column::2] = pixels[row::2, column::2, channel].astype(np.uint16) * 257
    height, width = mosaic.shape
    strip = mosaic.tobytes()
    rationals = struct.pack("<18i", *(v for n in (1, 0, 0, 0, 1, 0, 0, 0, 1) for v in (n * 10_000, 10_000)))
    raw_ifd = {
        254: (4, 1, 0),
        256: (4, 1, width),
        257: (4, 1, height),
        258: (3, 1, 16),
        259: (3, 1, 1),
        262: (3, 1, 32803),
        273: (4, 1, strip),
        277: (3, 1, 1),
        278: (4, 1, height),
        279: (4, 1, len(strip)),
        33421: (3, 2, struct.pack("<2H", 2, 2)),
        33422: (1, 4, bytes([0, 1, 1, 2])),
        50714: (4, 1, 0),
        50717: (4, 1, 65535),
    }
    shared = {
        271: (2, 6, b"Canon\0"),
        272: (2, 12, b"Canon Test1\0"),
        274: (3, 1, orientation),
        306: (2, 20, b"2019:07:20 21:15:03\0"),
        50706: (1, 4, bytes([1, 4, 0, 0])),
        50707: (1, 4, bytes([1, 1, 0, 0])),
        50708: (2, 12, b"Canon Test1\0"),
        50721: (10, 9, rationals),
        50728: (5, 3, struct.pack("<6I", *[1, 1] * 3)),
        50778: (3, 1, 21),
    } | (extra_tags or {})
    if preview is None:
        return _build_tiff([raw_ifd | shared])
    with Image.open(io.BytesIO(preview)) as opened:
        size = opened.size
    preview_ifd = {
        254: (4, 1, 1),
        256: (4, 1, size[0]),
        257: (4, 1, size[1]),
        258: (3, 3, struct.pack("<3H", 8, 8, 8)),
        259: (3, 1, 7),
        262: (3, 1, 6),
        273: (4, 1, preview),
        277: (3, 1, 3),
        278: (4, 1, size[1]),
        279: (4, 1, len(preview)),
    }
    return _build_tiff([preview_ifd | shared, raw_ifd])


def _build_tiff(ifds: list[dict[int, tuple[int, int, int | bytes]]]) -> bytes:
    """Build a TIFF from its first directory and the sub-directories of that one.

    Each tag is (type, count, value or bytes).
    """
    file = bytearray(b"II*\0\0\0\0\0")
    starts = []
    for number in reversed(range(len(ifds))):
        tags = dict(ifds[number])
        if number == 0 and len(ifds) > 1:
            tags[330] = (4, 1, starts[0])
        entries = b""
        for tag, (kind, count, value) in sorted(tags.items()):
            if isinstance(value, bytes) and len(value) <= 4 and tag != 273:
                field = value.ljust(4, b"\0")
            elif isinstance(value, bytes):
                field = struct.pack("<I", len(file))
                file += value + b"\0" * (len(value) % 2)
            else:
                field = struct.pack("<HH" if kind == 3 else "<I", *([value, 0] if kind == 3 else [value]))
            entries += struct.pack("<HHI", tag, kind, count) + field
        starts.append(len(file))
        file += struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"
    file[4:8] = struct.pack("<I", starts[-1])
    return bytes(file)


def crop_heif(heic: bytes, size: tuple[int, int], right: int = 0, down: int = 0) -> bytes:
    """Add a crop (`clap`) to the picture in a HEIC file that pillow-heif wrote, before its rotation.

    `size`: width and height of the crop. `right`, `down`: its offset from the middle, in halves of a pixel.
    """
    crop = _box(b"clap", struct.pack(">IIIIiIiI", size[0], 1, size[1], 1, right, 2, down, 2))
    boxes = dict(_children(heic, 0))
    meta = dict(_children(boxes[b"meta"], 4))
    properties = dict(_children(meta[b"iprp"], 0))
    number = len(list(_children(properties[b"ipco"], 0))) + 1
    first = 11  # version, flags, number of items (8 bytes), item 1, then the number of its properties
    ipma = bytearray(properties[b"ipma"])
    ipma[first - 1] += 1
    ipma[first + 4 : first + 4] = bytes([0x80 | number])  # after hvcC, colr, ispe and pixi
    properties |= {b"ipco": properties[b"ipco"] + crop, b"ipma": bytes(ipma)}
    meta[b"iprp"] = b"".join(_box(*child) for child in properties.items())
    iloc = bytearray(meta[b"iloc"])  # 8 bytes, then 18 for each item, with the offset of its data at 10
    for item in range(int.from_bytes(iloc[6:8], "big")):
        at = 8 + 18 * item + 10
        iloc[at : at + 4] = struct.pack(">I", int.from_bytes(iloc[at : at + 4], "big") + len(crop) + 1)
    meta[b"iloc"] = bytes(iloc)
    boxes[b"meta"] = boxes[b"meta"][:4] + b"".join(_box(*child) for child in meta.items())
    return b"".join(_box(*child) for child in boxes.items())


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def _children(content: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        yield content[at + 4 : at + 8], content[at + 8 : at + size]
        at += size
