"""Catalogues of digiKam, Lightroom and Immich are read whole, safely, and without changing them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from faceclust.errors import UsageError
from faceclust.importers import sqlite_file
from faceclust.importers.catalogue import CataloguePhoto, match_catalogue
from faceclust.importers.catalogue_files import collect_catalogue, read_catalogue
from faceclust.importers.digikam import parse_rect
from faceclust.importers.immich import read_immich
from faceclust.importers.values import Frame, PhotoNames, Region
from faceclust.types import Box, PhotoInfo
from tests.support.catalogue_builders import (
    DIGIKAM_SCHEMA,
    NamedFace,
    build_immich_asset,
    write_digikam,
    write_lightroom,
)

ROOT = Path("/library")


def photos_of(*paths: str, size: tuple[int, int] = (4000, 3000), orientation: int = 1) -> dict[str, PhotoInfo]:
    return {path: PhotoInfo(path, path, size, orientation, None, None, None, None) for path in paths}


def collect(path: Path, photos: dict[str, PhotoInfo]) -> tuple[dict[str, PhotoNames], list[str]]:
    _, found, unknown = collect_catalogue(path, ROOT, photos)
    return {names.photo: names for names in found}, unknown


def write_immich(path: Path, faces: list[NamedFace]) -> Path:
    assets = [build_immich_asset(f"/data/library/{face.photo}", [face]) for face in faces]
    path.write_text(json.dumps({"assets": {"items": assets}}), encoding="utf-8")
    return path


def to_pixel_box(box: Box, size: tuple[int, int]) -> Box:
    return box[0] * size[0], box[1] * size[1], box[2] * size[0], box[3] * size[1]


FACES = [
    NamedFace("2019/a.jpg", "Anna Müller", (0.25, 0.25, 0.5, 0.5)),
    NamedFace("2019/b.jpg", "Ben", (0.5, 0.25, 0.75, 0.5), confirmed=False),
    NamedFace("elsewhere/c.jpg", "Cleo", (0.5, 0.25, 0.75, 0.5)),
]
PIXELS = [replace(face, box=to_pixel_box(face.box, (4000, 3000))) for face in FACES]


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: write_digikam(folder / "digikam4.db", PIXELS, size=(4000, 3000)),
        lambda folder: write_lightroom(folder / "My catalogue.lrcat", FACES),
        lambda folder: write_immich(folder / "immich.json", FACES),
    ],
    ids=["digikam", "lightroom", "immich"],
)
def test_names_and_boxes_are_read(write: Callable[[Path], Path], tmp_path: Path) -> None:
    path = write(tmp_path)
    before = path.read_bytes()
    found, unknown = collect(path, photos_of("2019/a.jpg", "2019/b.jpg", "2019/c.png"))
    assert {photo: names.regions for photo, names in found.items()} == {
        "2019/a.jpg": (Region("Anna Müller", (0.25, 0.25, 0.5, 0.5)),),
        "2019/b.jpg": (Region("Ben", (0.5, 0.25, 0.75, 0.5), confirmed=False),),
    }
    assert {names.frame for names in found.values()} == {Frame.UPRIGHT}
    assert [Path(photo).name for photo in unknown] == ["c.jpg"]
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("size", [(3000, 4000), (4000, 3000), None])
def test_digikams_size_may_be_of_the_stored_or_the_upright_picture(
    size: tuple[int, int] | None, tmp_path: Path
) -> None:
    face = NamedFace("2019/a.jpg", "Anna", (300, 1000, 600, 1400))
    path = write_digikam(tmp_path / "digikam4.db", [face], size=size)
    found, _ = collect(path, photos_of("2019/a.jpg", size=(3000, 4000), orientation=6))
    assert found["2019/a.jpg"].regions[0].box == (0.1, 0.25, 0.2, 0.35)


def test_people_without_a_region_and_rejected_faces(tmp_path: Path) -> None:
    people = [("2019/a.jpg", "Anna"), ("2019/b.jpg", "Ben")]
    photos = photos_of("2019/a.jpg", "2019/b.jpg")
    digikam = write_digikam(tmp_path / "digikam4.db", [], people=people)
    rejected = [NamedFace("2019/a.jpg", "Cleo", (0.1, 0.1, 0.2, 0.2))]
    lightroom = write_lightroom(tmp_path / "a.lrcat", [], people=people, rejected=rejected)
    for path in (digikam, lightroom):
        found, _ = collect(path, photos)
        assert {photo: (names.people, names.regions) for photo, names in found.items()} == {
            "2019/a.jpg": (("Anna",), ()),
            "2019/b.jpg": (("Ben",), ()),
        }


def test_faces_of_nobody_and_of_deleted_photos_are_left_out(tmp_path: Path) -> None:
    path = write_digikam(
        tmp_path / "digikam4.db", [NamedFace("2019/a.jpg", "Anna", (1, 1, 9, 9))], people=[("2019/b.jpg", "B")]
    )
    rect = '<rect x="1" y="1" width="5" height="5"/>'
    with closing(sqlite3.connect(path)) as database, database:
        for row in ([2, 2, "tagRegion"], [1, 2, "autodetectedFace"], [1, 99, "tagRegion"], [1, 4, "ignoredFace"]):
            database.execute("INSERT INTO ImageTagProperties VALUES (?, ?, ?, ?)", [*row, rect])
        database.execute("UPDATE Images SET status = 3 WHERE name = 'b.jpg'")
    found, unknown = collect(path, photos_of("2019/a.jpg", "2019/b.jpg"))
    assert {photo: len(names.regions) for photo, names in found.items()} == {"2019/a.jpg": 1} and unknown == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<rect x="10" y="20" width="30" height="40"/>', (10, 20, 40, 60)),
        ('<rect height="40" width="30" y="20" x="10" />', (10, 20, 40, 60)),
        ('<rect x="10" y="20" width="0" height="40"/>', None),
        ('<rect x="10" y="20" width="30"/>', None),
        ('<rect x="1e9" y="-20" width="30" height="nan"/>', None),
        ("<rect" * 10_000, None),
        (None, None),
        (7, None),
    ],
)
def test_rectangles(text: str | None, expected: tuple[int, ...] | None) -> None:
    assert parse_rect(text) == expected


@pytest.mark.parametrize(
    ("library", "catalogue", "expected"),
    [
        ("2019/a.jpg", ("/home/x/Pictures", "2019/a.jpg"), True),
        ("2019/a.jpg", ("/home/x/Pictures", "/2019/a.jpg"), True),
        ("2019/a.jpg", ("C:\\Users\\X\\", "2019\\a.jpg"), True),
        # The library is deeper, or higher up.
        ("a.jpg", ("/home/x/Pictures", "Library/a.jpg"), True),
        ("Pictures/2019/a.jpg", ("/home/x/Pictures", "2019/a.jpg"), True),
        ("Bilder/2019/a.jpg", ("/home/x/Pictures", "2019/a.jpg"), True),
        # Capitals and Unicode forms.
        ("2019/A.JPG", ("/home/x", "2019/a.jpg"), True),
        ("2019/Jose\u0301.jpg", ("/home/x", "2019/Jos\u00e9.jpg"), True),
        # Other photos.
        ("2018/a.jpg", ("/home/x/Pictures", "2019/a.jpg"), False),
        ("2019/b.jpg", ("/home/x/Pictures", "2019/a.jpg"), False),
        ("2019/a.jpg", ("/home/x/Pictures", ""), False),
        ("2019/a.jpg", ("", "../../2019/../a.jpg"), False),
        # A photo directly in the program's folder.
        ("Pictures/a.jpg", ("/home/x/Pictures", "/a.jpg"), True),
        ("a.jpg", ("/mnt/Library", "/a.jpg"), True),
        ("a.jpg", ("/home/x/Pictures", "/a.jpg"), False),
        ("a.jpg", ("/home/x/Pictures", "2019/a.jpg"), False),
        ("2019/a.jpg", ("/home/x/Pictures", "/a.jpg"), False),
    ],
)
def test_photos_are_found_by_the_end_of_the_path(library: str, catalogue: tuple[str, str], expected: bool) -> None:
    matched = match_catalogue(ROOT, photos_of(library), [CataloguePhoto(*catalogue)])
    assert (list(matched.found), len(matched.unknown)) == (([library], 0) if expected else ([], 1))


def test_the_folders_above_the_library_decide_between_photos_of_one_name() -> None:
    catalogue = [CataloguePhoto("/home/x/Pictures", f"{year}/Summer/a.jpg") for year in (2018, 2019)]
    matched = match_catalogue(Path("/media/2019"), photos_of("Summer/a.jpg"), catalogue)
    assert matched.found == {"Summer/a.jpg": catalogue[1]} and matched.unknown == ["2018/Summer/a.jpg"]


def test_most_photos_decide_between_folders_of_one_name() -> None:
    catalogue = [CataloguePhoto("/x", "2018/Summer/a.jpg")]
    catalogue += [CataloguePhoto("/x", f"2019/Summer/{name}.jpg") for name in "abc"]
    matched = match_catalogue(ROOT, photos_of("Summer/a.jpg", "Summer/b.jpg", "Summer/c.jpg"), catalogue)
    assert matched.found["Summer/a.jpg"] is catalogue[1]


def test_names_longer_than_file_names_are_not_compared() -> None:
    """Folding a long run of combining characters takes quadratic time."""
    longest = "a" + "\u0315" * 254
    names = [longest] + ["a" + "\u0315\u0300" * 2000] * 2000
    catalogue = [CataloguePhoto("", name, size=(4000, 3000), is_moved=True) for name in names]
    matched = match_catalogue(ROOT, photos_of(longest), catalogue)
    assert list(matched.found) == [longest] and len(matched.unknown) == 2000


def test_photos_that_could_be_two_are_left_out() -> None:
    catalogue = [CataloguePhoto("/x", f"{year}/Summer/a.jpg") for year in (2018, 2019)]
    matched = match_catalogue(ROOT, photos_of("Summer/a.jpg"), catalogue)
    assert matched.found == {} and set(matched.ambiguous) == {"2018/Summer/a.jpg", "2019/Summer/a.jpg"}
    moved = CataloguePhoto("", "a.jpg", size=(4000, 3000), is_moved=True)
    matched = match_catalogue(ROOT, photos_of("1/a.jpg", "2/a.jpg"), [moved])
    assert matched.found == {} and matched.ambiguous == {"a.jpg": ("1/a.jpg", "2/a.jpg")}


NOON = datetime(2019, 5, 17, 12)


@pytest.mark.parametrize(
    ("photo", "taken_at", "below", "fields", "expected"),
    [
        # A name in no folder of both.
        ("a.jpg", None, "a.jpg", {}, False),
        ("a.jpg", None, "a.jpg", {"size": (3000, 4000)}, True),
        ("a.jpg", None, "a.jpg", {"size": (3000, 2000)}, False),
        ("a.jpg", None, "2019/a.jpg", {"size": (4000, 3000)}, False),
        ("a.jpg", NOON, "2019/a.jpg", {"taken_at": NOON}, True),
        ("a.jpg", NOON, "a.jpg", {"size": (4000, 3000), "taken_at": datetime(2019, 5, 17, 13)}, False),
        # Whoever corrects the time in the program still has the photo.
        ("2019/a.jpg", NOON, "2019/a.jpg", {"taken_at": datetime(2019, 5, 17, 13)}, True),
        # Programs with folders of their own.
        ("2019/a.jpg", None, "a.jpg", {"is_moved": True}, False),
        ("2019/a.jpg", NOON, "a.jpg", {"is_moved": True, "taken_at": NOON}, True),
        ("x/a.jpg", NOON, "x/a.jpg", {"is_moved": True, "taken_at": datetime(2019, 5, 17, 13)}, False),
    ],
)
def test_a_name_alone_needs_the_same_time_or_size(
    photo: str, taken_at: datetime | None, below: str, fields: dict[str, Any], expected: bool
) -> None:
    photos = {photo: PhotoInfo(photo, "", (4000, 3000), 1, taken_at, None, None, None)}
    assert bool(match_catalogue(ROOT, photos, [CataloguePhoto("/x", below, **fields)]).found) is expected


def test_the_times_in_databases_are_read(tmp_path: Path) -> None:
    digikam = write_digikam(tmp_path / "digikam4.db", PIXELS[:1], size=(400, 300))
    lightroom = write_lightroom(tmp_path / "a.lrcat", FACES[:1])
    for path, table, column in (
        (digikam, "ImageInformation", "creationDate"),
        (lightroom, "Adobe_images", "captureTime"),
    ):
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(f"UPDATE {table} SET {column} = '2019-05-17T12:00:00.25'")
        photos = {"a.jpg": PhotoInfo("a.jpg", "", (4, 3), 1, NOON, None, None, None)}
        found, unknown = collect(path, photos)
        assert list(found) == ["a.jpg"] and unknown == []


# -- Immich -----------------------------------------------------------------------


def test_answers_of_immich_in_a_row_or_an_array(tmp_path: Path) -> None:
    assets = [build_immich_asset(f"/data/{face.photo}", [face]) for face in FACES]
    lines = "\n".join(json.dumps(asset) for asset in assets)
    for text in (lines, json.dumps(assets), "\ufeff" + json.dumps(assets), json.dumps({"x": [{"y": assets}]})):
        assert [photo.below for photo in read_immich(text.encode(), "x")] == ["a.jpg", "b.jpg", "c.jpg"]


def test_a_renamed_upload_of_immich_goes_by_its_original_name() -> None:
    asset = build_immich_asset("/upload/1a/2b/1a2b3c.jpg", FACES[:1], originalFileName="IMG_1.jpg")
    asset["localDateTime"] = "2019-05-17T12:00:00.000Z"
    (photo,) = read_immich(json.dumps(asset).encode(), "x")
    assert (photo.below, photo.taken_at) == ("IMG_1.jpg", datetime(2019, 5, 17, 12))
    photos = {"2019/IMG_1.jpg": replace(photos_of("2019/IMG_1.jpg")["2019/IMG_1.jpg"], taken_at=photo.taken_at)}
    assert match_catalogue(ROOT, photos, [photo]).found


@pytest.mark.parametrize(
    ("face", "people"),
    [
        ({"boundingBoxX1": 1e300}, ("Anna",)),
        ({"boundingBoxX1": "1"}, ("Anna",)),
        ({"boundingBoxX1": 900}, ("Anna",)),
        ({"imageWidth": 0}, ("Anna",)),
        ({"imageHeight": None}, ("Anna",)),
    ],
)
def test_an_invalid_box_of_immich_leaves_the_name(face: dict[str, object], people: tuple[str, ...]) -> None:
    asset = build_immich_asset("/a.jpg", [NamedFace("a.jpg", "Anna", (0.25, 0.25, 0.5, 0.5))])
    asset["people"][0]["faces"][0] |= face
    (photo,) = read_immich(json.dumps(asset).encode(), "x")
    assert (photo.regions, photo.people) == ((), people)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "neither photos of Immich nor of Google Takeout"),
        ("{}", "neither photos of Immich nor of Google Takeout"),
        ('{"people": [{"id": "1", "name": "Anna"}]}', "neither photos of Immich nor of Google Takeout"),
        ("[" * 100_000, "is not JSON"),
        ('{"a": ', "is not JSON"),
    ],
)
def test_other_json_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "immich.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=reason) as refused:
        read_catalogue(path)
    assert refused.value.hint and "GET /api/assets" in refused.value.hint


# -- hostile databases ------------------------------------------------------------


def test_a_database_with_unsaved_changes_is_refused(tmp_path: Path) -> None:
    path = write_digikam(tmp_path / "digikam4.db", PIXELS)
    for ending in ("-wal", "-journal"):
        beside = tmp_path / f"digikam4.db{ending}"
        beside.write_bytes(b"")
        read_catalogue(path)
        beside.write_bytes(b"x")
        with pytest.raises(UsageError, match="unsaved changes") as refused:
            read_catalogue(path)
        assert refused.value.hint == "start digiKam and close it, then import again"
        beside.unlink()


def test_an_open_database_in_wal_mode_can_be_read_once_it_is_closed(tmp_path: Path) -> None:
    path = write_digikam(tmp_path / "digikam4.db", PIXELS)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("INSERT INTO Tags (pid, name) VALUES (1, 'Zoe')")
        database.commit()
        with pytest.raises(UsageError, match="unsaved changes"):
            read_catalogue(path)
    assert len(read_catalogue(path)[1]) == 3 and [file.name for file in tmp_path.iterdir()] == ["digikam4.db"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not an SQLite database"),
        (b"SQLite format 3\0" + b"\xff" * 4096, "cannot be read"),
        (b"not a database at all", "is not an SQLite database"),
    ],
)
def test_files_of_another_kind_are_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    for name in ("digikam4.db", "a.lrcat"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UsageError, match=reason):
            read_catalogue(path)


def test_a_schema_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = write_digikam(tmp_path / "digikam4.db", PIXELS)
    damaged = path.read_bytes().replace(b"CREATE TABLE Tags (", b"CREATE TABLE Tags )", 1)
    assert b"tableTagsTags" in damaged
    path.write_bytes(damaged.replace(b"tableTagsTags", b"table\xff\xfe\xff\xfeTags"))
    with pytest.raises(UsageError, match="cannot be read"):
        read_catalogue(path)


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other ?#%.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE photos (id, name)")
    with pytest.raises(UsageError, match="neither digiKam nor Lightroom"):
        read_catalogue(path)


def test_every_truncation_and_damage_is_an_error_or_fewer_names(tmp_path: Path) -> None:
    content = write_digikam(tmp_path / "digikam4.db", PIXELS).read_bytes()
    path = tmp_path / "damaged.db"
    for at in range(0, len(content), 1511):
        for damaged in (content[:at], content[:at] + bytes([255, 0, 129] * 20) + content[at + 60 :]):
            path.write_bytes(damaged)
            try:
                _, photos = read_catalogue(path)
            except UsageError:
                continue
            assert len(photos) <= 10


@pytest.mark.parametrize(
    "table",
    [
        "CREATE VIEW {name} AS SELECT 1 AS imageid, 1 AS tagid, 'tagRegion' AS property, load_extension('x') AS value",
        "CREATE VIRTUAL TABLE {name} USING fts5(imageid, tagid, property, value)",
        "CREATE TABLE {name} (imageid, tagid, property, value AS (hex(zeroblob(900000000))))",
        "CREATE TABLE {name} (imageid, tagid)",
    ],
)
def test_code_in_the_schema_is_not_run(table: str, tmp_path: Path) -> None:
    path = tmp_path / "digikam4.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(DIGIKAM_SCHEMA.replace("CREATE TRIGGER", "-- ").replace("DELETE FROM", "-- "))
        database.execute("DROP TABLE ImageTagProperties")
        database.execute(table.format(name="ImageTagProperties"))
    with pytest.raises(UsageError):
        read_catalogue(path)


def test_a_read_that_takes_too_long_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_digikam(tmp_path / "digikam4.db", [NamedFace("a.jpg", f"P{n}", (1, 1, 9, 9)) for n in range(300)])
    monkeypatch.setattr(sqlite_file, "_STEPS", 10)
    monkeypatch.setattr(sqlite_file, "_MAX_CALLS", 20)
    with pytest.raises(UsageError, match="interrupted"):
        read_catalogue(path)
    monkeypatch.undo()
    monkeypatch.setattr(sqlite_file, "_MAX_ROWS", 100)
    with pytest.raises(UsageError, match="more than 100 rows"):
        read_catalogue(path)


def test_values_of_another_type_are_left_out(tmp_path: Path) -> None:
    path = write_digikam(tmp_path / "digikam4.db", PIXELS)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE Tags SET name = x'ff00' WHERE name = 'Ben'")
        database.execute("UPDATE ImageTagProperties SET value = x'ff00' WHERE imageid = 1")
        database.execute("UPDATE ImageInformation SET width = 'wide'")
        database.execute("UPDATE AlbumRoots SET specificPath = NULL")
    _, photos = read_catalogue(path)
    assert [(photo.below, len(photo.regions), photo.people) for photo in photos] == [
        ("/2019/a.jpg", 0, ("Anna Müller",)),
        ("/elsewhere/c.jpg", 1, ()),
    ]
