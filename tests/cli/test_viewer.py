"""The key `o` of the label screen opens photos, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from faceclust.cli.terminal.viewer import find_viewable_photo
from faceclust.errors import UsageError
from tests.support.photo_files import draw_scene, encode_image


def test_a_photo_is_opened(tmp_path: Path) -> None:
    for name in ("a.png", "scan 12"):
        (tmp_path / name).write_bytes(encode_image(draw_scene(), "PNG"))
        assert find_viewable_photo(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize("name", ["a.desktop", "a.html", "a.bat", "a.js", ".hidden.png"])
def test_a_file_that_is_not_named_like_a_photo_is_not_opened(tmp_path: Path, name: str) -> None:
    """A script can begin like a GIF or a bitmap."""
    (tmp_path / name).write_bytes(b"GIF89a=1;alert(1)")
    with pytest.raises(UsageError, match="no photo any more"):
        find_viewable_photo(tmp_path, name)


def test_a_file_without_the_content_of_a_photo_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"#!/bin/sh\n")
    with pytest.raises(UsageError, match="no photo any more"):
        find_viewable_photo(tmp_path, "a.jpg")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX symlinks")
def test_nothing_outside_of_the_library_is_opened(tmp_path: Path) -> None:
    library, outside = tmp_path / "library", tmp_path / "outside"
    library.mkdir()
    outside.mkdir()
    (outside / "a.png").write_bytes(encode_image(draw_scene(), "PNG"))
    (library / "link.png").symlink_to(outside / "a.png")
    (library / "folder").symlink_to(outside)
    for photo in ("link.png", "folder/a.png", "../outside/a.png", str(outside / "a.png"), "gone.png", "\ud800.png"):
        with pytest.raises(UsageError):
            find_viewable_photo(library, photo)
