"""Google Takeout's JSON files are found by all spellings of their names, and read safely."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.photos.takeout import (
    BadTakeoutError,
    TakeoutFacts,
    belongs_to_photo,
    find_takeout_json,
    index_takeout_names,
    read_takeout,
)

LONG = "Screenshot_20190517-123456_com.example.application"  # 50 characters


@pytest.mark.parametrize(
    ("photo", "found", "others"),
    [
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json", ["IMG_1.jpg(1).json", "IMG_10.jpg.json"]),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-me.json", []),
        ("IMG_1.jpg", "IMG_1.jpg.suppl.json", []),
        ("IMG_1.jpg", "IMG_1.jpg.s.json", []),
        ("IMG_1.jpg", "IMG_1.jpg..json", []),
        ("IMG_1.jpg", "IMG_1.jpg.json", ["metadata.json"]),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json", ["IMG_1.jpg.json"]),
        ("IMG_1.jpg", "IMG_1.JPG.supplemental-metadata.json", []),
        ("IMG_1.jpg", "IMG_1.jpg.json", ["IMG_1.JPG.json"]),
        ("IMG_1.jpg", "IMG_1.json", []),
        # Copies.
        ("IMG_1(1).jpg", "IMG_1.jpg(1).json", ["IMG_1.jpg.json", "IMG_1.jpg(2).json"]),
        ("IMG_1(1).jpg", "IMG_1.jpg.supplemental-metadata(1).json", ["IMG_1.jpg.supplemental-metadata.json"]),
        ("IMG_1(1).jpg", "IMG_1.jpg.supplemental-meta(1).json", []),
        ("IMG_1(1).jpg", "IMG_1(1).jpg.supplemental-metadata.json", ["IMG_1.jpg.supplemental-metadata.json"]),
        ("IMG_1(12).jpg", "IMG_1.jpg(12).json", []),
        # Edited photos have the JSON of the original.
        ("IMG_1-edited.jpg", "IMG_1.jpg.supplemental-metadata.json", []),
        ("IMG_1-bearbeitet.jpg", "IMG_1.jpg.json", []),
        ("IMG_1-編集済み.jpg", "IMG_1.jpg.json", []),
        ("IMG_1-modifié.jpg", "IMG_1.jpg.json", []),
        ("IMG_1-edited(1).jpg", "IMG_1.jpg(1).json", ["IMG_1.jpg.json"]),
        ("IMG_1(1)-edited.jpg", "IMG_1.jpg.supplemental-metadata(1).json", []),
        # Long names are cut to 46 characters, and the photo's to 51.
        (f"{LONG[:47]}.jpg", f"{LONG[:46]}.json", []),
        (f"{LONG[:38]}.jpg", f"{LONG[:38]}.jpg.sup.json", []),
        (f"{LONG[:44]}.jpg", f"{LONG[:44]}.j.json", []),
        (f"{LONG[:42]}(1).jpg", f"{LONG[:42]}.jpg(1).json", [f"{LONG[:42]}.jpg.json"]),
        (f"{LONG[:44]}-ed.jpg", f"{LONG[:44]}.j.json", []),
        ("花" * 20 + ".jpg", "花" * 15 + ".json", []),  # 45 bytes
        # Forms of characters.
        ("Jose\u0301.jpg", "Jos\u00e9.jpg.supplemental-metadata.json", []),
        ("-edited.jpg", "-edited.jpg.json", [".jpg.json"]),
        ("IMG_1", "IMG_1.supplemental-metadata.json", []),
    ],
)
def test_the_json_of_a_photo_is_found(photo: str, found: str, others: list[str]) -> None:
    for names in ([found, *others], [*others, found, photo]):
        assert find_takeout_json(photo, index_takeout_names(names)) == found


@pytest.mark.parametrize(
    ("photo", "names"),
    [
        ("IMG_1.jpg", ["IMG_2.jpg.json", "metadata.json", "IMG_1.jpg", "IMG_1.jpg.xmp"]),
        ("IMG_1.jpg", ["IMG_1.jp.json", "IMG_.json", "IMG_1.jpg.sup-plemental.json"]),
        ("IMG_1.jpg", ["IMG_1.jpg.supplemental-metadata(1).json", "IMG_1.jpg(1).json"]),
        ("IMG_1(1).jpg", ["IMG_1.jpg.json", "IMG_1.jpg.supplemental-metadata.json"]),
        ("IMG_1-Anna.jpg", ["IMG_1.jpg.json"]),
        ("img_1.jpg", ["IMG_1.jpg.json", "IMG_1.JPG.json"]),
        ("", [".json", "a.json"]),
    ],
)
def test_the_json_of_another_photo_is_not_taken(photo: str, names: list[str]) -> None:
    assert find_takeout_json(photo, index_takeout_names(names)) is None


@pytest.mark.parametrize(
    ("title", "json_name", "photo", "expected"),
    [
        ("what?.jpg", "IMG_1.jpg.supplemental-me.json", "IMG_1.jpg", True),
        ("IMG_1.jpg", "IMG_1.jpg(1).json", "IMG_1-edited(1).jpg", True),
        (f"{LONG} one.jpg", f"{LONG[:46]}.json", f"{LONG[:47]}.jpg", True),
        (f"{LONG[:46]}2.jpg", f"{LONG[:46]}.json", f"{LONG[:46]}1.jpg", False),
    ],
)
def test_a_cut_name_belongs_to_the_photo_of_the_title(title: str, json_name: str, photo: str, expected: bool) -> None:
    assert find_takeout_json(photo, index_takeout_names([json_name])) == json_name
    assert belongs_to_photo(TakeoutFacts(title), json_name, photo) is expected


NOON = {"timestamp": "1558094400", "formatted": "17 May 2019, 12:00:00 UTC"}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"photoTakenTime": NOON}, TakeoutFacts("a.jpg", (), datetime(2019, 5, 17, 12))),
        ({"people": [{"name": "Anna"}, {"name": " Zoë "}]}, TakeoutFacts("a.jpg", ("Anna", "Zoë"))),
        ({"people": [{"name": ""}, {"name": 7}, "x", None, {}, [{}]], "photoTakenTime": 3}, TakeoutFacts("a.jpg")),
        ({"people": "Anna", "photoTakenTime": {"timestamp": "soon"}}, TakeoutFacts("a.jpg")),
        ({"photoTakenTime": {"timestamp": "0"}}, TakeoutFacts("a.jpg")),
        ({"photoTakenTime": {"timestamp": "-86400"}}, TakeoutFacts("a.jpg", (), datetime(1969, 12, 31))),
        ({"photoTakenTime": {"timestamp": "9" * 30}}, TakeoutFacts("a.jpg")),
        ({"photoTakenTime": {"timestamp": "-9000000000"}}, TakeoutFacts("a.jpg")),
        ({"photoTakenTime": {"timestamp": "9000000000"}}, TakeoutFacts("a.jpg")),
        ({"photoTakenTime": {"timestamp": [1]}}, TakeoutFacts("a.jpg")),
        ({"photoTakenTime": {}}, TakeoutFacts("a.jpg")),
        # San Francisco is eight hours behind.
        (
            {"photoTakenTime": NOON, "geoData": {"latitude": 37.8, "longitude": -122.4}},
            TakeoutFacts("a.jpg", (), datetime(2019, 5, 17, 4)),
        ),
        (
            {"photoTakenTime": NOON, "geoData": {"latitude": 0.0, "longitude": 0.0}},
            TakeoutFacts("a.jpg", (), datetime(2019, 5, 17, 12)),
        ),
        (
            {"photoTakenTime": NOON, "geoData": {"latitude": 1, "longitude": 1e400}, "geoDataExif": []},
            TakeoutFacts("a.jpg", (), datetime(2019, 5, 17, 12)),
        ),
    ],
)
def test_people_and_time_are_read(record: dict[str, Any], expected: TakeoutFacts) -> None:
    assert read_takeout(json.dumps({"title": "a.jpg"} | {"imageViews": "3"} | record).encode()) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"\xff\xfe\x00", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b'{"title": "' + b"a" * 1_000_000 + b'"}', "it is larger than 1,000,000 bytes"),
        (b'{"title": "a", "people": ' + b"9" * 10_000 + b"}", "it is not JSON"),
    ],
)
def test_damaged_files_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadTakeoutError, match=reason):
        read_takeout(data)


@pytest.mark.parametrize(
    "record", [{"title": "Album", "date": NOON}, {"people": []}, [{"title": "a.jpg"}], {"title": 1}]
)
def test_other_json_is_left_out(record: Any) -> None:
    assert read_takeout(json.dumps(record).encode()) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_name_is_looked_up(photo: str, name: str) -> None:
    index = index_takeout_names([f"{name}.json"])
    assert find_takeout_json(photo, index) in (None, f"{name}.json")
    assert isinstance(belongs_to_photo(TakeoutFacts(name), f"{name}.json", photo), bool)
