"""Names are read from files of the library and of folders that the user named, never through a symlink."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from faceclust.importers.collect import CollectedNames, collect_names
from faceclust.importers.small_files import UnreadableFileError, read_small_file
from faceclust.importers.sources import Sources
from faceclust.progress import SilentProgress
from faceclust.types import PhotoInfo
from tests.support.photo_files import draw_scene, encode_image
from tests.support.xmp_packets import build_mwg_regions, build_region, build_sidecar

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
