"""File formats are detected by content, whatever the file name."""

from __future__ import annotations

import struct

import pytest

from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import HEAD_BYTES, Format, detect_format, has_photo_signature, is_raw_tiff
from faceclust.types import SkipReason
from tests.support.photo_files import build_dng, draw_scene, encode_image


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "HEIF", "JXL"])
def test_photo_formats_are_detected_by_their_first_bytes(format: str) -> None:
    data = encode_image(draw_scene(), format)
    assert detect_format(data[:HEAD_BYTES]) is Format[format]
    assert has_photo_signature(data[:HEAD_BYTES])


@pytest.mark.parametrize(
    ("head", "format"),
    [
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", Format.RAW),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", Format.AVIF),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", Format.HEIF),
        (b"FUJIFILMCCD-RAW 0201FF123456", Format.RAW),
        (b"IIRO\x08\0\0\0", Format.RAW),
        (b"IIU\0\x18\0\0\0", Format.RAW),
        (b"\0\0\0\x0cJXL \r\n\x87\n", Format.JXL),
        (b"MM\0*\0\0\0\x08", Format.TIFF),
    ],
)
def test_known_signatures_are_detected(head: bytes, format: Format) -> None:
    assert detect_format(head) is format


@pytest.mark.parametrize(
    ("head", "description"),
    [
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "an MP4 video"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a QuickTime video"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "a QuickTime video"),
        (b"\x1aE\xdf\xa3\x93B\x82\x88matroska", "a Matroska or WebM video"),
        (b"RIFF\0\0\0\0AVI LIST", "an AVI video"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"PK\x03\x04\x14\0", "a ZIP archive"),
        (b"\n <!DOCTYPE html><html>", "a web page"),
        (b"\xef\xbb\xbf<HTML>", "a web page"),
        (b"8BPS\0\1", "a Photoshop document"),
        (bytes(32), "zeros only"),
        (b"BMW, that was the car of", "not an image format"),
        (b"Dear diary", "not an image format"),
    ],
)
def test_the_message_names_the_type_of_a_file_that_is_not_a_photo(head: bytes, description: str) -> None:
    with pytest.raises(UndecodableError, match=description) as failure:
        detect_format(head)
    assert failure.value.reason is SkipReason.NOT_A_PHOTO
    assert not has_photo_signature(head)


def test_raw_files_are_distinguished_from_finished_tiffs() -> None:
    assert is_raw_tiff(build_dng(draw_scene()))
    assert is_raw_tiff(build_dng(draw_scene(), encode_image(draw_scene(), "JPEG")))
    assert is_raw_tiff(b"II*\0\x10\0\0\0CR\2\0")
    assert not is_raw_tiff(encode_image(draw_scene(), "TIFF"))


def test_invalid_directories_end_the_search_quickly() -> None:
    recursive = b"II*\0" + struct.pack("<I", 8) + struct.pack("<HHHIII", 1, 330, 4, 1, 8, 8)
    huge_count = b"II*\0" + struct.pack("<I", 8) + struct.pack("<HHHIII", 1, 330, 4, 2**32 - 1, 8, 8)
    beyond_end = b"MM\0*" + struct.pack(">I", 2**31)
    for data in (recursive, huge_count, beyond_end, b"II*\0", b"II*\0\x08\0\0\0\xff\xff"):
        assert not is_raw_tiff(data)
