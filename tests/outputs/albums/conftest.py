from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.album_builders import write_photos


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "People"
