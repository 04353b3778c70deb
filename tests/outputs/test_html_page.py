from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.outputs.html_page import make_photo_href, photo_href


def test_links_are_relative_and_quoted() -> None:
    assert photo_href(Path("/lib/2020/a b#1.jpg"), Path("/lib/page.html")) == "./2020/a%20b%231.jpg"
    assert photo_href(Path("/lib/a.jpg"), Path("/out/page.html")) == "./../lib/a.jpg"


@pytest.mark.parametrize("page", ["/lib/page.html", "/out/page.html", "/lib/deep/er/page.html", "/page.html"])
@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1))
def test_links_to_many_photos_equal_single_links(page: str, name: str) -> None:
    if name in (".", ".."):
        return
    many = make_photo_href(Path("/lib"), Path(page))
    photo = f"2020/{name}.jpg"
    one, other = photo_href(Path("/lib") / photo, Path(page)), many(photo)
    base = Path(page).parent
    assert os.path.normpath(f"{base}/{one}") == os.path.normpath(f"{base}/{other}")
    assert not set(other) & set("\"'<># ?\n")


def test_a_name_that_is_not_utf8_is_linked_by_its_bytes() -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    assert photo_href(Path("/lib") / name, Path("/lib/page.html")) == "./caf%E9.jpg"
    assert make_photo_href(Path("/lib"), Path("/lib/page.html"))(name) == "./caf%E9.jpg"
