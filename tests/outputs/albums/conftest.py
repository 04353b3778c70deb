from __future__ import annotations

from pathlib import Path

import pytest

from tests.outputs.albums.made import write_photos


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "People"
