"""The map page: its contents, and its behaviour in a browser."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from faceclust import Library
from faceclust.outputs.map.render import COLOURS, MUTED_COLOURS, SHAPES, VENDORED, render_map, sort_by_z_order
from faceclust.outputs.map.sprites import CELLS_PER_ROW, choose_map_pictures, choose_side, make_sheets
from faceclust.types import FaceOccurrence, Person
from tests.support.drawn_faces import draw_face
from tests.support.programs import find_program

pytestmark = pytest.mark.browser

VENDOR = resources.files("faceclust.outputs") / "web" / "vendor"
EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script>{{ 7*7 }}\"' &lt;"
#: Anna, a person with a hostile name and a group each have a corner; the face in the middle is alone.
CORNERS = {"Anna": (0.1, 0.1), EVIL: (0.9, 0.1), None: (0.1, 0.9)}
EACH = 12


def build_faces() -> tuple[list[FaceOccurrence], np.ndarray, list[int], list[Person]]:
    rng = np.random.default_rng(0)
    places, points, numbers, persons = [], [], [], []
    for number, (name, corner) in enumerate(CORNERS.items()):
        ids = [f"{number}{i:015x}" for i in range(EACH)]
        for i, face in enumerate(ids):
            photo = f"2020/{EVIL.replace('/', '')} {i}#.jpg" if name == EVIL else f"2020/{number} {i}.jpg"
            taken = datetime(2015 + i % 3, 6, 1, 12)
            places.append(FaceOccurrence(face, photo, photo, (0.1, 0.2, 0.3, 0.4), (4000, 3000), i / 20, 0.99, taken))
            points.append(np.array(corner) + rng.uniform(-0.04, 0.04, 2))
            numbers.append(number)
        confirmed = frozenset(ids[:5]) if name else frozenset()
        persons.append(Person(f"p{number}", name, tuple(ids), confirmed, (number + 1,)))
    places.append(FaceOccurrence("f" * 16, "alone.jpg", "alone", (0.1, 0.2, 0.3, 0.4), (4000, 3000), 0.5, 0.99, None))
    return places, np.array([*points, (0.5, 0.5)], np.float32), [*numbers, -1], persons


def build_page(pictures: bool = True, served: bool = False) -> str:
    places, points, numbers, persons = build_faces()
    faces = sort_by_z_order(places, points, numbers)
    shot = enumerate(zip(places, numbers, strict=True))
    drawn = {place.face_id: draw_face(person, i) for i, (place, person) in shot if person >= 0}
    shown = drawn if pictures else {}
    return render_map("/lib", "tsne", faces, persons, shown, Path("/lib"), Path("/lib/map.html"), served=served)


def parse_data(html: str) -> dict[str, Any]:
    (block,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    return dict(json.loads(block))


def decode_array(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


# ---- Contents.


def test_the_third_party_scripts_match_their_hashes_and_licences() -> None:
    files = tomllib.loads((VENDOR / "vendor.toml").read_text(encoding="utf-8"))["file"]
    for file in files:
        content = (VENDOR / file["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"], file["name"]
        assert f"v{file['version']} " in content.decode().splitlines()[0]
        assert file["licence"] in ("ISC", "BSD-3-Clause") and file["name"] == f"{file['package']}.min.js"
    assert ("vendor/licence.js", *(f"vendor/{file['name']}" for file in files)) == VENDORED
    assert {path.name for path in VENDOR.iterdir()} == {"vendor.toml"} | {name.split("/")[1] for name in VENDORED}
    licence = (VENDOR / "licence.js").read_text()
    assert "Copyright 2010-2026 Mike Bostock" in licence and "Robert Penner" in licence
    assert licence in build_page(pictures=False)


def test_the_page_has_every_face_once_with_person_and_position() -> None:
    places, points, numbers, _ = build_faces()
    data = parse_data(build_page())
    x, y = (decode_array(data[axis], "<u2") / 65535 for axis in "xy")
    who, photo = decode_array(data["who"], "<i4"), decode_array(data["photo"], "<u4")
    found = {data["photos"][at]: (px, py, person) for at, px, py, person in zip(photo, x, y, who, strict=True)}
    assert len(found) == len(places)
    for place, point, person in zip(places, points, numbers, strict=True):
        assert found[place.photo] == (pytest.approx(point[0], abs=1e-5), pytest.approx(point[1], abs=1e-5), person)
    assert [person[0] for person in data["people"]] == ["Anna", EVIL, "group 3"]
    state = dict(zip(photo, decode_array(data["state"], "u1"), strict=True))
    assert sum(bool(value & 2) for value in state.values()) == 10
    assert [value & 1 for at, value in state.items() if data["photos"][at] == "alone.jpg"] == [0]


def test_a_hostile_name_cannot_break_the_page() -> None:
    html = build_page()
    assert html.count("</script>") == 2 + html.count('<script type="text/plain" class="sheet">')
    assert "<img" not in html and "49" not in html.partition("<body>")[2].partition("<script")[0]
    assert "http" not in re.sub(r"/\*!.*?\*/|http-equiv|// https://d3js\S*|http://www.w3.org/\S*", "", html, flags=re.S)


@pytest.mark.slow
def test_equal_input_gives_an_equal_page() -> None:
    assert build_page() == build_page()


def test_sheets_have_the_pictures_in_order() -> None:
    colours = {f"{i:03}": (i * 3 % 256, 255 - i * 2 % 256, i * 7 % 256) for i in range(70)}
    pictures = {}
    for face, colour in colours.items():
        out = io.BytesIO()
        Image.new("RGB", (160, 160), colour).save(out, "JPEG", quality=95)
        pictures[face] = out.getvalue()
    pictures["005"] = b"no picture"
    sheets, shown_faces = make_sheets([*colours, "gone"], pictures, 64)
    assert shown_faces == colours.keys() - {"005"} and len(sheets) == 2
    for cell, face in enumerate(sorted(shown_faces)):
        sheet = Image.open(io.BytesIO(sheets[cell // CELLS_PER_ROW**2]))
        column, row = cell % CELLS_PER_ROW, cell % CELLS_PER_ROW**2 // CELLS_PER_ROW
        got = np.array(sheet)[row * 64 + 2 : row * 64 + 62, column * 64 + 2 : column * 64 + 62].astype(int)
        assert np.abs(got - colours[face]).max() < 12, face  # JPEG blocks do not mix neighbours
    assert make_sheets([], {}, 64) == ([], set())


def test_everybodys_best_faces_are_pictured_first() -> None:
    places, _, numbers, _ = build_faces()
    best = choose_map_pictures(places, numbers, 4)
    assert best == {f"{person}{EACH - 1:015x}" for person in range(3)} | {"f" * 16}
    assert len(choose_map_pictures(places, numbers, 10**6)) == len(places) and not choose_map_pictures(
        places, numbers, 0
    )
    assert [choose_side(count) for count in (1, 5_000, 20_000, 10**6)] == [128, 96, 64, 48]


def test_the_page_and_its_script_agree_on_colours_and_shapes() -> None:
    web = resources.files("faceclust.outputs") / "web"
    script, style = ((web / name).read_text(encoding="utf-8") for name in ("map.js", "map.css"))
    assert f"COLOURS = {COLOURS}, MUTED = {MUTED_COLOURS}, SHAPES = {SHAPES};" in script
    for name in [*(f"c{i}" for i in range(COLOURS)), *(f"m{i}" for i in range(MUTED_COLOURS))]:
        assert style.count(f"--{name}:") == 2 and f".{name} {{" in style  # light and dark
    assert all(f".s{i} {{" in style for i in range(SHAPES))


@pytest.mark.slow
def test_a_library_renders_its_map(library: Library, tmp_path: Path) -> None:
    library.name(library.faces_in_group(1), "Anna")
    html = library.map_page(tmp_path / "map.html")
    assert Library(library.root).map(tmp_path / "map.html").read_text(encoding="utf-8") == html
    data = parse_data(html)
    assert len(data["photos"]) == len({place.photo for place in library.occurrences})
    assert data["people"][0][0] == "Anna"
    assert all(value & 1 for value in decode_array(data["state"], "u1"))
    assert (tmp_path / data["base"]).resolve() == library.root
    assert parse_data(library.map_page("map.html", pictures=0))["x"] == data["x"]


def test_a_library_without_faces_renders_a_page(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "dark.png")
    library = Library(tmp_path)
    library.scan(workers=0)
    assert "Nobody was found" in library.map_page(tmp_path / "map.html")


# ---- In a browser.


@pytest.fixture(scope="module")
def _chromium() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = find_program("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--force-prefers-reduced-motion"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(find_program("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("map") / "map.html"
    path.write_text(build_page(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def browser(_chromium: webdriver.Chrome, page: str) -> Iterator[webdriver.Chrome]:
    """A browser with the page. At the end it must have no requests and no messages in its log."""
    set_size(_chromium, 1200, 800)
    _chromium.get("about:blank")
    _chromium.get_log("performance")
    _chromium.get(page)
    yield _chromium
    # The tests read the canvas often: not the page's fault.
    assert [entry for entry in _chromium.get_log("browser") if "willReadFrequently" not in entry["message"]] == []
    sent = [json.loads(entry["message"])["message"] for entry in _chromium.get_log("performance")]
    requested = {event["params"]["request"]["url"] for event in sent if event["method"] == "Network.requestWillBeSent"}
    assert requested and all(url.startswith(("data:image/jpeg;base64,", page)) for url in requested)


def set_size(driver: webdriver.Chrome, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def find_canvas(driver: webdriver.Chrome) -> WebElement:
    return driver.find_element(By.ID, "map")


def read_view(driver: webdriver.Chrome) -> list[float]:
    driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    return [float(number) for number in str(find_canvas(driver).get_attribute("data-view")).split()]


def to_screen(driver: webdriver.Chrome, point: np.ndarray) -> tuple[int, int]:
    """Convert a point of the plane to canvas pixels."""
    k, x, y, left, top, side = read_view(driver)
    return round(x + k * (left + point[0] * side)), round(y + k * (top + point[1] * side))


def point_at(driver: webdriver.Chrome, point: np.ndarray, click: bool = False) -> None:
    x, y = to_screen(driver, point)
    box = find_canvas(driver).size
    chain = ActionChains(driver, duration=20)
    chain.move_to_element_with_offset(find_canvas(driver), x - round(box["width"] / 2), y - round(box["height"] / 2))
    (chain.click() if click else chain).perform()


def colours_near(driver: webdriver.Chrome, point: np.ndarray) -> set[tuple[int, ...]]:
    """Return the colours of the canvas around a point of the plane."""
    x, y = to_screen(driver, point)
    script = """const context = document.getElementById("map").getContext("2d");
        return [...context.getImageData(arguments[0], arguments[1], 60, 60).data]"""
    data = np.array(driver.execute_script(script, x - 30, y - 30)).reshape(-1, 4)
    return {tuple(pixel[:3].tolist()) for pixel in data if pixel[3] == 255}


def read_card(driver: webdriver.Chrome) -> str:
    found = driver.find_element(By.ID, "card")
    return found.text if found.is_displayed() else ""


def find_row(driver: webdriver.Chrome, name: str) -> WebElement:
    rows = driver.find_elements(By.CSS_SELECTOR, "#list li button")
    return next(row for row in rows if row.find_element(By.CLASS_NAME, "name").text == name)


def person_points(name: str | None) -> np.ndarray:
    _, points, numbers, _ = build_faces()
    return points[[list(CORNERS).index(name) == number for number in numbers]]


ANNA_BLUE, EVIL_ORANGE = (0x2F, 0x6F, 0xD0), (0xE0, 0x7B, 0x12)


@pytest.mark.slow
def test_points_have_the_colours_of_their_people(browser: webdriver.Chrome) -> None:
    read_view(browser)
    assert ANNA_BLUE in colours_near(browser, person_points("Anna")[0])
    assert EVIL_ORANGE in colours_near(browser, person_points(EVIL)[0])
    assert not {ANNA_BLUE, EVIL_ORANGE} & colours_near(browser, np.array([0.5, 0.5]))


def test_pointing_shows_the_picture_and_the_name_as_text(browser: webdriver.Chrome) -> None:
    point_at(browser, person_points(EVIL)[3])
    assert EVIL in read_card(browser) and "confirmed" in read_card(browser)
    script = """const c = document.getElementById("portrait");
        return new Set(c.getContext("2d").getImageData(0, 0, c.width, c.height).data).size"""
    WebDriverWait(browser, 5).until(lambda driver: int(driver.execute_script(script)) > 50)
    assert browser.find_elements(By.TAG_NAME, "img") == []
    point_at(browser, np.array([0.5, 0.5]))
    assert "in no group" in read_card(browser) and "alone.jpg" in read_card(browser)
    assert not browser.find_element(By.ID, "portrait").is_displayed()
    point_at(browser, np.array([0.5, 0.3]))
    assert read_card(browser) == ""


def test_a_click_selects_a_face_and_links_its_photo(browser: webdriver.Chrome) -> None:
    point_at(browser, person_points(EVIL)[0], click=True)
    point_at(browser, np.array([0.5, 0.3]))
    assert EVIL in read_card(browser)
    href = str(browser.find_element(By.ID, "photo").get_dom_attribute("href"))
    assert href.startswith("./2020/%3Cimg%20src") and href.endswith("%23.jpg") and "{" not in href
    browser.find_element(By.ID, "close").click()
    assert read_card(browser) == ""


def test_a_served_map_leads_to_the_screens_of_people_and_photos(_chromium: webdriver.Chrome, tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    page.write_text(build_page(served=True), encoding="utf-8")
    set_size(_chromium, 1200, 800)
    _chromium.get(page.as_uri())
    assert _chromium.find_element(By.CSS_SELECTOR, ".back a").get_dom_attribute("href") == "./"
    point_at(_chromium, person_points(EVIL)[0], click=True)
    name = _chromium.find_element(By.CSS_SELECTOR, "#who a")
    assert (name.text, name.get_dom_attribute("href")) == (EVIL, "./#/person/p1")
    assert str(_chromium.find_element(By.ID, "photo").get_dom_attribute("href")).startswith("./#/photo/2020/")
    link = _chromium.find_element(By.ID, "open")
    for number, href in ((0, "./#/person/p0"), (0, None), (2, None)):  # Anna, nobody, a group
        _chromium.find_elements(By.CSS_SELECTOR, "#list li button")[number].click()
        assert (link.get_dom_attribute("href") if link.is_displayed() else None) == href


def test_the_wheel_zooms_at_the_pointer(browser: webdriver.Chrome) -> None:
    point = person_points("Anna")[0]
    before, pointer = read_view(browser)[0], to_screen(browser, point)
    point_at(browser, point)
    rect = find_canvas(browser).rect
    event = {
        "type": "mouseWheel",
        "x": rect["x"] + pointer[0],
        "y": rect["y"] + pointer[1],
        "deltaX": 0,
        "deltaY": -400,
    }
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", event)
    WebDriverWait(browser, 5).until(lambda driver: read_view(driver)[0] > before * 1.3)
    assert to_screen(browser, point) == pytest.approx(pointer, abs=2)


def test_dragging_moves_the_map(browser: webdriver.Chrome) -> None:
    ActionChains(browser, duration=50).move_to_element(find_canvas(browser)).click_and_hold().move_by_offset(
        70, 40
    ).release().perform()
    k, x, y, *_ = read_view(browser)
    assert (k, x, y) == (1, pytest.approx(70, abs=2), pytest.approx(40, abs=2))


def test_two_fingers_zoom(browser: webdriver.Chrome) -> None:
    rect = find_canvas(browser).rect
    middle = rect["x"] + rect["width"] / 2, rect["y"] + rect["height"] / 2
    for kind, away in (("touchStart", 40), ("touchMove", 80), ("touchMove", 120), ("touchEnd", 0)):
        fingers = [{"x": middle[0] + direction * away, "y": middle[1], "id": i} for i, direction in enumerate((-1, 1))]
        event = {"type": kind, "touchPoints": [] if kind == "touchEnd" else fingers}
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", event)
    assert read_view(browser)[0] == pytest.approx(3, rel=0.2)


def test_keys_zoom_move_and_show_all(browser: webdriver.Chrome) -> None:
    find_canvas(browser).send_keys("++")
    k, x, y, *_ = read_view(browser)
    assert k == pytest.approx(1.96)
    find_canvas(browser).send_keys(Keys.ARROW_LEFT, Keys.ARROW_UP)
    assert read_view(browser)[1:3] == [pytest.approx(x + 80), pytest.approx(y + 80)]
    find_canvas(browser).send_keys("-")
    assert read_view(browser)[0] == pytest.approx(1.4)
    find_canvas(browser).send_keys("0")
    assert read_view(browser)[:3] == [1, 0, 0]


def test_keys_select_faces_and_announce_them(browser: webdriver.Chrome) -> None:
    spoken = browser.find_element(By.ID, "spoken")
    find_canvas(browser).send_keys(Keys.ENTER)
    assert str(spoken.get_property("textContent")) == "in no group, alone.jpg#1"  # as commands take it
    find_canvas(browser).send_keys(Keys.SHIFT, Keys.ARROW_UP)
    assert "alone.jpg" not in read_card(browser) and read_card(browser)
    assert "2020/" in str(spoken.get_property("textContent"))
    find_canvas(browser).send_keys(Keys.NULL, Keys.ESCAPE)
    assert read_card(browser) == ""


def test_selecting_a_person_greys_out_the_others(browser: webdriver.Chrome) -> None:
    find_row(browser, "Anna").click()
    assert find_row(browser, "Anna").get_attribute("aria-pressed") == "true"
    read_view(browser)
    assert ANNA_BLUE in colours_near(browser, person_points("Anna")[0])
    assert EVIL_ORANGE not in colours_near(browser, person_points(EVIL)[0])
    browser.find_element(By.ID, "zoom-to").click()
    assert read_view(browser)[0] > 3
    browser.find_element(By.ID, "clear").click()
    find_canvas(browser).send_keys("0")
    read_view(browser)
    assert EVIL_ORANGE in colours_near(browser, person_points(EVIL)[0])
    assert find_row(browser, "Anna").get_attribute("aria-pressed") == "false"


def test_the_search_ignores_case_and_accents(browser: webdriver.Chrome) -> None:
    search = browser.find_element(By.ID, "search")
    search.send_keys("ÁNN")
    rows = browser.find_elements(By.CSS_SELECTOR, "#list li button")
    assert [found.text.split("\n")[0] for found in rows if found.is_displayed()] == ["Anna"]
    assert browser.find_element(By.ID, "found").text == "1 of 3"
    search.send_keys(Keys.ENTER)
    assert find_row(browser, "Anna").get_attribute("aria-pressed") == "true"
    search.send_keys(Keys.ESCAPE)
    assert all(found.is_displayed() for found in rows)


def test_the_list_has_the_facts_as_text(browser: webdriver.Chrome) -> None:
    texts = [
        str(found.get_property("textContent")) for found in browser.find_elements(By.CSS_SELECTOR, "#list li button")
    ]
    assert texts[0] == "Anna12 faces on 12 photos, 7 suggested · 2015–2017"
    assert texts[1].startswith(EVIL) and texts[2].startswith("group 3")
    assert "1 face is in no group" in browser.find_element(By.ID, "list").text


def test_dark_mode_has_its_own_colours(browser: webdriver.Chrome) -> None:
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        read_view(browser)
        assert (0x6E, 0xA6, 0xFF) in colours_near(browser, person_points("Anna")[0])
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_pictures_are_drawn_when_zoomed_in(browser: webdriver.Chrome) -> None:
    find_row(browser, "Anna").click()
    browser.find_element(By.ID, "zoom-to").click()
    read_view(browser)
    WebDriverWait(browser, 5).until(lambda driver: len(colours_near(driver, person_points("Anna")[0])) > 200)
    assert find_canvas(browser).get_attribute("data-pictures") == "true"


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 390, 720, 721, 1440])
def test_nothing_is_wider_than_the_screen(browser: webdriver.Chrome, width: int) -> None:
    set_size(browser, width, 844)
    browser.refresh()
    read_view(browser)
    browser.find_element(By.CSS_SELECTOR, "header summary").click()
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert find_canvas(browser).size["height"] > 300
