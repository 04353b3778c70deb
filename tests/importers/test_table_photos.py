"""The photos of a table's rows are found by paths of any system, case and Unicode form."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from faceclust.importers.sidecar_owner import PhotoLookup
from faceclust.importers.table_photos import TablePhotos

LONG = "\\xe9" * 200 + ".jpg"  # escaped bytes
PHOTOS = ["2019/a.jpg", "2019/b.jpg", "a.jpg", "2020/Zoe\u0308.jpg", "2020/IMG_1.JPG", "x/C.jpg", "x/c.jpg", LONG]
ROOT = Path("/photos/library").absolute()


def make_finder() -> TablePhotos:
    return TablePhotos(ROOT, PHOTOS, PhotoLookup(PHOTOS))


@pytest.mark.parametrize(
    ("name", "beside", "found"),
    [
        ("2019/a.jpg", "/elsewhere", "2019/a.jpg"),
        ("2019\\A.JPG", "/elsewhere", "2019/a.jpg"),
        ("./2020/img_1.jpg", "/elsewhere", "2020/IMG_1.JPG"),
        ("2020/Zo\u00eb.jpg", "/elsewhere", "2020/Zoe\u0308.jpg"),
        (str(ROOT / "2020/ZO\u00cb.jpg"), "/elsewhere", "2020/Zoe\u0308.jpg"),
        ("b.jpg", str(ROOT / "2019"), "2019/b.jpg"),
        ("a.jpg", str(ROOT / "2019"), "a.jpg"),
        ("B.jpg", "/elsewhere", ""),
        ("x/c.jpg", "/elsewhere", "x/c.jpg"),
        ("X/c.JPG", "/elsewhere", "x/C.jpg x/c.jpg"),
        ("/elsewhere/2019/b.jpg", "/elsewhere", ""),
        pytest.param(LONG, "/elsewhere", LONG, id="escaped bytes"),
        pytest.param("a" + "\u0315\u0300" * 50_000, "/elsewhere", "", id="combining characters"),
    ],
)
def test_the_photo_of_a_row(name: str, beside: str, found: str) -> None:
    assert list(make_finder().find(name, Path(beside))) == found.split()


@pytest.mark.skipif(sys.platform == "win32", reason="the library's root is a POSIX path")
@pytest.mark.parametrize(
    ("names", "root"),
    [
        (["C:\\Pictures\\2019\\a.jpg", "C:\\Pictures\\2019\\b.jpg", "C:\\Pictures\\gone.jpg"], "C:/Pictures"),
        (["/Users/anna/2019/B.jpg"], "/Users/anna"),
        (["C:\\Pictures\\2019\\a.jpg"], None),  # it may be a.jpg, too
        (["/x/2019/b.jpg", "/y/1.jpg", "/y/2.jpg"], None),
        (["/x/2019/b.jpg", str(ROOT / "2019/gone.jpg")], None),  # the paths are of this computer
        (["2019/b.jpg"], None),
        (["/" * 100_000 + "2019/b.jpg"], None),
        pytest.param([f"/{n}/" + "\u00e9/" * 2040 for n in range(40)], None, id="many parts"),
    ],
)
def test_the_root_on_another_computer(names: list[str], root: str | None) -> None:
    finder = make_finder()
    assert finder.find_other_root(names, Path("/elsewhere")) == root
    assert root is None or list(finder.find_below(root, f"{root}/2019/b.jpg")) == ["2019/b.jpg"]
