"""Names are read from files of the library and of folders that the user named, never through a symlink."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from faceclust.importers.collect import CollectedNames, collect_names
from faceclust.importers.coordinate_frame import choose_interpretation, interpret_boxes
from faceclust.importers.keywords import PeopleTags
from faceclust.importers.small_files import UnreadableFileError, read_small_file
from faceclust.importers.sources import Sources
from faceclust.importers.values import Frame
from faceclust.progress import SilentProgress
from faceclust.types import Box, PhotoInfo
from faceclust.xmp.values import stored_size, upright_box
from tests.support.photo_files import draw_scene, encode_image
from tests.support.xmp_packets import (
    build_acdsee_area,
    build_acdsee_regions,
    build_array,
    build_fields,
    build_iptc_boundary,
    build_iptc_regions,
    build_microsoft_regions,
    build_mwg_regions,
    build_region,
    build_sidecar,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX symlinks and pipes")


def write_library(root: Path, *photos: str) -> dict[str, PhotoInfo]:
    """Write each photo with a sidecar that names Anna."""
    for photo in photos:
        (root / photo).parent.mkdir(parents=True, exist_ok=True)
        (root / photo).write_bytes(encode_image(draw_scene(), "PNG"))
        sidecar = build_sidecar(build_mwg_regions(build_region("Anna", 0.2, 0.2, 0.1, 0.1)))
        (root / f"{photo}.xmp").write_text(sidecar, encoding="utf-8")
    return {photo: PhotoInfo(photo, "hash", (4000, 3000), 1, None, None, None, None) for photo in photos}


def collect(root: Path, photos: dict[str, PhotoInfo], sources: Sources | None = None) -> CollectedNames:
    return collect_names(root, photos, sources or Sources(folders=[""]), SilentProgress())


def photos_with_names(found: CollectedNames) -> set[str]:
    return {names.photo for names in found.photo_names}


def test_sidecars_are_read(tmp_path: Path) -> None:
    photos = write_library(tmp_path, "a.png", "2019/b.png")
    assert photos_with_names(collect(tmp_path, photos)) == {"a.png", "2019/b.png"}


def test_a_sidecar_or_photo_that_is_a_link_is_unreadable(tmp_path: Path) -> None:
    root = tmp_path / "library"
    photos = write_library(root, "a.png", "b.png")
    for name in ("a.png.xmp", "b.png", "b.png.xmp"):
        (root / name).rename(tmp_path / name)
        (root / name).symlink_to(tmp_path / name)
    found = collect(root, photos)
    assert photos_with_names(found) == set()
    assert {Path(source.where).name for source in found.unreadable} == {"a.png.xmp", "b.png", "b.png.xmp"}
    assert {source.why for source in found.unreadable} == {"it is a symlink, not a regular file"}


def test_a_folder_that_is_a_link_is_unreadable(tmp_path: Path) -> None:
    root = tmp_path / "library"
    photos = write_library(root, "2019/a.png")
    (root / "2019").rename(tmp_path / "outside")
    (root / "2019").symlink_to(tmp_path / "outside")
    found = collect(root, photos)
    assert photos_with_names(found) == set() and "2019" in {source.where for source in found.unreadable}


def test_links_below_a_folder_of_sidecars_are_not_followed(tmp_path: Path) -> None:
    root, mirror, outside = tmp_path / "library", tmp_path / "mirror", tmp_path / "outside"
    photos = write_library(root, "2019/a.png", "2020/b.png")
    for photo, folder in (("2019/a.png", mirror), ("2020/b.png", outside)):
        (folder / photo).parent.mkdir(parents=True)
        (root / f"{photo}.xmp").rename(folder / f"{photo}.xmp")
    (mirror / "2020").symlink_to(outside / "2020")
    assert photos_with_names(collect(root, photos, Sources(mirrors=[mirror]))) == {"2019/a.png"}


def test_only_small_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert read_small_file(tmp_path / "file", 7) == b"content"
    for path in (tmp_path / "link", tmp_path / "folder", tmp_path / "pipe", Path("/dev/zero"), tmp_path / "gone"):
        with pytest.raises(UnreadableFileError):
            read_small_file(path)
    with pytest.raises(UnreadableFileError, match="larger than 6 bytes"):
        read_small_file(tmp_path / "file", 6)


BOX = (0.5, 0.1, 0.8, 0.5)  # of the stored picture


def build_regions(scheme: str, box: Box) -> str:
    """Build a region named Anna in one of the schemes."""
    left, top, right, bottom = box
    x, y, w, h = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
    person = build_array("Iptc4xmpExt:PersonInImage", "Anna")
    return {
        "mwg": build_mwg_regions(build_region("Anna", x, y, w, h)),
        "mp": build_microsoft_regions(
            build_fields("MPReg", PersonDisplayName="Anna", Rectangle=f"{left}, {top}, {w}, {h}")
        ),
        "iptc": build_iptc_regions(
            person + build_iptc_boundary(rbShape="rectangle", rbUnit="relative", rbX=left, rbY=top, rbW=w, rbH=h)
        ),
        "iptc in pixels": build_iptc_regions(
            person
            + build_iptc_boundary(
                rbShape="rectangle", rbUnit="pixel", rbX=left * 4000, rbY=top * 3000, rbW=w * 4000, rbH=h * 3000
            )
        ),
        "acdsee": build_acdsee_regions(
            build_fields("acdsee-rs", Name="Anna", Type="Face") + build_acdsee_area("DLYArea", x, y, w, h),
            size=(4000, 3000),
        ),
    }[scheme]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("scheme", ["mwg", "mp", "iptc", "iptc in pixels", "acdsee"])
def test_regions_of_every_scheme_refer_to_the_stored_picture(tmp_path: Path, scheme: str, orientation: int) -> None:
    size = stored_size((4000, 3000), orientation)
    photos = {"a.jpg": PhotoInfo("a.jpg", "hash", size, orientation, None, None, None, None)}
    (tmp_path / "a.jpg").write_bytes(b"the photo")
    (tmp_path / "a.jpg.xmp").write_text(build_sidecar(build_regions(scheme, BOX)), encoding="utf-8")
    (names,) = collect(tmp_path, photos).photo_names
    assert (names.scheme, names.frame, names.frame_certain) == (scheme.split()[0], Frame.STORED, False)
    face = upright_box(BOX, orientation)
    first, *_ = interpretations = interpret_boxes(names, photos["a.jpg"], [face])
    assert first.frame is Frame.STORED and first.boxes[0] == pytest.approx(face)
    chosen = choose_interpretation(names, photos["a.jpg"], [face], interpretations, {}).interpretation
    assert chosen == first and first.pairs == {0: 0}


@pytest.mark.parametrize("scheme", ["mwg", "mp", "iptc", "acdsee"])
def test_regions_of_the_upright_picture_are_recognised_in_every_scheme(tmp_path: Path, scheme: str) -> None:
    photos = {"a.jpg": PhotoInfo("a.jpg", "hash", (4000, 3000), 3, None, None, None, None)}
    (tmp_path / "a.jpg").write_bytes(b"the photo")
    (tmp_path / "a.jpg.xmp").write_text(build_sidecar(build_regions(scheme, BOX)), encoding="utf-8")
    (names,) = collect(tmp_path, photos).photo_names
    interpretations = interpret_boxes(names, photos["a.jpg"], [BOX])
    chosen = choose_interpretation(names, photos["a.jpg"], [BOX], interpretations, {}).interpretation
    assert chosen and chosen.frame is Frame.UPRIGHT and chosen.pairs == {0: 0}


def test_what_is_not_read_is_counted(tmp_path: Path) -> None:
    photos = write_library(tmp_path, "a.png", "b.png")
    regions = [
        build_region("Rex", 0.5, 0.5, 0.1, 0.1, "Pet"),
        build_region("x", 0.5, 0.5, 0.1, 0.1, "Focus"),
        build_region("Anna", 0.5, 0.5, 0, 0),
    ]
    keywords = build_array("digiKam:TagsList", "Family/Anna", "Places/Rome", "People/Ben", kind="Seq")
    for photo in photos:
        sidecar = build_sidecar(build_mwg_regions(*regions), keywords)
        (tmp_path / f"{photo}.xmp").write_text(sidecar, encoding="utf-8")
    found = collect(tmp_path, photos)
    assert found.skipped_regions == {"of other kinds than faces": 4, "with an invalid area": 2}
    assert found.other_keywords == {("Family", "Anna"): 2, ("Places", "Rome"): 2}
    assert [names.people for names in found.photo_names] == [("Ben",)] * 2
    sources = Sources(folders=[""])
    read = collect_names(tmp_path, photos, sources, SilentProgress(), PeopleTags(("Family",)))
    assert [names.people for names in read.photo_names] == [("Anna", "Ben")] * 2
    assert read.other_keywords == {("Places", "Rome"): 2}
