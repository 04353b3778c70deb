"""Fixtures for the tests of commands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from faceclust import Library
from tests.support.sample_photos import COLLINS, HOPPER, join_images, make_variant, save_photo


@pytest.fixture(scope="session")
def large_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty different photos, so that a scan takes some seconds."""
    root = tmp_path_factory.mktemp("large") / "photos"
    for number in range(30):
        picture = join_images(make_variant(COLLINS, number), make_variant(HOPPER, number + number // 20))
        save_photo(picture.resize((picture.width * 2, picture.height * 2)), root / f"{number % 3}/{number}.jpg")
    return root


@pytest.fixture
def photos(large_library: Path, tmp_path: Path) -> Path:
    """A copy of `large_library`, not scanned yet."""
    shutil.copytree(large_library, tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture(scope="session")
def uninterrupted_rows(large_library: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """The cached rows of `large_library` after a scan without interruption."""
    root = tmp_path_factory.mktemp("uninterrupted") / "photos"
    shutil.copytree(large_library, root)
    library = Library(root)
    library.scan(workers=0)
    return library.table.rows.to_pylist()
