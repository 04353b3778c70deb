"""The orientation read from a file's header agrees with decoding the file."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceclust.photos.decode import decode_photo
from faceclust.photos.exif_orientation import apply_orientation
from faceclust.photos.heif import read_heif_orientation
from faceclust.photos.jxl import read_jxl_orientation
from faceclust.photos.orientation import Orientation, read_orientation
from faceclust.types import PhotoRef
from tests.support.metadata_files import XMP, XMP_HEADER, jpeg, segment
from tests.support.photo_files import UPRIGHT_CORNERS, build_dng, draw_scene, encode_image, name_corner_colours
from tests.support.sample_photos import ORIENTATION


def make_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_applying_the_orientation_equals_decoding(tmp_path: Path, format: str, orientation: int) -> None:
    path = tmp_path / "photo"
    path.write_bytes(encode_image(draw_scene(200, 128), format, make_exif(orientation)))
    found = read_orientation(path)
    assert found is not None and found.orientation == orientation
    decoded = decode_photo(path.read_bytes(), PhotoRef("photo", 0, 0))
    assert decoded.metadata.orientation == orientation
    assert name_corner_colours(
        apply_orientation(np.asarray(draw_scene(200, 128)), found.orientation)
    ) == name_corner_colours(decoded.pixels)
    assert found.size in (decoded.full_size, None)
    assert (found.size is None) == (format in ("HEIF", "AVIF"))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_orientation_of_a_raw_file_is_libraws(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "photo.dng"
    path.write_bytes(build_dng(draw_scene(), orientation=orientation))
    assert read_orientation(path) == Orientation(orientation)


def test_a_jpegs_orientation_may_be_in_its_xmp_alone(tmp_path: Path) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><tiff:Orientation>6</tiff:Orientation></x:xmpmeta>'
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode_image(draw_scene(200, 128), "JPEG", xmp=xmp))
    decoded = decode_photo(path.read_bytes(), PhotoRef("photo.jpg", 0, 0))
    assert read_orientation(path) == Orientation(6, decoded.full_size) == Orientation(6, (128, 200))


@pytest.mark.parametrize("kind", [1, 3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_orientation_may_be_an_integer_of_any_size(tmp_path: Path, kind: int, order: str) -> None:
    size = {1: 1, 3: 2, 4: 4}[kind]
    value = (6).to_bytes(size, "little" if order == "<" else "big").ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IHHHI", 8, 1, 0x0112, kind, 1)
    for xmp in ([], [segment(XMP_HEADER + XMP)]):  # whose orientation is another
        data = jpeg(segment(b"Exif\0\0" + head + value + bytes(4)), *xmp)
        (tmp_path / "photo.jpg").write_bytes(data)
        decoded = decode_photo(data, PhotoRef("photo.jpg", 0, 0))
        assert read_orientation(tmp_path / "photo.jpg") == Orientation(6, (128, 192))
        assert (decoded.metadata.orientation, decoded.full_size) == (6, (128, 192))


def test_the_orientation_of_a_jpeg_xl_is_in_its_codestream() -> None:
    assert read_jxl_orientation(encode_image(draw_scene(), "JXL")) == 1
    # small=1, 5 bits of height, ratio 1:1, all_default=0, extra_fields=1, orientation 6.
    bits = "1" + "11000" + "100" + "0" + "1" + "101"
    number = sum(int(bit) << place for place, bit in enumerate(bits))
    assert read_jxl_orientation(b"\xff\x0a" + number.to_bytes(8, "little")) == 6


@pytest.mark.parametrize("data", [b"", b"text", b"\xff\xd8\xff", b"\0\0\0\x18ftypheic" + bytes(100)])
def test_damaged_files_have_no_orientation(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "photo").write_bytes(data)
    assert read_orientation(tmp_path / "photo") is None


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_invalid_orientation_counts_as_none(tmp_path: Path, value: int) -> None:
    (tmp_path / "photo").write_bytes(encode_image(draw_scene(), "JPEG", make_exif(value)))
    assert read_orientation(tmp_path / "photo") == Orientation(1, (192, 128))


def test_a_heif_truncated_anywhere_raises_nothing(tmp_path: Path) -> None:
    data = encode_image(draw_scene(), "HEIF", make_exif(6))
    for length in range(0, 700, 7):
        (tmp_path / "photo").write_bytes(data[:length])
        assert read_orientation(tmp_path / "photo") in (None, Orientation(6), Orientation(1))


def test_an_item_of_a_heif_has_one_list_of_properties() -> None:
    """Thousands of lists, each of 255 rotations, took minutes."""

    def box(kind: bytes, content: bytes) -> bytes:
        return (8 + len(content)).to_bytes(4, "big") + kind + content

    entry = b"\0\1" + bytes([255]) + b"\1" * 255
    for count in (1, 2, 20_000):
        ipma = box(b"ipma", bytes(4) + count.to_bytes(4, "big") + entry * count)
        properties = box(b"iprp", box(b"ipco", box(b"irot", b"\1")) + ipma)
        meta = box(b"meta", bytes(4) + box(b"pitm", bytes(4) + b"\0\1") + properties)
        assert read_heif_orientation(io.BytesIO(meta)) == 6  # 255 quarter turns to the left


def test_the_test_scene_is_upright() -> None:
    assert name_corner_colours(np.asarray(draw_scene())) == UPRIGHT_CORNERS
