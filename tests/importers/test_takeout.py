"""The JSON files of Google Takeout give their names to the photos beside them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from faceclust.errors import UsageError
from faceclust.importers.collect import CollectedNames, collect_names
from faceclust.importers.sources import classify_sources
from faceclust.importers.takeout import TAKEOUT, collect_takeout
from faceclust.progress import SilentProgress
from faceclust.types import PhotoInfo
from tests.support.catalogue_builders import build_takeout

NAME = ".supplemental-metadata"


def people_of(folder: Path, photos: list[str], only: str | None = None) -> dict[str, tuple[str, ...]]:
    found, _ = collect_takeout(folder, "2019", os.listdir(folder), photos, only)
    return {names.photo: names.people for names in found}


def write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def test_each_photo_gets_the_names_in_its_json(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            f"a.jpg{NAME}.json": build_takeout("a.jpg", "Anna", "Ben"),
            f"a.jpg{NAME}(1).json": build_takeout("a.jpg", "Cleo"),
            "b.jpg.json": build_takeout("b.jpg"),
            f"c.mp4{NAME}.json": build_takeout("c.mp4", "Dora"),
            "metadata.json": '{"title": "Summer", "date": {"timestamp": "1"}}',
            "notes.json": "[1, 2]",
        },
    )
    expected = {"2019/a.jpg": ("Anna", "Ben"), "2019/a-edited.jpg": ("Anna", "Ben"), "2019/a(1).jpg": ("Cleo",)}
    photos = ["a.jpg", "a-edited.jpg", "a(1).jpg", "b.jpg"]
    assert people_of(tmp_path, photos) == expected
    assert people_of(tmp_path, photos, f"a.jpg{NAME}(1).json") == {"2019/a(1).jpg": ("Cleo",)}
    assert people_of(tmp_path, []) == {}


def test_a_json_that_is_named_like_no_photo_goes_by_its_title(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "odd one.json": build_takeout("what? a&b.jpg", "Anna"),
            "odd two.json": build_takeout("b.jpg", "Ben"),
            f"b.jpg{NAME}.json": build_takeout("b.jpg", "Cleo"),
        },
    )
    assert people_of(tmp_path, ["what_ a_b.jpg", "b.jpg"]) == {"2019/what_ a_b.jpg": ("Anna",), "2019/b.jpg": ("Cleo",)}


def test_names_cut_to_the_same_text_differ_by_the_title(tmp_path: Path) -> None:
    cut = "Screenshot_20190517-123456_com.example.applica"
    write(tmp_path, {f"{cut}.json": build_takeout(f"{cut}1.jpg", "Anna")})
    assert people_of(tmp_path, [f"{cut}1.jpg", f"{cut}2.jpg"]) == {f"2019/{cut}1.jpg": ("Anna",)}


@pytest.mark.parametrize("text", ["", "{", '{"title": "a.jpg", "people": ' + "[" * 100_000, "x" * 1_000_001])
def test_a_damaged_json_of_a_photo_is_reported(text: str, tmp_path: Path) -> None:
    write(tmp_path, {f"a.jpg{NAME}.json": text})
    found, unreadable = collect_takeout(tmp_path, "", os.listdir(tmp_path), ["a.jpg"])
    assert found == [] and [Path(one.where).name for one in unreadable] == [f"a.jpg{NAME}.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX symlinks")
def test_a_json_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", {"x.json": build_takeout("a.jpg", "Anna")})
    write(tmp_path / "2019", {})
    (tmp_path / "2019" / "a.jpg.json").symlink_to(tmp_path / "elsewhere" / "x.json")
    _, unreadable = collect_takeout(tmp_path / "2019", "", ["a.jpg.json"], ["a.jpg"])
    assert [one.why for one in unreadable] == ["it is a symlink, not a regular file"]


def test_they_are_read_with_a_folder_a_photo_or_by_name(tmp_path: Path) -> None:
    root = tmp_path / "library"
    json_name = f"2019/a.jpg{NAME}.json"
    write(root / "2019", {"a.jpg": "", "b.jpg": "", f"a.jpg{NAME}.json": build_takeout("a.jpg", "Anna")})
    photos = {
        photo: PhotoInfo(photo, photo, (4, 3), 1, None, None, None, None) for photo in ("2019/a.jpg", "2019/b.jpg")
    }

    def collect(*sources: Path) -> CollectedNames:
        return collect_names(root, photos, classify_sources(root, sources, None, photos), SilentProgress())

    for sources in ([], [root], [root / "2019"], [root / "2019/a.jpg"], [root / json_name]):
        collected = collect(*sources)
        assert {names.photo: names.people for names in collected.photo_names} == {"2019/a.jpg": ("Anna",)}, sources
        assert collected.read_counts[TAKEOUT] == 1
    assert collect(root / "2019/b.jpg").photo_names == []
    write(tmp_path / "mirror" / "2019", {f"b.jpg{NAME}.json": build_takeout("b.jpg", "Ben")})
    collected = collect(tmp_path / "mirror")
    assert {names.photo: names.people for names in collected.photo_names} == {"2019/b.jpg": ("Ben",)}
    with pytest.raises(UsageError, match="is not in the library"):
        collect(tmp_path / "mirror" / "2019" / f"b.jpg{NAME}.json")


def test_many_files_are_matched_in_linear_time(tmp_path: Path) -> None:
    photos = [f"IMG_{number:05}.jpg" for number in range(2000)]
    reads = []
    names = [f"{photo}{NAME}.json" for photo in photos] + [f"VID_{number:05}.mp4{NAME}.json" for number in range(2000)]
    from faceclust.importers.takeout import match_takeout

    assert list(match_takeout(photos, names, lambda name: reads.append(name))) == []
    assert reads == sorted(names[:2000])  # a JSON without a photo is not read if all photos have one
