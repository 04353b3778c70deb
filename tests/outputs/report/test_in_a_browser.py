"""The report in a real browser: rendering, filter, keyboard, dark mode, print and small screens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from faceclust.outputs.report.render import picture_path, render_pages
from tests.support.browser import emulate_media, open_browser, pop_requested_urls, set_screen_size, write_page
from tests.support.drawn_faces import draw_face
from tests.support.report_builders import HOSTILE_NAME, make_report, make_varied_people, render_html

pytestmark = pytest.mark.browser

#: Script: the number of pictures that cannot be decoded.
BROKEN = """
const all = [...document.images];
all.forEach((image) => { image.loading = "eager"; });
return Promise.all(all.map((image) => image.decode().then(() => 0, () => 1))).then((bad) => bad.filter(Boolean).length);
"""
#: Script: the levels of the headings, in order.
HEADINGS = "return [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map((heading) => Number(heading.tagName[1]))"
#: Script: the position of an element in the window after scrolling has ended.
PLACE = """
const [id, done] = arguments;
setTimeout(() => done(document.getElementById(id).getBoundingClientRect()), 200);
"""
#: Script: force a layout of the whole page.
OPEN = """
document.querySelectorAll(".person, .group").forEach((part) => { part.style.contentVisibility = "visible"; });
document.querySelectorAll("details").forEach((part) => { part.open = true; });
"""
#: Script: paths and fragments of the links into a folder.
LINKS = """
const links = [...document.querySelectorAll("a")].map((link) => [link.pathname, link.hash]);
return links.filter(([path]) => path.startsWith(arguments[0]));
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    persons, places, more = make_varied_people()
    return write_page(
        tmp_path_factory.mktemp("report") / "page.html", render_html(make_report(persons, places, **more))
    )


@pytest.fixture(scope="module")
def _driver() -> Iterator[webdriver.Chrome]:
    with open_browser() as driver:
        yield driver


@pytest.fixture
def driver(_driver: webdriver.Chrome, page: str) -> Iterator[webdriver.Chrome]:
    """A browser at the top of the page. The browser's log has to be empty at the end."""
    set_screen_size(_driver, 1440)
    emulate_media(_driver)
    _driver.get("about:blank")
    _driver.get(page)
    yield _driver
    assert _driver.get_log("browser") == []


def list_shown_names(driver: webdriver.Chrome) -> list[str]:
    cards = driver.find_elements(By.CSS_SELECTOR, "#everyone-list > li")
    return [card.find_element(By.CLASS_NAME, "who").text for card in cards if card.is_displayed()]


def read_style(driver: webdriver.Chrome, selector: str, name: str) -> str:
    script = "return getComputedStyle(document.querySelector(arguments[0])).getPropertyValue(arguments[1])"
    return str(driver.execute_script(script, selector, name))


def read_focused_element(driver: webdriver.Chrome) -> str:
    return str(driver.execute_script("return document.activeElement.outerHTML.slice(0, 200)"))


def press(driver: webdriver.Chrome, *keys: str) -> None:
    for key in keys:
        driver.switch_to.active_element.send_keys(key)


def compute_contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two computed colours (WCAG 2.2)."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.slow
def test_it_renders_without_network_requests(driver: webdriver.Chrome) -> None:
    assert list_shown_names(driver)[:2] == [HOSTILE_NAME, "Åsa Öberg"]
    assert {url.partition(":")[0] for url in pop_requested_urls(driver)} <= {"file", "data", "about"}
    assert driver.execute_script(BROKEN) == 0
    small = "return [...document.querySelectorAll('.dot')].map(d => getComputedStyle(d).backgroundImage)"
    assert any(text.startswith('url("data:image/jpeg') for text in driver.execute_script(small))


def test_hostile_names_stay_text(driver: webdriver.Chrome) -> None:
    assert driver.find_elements(By.CSS_SELECTOR, "img[src=x], [onerror]") == []
    assert len(driver.find_elements(By.TAG_NAME, "script")) == 1
    assert driver.title == "People in /photos"
    assert driver.find_element(By.CSS_SELECTOR, ".person .name").text == HOSTILE_NAME
    with pytest.raises(Exception, match="no such alert"):
        driver.switch_to.alert.accept()


def test_foreign_scripts_do_not_run(_driver: webdriver.Chrome, page: str, tmp_path: Path) -> None:
    from urllib.parse import unquote, urlparse

    text = Path(unquote(urlparse(page).path)).read_text(encoding="utf-8")
    bad = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script></main>"
    _driver.get(write_page(tmp_path / "bad.html", text.replace("</main>", bad)))
    assert _driver.title == "People in /photos"
    assert "Content Security Policy" in str(_driver.get_log("browser"))


def test_the_filter_matches_parts_of_names_and_reports_the_count(driver: webdriver.Chrome) -> None:
    find, status = driver.find_element(By.NAME, "find"), driver.find_element(By.ID, "found")
    assert status.get_attribute("aria-live") == "polite" and status.text == "29 shown"
    find.send_keys("asa ob")  # accents are ignored
    assert list_shown_names(driver) == ["Åsa Öberg"] and status.text == "1 of 29 shown"
    find.send_keys(Keys.ESCAPE)
    assert len(list_shown_names(driver)) == 29
    find.send_keys("nobody of this name")
    assert list_shown_names(driver) == [] and status.text == "0 of 29 shown"
    find.clear()
    find.send_keys("<img")
    assert list_shown_names(driver) == [HOSTILE_NAME]


def test_sorting_and_kinds(driver: webdriver.Chrome) -> None:
    show, sort = (Select(driver.find_element(By.NAME, name)) for name in ("show", "sort"))
    show.select_by_visible_text("not named yet")
    assert list_shown_names(driver) == [f"Group {number}" for number in range(100, 105)]
    show.select_by_visible_text("named")
    sort.select_by_visible_text("name")
    assert (
        list_shown_names(driver)[1:5] == ["Åsa Öberg", "Person 0", "Person 1", "Person 2"]
        and list_shown_names(driver)[-1] == "Zoë"
    )
    show.select_by_visible_text("everyone")
    sort.select_by_visible_text("last year")
    assert list_shown_names(driver)[0] == "Group 100"  # last year 2020; all others end in 2016
    sort.select_by_visible_text("most faces")
    assert list_shown_names(driver)[0] == HOSTILE_NAME and list_shown_names(driver)[-1] == "Group 104"


def test_the_page_works_by_keyboard(driver: webdriver.Chrome) -> None:
    press(driver, Keys.TAB)
    assert "Skip to the content" in read_focused_element(driver)
    skip = driver.switch_to.active_element
    assert skip.rect["y"] >= 0 and read_style(driver, ".skip", "outline-style") == "solid"  # visible once focused
    press(driver, Keys.ENTER)
    assert 'id="main"' in read_focused_element(driver)
    press(driver, Keys.TAB)
    assert 'name="find"' in read_focused_element(driver)
    press(driver, "zoe", Keys.ENTER)
    assert "Zoë" in driver.switch_to.active_element.text
    assert driver.switch_to.active_element.value_of_css_property("outline-style") == "solid"
    press(driver, Keys.ENTER)
    target = driver.current_url.partition("#")[2]
    assert driver.find_element(By.ID, target).find_element(By.CLASS_NAME, "name").text == "Zoë"
    assert driver.execute_script("return scrollY") > 0
    press(driver, Keys.TAB)  # focus continues from the target
    assert driver.switch_to.active_element.find_elements(By.XPATH, f"./ancestor::*[@id='{target}']")


def test_the_page_is_accessible_to_screen_readers(driver: webdriver.Chrome) -> None:
    script = """
    const all = (selector) => [...document.querySelectorAll(selector)], named = (e) =>
      e.getAttribute("aria-label") || document.getElementById(e.getAttribute("aria-labelledby"))?.textContent;
    return {
      language: document.documentElement.lang,
      main: all("main").length,
      loose_items: all("li").filter((li) => !li.parentElement.matches("ul:not([role]), ol:not([role])")).length,
      unnamed: all("nav,main > section,form,[role=region],article").filter((e) => !named(e)).length,
      unlabelled: all("input,select").filter((e) => !e.labels.length).length,
      no_alt: all("img:not([alt])").length,
      empty_links: all("a").filter((a) => !a.textContent.trim() && !a.querySelector("img[alt]:not([alt=''])")).length,
      headers: all("table.matrix th:not([scope])").length,
      ids: all("[id]").length - new Set(all("[id]").map((e) => e.id)).size,
      nowhere: all("a[href^='#']").filter((a) => !document.getElementById(a.hash.slice(1))).length,
    };"""
    found = driver.execute_script(script)
    headings = driver.execute_script(HEADINGS)
    assert headings.count(1) == 1 and headings[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(headings))
    assert found.pop("language") == "en" and found.pop("main") == 1
    assert not any(found.values()), found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(driver: webdriver.Chrome, scheme: str) -> None:
    emulate_media(driver, prefers_color_scheme=scheme)
    back = read_style(driver, "body", "background-color")
    assert (
        compute_contrast(back, "rgb(0, 0, 0)") > 15
        if scheme == "light"
        else compute_contrast(back, "rgb(0, 0, 0)") < 1.5
    )
    card = read_style(driver, ".person", "background-color")
    for selector, behind in (
        ("body", back),
        (".lead", back),
        (".ways b", back),
        (".person .facts", card),
        (".month .when", card),
        (".pairs a", back),
        (".doubt code", read_style(driver, ".doubt code", "background-color")),
        (".maybe", read_style(driver, ".maybe", "background-color")),
        (".mark", card),
    ):
        assert compute_contrast(read_style(driver, selector, "color"), behind) >= 4.5, selector
    # The darkest cell of the matrix is translucent: blend it with the card's colour.
    tint = [float(part) for part in re.findall(r"[\d.]+", read_style(driver, ".m5", "background-color"))]
    under = [int(part) for part in re.findall(r"\d+", card)[:3]]
    mixed = [round(tint[3] * t + (1 - tint[3]) * u) for t, u in zip(tint, under, strict=False)]
    assert compute_contrast(read_style(driver, ".m5", "color"), f"rgb({mixed[0]}, {mixed[1]}, {mixed[2]})") >= 4.5


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_nothing_overflows_the_window(driver: webdriver.Chrome, width: int) -> None:
    set_screen_size(driver, width)
    driver.execute_script(OPEN)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert driver.execute_script("scrollTo(500, 0); return scrollX") == 0
    table = driver.find_element(By.CSS_SELECTOR, ".scroll")
    assert table.get_attribute("tabindex") == "0"  # scrollable by arrow keys if it is wider


@pytest.mark.parametrize("width", [390, 1440])
def test_links_reach_sections_that_have_no_layout_yet(driver: webdriver.Chrome, width: int) -> None:
    set_screen_size(driver, width)
    for part in ("groups", "look", "people", "together", "skipped", "everyone"):
        driver.execute_script("document.querySelector(arguments[0]).click()", f".ways a[href='#{part}']")
        assert -5 <= driver.execute_async_script(PLACE, part)["top"] < 850, part


def test_print_has_no_controls(driver: webdriver.Chrome) -> None:
    emulate_media(driver, "print", prefers_color_scheme="dark")
    assert read_style(driver, "body", "background-color") == "rgb(255, 255, 255)"
    assert read_style(driver, "body", "color") == "rgb(0, 0, 0)"
    for selector in (".ways", "#controls", ".skip", ".advice"):
        assert read_style(driver, selector, "display") == "none"
    assert read_style(driver, ".person", "content-visibility") == "visible"
    pdf = driver.print_page()
    assert len(pdf) > 50_000  # with its pictures


def test_it_is_complete_without_scripts(page: str) -> None:
    with open_browser(scripts=False) as driver:
        driver.get(page)
        assert len(list_shown_names(driver)) == 29 and not driver.find_element(By.ID, "controls").is_displayed()
        driver.find_element(By.LINK_TEXT, "Together").click()
        assert driver.current_url.endswith("#together")
        assert driver.get_log("browser") == []


@pytest.mark.slow
def test_every_page_of_a_folder_is_reachable(_driver: webdriver.Chrome, tmp_path: Path) -> None:
    persons, places, more = make_varied_people()
    built = make_report(persons, places, **more)
    for number, face in enumerate(sorted(built.pictures)):
        (tmp_path / picture_path(face)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / picture_path(face)).write_bytes(draw_face(number))
    names = []
    for name, text in render_pages(built, built.pictures, Path("/photos"), tmp_path):
        write_page(tmp_path / name, text)
        names.append(name)
    assert len(names) == len(set(names)) == 1 + 24 + 1
    pop_requested_urls(_driver)
    visited, waiting = set(), [names[0]]
    while waiting:
        name = waiting.pop()
        visited.add(name)
        _driver.get((tmp_path / name).as_uri())
        for path, mark in _driver.execute_script(LINKS, tmp_path.as_uri().removeprefix("file://")):
            page, anchor = Path(path).name, mark[1:]
            assert (tmp_path / page).exists(), page
            assert not anchor or f'id="{anchor}"' in (tmp_path / page).read_text(encoding="utf-8")
            if page not in visited and page not in waiting:
                waiting.append(page)
        assert _driver.execute_script("return document.images.length") > 0
        headings = _driver.execute_script(HEADINGS)
        assert headings[0] == 1 and headings.count(1) == 1
        assert all(b - a <= 1 for a, b in pairwise(headings)), name
        assert _driver.execute_script(BROKEN) == 0, name
    assert visited == set(names)
    assert _driver.get_log("browser") == []
    assert all(url.startswith((tmp_path.as_uri(), "data:")) for url in pop_requested_urls(_driver))
