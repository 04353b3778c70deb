from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faceclust import Library
from tests.support.four_people import make_four_people
from tests.support.page_client import PageClient


@pytest.fixture
def person_of(tmp_path: Path) -> dict[str, str]:
    """Face id → person, of the page's library."""
    return make_four_people(tmp_path / "page" / "photos")[1]


@pytest.fixture
def page(tmp_path: Path, person_of: dict[str, str]) -> Iterator[PageClient]:
    """A page of the library of four people."""
    with PageClient(Library(tmp_path / "page" / "photos")) as client:
        yield client


@pytest.fixture
def twin(tmp_path: Path) -> Library:
    """Another library with the same faces and groups."""
    return make_four_people(tmp_path / "twin" / "photos")[0]
