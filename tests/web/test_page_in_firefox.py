"""The page for naming people in Firefox, if it is installed: sign in, name a group, undo."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.firefox import open_firefox
from tests.support.page_browser import make_drawn_library
from tests.support.web import serve_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ENTER, ESCAPE = "\ue007", "\ue00c"


def test_a_group_is_named_by_keys_and_the_name_taken_back(tmp_path: Path) -> None:
    library = make_drawn_library(tmp_path / "photos", [6, 5, 4])
    with open_firefox() as firefox, serve_page(tmp_path / "photos") as page:
        firefox.open(page.file.as_uri())
        firefox.wait("document.querySelector('#screen')?.childElementCount")
        firefox.script("location.hash = '#/groups'")
        firefox.wait("document.querySelector('.row .tile img')?.complete && document.activeElement.matches('input')")
        firefox.press(f"Anna Berg{ENTER}")
        firefox.wait("document.querySelector('.row.saved')")
        library.invalidate()
        assert [(person.label, len(person.face_ids)) for person in library.people()] == [("Anna Berg", 6)]
        firefox.press(f"{ESCAPE}u")
        firefox.wait("!document.querySelector('.row.saved')")
        library.invalidate()
        assert library.people() == ()
        assert firefox.script("document.querySelector('#problem').hidden") is True
