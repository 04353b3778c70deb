"""IPTC keywords in photo files."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from PIL import Image

from faceclust.photos.embedded_metadata import read_embedded_metadata
from faceclust.photos.orientation import read_orientation
from tests.support.photo_files import draw_scene, encode_image

KEYWORDS = b"\x1c\2\x19\0\3sea\x1c\2\x19\0\4Zo\xc3\xab\x1c\2\x19\0\2\0 "


def build_jpeg(content: bytes) -> bytes:
    block = b"Photoshop 3.0\x008BIM\4\4\0\0" + struct.pack(">I", len(content)) + content
    jpeg = encode_image(draw_scene(), "JPEG")
    return jpeg[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def test_keywords_are_read_from_jpeg_and_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a"
    tiff = encode_image(draw_scene(), "TIFF", tiffinfo={33723: KEYWORDS})
    for data in (build_jpeg(KEYWORDS), tiff):
        path.write_bytes(data)
        assert read_embedded_metadata(path).iptc_keywords == ("sea", "Zoë")


def test_a_damaged_heic_starts_no_decoder(tmp_path: Path) -> None:
    """pi_heif crashes the process if an item type is not text."""
    heic = encode_image(draw_scene(), "HEIF", Image.Exif())
    path = tmp_path / "a.heic"
    path.write_bytes(heic.replace(b"hvc1", b"hv\xff1", 1))
    assert read_embedded_metadata(path).iptc_keywords == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_pipes_and_links_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.jpg").write_bytes(build_jpeg(KEYWORDS))
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    for name in ("pipe", "link.jpg"):
        for read in (read_embedded_metadata, read_orientation):
            with pytest.raises(OSError, match=r"regular file|symbolic links"):
                read(tmp_path / name)
