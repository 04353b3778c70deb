"""A photo without a date gets the one in its JSON from Google Takeout."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

import pytest

from faceclust.scan import takeout_dates
from faceclust.scan.takeout_dates import read_takeout_date
from tests.support.catalogue_builders import build_takeout

NOON = datetime(2019, 5, 17, 12)


@pytest.mark.parametrize(
    ("name", "title", "expected"),
    [
        ("a.jpg.supplemental-metadata.json", "a.jpg", NOON),
        ("a.jpg.supplemental-met.json", "a.jpg", NOON),
        ("a.jpg.json", "a.jpg", NOON),
        ("a.json", "a", NOON),
        ("b.jpg.json", "b.jpg", None),
    ],
)
def test_the_date_in_the_json_of_a_photo(name: str, title: str, expected: datetime | None, tmp_path: Path) -> None:
    (tmp_path / name).write_text(build_takeout(title), encoding="utf-8")
    assert read_takeout_date(tmp_path / "a.jpg") == expected


def test_a_json_that_comes_later_is_found(tmp_path: Path) -> None:
    assert read_takeout_date(tmp_path / "a.jpg") is None
    (tmp_path / "a.jpg.json").write_text(build_takeout("a.jpg"), encoding="utf-8")
    os.utime(tmp_path, ns=(0, 1))  # file systems with coarse times
    assert read_takeout_date(tmp_path / "a.jpg") == NOON


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"x" * 1_000_001, build_takeout("a.jpg", taken=0).encode()])
def test_damaged_files_have_no_date(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jpg.json").write_bytes(content)
    assert read_takeout_date(tmp_path / "a.jpg") is None
    assert read_takeout_date(tmp_path / "missing" / "a.jpg") is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX symlinks")
def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(build_takeout("a.jpg"), encoding="utf-8")
    (tmp_path / "a.jpg.json").symlink_to("x")
    assert read_takeout_date(tmp_path / "a.jpg") is None


def test_a_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg.json").write_text(build_takeout("a.jpg"), encoding="utf-8")
    listed: list[Path] = []
    monkeypatch.setattr(takeout_dates, "list_own", lambda folder: listed.append(folder) or os.listdir(folder))
    assert [read_takeout_date(tmp_path / name) for name in ("a.jpg", "b.jpg", "a.jpg")] == [NOON, None, NOON]
    assert listed == [tmp_path]
