from __future__ import annotations

import io
import struct
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from faceclust.photos.decode import decode_photo
from faceclust.photos.metadata import read_metadata
from faceclust.types import Metadata, PhotoRef
from tests.support.sample_photos import DATE_TAKEN, EXIF_IFD, MAKE, MODEL, ORIENTATION

GPS_IFD, DATE_CHANGED = 0x8825, 0x0132


def photo_with(exif: Image.Exif, format: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (128, 128)).save(out, format, exif=exif)
    return out.getvalue()


def full_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[MAKE], exif[MODEL], exif[ORIENTATION] = "Canon", "Canon EOS 80D", 6
    exif.get_ifd(EXIF_IFD)[DATE_TAKEN] = "2019:07:20 21:15:03"
    exif.get_ifd(GPS_IFD).update({1: "S", 2: (33.0, 51.0, 24.0), 3: "W", 4: (70.0, 30.0, 0.0)})
    return exif


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_camera_metadata_is_read_from_every_format(format: str) -> None:
    exif = full_exif()
    exif[DATE_CHANGED] = "2019:07:20 21:15:03"  # the only date that Pillow writes into a TIFF
    metadata = decode_photo(photo_with(exif, format), PhotoRef("p", 1, 1)).metadata
    assert metadata.taken_at == datetime(2019, 7, 20, 21, 15, 3)
    assert metadata.camera == "Canon EOS 80D"
    assert metadata.orientation in (6, None)  # a decoder that turns a photo may drop the tag
    if format == "TIFF":
        return  # Pillow does not write coordinates either
    assert metadata.latitude == pytest.approx(-(33 + 51 / 60 + 24 / 3600))
    assert metadata.longitude == pytest.approx(-70.5)


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("NIKON", "Nikon D90", "Nikon D90"),
        ("", "X", "X"),
        ("", "", None),
        ("a\x01b", "", "ab"),
    ],
)
def test_camera_names_join_make_and_model(make: str, model: str, camera: str | None) -> None:
    exif = Image.Exif()
    exif[MAKE], exif[MODEL] = make, model
    assert read_metadata(None, photo_with(exif)).camera == camera


def read_date(date: str) -> datetime | None:
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[DATE_TAKEN] = date
    return read_metadata(None, photo_with(exif)).taken_at


@pytest.mark.parametrize(
    "date",
    [
        "0000:00:00 00:00:00",
        "2019:00:00 00:00:00",
        "2019-07",
        "9999:99:99 99:99:99",
        "9999:12:31 23:59:59",
        "1825:12:31 23:59:59",
        "0001:01:01 00:00:00",
        "",
        "    :  :     :  :  ",
    ],
)
def test_invalid_dates_are_ignored(date: str) -> None:
    assert read_date(date) is None


def test_dates_before_photography_or_far_ahead_are_ignored() -> None:
    assert read_date("1904:01:01 00:00:00") == datetime(1904, 1, 1)
    assert read_date("1826:07:01 12:00:00") == datetime(1826, 7, 1, 12)
    now = datetime.now().replace(microsecond=0)
    assert read_date((now + timedelta(days=300)).strftime("%Y:%m:%d %H:%M:%S")) == now + timedelta(days=300)
    assert read_date((now + timedelta(days=400)).strftime("%Y:%m:%d %H:%M:%S")) is None


def test_the_next_date_is_used_if_the_first_is_invalid() -> None:
    exif = Image.Exif()
    exif[DATE_CHANGED] = "2020:01:01 00:00:00"
    exif.get_ifd(EXIF_IFD)[DATE_TAKEN] = "0000:00:00 00:00:00"
    assert read_metadata(None, photo_with(exif)).taken_at == datetime(2020, 1, 1)


ZERO, NOTHING = (0.0, 0.0, 0.0), (IFDRational(0, 0),) * 3
HERE = {1: "N", 2: (48.0, 30.0, 0.0), 3: "E", 4: (11.0, 0.0, 0.0)}


@pytest.mark.parametrize(
    ("gps", "place"),
    [
        (HERE, (48.5, 11)),
        (HERE | {1: "s", 3: "W"}, (-48.5, -11)),
        (HERE | {4: ZERO}, (48.5, 0)),
        (HERE | {2: ZERO, 4: ZERO}, None),  # a receiver without a fix
        (HERE | {2: NOTHING, 4: NOTHING}, None),
        (HERE | {2: NOTHING}, None),
        (HERE | {2: (99.0, 0.0, 0.0)}, None),
        (HERE | {4: (180.0, 1.0, 0.0)}, None),
        (HERE | {1: "", 3: ""}, None),
        (HERE | {3: "N"}, None),
        ({2: HERE[2], 4: HERE[4]}, None),
        ({1: "N", 2: HERE[2]}, None),
    ],
)
def test_places_without_a_fix_or_a_hemisphere_are_none(gps: dict[int, Any], place: tuple[float, float] | None) -> None:
    exif = Image.Exif()
    exif.get_ifd(GPS_IFD).update(gps)
    metadata = read_metadata(None, photo_with(exif))
    assert (metadata.latitude, metadata.longitude) == (place or (None, None))


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 300), st.binary(min_size=1, max_size=20))
def test_hostile_bytes_never_raise(noise: bytes, position: int, patch: bytes) -> None:
    data = photo_with(full_exif())
    for hostile in (noise, b"II*\x00" + noise, data[:position] + patch + data[position + len(patch) :]):
        assert isinstance(read_metadata(hostile, hostile), Metadata)


def test_directories_that_all_refer_to_one_take_little_time() -> None:
    """The second directory refers to the third 2,000 times, and exifread would read four million tags."""

    def directory(*entries: tuple[int, int, int, int]) -> bytes:
        tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return struct.pack("<H", len(entries)) + tags + bytes(4)

    second = 8 + len(directory((0x8769, 4, 1, 0)))
    third = second + len(directory(*[(0xA005, 4, 1, 0)] * 2000))
    block = directory((0x8769, 4, 1, second)) + directory(*[(0xA005, 4, 1, third)] * 2000)
    began = time.process_time()
    read_metadata(b"II*\0\x08\0\0\0" + block + directory(*[(1, 3, 1, 0)] * 2000))
    assert time.process_time() - began < 5


def test_a_heic_file_is_not_searched_for_its_exif_block() -> None:
    """Its decoder has returned the block. exifread would read four billion extents of no bytes from 400 KB."""

    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", 8 + len(content)) + kind + content

    item = b"\0\1\0\0" + struct.pack(">H", 65535)
    locations = box(b"iloc", bytes(6) + struct.pack(">H", 65535) + item * 65535)
    heic = box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(4) + locations)
    began = time.process_time()
    assert read_metadata(heic) == read_metadata(b"Exif\0\0" + heic) == Metadata()
    assert time.process_time() - began < 5
