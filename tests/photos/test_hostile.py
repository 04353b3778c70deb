"""Hostile files neither hang, crash nor exhaust the process that decodes them."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from faceclust.photos.decode import decode_photo
from faceclust.photos.errors import UndecodableError
from faceclust.photos.limits import MAX_PIXELS_MEMORY_HEAVY, MAX_SCANS, MIN_SIDE
from faceclust.types import Metadata, Photo, PhotoRef, SkipReason
from tests.benchmarks.mutants import make_mutant, make_originals, run
from tests.support.photo_files import (
    UPRIGHT_CORNERS,
    build_dng,
    draw_scene,
    encode_animation,
    encode_image,
    name_corner_colours,
)
from tests.support.sample_photos import ORIENTATION

REF = PhotoRef("photo", 1, 1)


def decode_or_skip_reason(data: bytes) -> Photo | SkipReason:
    try:
        return decode_photo(data, REF, 1280)
    except UndecodableError as error:
        assert str(error)
        return error.reason


@pytest.mark.parametrize("format", make_originals())
def test_files_truncated_anywhere_have_a_skip_reason(format: str) -> None:
    data = (
        encode_image(Image.effect_noise((200, 200), 60).convert("RGB"), format)
        if format != "RAW"
        else build_dng(draw_scene(200, 200))
    )
    for end in range(0, len(data) - 1000, 1000):
        assert decode_or_skip_reason(data[:end]) in (SkipReason.EMPTY, SkipReason.TRUNCATED, SkipReason.NOT_A_PHOTO)


@pytest.mark.slow
@pytest.mark.parametrize("format", make_originals())
def test_mutated_files_neither_crash_nor_hang_the_process(format: str) -> None:
    crashed, hung, (photos, refused, _) = run(format, seed=7, count=150, limit=60)
    assert not crashed and not hung
    assert photos + refused == 150 and refused


def test_mutations_are_reproducible() -> None:
    assert make_mutant("JPEG", 3, 4) == make_mutant("JPEG", 3, 4) != make_mutant("JPEG", 4, 4)


def test_a_heif_with_an_item_type_that_is_not_text_does_not_crash() -> None:
    data = encode_image(draw_scene(), "HEIF", Image.Exif())
    damaged = (
        data.replace(b"\0\0Exif\0", b"\0\0E\xffif\0", 1)
        if b"\0\0Exif\0" in data
        else data.replace(b"hvc1", b"hv\xff1", 1)
    )
    assert damaged != data
    assert decode_or_skip_reason(damaged) is SkipReason.TRUNCATED


def test_a_heif_of_overlapping_items_is_refused_early() -> None:
    """Each item claims the rest of the file as its name, so that reading all of them took hours."""
    data = encode_image(draw_scene(), "HEIF")
    start = data.index(b"meta") + 8
    content = b"\x7f\xff\xff\xffinfe\2" * 1_000_000
    grown = (int.from_bytes(data[start - 12 : start - 8], "big") + len(content)).to_bytes(4, "big")
    hostile = data[: start - 12] + grown + data[start - 8 : start] + content + data[start:]
    assert decode_or_skip_reason(hostile) is SkipReason.TRUNCATED


# -- declared sizes without content ------------------------------------------


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), *chunks, (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(value)) + kind + value + struct.pack(">I", zlib.crc32(kind + value))
        for kind, value in parts
    )
    return b"\x89PNG\r\n\x1a\n" + body


def patch_bytes(data: bytes, old: bytes, new: bytes, times: int = -1) -> bytes:
    assert old in data and len(old) == len(new)
    return data.replace(old, new, times)


def jpeg_declaring(width: int, height: int) -> bytes:
    return patch_bytes(
        encode_image(draw_scene(), "JPEG"), struct.pack(">HH", 128, 192), struct.pack(">HH", height, width), 1
    )


def webp_declaring(width: int, height: int) -> bytes:
    extended = struct.pack("<I", 0)[:4] + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + extended + encode_image(draw_scene(), "WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def isobmff_declaring(format: str, width: int, height: int) -> bytes:
    size = struct.pack(">II", 192, 128)
    return patch_bytes(
        encode_image(draw_scene(), format), b"ispe\0\0\0\0" + size, b"ispe\0\0\0\0" + struct.pack(">II", width, height)
    )


def tiff_with(*tags: tuple[int, int, int], body: bytes = b"") -> bytes:
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in sorted(tags))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + body


def strip_tags(width: int, height: int, compression: int, count: int) -> list[tuple[int, int, int]]:
    sizes = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, compression), (262, 3, 1), (277, 3, 1)]
    return [*sizes, (278, 4, height), (273, 4, 200), (279, 4, count)]


BOMBS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: jpeg_declaring(65500, 65500),
    "png": lambda: png(2**31 - 1, 2**31 - 1, (b"IDAT", zlib.compress(bytes(1000)))),
    "webp": lambda: webp_declaring(16384, 16384),
    "long webp": lambda: webp_declaring(2**24, 2**8),
    "gif screen": lambda: patch_bytes(
        encode_image(draw_scene(), "GIF"), struct.pack("<HH", 192, 128), b"\xff\xff\xff\xff"
    ),
    "gif frame": lambda: patch_bytes(
        encode_image(draw_scene(), "GIF"), b"\0\0\0\0" + struct.pack("<HH", 192, 128), b"\0\0\0\0\xff\xff\xff\xff"
    ),
    "bmp": lambda: patch_bytes(
        encode_image(draw_scene(), "BMP"), struct.pack("<II", 192, 128), struct.pack("<II", 65535, 65535)
    ),
    "heif": lambda: isobmff_declaring("HEIF", 2**31 - 1, 2**31 - 1),
    "large heif": lambda: isobmff_declaring("HEIF", 30_000, 30_000),
    "avif": lambda: isobmff_declaring("AVIF", 60_000, 60_000),
    "tiff": lambda: tiff_with(*strip_tags(60_000, 60_000, 1, 100), body=bytes(300)),
    "tiff tiles": lambda: tiff_with(
        *[tag for tag in strip_tags(256, 256, 5, 100) if tag[0] not in (273, 278, 279)],
        *((322, 4, 60_000), (323, 4, 60_000), (324, 4, 200), (325, 4, 100)),
        body=bytes(300),
    ),
    "moving png": lambda: patch_bytes(
        encode_animation(draw_scene(), "PNG"),
        b"fcTL\0\0\0\0" + struct.pack(">II", 192, 128),
        b"fcTL\0\0\0\0" + struct.pack(">II", 2**30, 2**30),
    ),
    "jpeg of scans": lambda: _jpeg_of_scans(),
    "text": lambda: png(160, 160, *[(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(60_000_000)))] * 9),
    "profile": lambda: png(160, 160, (b"iCCP", b"a\0\0" + zlib.compress(bytes(300_000_000)))),
    "deflate": lambda: png(160, 160, (b"IDAT", zlib.compress(bytes(300_000_000)))),
    "run lengths": lambda: (
        b"BM"
        + struct.pack("<IIIIiiHHIIiiII", 1100, 0, 1078, 40, 15_000, 15_000, 1, 8, 1, 0, 1, 1, 256, 0)
        + bytes(1024)
        + b"\1\0" * 99
    ),
}


def _jpeg_of_scans() -> bytes:
    data = encode_image(draw_scene(2048, 2048), "JPEG", progressive=True)
    first = data.index(b"\xff\xda")
    last = data.rindex(b"\xff\xda")
    return data[:first] + data[first:-2] + data[last:-2] * (MAX_SCANS + 1) + b"\xff\xd9"


def _decode_all(end: multiprocessing.connection.Connection) -> None:
    for bomb in BOMBS.values():
        found = decode_or_skip_reason(bomb())
        status = Path("/proc/self/status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024  # getrusage includes the parent's peak
        end.send((found.value if isinstance(found, SkipReason) else "photo", peak))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads peak memory from /proc")
def test_decompression_bombs_are_refused_or_decoded_in_little_memory() -> None:
    context = multiprocessing.get_context("spawn")
    parent_end, child_end = context.Pipe()
    process = context.Process(target=_decode_all, args=(child_end,))
    process.start()
    child_end.close()
    with contextlib.closing(parent_end):
        for name in BOMBS:
            assert parent_end.poll(60), f"{name} hangs"
            result, mebibytes = parent_end.recv()
            assert mebibytes < 600, (name, result, mebibytes)
            assert result == {"deflate": "photo"}.get(name, result) and result in (
                "photo",
                "too large",
                "truncated file",
            )
    process.join()
    assert process.exitcode == 0


def test_declared_sizes_outside_the_limits_are_refused() -> None:
    for name in (
        "jpeg",
        "png",
        "webp",
        "long webp",
        "gif screen",
        "gif frame",
        "bmp",
        "large heif",
        "tiff",
        "run lengths",
    ):
        assert decode_or_skip_reason(BOMBS[name]()) is SkipReason.TOO_LARGE, name
    assert decode_or_skip_reason(encode_image(Image.new("RGB", (MIN_SIDE - 1, 4000)), "PNG")) is SkipReason.TOO_SMALL
    assert isinstance(decode_or_skip_reason(encode_image(Image.new("RGB", (MIN_SIDE, 4000)), "PNG")), Photo)
    assert MAX_PIXELS_MEMORY_HEAVY < 16383**2  # the largest size a WebP can declare


# -- invalid EXIF blocks -----------------------------------------------------


def exif_with(*entries: tuple[int, int, int, bytes], following: int = 0, body: bytes = b"") -> bytes:
    """Return an EXIF block with entries (tag, type, count, four bytes) at offset 8, followed by `body`."""
    tags = b"".join(struct.pack("<HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + tags + struct.pack("<I", following) + body


def encode_number(value: int) -> bytes:
    return struct.pack("<I", value)


INVALID_EXIF = {
    "a directory that follows itself": exif_with((271, 2, 4, b"Abc\0"), following=8),
    "a directory below itself": exif_with(
        (271, 2, 4, b"Abc\0"), (0x8769, 4, 1, encode_number(8)), (0x8825, 4, 1, encode_number(8))
    ),
    "a directory beyond the end": exif_with(
        (0x8769, 4, 1, encode_number(2**32 - 1)), (34665, 4, 1, encode_number(2**31))
    ),
    "two directories in a circle": exif_with(
        (0x8769, 4, 1, encode_number(26)), body=exif_with((0x8769, 4, 1, encode_number(8)))[14:]
    ),
    "a count of four billion": exif_with((271, 2, 2**32 - 1, encode_number(8)), (274, 3, 2**32 - 1, encode_number(8))),
    "fractions with a zero denominator": exif_with(
        (0x8825, 4, 1, encode_number(26)),
        body=exif_with((1, 2, 2, b"N\0\0\0"), (2, 5, 3, encode_number(60)))[14:] + bytes(40),
    ),
    "an undefined type": exif_with((271, 99, 4, b"Abc\0"), (274, 0, 1, encode_number(6))),
    "65,535 entries": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(200),
    "no end": b"Exif\0\0II*\0",
    "a maker's note of 60 KB": exif_with(
        (271, 2, 4, b"Abc\0"), (0x927C, 7, 60_000, encode_number(40)), body=b"Nikon\0\2\0\0\0II*\0\x08\0\0\0" * 3000
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", INVALID_EXIF)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_an_invalid_exif_block_does_not_affect_the_picture(format: str, fault: str) -> None:
    photo = decode_or_skip_reason(encode_image(draw_scene(), format, INVALID_EXIF[fault]))
    assert isinstance(photo, Photo) and name_corner_colours(photo.pixels) == UPRIGHT_CORNERS
    assert isinstance(photo.metadata, Metadata)


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_an_invalid_orientation_is_ignored(format: str, value: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    photo = decode_or_skip_reason(encode_image(draw_scene(), format, exif))
    assert isinstance(photo, Photo) and name_corner_colours(photo.pixels) == UPRIGHT_CORNERS
    assert photo.full_size == (192, 128) and photo.metadata.orientation in (None, 1)
