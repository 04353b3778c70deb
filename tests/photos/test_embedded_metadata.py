"""XMP packets in photos, written by exiftool or built by hand."""

from __future__ import annotations

import os
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import tifffile

from faceclust.files.own_files import UnsafeFileError
from faceclust.photos.embedded_metadata import MAX_BLOCK_BYTES, find_metadata, read_embedded_metadata
from faceclust.photos.iso_metadata import iter_iso_blocks
from faceclust.photos.jpeg_metadata import iter_jpeg_blocks
from faceclust.photos.metadata_blocks import BlockKind, strip_exif_header
from faceclust.xmp.packet import BadPacketError
from faceclust.xmp.read import read_packet
from tests.support.metadata_files import EXIF, XMP, XMP_HEADER, chunk, jpeg, segment, text_chunk
from tests.support.photo_files import build_dng, draw_scene
from tests.support.programs import find_program

EXTENSIONS = ("jpg", "png", "webp", "tif", "heic", "avif", "dng")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A photo of each format, with an XMP packet written by exiftool."""
    folder = tmp_path_factory.mktemp("photos")
    picture = draw_scene()
    for extension in EXTENSIONS:
        path = folder / f"a.{extension}"
        if extension == "heic":
            pillow_heif.from_pillow(picture).save(path)
        elif extension == "dng":
            path.write_bytes(build_dng(picture))
        else:
            picture.save(path)
    region = "-RegionInfo={RegionList=[{Area={X=0.5,Y=0.4,W=0.2,H=0.3},Name=Zoë,Type=Face}]}"
    paths = {extension: folder / f"a.{extension}" for extension in EXTENSIONS}
    command = [find_program("exiftool"), "-q", "-overwrite_original", "-charset", "utf8", region, *paths.values()]
    subprocess.run(command, check=True)
    return paths


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_the_packet_is_found_in_every_format(photos: dict[str, Path], extension: str) -> None:
    (packet,) = read_embedded_metadata(photos[extension]).xmp
    assert [region.name for region in read_packet(packet).regions] == ["Zoë"]


def test_the_picture_itself_is_not_read(photos: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    read, counted = os.read, []
    monkeypatch.setattr(os, "read", lambda file, count: counted.append(len(data := read(file, count))) or data)
    with photos["jpg"].open("ab") as file:
        file.write(bytes(10_000_000))
    assert read_embedded_metadata(photos["jpg"]).xmp
    assert sum(counted) < 100_000


def test_a_packet_in_a_bigtiff_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), bigtiff=True, extratags=[(700, 1, len(packet), packet, True)])
    assert read_embedded_metadata(path).xmp == (packet,)


@pytest.mark.slow
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_damaged_files_raise_nothing(photos: dict[str, Path], extension: str, tmp_path: Path) -> None:
    intact, path, random = photos[extension].read_bytes()[:200_000], tmp_path / "a", np.random.default_rng(0)
    for number in range(400):
        data = bytearray(intact)
        if number % 2:
            del data[random.integers(len(data)) :]
        for position in random.integers(min(len(data), 4000), size=4) if len(data) else ():
            data[position] = random.integers(256)
        path.write_bytes(data)
        for packet in read_embedded_metadata(path).xmp:
            assert len(packet) <= MAX_BLOCK_BYTES
            try:
                read_packet(packet)
            except BadPacketError:
                continue


def test_a_compressed_packet_beyond_the_limit_is_ignored(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    path = tmp_path / "a.png"
    for text, found in ((b"<x/>", (b"<x/>",)), (bytes(MAX_BLOCK_BYTES + 1), ())):
        content = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(text, 9)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"iTXt", content) + chunk(b"IEND", b""))
        assert read_embedded_metadata(path).xmp == found


def box(kind: bytes, *content: bytes) -> bytes:
    return (8 + sum(map(len, content))).to_bytes(4, "big") + kind + b"".join(content)


def heif(*meta: bytes, end: bytes = b"") -> bytes:
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(4), *meta) + end


def item_infos(count: int) -> bytes:
    """Return an "iinf" box of XMP items."""
    each = (number.to_bytes(2, "big") + bytes(2) + b"mime\0application/rdf+xml\0" for number in range(1, count + 1))
    return box(b"iinf", bytes(4), count.to_bytes(2, "big"), *(box(b"infe", b"\2\0\0\0", one) for one in each))


def item_locations(count: int, extents: int, length: int, *, inside: bool = False) -> bytes:
    """Return an "iloc" box whose extents all refer to the same bytes."""
    extent = bytes(4) + length.to_bytes(4, "big")
    method = b"\0\1" if inside else b""
    each = (
        number.to_bytes(2, "big") + method + bytes(2) + extents.to_bytes(2, "big") + extent * extents
        for number in range(1, count + 1)
    )
    return box(b"iloc", bytes([inside]), bytes(3), b"\x44\0", count.to_bytes(2, "big"), *each)


@pytest.mark.parametrize("empty", [b"iinf", b"iloc", b"infe"])
@pytest.mark.parametrize("version", [b"", b"\0"])
def test_empty_item_boxes_have_no_packet(tmp_path: Path, empty: bytes, version: bytes) -> None:
    boxes = {b"iinf": item_infos(1), b"iloc": item_locations(1, 1, 4)}
    boxes |= (
        {empty: box(empty, version)} if empty != b"infe" else {b"iinf": box(b"iinf", bytes(6), box(empty, version))}
    )
    path = tmp_path / "a.heic"
    for order in (list(boxes), list(boxes)[::-1]):
        path.write_bytes(heif(*(boxes[kind] for kind in order)))
        assert read_embedded_metadata(path).xmp == ()


@pytest.mark.parametrize("inside", [False, True])
def test_overlapping_extents_cannot_expand_a_small_file_without_bound(tmp_path: Path, inside: bool) -> None:
    data, path = b"x" * 200_000, tmp_path / "a.heic"
    for count, extents, found in ((1, 1, 1), (2, 3, 2), (40, 64, 2), (200, 1, 160)):
        parts = [item_infos(count), item_locations(count, extents, len(data), inside=inside)]
        path.write_bytes(heif(*parts, box(b"idat", data)) if inside else heif(*parts, end=data))
        packets = read_embedded_metadata(path).xmp
        assert len(packets) == found and sum(map(len, packets)) <= MAX_BLOCK_BYTES
        assert all(len(packet) == extents * len(data) for packet in packets)


def test_a_second_meta_box_is_ignored(tmp_path: Path) -> None:
    """Each may list 640,000 extents of no bytes in 80 KB, and a file of 80 MB would have a thousand."""
    path, data = tmp_path / "a.heic", b"x" * 100
    meta = heif(item_infos(1), item_locations(1, 1, len(data), inside=True), box(b"idat", data))
    path.write_bytes(meta + meta[meta.index(b"meta") - 4 :])
    assert read_embedded_metadata(path).xmp == (data,)


def test_extended_parts_of_an_earlier_packet_are_ignored(tmp_path: Path) -> None:
    def segment(content: bytes) -> bytes:
        return b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content

    def extended(guid: bytes, at: int, text: bytes) -> bytes:
        return segment(b"http://ns.adobe.com/xmp/extension/\0" + guid + bytes(4) + at.to_bytes(4, "big") + text)

    packet = b"<x xmpNote:HasExtendedXMP='" + b"A" * 32 + b"'/>"
    main = segment(b"http://ns.adobe.com/xap/1.0/\0" + packet)
    parts = [extended(b"A" * 32, 3, b"def"), extended(b"B" * 32, 0, b"old"), main, extended(b"A" * 32, 0, b"abc")]
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8" + b"".join(parts) + b"\xff\xda\0\2")
    assert read_embedded_metadata(tmp_path / "a.jpg").xmp == (packet, b"abcdef")


def test_pipes_and_files_that_are_not_photos_have_no_packet(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UnsafeFileError):
        read_embedded_metadata(tmp_path / "pipe.jpg")
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    assert read_embedded_metadata(tmp_path / "a.jpg").xmp == ()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    with pytest.raises(UnsafeFileError):
        read_embedded_metadata(tmp_path / "link.jpg")


def test_the_metadata_of_a_fujifilm_raw_file_are_in_its_preview(tmp_path: Path) -> None:
    preview = jpeg(segment(EXIF), segment(XMP_HEADER + XMP))
    path = tmp_path / "a.raf"
    path.write_bytes(b"FUJIFILMCCD-RAW ".ljust(84, b"\0") + (160).to_bytes(4, "big") + bytes(72) + preview)
    found = read_embedded_metadata(path)
    assert (found.exif, found.xmp, found.orientation) == ((EXIF[6:],), (XMP,), 6)


def test_what_lies_before_the_damage_is_read(tmp_path: Path) -> None:
    """The end of the file, a length beyond it, and an endless run of stray bytes."""
    path = tmp_path / "a"
    start = b"\xff\xd8" + segment(EXIF) + segment(XMP_HEADER + XMP)
    for end in (b"", b"\xff", b"\xff\xe1", b"\xff\xe1\xff\xff" + XMP_HEADER, bytes(3_000_000)):
        path.write_bytes(start + end)
        assert (read_embedded_metadata(path).exif, read_embedded_metadata(path).xmp[:1]) == ((EXIF[6:],), (XMP,))
    chunks = chunk(b"eXIf", EXIF[6:]) + text_chunk("iTXt", b"XML:com.adobe.xmp", XMP)
    for end in (b"", b"\0\0", (2**31).to_bytes(4, "big") + b"zTXt", chunk(b"zTXt", b"XML:com.adobe.xmp\0\0no zlib")):
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks + end)
        assert (read_embedded_metadata(path).exif, read_embedded_metadata(path).xmp) == ((EXIF[6:],), (XMP,))


def test_any_number_of_exif_headers_is_removed() -> None:
    for count in (0, 1, 2, 800_000):
        assert strip_exif_header(EXIF[:6] * count + EXIF[6:]) == EXIF[6:]


def test_many_packets_and_extended_parts_are_not_compared_in_pairs() -> None:
    packets = segment(XMP_HEADER + b"<x/>") * 25_000
    parts = (segment(b"http://ns.adobe.com/xmp/extension/\0" + b"%032d" % n + bytes(8) + b"x") for n in range(25_000))
    assert set(find_metadata(jpeg(packets, *parts)).xmp) == {b"<x/>"}


def test_a_jpeg_of_stray_bytes_is_not_read_to_its_end() -> None:
    reads = 0

    def read(_: int, count: int) -> bytes:
        nonlocal reads
        reads += 1
        assert reads < 10_000
        return bytes(count)

    assert not list(iter_jpeg_blocks(read, 0, MAX_BLOCK_BYTES))


def test_compressed_boxes_that_expand_too_far_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A JPEG XL of 10 KB can have hundreds, and each takes the decoder 4 MB."""
    decoded = []
    monkeypatch.setattr("faceclust.photos.iso_metadata._expand_brotli", lambda data: decoded.append(data) or data[1:])
    for text, found in ((b"\0<x/>", 400), (b"", 0)):
        decoded.clear()
        data = box(b"brob", b"xml ", text) * 400
        blocks = list(iter_iso_blocks(lambda at, count, data=data: data[at : at + count], len(data), MAX_BLOCK_BYTES))
        assert [content for kind, content in blocks if kind is BlockKind.XMP and content] == [b"<x/>"] * found
        assert len(decoded) == 400 if found else len(decoded) < 10


@pytest.mark.parametrize("damage", [b"", b"\0\0\0\0"])
def test_compressed_chunks_that_expand_too_far_count(damage: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is one byte too long, or its checksum at the end is wrong."""
    text = zlib.compress(bytes(MAX_BLOCK_BYTES + (0 if damage else 1)), 9)
    bomb = chunk(b"zTXt", b"XML:com.adobe.xmp\0\0" + text[: -len(damage) or None] + damage)
    decoders, make_decoder = [], zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", lambda: decoders.append(1) or make_decoder())
    packet = text_chunk("iTXt", b"XML:com.adobe.xmp", XMP)
    assert find_metadata(b"\x89PNG\r\n\x1a\n" + packet + bomb * 10).xmp == (XMP,)
    assert len(decoders) == 1
    broken = chunk(b"zTXt", b"XML:com.adobe.xmp\0\0no zlib")
    assert find_metadata(b"\x89PNG\r\n\x1a\n" + broken + packet).xmp == (XMP,)
