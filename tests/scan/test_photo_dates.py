"""The sources of a photo's date, and the dates of photos that an older version scanned."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from faceclust import Library
from faceclust.files.names import CACHE_NAME
from faceclust.photos.embedded_metadata import EmbeddedMetadata, find_metadata
from faceclust.scan.missing_dates import find_missing_date
from faceclust.scan.photo_dates import add_date
from faceclust.scan.sidecar_facts import SidecarFacts, read_sidecar_facts
from faceclust.store.folder_cache import FolderCache, read_cache_info
from faceclust.store.locations import CachePaths
from faceclust.types import DATE_SOURCES, Metadata, PhotoRef
from tests.store.test_schemas import write_older_schema
from tests.support.catalogue_builders import build_takeout
from tests.support.metadata_files import IPTC, PNG_TIME, XMP, chunk, jpeg, photoshop, png, raw_profile, text_chunk
from tests.support.photo_files import encode_image
from tests.support.sample_photos import make_scenery
from tests.support.scan_builders import write_photo
from tests.support.xmp_packets import build_sidecar

EXIF_DATE = Metadata(datetime(2019, 5, 17), taken_at_source="exif")
SIDECAR = build_sidecar(
    attributes=" xmlns:photoshop='http://ns.adobe.com/photoshop/1.0/' photoshop:DateCreated='1985-07-01'"
    " xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='3'"
).encode()
TEXTS = {
    "xmp": text_chunk("iTXt", b"XML:com.adobe.xmp", XMP),
    "iptc": text_chunk("zTXt", b"Raw profile type iptc", raw_profile("iptc", photoshop(IPTC))),
    "png": text_chunk("tEXt", b"Creation Time", PNG_TIME),
}
YEARS = {"exif": 2019, "sidecar": 1985, "xmp": 2018, "iptc": 2017, "png": 2016, "takeout": 2014, "name": 2015}
NAME = "IMG-20150517-WA0001.png"


#: The sources of a photo's date, the preferred one first.
PHOTO_SOURCES = tuple(source for source in DATE_SOURCES if source != "video")


@pytest.mark.parametrize("first", range(len(PHOTO_SOURCES) + 1))
def test_sources_in_the_order_of_precedence(tmp_path: Path, first: int) -> None:
    """Each source is taken if those before it have no date."""
    present = PHOTO_SOURCES[first:]
    photo = tmp_path / (NAME if "name" in present else "a.png")
    if "sidecar" in present:
        photo.with_name(f"{photo.name}.xmp").write_bytes(SIDECAR)
    if "takeout" in present:
        photo.with_name(f"{photo.name}.suppl.json").write_text(build_takeout(photo.name, taken=1_400_000_000))
    embedded = find_metadata(png(*(TEXTS[source] for source in present if source in TEXTS)))
    found = add_date(EXIF_DATE if first == 0 else Metadata(), photo, lambda: embedded)
    expected = present[0] if present else None
    assert found.taken_at_source == expected
    assert (found.taken_at and found.taken_at.year) == YEARS.get(expected or "")


def test_a_png_time_stamp_and_the_date_of_a_change_are_no_dates(tmp_path: Path) -> None:
    changed = chunk(b"tIME", bytes([7, 227, 5, 17, 12, 34, 56])) + text_chunk("tEXt", b"date:create", PNG_TIME)
    assert add_date(Metadata(), tmp_path / "a.png", lambda: find_metadata(png(changed))) == Metadata()


@pytest.mark.parametrize("name", ["a.jpg.xmp", "a.xmp", "a.jpg.XMP", "a.XMP"])
def test_sidecars_of_both_kinds_are_read(tmp_path: Path, name: str) -> None:
    assert read_sidecar_facts(tmp_path / "a.jpg") == SidecarFacts()
    (tmp_path / name).write_bytes(SIDECAR)
    assert read_sidecar_facts(tmp_path / "a.jpg") == SidecarFacts(datetime(1985, 7, 1), 3)


def test_the_sidecar_with_the_full_name_takes_precedence(tmp_path: Path) -> None:
    (tmp_path / "a.xmp").write_bytes(SIDECAR)
    (tmp_path / "a.jpg.xmp").write_bytes(SIDECAR.replace(b"1985", b"1986").replace(b"tiff:Orientation", b"tiff:Make"))
    assert read_sidecar_facts(tmp_path / "a.jpg") == SidecarFacts(datetime(1986, 7, 1), 3)


def test_unsafe_and_damaged_sidecars_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SIDECAR)
    (tmp_path / "link.jpg.xmp").symlink_to("secret")
    os.mkfifo(tmp_path / "pipe.jpg.xmp")
    (tmp_path / "folder.jpg.xmp").mkdir()
    (tmp_path / "broken.jpg.xmp").write_bytes(SIDECAR[:300])
    (tmp_path / "entity.jpg.xmp").write_bytes(b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + SIDECAR)
    for name in ("link", "pipe", "folder", "broken", "entity"):
        assert read_sidecar_facts(tmp_path / f"{name}.jpg") == SidecarFacts()


def test_hidden_metadata_are_not_searched_for_if_exif_has_a_date(tmp_path: Path) -> None:
    def fail() -> EmbeddedMetadata:
        raise AssertionError

    assert add_date(EXIF_DATE, tmp_path / NAME, fail) is EXIF_DATE


@pytest.fixture
def undated(tmp_path: Path) -> Path:
    """Photos without EXIF: one with a date in its name, a copy of it without, one in a sidecar, one without any."""
    root = tmp_path / "photos"
    picture = encode_image(make_scenery(0).resize((160, 130)), "PNG")
    other = encode_image(make_scenery(1).resize((160, 130)), "WEBP")
    for name, content in ((NAME, picture), ("copy.png", picture), ("scan.jpg", jpeg()), ("none.webp", other)):
        write_photo(root / name, content)
    (root / "scan.jpg.xmp").write_bytes(SIDECAR)
    return root


def sources(root: Path) -> dict[str, str | None]:
    table = pq.read_table(root / CACHE_NAME)
    return dict(zip(table["photo"].to_pylist(), table["taken_at_source"].to_pylist(), strict=True))


def forget_dates(root: Path) -> None:
    """Make the cache one of a version that reads dates from EXIF only."""
    table = pq.read_table(root / CACHE_NAME)
    field = table.schema.field("taken_at")
    nulls = pa.nulls(len(table), field.type)
    pq.write_table(table.set_column(table.schema.get_field_index("taken_at"), field, nulls), root / CACHE_NAME)
    write_older_schema(root / CACHE_NAME, 3)


def test_dates_are_searched_for_after_another_change_of_an_older_cache(undated: Path) -> None:
    Library(undated).scan(workers=0)
    forget_dates(undated)
    path = undated / CACHE_NAME
    FolderCache(CachePaths(path, (), undated / "aside"), read_cache_info(path)).forget_faces([])
    assert set(sources(undated).values()) == {None}
    (undated / "none.webp").unlink()
    assert Library(undated).scan(workers=0).notes == ["found the dates of 2 photos that had none"]
    assert sources(undated) == {NAME: "name", "copy.png": None, "scan.jpg": "sidecar"}


def test_the_date_of_a_tiff_is_in_the_file_itself(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[306] = "2019-05-17 12:34:56"
    path = write_photo(tmp_path / "a.tif", encode_image(make_scenery(0).resize((160, 130)), "TIFF", exif))
    found = find_missing_date(tmp_path, PhotoRef("a.tif", path.stat().st_size, 0))
    assert (found.taken_at, found.taken_at_source) == (datetime(2019, 5, 17, 12, 34, 56), "exif")


def test_a_scan_stores_the_source_and_dates_old_rows_without_a_rescan(undated: Path) -> None:
    assert Library(undated).scan(workers=0).scanned == 3
    expected = {NAME: "name", "copy.png": "name", "scan.jpg": "sidecar", "none.webp": None}
    assert sources(undated) == expected
    forget_dates(undated)
    result = Library(undated).scan(workers=0)
    assert (result.scanned, result.unchanged, result.notes) == (0, 4, ["found the dates of 2 photos that had none"])
    assert sources(undated) == expected | {"copy.png": None}
    result = Library(undated).scan(workers=0)
    assert (result.scanned, result.notes) == (0, [])


def test_a_copy_is_dated_by_its_own_name(tmp_path: Path) -> None:
    root, content = tmp_path / "photos", encode_image(make_scenery(0).resize((160, 130)), "PNG")
    write_photo(root / "a.png", content)
    Library(root).scan(workers=0)
    write_photo(root / NAME, content)
    assert Library(root).scan(workers=0).copied == 1
    assert sources(root) == {"a.png": None, NAME: "name"}
