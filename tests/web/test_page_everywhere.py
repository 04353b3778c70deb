"""Every screen of the page with hostile names, on phones and desks, light and dark, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from selenium.webdriver.common.keys import Keys

from faceclust import Library
from tests.support.axe import find_violations
from tests.support.browser import emulate_media, set_screen_size
from tests.support.page_browser import PageBrowser, make_drawn_library, open_page

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.slow]

MARKUP = '<img src=x onerror="document.title=1"> &amp; <script>document.title=1</script>'
RIGHT_TO_LEFT, EMOJI, LONG = "مريم \u05d0\u05d1\u05d2 Berg", "👩‍👧 \U0001f1e9\U0001f1ea Zoë", "W" * 200
NAMES = [MARKUP, RIGHT_TO_LEFT, EMOJI, LONG]
FOLDER = f"<b>{RIGHT_TO_LEFT}</b>"
PHOTO = '<img src=x onerror="document.title=1"> &amp; \u202egpj 👩‍👧 ' + "n" * 150


def make_hostile_library(root: Path) -> Library:
    """Make a library whose photos, folder and people have hostile names, with something to look at again."""
    near = {1: (0, 0.1), 3: (2, 0.14), 5: (4, 0.1)}
    library = make_drawn_library(root, [12, 8, 10, 6, 9, 5, 7, 4, 1], near=near, pool=8)
    by_size = {len(person.face_ids): person.face_ids for person in library.persons}
    people = [[*by_size[10], *by_size[4]], by_size[9], by_size[7], by_size[12]]
    for name, faces in zip(NAMES, people, strict=True):
        library.name(faces, name, confirmed=faces[:3])
    cache = root / "photos/.faceclust.parquet"
    table = pq.read_table(cache)
    photos = [name.replace("IMG", PHOTO, 1) for name in table["photo"].to_pylist()]
    at = table.schema.get_field_index("photo")
    table = table.set_column(at, table.schema.field(at), pa.array(photos).cast(table.schema.field(at).type))
    pq.write_table(table, cache)
    (root / "photos").rename(root / FOLDER.replace("/", "∕"))
    library.home.record_scan()
    return Library(root)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageBrowser]:
    root = tmp_path_factory.mktemp("everywhere") / f"library {EMOJI} <i>"
    make_hostile_library(root)
    with open_page(root) as page:
        yield page


@pytest.fixture
def page(served: PageBrowser) -> Iterator[PageBrowser]:
    served.errors()
    yield served
    set_screen_size(served.driver, 1440)
    emulate_media(served.driver)
    assert served.errors() == []


#: Screen → the selector of its content, and what of the hostile text it shows.
SCREENS: dict[str, tuple[str, list[str]]] = {
    "ask": ("#question", []),
    "groups": (".row .tile img", NAMES),
    "people": ("#screen a img", NAMES),
    "person": ("#screen h1", [MARKUP]),
    "photo": (".photo-head h1", [MARKUP, PHOTO]),
    "again": (".finding", [MARKUP]),
    "help": ("#key-tables dl", []),
}


def address(page: PageBrowser, screen: str) -> str:
    """The address of a screen; those of one person or photo show the person whose name has markup."""
    if screen not in ("person", "photo"):
        return screen
    (person,) = (person for person in Library(page.root).people() if person.name == MARKUP)
    photo = Library(page.root).occurrences_of[person.face_ids[0]][0].photo_hash
    return f"person/{person.id}" if screen == "person" else f"photo/{photo}?of=person/{person.id}"


def check(page: PageBrowser, what: str) -> None:
    """Check the page as it is, for accessibility and on three widths; the wide one is light, the narrow ones dark."""
    for width, scheme in ((1440, "light"), (390, "dark"), (320, "dark")):
        set_screen_size(page.driver, width)
        emulate_media(page.driver, prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
        overflow = page.script("const e = document.documentElement; return e.scrollWidth - e.clientWidth")
        assert overflow <= 0, f"{what}: {overflow} px too wide at {width}"
        if width != 320:
            assert find_violations(page.driver) == [], (what, width, scheme)
    assert page.script("return [document.title === '1', document.querySelectorAll('[src=x], [onerror]').length]") == [
        False,
        0,
    ]


@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_is_accessible_fits_and_shows_names_as_text(page: PageBrowser, screen: str) -> None:
    selector, shown = SCREENS[screen]
    page.open(address(page, screen), selector)
    page.wait(lambda: page.text("#people-count") == "4", "the people")
    for text in shown:
        page.wait(lambda text=text: text in page.text("#screen"), text)  # type: ignore[misc]
    check(page, screen)


@pytest.mark.parametrize(
    ("screen", "keys", "selector"),
    [
        ("groups", [LONG[1:], Keys.ENTER], "dialog[open]"),
        ("groups", [Keys.ESCAPE, Keys.ARROW_RIGHT, "t"], "dialog[open] input"),
        ("groups", [Keys.ESCAPE, "+"], "dialog[open] img"),
        ("groups", ["W"], "#completions [role=option]"),
        ("person", ["r"], "#screen form input"),
        ("person", ["m"], "#screen form input"),
    ],
    ids=["doubt", "one face", "all faces", "completion", "rename", "merge"],
)
def test_a_dialog_is_accessible_and_fits(page: PageBrowser, screen: str, keys: list[str], selector: str) -> None:
    set_screen_size(page.driver, 1440)
    page.open(address(page, screen), SCREENS[screen][0])
    page.wait(lambda: page.text("#people-count") == "4", "the people")
    page.press(*keys)
    page.wait(lambda: page.all(selector), selector)
    check(page, f"{screen}, {selector}")
    page.press(Keys.ESCAPE)


@pytest.mark.parametrize("width", [320, 640, 1100, 1280, 1366, 1420, 1440, 2560])
def test_the_name_field_is_within_its_row(page: PageBrowser, width: int) -> None:
    set_screen_size(page.driver, width)
    page.go("groups", ".row .tile img")
    edges = "[...document.querySelectorAll('.row .naming input')].map((one) => [one, one.closest('.row')])"
    right = ".map(([one, row]) => row.getBoundingClientRect().right - one.getBoundingClientRect().right)"
    assert min(page.script(f"return {edges}{right}")) > 0
