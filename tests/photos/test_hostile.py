"""Files made to hurt: none hangs, kills or fills the process that decodes it."""

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
from tests.benchmarks.mutants import mutant, originals, run
from tests.support.photo_files import UPRIGHT, corners, dng, encode, moving, scene
from tests.support.sample_photos import ORIENTATION

REF = PhotoRef("photo", 1, 1)


def outcome(data: bytes) -> Photo | SkipReason:
    try:
        return decode_photo(data, REF, 1280)
    except UndecodableError as error:
        assert str(error)
        return error.reason


@pytest.mark.parametrize("format", originals())
def test_a_file_cut_off_anywhere_gives_a_reason(format: str) -> None:
    data = (
        encode(Image.effect_noise((200, 200), 60).convert("RGB"), format) if format != "RAW" else dng(scene(200, 200))
    )
    for end in range(0, len(data) - 1000, 1000):
        assert outcome(data[:end]) in (SkipReason.EMPTY, SkipReason.TRUNCATED, SkipReason.NOT_A_PHOTO)


@pytest.mark.parametrize("format", originals())
def test_mutants_neither_kill_nor_hang(format: str) -> None:
    crashed, hung, (photos, refused, _) = run(format, seed=7, count=150, limit=60)
    assert not crashed and not hung
    assert photos + refused == 150 and refused


def test_mutants_are_the_same_again() -> None:
    assert mutant("JPEG", 3, 4) == mutant("JPEG", 3, 4) != mutant("JPEG", 4, 4)


def test_an_item_of_a_heif_whose_kind_is_no_text_kills_nothing() -> None:
    data = encode(scene(), "HEIF", Image.Exif())
    named = (
        data.replace(b"\0\0Exif\0", b"\0\0E\xffif\0", 1)
        if b"\0\0Exif\0" in data
        else data.replace(b"hvc1", b"hv\xff1", 1)
    )
    assert named != data
    assert outcome(named) is SkipReason.TRUNCATED


# Sizes that are declared, not held.


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), *chunks, (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(value)) + kind + value + struct.pack(">I", zlib.crc32(kind + value))
        for kind, value in parts
    )
    return b"\x89PNG\r\n\x1a\n" + body


def patched(data: bytes, what: bytes, by: bytes, times: int = -1) -> bytes:
    assert what in data and len(what) == len(by)
    return data.replace(what, by, times)


def jpeg_of(width: int, height: int) -> bytes:
    return patched(encode(scene(), "JPEG"), struct.pack(">HH", 128, 192), struct.pack(">HH", height, width), 1)


def webp_of(width: int, height: int) -> bytes:
    extended = struct.pack("<I", 0)[:4] + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + extended + encode(scene(), "WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def isobmff_of(format: str, width: int, height: int) -> bytes:
    size = struct.pack(">II", 192, 128)
    return patched(encode(scene(), format), b"ispe\0\0\0\0" + size, b"ispe\0\0\0\0" + struct.pack(">II", width, height))


def tiff_of(*tags: tuple[int, int, int], body: bytes = b"") -> bytes:
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in sorted(tags))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + body


def strip_tags(width: int, height: int, compression: int, count: int) -> list[tuple[int, int, int]]:
    sizes = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, compression), (262, 3, 1), (277, 3, 1)]
    return [*sizes, (278, 4, height), (273, 4, 200), (279, 4, count)]


BOMBS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: jpeg_of(65500, 65500),
    "png": lambda: png(2**31 - 1, 2**31 - 1, (b"IDAT", zlib.compress(bytes(1000)))),
    "webp": lambda: webp_of(16384, 16384),
    "long webp": lambda: webp_of(2**24, 2**8),
    "gif screen": lambda: patched(encode(scene(), "GIF"), struct.pack("<HH", 192, 128), b"\xff\xff\xff\xff"),
    "gif frame": lambda: patched(
        encode(scene(), "GIF"), b"\0\0\0\0" + struct.pack("<HH", 192, 128), b"\0\0\0\0\xff\xff\xff\xff"
    ),
    "bmp": lambda: patched(encode(scene(), "BMP"), struct.pack("<II", 192, 128), struct.pack("<II", 65535, 65535)),
    "heif": lambda: isobmff_of("HEIF", 2**31 - 1, 2**31 - 1),
    "large heif": lambda: isobmff_of("HEIF", 30_000, 30_000),
    "avif": lambda: isobmff_of("AVIF", 60_000, 60_000),
    "tiff": lambda: tiff_of(*strip_tags(60_000, 60_000, 1, 100), body=bytes(300)),
    "tiff tiles": lambda: tiff_of(
        *[tag for tag in strip_tags(256, 256, 5, 100) if tag[0] not in (273, 278, 279)],
        *((322, 4, 60_000), (323, 4, 60_000), (324, 4, 200), (325, 4, 100)),
        body=bytes(300),
    ),
    "moving png": lambda: patched(
        moving(scene(), "PNG"),
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
    data = encode(scene(2048, 2048), "JPEG", progressive=True)
    first = data.index(b"\xff\xda")
    last = data.rindex(b"\xff\xda")
    return data[:first] + data[first:-2] + data[last:-2] * (MAX_SCANS + 1) + b"\xff\xd9"


def _decode_all(end: multiprocessing.connection.Connection) -> None:
    for bomb in BOMBS.values():
        found = outcome(bomb())
        status = Path("/proc/self/status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024  # getrusage has the parent's in it
        end.send((found.value if isinstance(found, SkipReason) else "photo", peak))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux does")
def test_bombs_are_refused_or_take_little() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_decode_all, args=(theirs,))
    process.start()
    theirs.close()
    with contextlib.closing(ours):
        for name in BOMBS:
            assert ours.poll(60), f"{name} hangs"
            told, mebibytes = ours.recv()
            assert mebibytes < 600, (name, told, mebibytes)
            assert told == {"deflate": "photo"}.get(name, told) and told in ("photo", "too large", "truncated file")
    process.join()
    assert process.exitcode == 0


def test_sizes_are_refused_by_what_a_file_declares() -> None:
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
        assert outcome(BOMBS[name]()) is SkipReason.TOO_LARGE, name
    assert outcome(encode(Image.new("RGB", (MIN_SIDE - 1, 4000)), "PNG")) is SkipReason.TOO_SMALL
    assert isinstance(outcome(encode(Image.new("RGB", (MIN_SIDE, 4000)), "PNG")), Photo)
    assert MAX_PIXELS_MEMORY_HEAVY < 16383**2  # what a WebP may declare


# Lies in the EXIF block.


def exif_of(*entries: tuple[int, int, int, bytes], following: int = 0, body: bytes = b"") -> bytes:
    """Directory entries (tag, type, count, four bytes) at 8, and what comes after them."""
    tags = b"".join(struct.pack("<HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + tags + struct.pack("<I", following) + body


def number(value: int) -> bytes:
    return struct.pack("<I", value)


LIES = {
    "a directory that follows itself": exif_of((271, 2, 4, b"Abc\0"), following=8),
    "a directory below itself": exif_of((271, 2, 4, b"Abc\0"), (0x8769, 4, 1, number(8)), (0x8825, 4, 1, number(8))),
    "a directory beyond the end": exif_of((0x8769, 4, 1, number(2**32 - 1)), (34665, 4, 1, number(2**31))),
    "two directories in a circle": exif_of((0x8769, 4, 1, number(26)), body=exif_of((0x8769, 4, 1, number(8)))[14:]),
    "a count of four thousand millions": exif_of((271, 2, 2**32 - 1, number(8)), (274, 3, 2**32 - 1, number(8))),
    "numbers over nought": exif_of(
        (0x8825, 4, 1, number(26)), body=exif_of((1, 2, 2, b"N\0\0\0"), (2, 5, 3, number(60)))[14:] + bytes(40)
    ),
    "a type there is not": exif_of((271, 99, 4, b"Abc\0"), (274, 0, 1, number(6))),
    "65,535 entries": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(200),
    "no end": b"Exif\0\0II*\0",
    "a maker's note of 60 KB": exif_of(
        (271, 2, 4, b"Abc\0"), (0x927C, 7, 60_000, number(40)), body=b"Nikon\0\2\0\0\0II*\0\x08\0\0\0" * 3000
    ),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_lies_in_the_exif_block_harm_no_photo(format: str, lie: str) -> None:
    photo = outcome(encode(scene(), format, LIES[lie]))
    assert isinstance(photo, Photo) and corners(photo.pixels) == UPRIGHT
    assert isinstance(photo.metadata, Metadata)


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_an_orientation_there_is_not_turns_nothing(format: str, value: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    photo = outcome(encode(scene(), format, exif))
    assert isinstance(photo, Photo) and corners(photo.pixels) == UPRIGHT
    assert photo.full_size == (192, 128) and photo.metadata.orientation in (None, 1)
