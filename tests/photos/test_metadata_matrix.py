"""Photos of every format with metadata in every container, read as exiftool reads them."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from faceclust.photos.decode import decode_photo
from faceclust.photos.embedded_metadata import EmbeddedMetadata, find_metadata, read_embedded_metadata
from faceclust.photos.exif_orientation import upright_size
from faceclust.photos.metadata import read_metadata
from faceclust.photos.orientation import read_orientation
from faceclust.types import PhotoRef
from faceclust.xmp.dates import read_date
from faceclust.xmp.read import read_packet
from tests.support.metadata_files import iter_cases
from tests.support.programs import find_program

CASES = {name: (kind, extension, build) for name, kind, extension, build in iter_cases()}
PLACE = pytest.approx((48.5, -11.25))
EXPECTED: dict[str, dict[str, Any]] = {
    "exif": {
        "date": datetime(2019, 5, 17, 12, 34, 56), "camera": "Canon Test1", "orientation": 6, "place": PLACE,
        "windows": ("sea", "Zoë"),
    },
    "xmp": {"date": datetime(2018, 4, 16, 11, 33, 55), "regions": ["Anna"], "orientation": 8},
    "iptc": {"date": datetime(2017, 3, 15, 10, 32, 54), "iptc": ("hill", "Zoë")},
    "png": {"date": datetime(2016, 2, 14, 9, 31, 53)},
}  # fmt: skip
#: What exiftool prints of each kind.
PRINTED: dict[str, dict[str, Any]] = {
    "exif": {
        "DateTimeOriginal": "2019:05:17 12:34:56", "Model": "Canon Test1", "Orientation": 6, "XPKeywords": "sea;Zoë",
    },
    "xmp": {"DateTimeOriginal": "2018:04:16 11:33:55", "RegionName": "Anna", "Subject": "beach", "Orientation": 8},
    "iptc": {"Keywords": ["hill", "Zoë"], "DateCreated": "2017:03:15", "TimeCreated": "10:32:54+01:00"},
    "png": {"CreationTime": "2016:02:14 09:31:53"},
}  # fmt: skip
#: What some cases lack: the orientation of AVIF is in the container, that of DNG in the TIFF.
MISSING = {"TIFF EXIF": ("place",), "AVIF EXIF": ("orientation",), "DNG XMP": ("orientation",)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = {}
    for number, (name, (_, extension, build)) in enumerate(CASES.items()):
        paths[name] = folder / f"{number}.{extension}"
        paths[name].write_bytes(build())
    return paths


def describe(found: EmbeddedMetadata, data: bytes, kind: str) -> dict[str, Any]:
    if kind == "xmp":
        faces = [read_packet(packet) for packet in found.xmp]
        return {
            "date": next(filter(None, map(read_date, found.xmp)), None),
            "regions": [region.name for each in faces for region in each.regions],
            "orientation": next(filter(None, (each.orientation for each in faces)), None),
        }
    if kind == "iptc":
        return {"date": found.iptc_date, "iptc": found.iptc_keywords}
    if kind == "png":
        return {"date": found.png_date}
    metadata = read_metadata(*(found.exif or (data,)))
    return {
        "date": metadata.taken_at,
        "camera": metadata.camera,
        "orientation": found.orientation if found.exif else 6,
        "place": (metadata.latitude, metadata.longitude),
        "windows": found.windows_keywords,
    }


@pytest.mark.parametrize("name", CASES)
def test_every_container_is_read_for_import_and_for_scans(photos: dict[str, Path], name: str) -> None:
    kind, data = CASES[name][0], photos[name].read_bytes()
    found = find_metadata(data)
    assert read_embedded_metadata(photos[name]) == found
    expected = {key: value for key, value in EXPECTED[kind].items() if key not in MISSING.get(name, ())}
    described = describe(found, data, kind)
    assert {key: described[key] for key in expected} == expected


@pytest.mark.parametrize("name", CASES)
def test_pixels_and_metadata_agree_on_the_orientation(photos: dict[str, Path], name: str) -> None:
    path = photos[name]
    photo = decode_photo(path.read_bytes(), PhotoRef("p", 1, 1))
    orientation = photo.metadata.orientation
    assert orientation is not None
    assert photo.full_size == upright_size((192, 128), orientation)
    assert photo.full_size == (photo.pixels.shape[1], photo.pixels.shape[0]) or path.suffix == ".dng"
    stored = read_orientation(path)
    assert stored is not None and stored.orientation == orientation
    assert stored.size in (None, photo.full_size)
    is_turned_by_metadata = path.suffix in (".jpg", ".png", ".webp")
    if is_turned_by_metadata:
        assert orientation == {"exif": 6, "xmp": 8}.get(CASES[name][0], 1)


def test_exiftool_reads_the_same(photos: dict[str, Path]) -> None:
    paths = {str(path): name for name, path in photos.items()}
    command = [find_program("exiftool"), "-j", "-Orientation#", "-XMP:all", "-all", "-n", *paths]
    found = json.loads(subprocess.run(command, check=False, capture_output=True).stdout)
    assert len(found) == len(paths)
    wrong = {}
    for each in found:
        name = paths[each["SourceFile"]]
        for tag, value in PRINTED[CASES[name][0]].items():
            is_unread = name.startswith("JPEG XL compressed")  # needs a further module of Perl
            if each.get(tag) != value and tag.lower() not in MISSING.get(name, ()) and not is_unread:
                wrong[name, tag] = each.get(tag)
    assert wrong == {}
