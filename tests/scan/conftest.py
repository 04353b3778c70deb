from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from faceclust import Library
from tests.support.scan_builders import is_unchanged, make_photos


@pytest.fixture(scope="session")
def _small_scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_photos(tmp_path_factory.mktemp("small") / "photos")
    Library(root).scan(workers=0)
    return root


@pytest.fixture
def small_library(_small_scanned: Path, tmp_path: Path) -> Library:
    """A scanned library of `make_photos`; another scan would find nothing to do."""
    root = tmp_path / "photos"
    shutil.copytree(_small_scanned, root)
    library = Library(root)
    assert library.scan(workers=0).unchanged == 6 and is_unchanged(root)
    return library
