"""The wall of groups in a real browser: keys, several rows, doubts, undo and the order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from faceclust import Library
from tests.support.page_browser import PageBrowser, make_drawn_library, open_page, undo_all

pytestmark = pytest.mark.browser

EVIL = 'Eve <img src=x onerror="document.title=1"> &amp;'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageBrowser]:
    root = tmp_path_factory.mktemp("groups")
    make_drawn_library(root, [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 2], pairs=2)
    with open_page(root) as page:
        yield page


@pytest.fixture
def page(served: PageBrowser) -> Iterator[PageBrowser]:
    """The wall as after a reload, without any names."""
    undo_all(served)
    served.open("groups", ".row .tile img")
    served.errors()
    yield served
    assert served.errors() == []


def row(at: int) -> str:
    return f".row[data-at='{at}']"


def field_row(page: PageBrowser) -> str:
    """The place of the row whose name field has the focus; "" if none has."""
    return str(
        page.script(
            "const f = document.activeElement; return f.matches('.naming input') ? f.closest('.row').dataset.at : ''"
        )
    )


def focused_row(page: PageBrowser) -> str:
    return str(page.script("return document.activeElement.closest('.row')?.dataset.at ?? ''"))


def wait_saved(page: PageBrowser, at: int, text: str = "") -> None:
    page.wait(lambda: page.all(f"{row(at)}.saved"), f"row {at} saved")
    assert text in page.text(row(at))


def test_type_a_name_and_go_on(page: PageBrowser) -> None:
    tops = page.script(
        "return [...document.querySelectorAll('.row')].map((r) => [r.dataset.at, r.getBoundingClientRect().top])"
    )
    assert field_row(page) == "0"
    page.press("Anna", Keys.ENTER)
    assert field_row(page) == "1"  # at once: the reader need not wait
    wait_saved(page, 0, "Anna · 16 faces")
    assert field_row(page) == "1"
    after = page.script(
        "return [...document.querySelectorAll('.row')].map((r) => [r.dataset.at, r.getBoundingClientRect().top])"
    )
    assert sorted(after) == sorted(tops)  # nothing has moved
    (event,) = page.answers()[-1:]
    assert (event["kind"], event["name"], len(event["faces"])) == ("name", "Anna", 16)
    assert "Anna" in page.text("#last")
    assert page.text("#groups-note") == "15 to name · 1 answered"


def test_a_row_is_green_only_once_the_line_is_on_disk(page: PageBrowser) -> None:
    # The answer waits behind a promise of the test.
    page.script(
        "const real = window.fetch; window.fetch = async (path, options) => {"
        " if (path === 'api/answers') { window.held = true; await new Promise((go) => { window.release = go; }); }"
        " return real(path, options); }"
    )
    before = len(page.answers())
    page.press("Held", Keys.ENTER)
    page.wait(lambda: page.script("return window.held"))
    assert page.all(f"{row(0)}.waiting") and not page.all(".row.saved")
    assert len(page.answers()) == before
    page.script("window.release()")
    wait_saved(page, 0, "Held")
    assert len(page.answers()) == before + 1


def test_take_out_faces_and_the_keys_of_a_row(page: PageBrowser) -> None:
    page.press(Keys.ESCAPE)
    assert focused_row(page) == "0" and field_row(page) == ""
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, "x")
    assert len(page.all(f"{row(0)} .tile[aria-pressed='false']")) == 1
    page.press(Keys.ARROW_LEFT, "x", "x")  # out and back in
    out = page.script(f"return document.querySelector(\"{row(0)} .tile[aria-pressed='false']\").dataset.face")
    page.press(Keys.ENTER, "Berta", Keys.ENTER)
    wait_saved(page, 0, "Berta · 15 faces")
    (event,) = page.answers()[-1:]
    assert out in event["rest"] and out not in event["faces"]

    assert field_row(page) == "1"
    page.press(Keys.ESCAPE, "j", "j", "k")
    assert focused_row(page) == "2"
    page.press("i")
    wait_saved(page, 2, "ignored")
    assert focused_row(page) == "3"
    assert page.answers()[-1]["kind"] == "ignore"
    page.press("s")
    assert focused_row(page) == "4"
    page.press(Keys.ARROW_UP)
    assert focused_row(page) == "3"


def test_several_rows_get_one_name(page: PageBrowser) -> None:
    page.press(Keys.ESCAPE, "j", "j", "j", "j")
    page.press_with(Keys.SHIFT, Keys.ARROW_DOWN)
    page.press_with(Keys.SHIFT, Keys.ARROW_DOWN)
    page.press_with(Keys.SHIFT, Keys.ARROW_UP)
    assert page.text("#selected").startswith("3 rows selected")
    page.press(Keys.ENTER, "Carl", Keys.ENTER)
    for at in (4, 5, 6):
        wait_saved(page, at, "Carl · 33 faces")
    assert field_row(page) == "7"
    (event,) = page.answers()[-1:]
    assert (event["name"], len(event["faces"])) == ("Carl", 33)


def test_selected_rows_become_one_person(page: PageBrowser) -> None:
    before = len(page.answers())
    page.press(Keys.ESCAPE, "m")
    page.wait_text("#problem", "Select two or more rows")
    page.press("j", "j", "j", "a", "j", "a", "m")
    page.wait(lambda: len(page.answers()) == before + 1)
    assert (page.answers()[-1]["kind"], page.answers()[-1]["name"]) == ("merge", None)  # a merge without a name


def test_completion_of_names(page: PageBrowser) -> None:
    page.press("Élodie", Keys.ENTER)
    wait_saved(page, 0, "Élodie")
    page.wait(lambda: "Élodie" in page.text("#drop"), "the new person in the list")
    page.press("elo")
    page.wait(lambda: page.all("#completions [role=option]"))
    assert page.text("#completions li") == "Élodie16 faces"
    assert page.focused.get_attribute("aria-expanded") == "true"
    page.press(Keys.ESCAPE)
    assert not page.all("#completions [role=option]") and field_row(page) == "1"
    page.press("d", Keys.ARROW_DOWN)
    assert page.focused.get_attribute("aria-activedescendant") == "completion-0"
    page.press(Keys.ARROW_UP, Keys.ARROW_UP, Keys.ENTER)
    answer_doubts(page)
    wait_saved(page, 1, "Élodie")


def answer_doubts(page: PageBrowser) -> None:
    """Accept that people on one photo are one person, if that is asked."""
    page.wait(lambda: page.all("dialog[open]") or page.all(f"{row(1)}.saved"))
    if page.all("dialog[open]"):
        assert "photo" in page.text("#doubt-text")
        page.wait(lambda: page.focused.tag_name == "button")
        page.press(Keys.ENTER)


def test_a_near_miss_is_asked_about(page: PageBrowser) -> None:
    page.press("Margarete", Keys.ENTER)
    wait_saved(page, 0)
    page.press(Keys.ARROW_DOWN, "Margarette", Keys.ENTER)
    page.wait_text("#doubt[open]", "Margarete")
    page.press("x")  # typed ahead: not an answer
    page.wait(lambda: page.focused.tag_name == "button")
    assert page.focused.text == "Margarete"
    page.press(Keys.ENTER)
    wait_saved(page, 2, "Margarete")
    assert page.answers()[-1]["name"] == "Margarete"

    page.press("Margaretta", Keys.ENTER)
    page.wait_text("#doubt[open]", "Margaretta")
    page.press(Keys.ESCAPE)  # cancelled: nothing is recorded, and nothing typed is lost
    page.wait(lambda: not page.all("#doubt[open]"))
    page.wait(lambda: page.script(f'return document.querySelector("{row(3)} .naming input").value') == "Margaretta")
    assert not page.all(f"{row(3)}.saved")


def test_one_person_twice_on_a_photo_is_asked_about(page: PageBrowser) -> None:
    page.press("Twin", Keys.ENTER)
    wait_saved(page, 0)
    page.press("Twin", Keys.ENTER)
    page.wait_text("#doubt[open]", "photo")
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("#doubt[open]"))
    page.wait(lambda: field_row(page) == "1", "the focus in the row that was given up")
    assert page.focused.get_attribute("value") == "Twin"
    assert len([event for event in page.answers() if event["name"] == "Twin"]) == 1
    answer_elsewhere(page, 0)
    page.wait(lambda: page.all(f"{row(1)}.gone"), "the row that was answered elsewhere")
    assert page.text(row(1)).startswith("–15 faces · answered elsewhere")  # the name given up is not shown
    height, picture = page.one(f"{row(1)} p").size["height"], page.one(f"{row(1)} img").size
    assert height < 30 and picture["width"] <= 44  # one line, beside a small picture


def test_undo_and_redo(page: PageBrowser) -> None:
    page.press("Dora", Keys.ENTER)
    wait_saved(page, 0, "Dora")
    page.press(Keys.ESCAPE, "u")
    page.wait(lambda: not page.all(f"{row(0)}.saved"), "the row opens again")
    assert page.script(f'return document.querySelector("{row(0)} .naming input").value') == "Dora"
    page.wait(lambda: page.one("#redo").is_enabled())
    page.press("U")
    page.wait(lambda: page.all(f"{row(0)}.saved") or page.all(f"{row(0)}.gone"), "the row collapses again")
    with page.client as client:
        assert [person["name"] for person in client.get("api/people").json()["people"]] == ["Dora"]


def test_undo_in_a_row_takes_back_that_answer(page: PageBrowser) -> None:
    page.press("First", Keys.ENTER)
    wait_saved(page, 0)
    page.press("Second", Keys.ENTER)
    wait_saved(page, 1)
    page.one(f"{row(0)} button").click()
    page.wait(lambda: page.all(f"{row(0)} .naming"), "the first row opens")
    assert page.all(f"{row(1)}.saved")


def test_the_order_stays_until_the_reader_asks(page: PageBrowser) -> None:
    assert not page.one("#sort").is_enabled()
    page.press("Emil", Keys.ENTER)
    wait_saved(page, 0)
    page.go("help", ".key-tables dl")
    page.go("groups", row(0))
    assert page.all(f"{row(0)}.saved")
    page.wait(lambda: page.one("#sort").is_enabled())
    page.one("#sort").click()
    page.wait(lambda: page.text("#groups-note") == "15 to name")
    assert not page.all(".row.saved")


def test_an_answer_of_another_page_is_shown(page: PageBrowser) -> None:
    answer_elsewhere(page, 2)
    page.wait(lambda: page.all(f"{row(2)}.gone"), "the row that was answered elsewhere")
    assert "answered elsewhere" in page.text(row(2))
    assert page.text("#groups-note").startswith("15 to name")


def test_a_stale_answer_is_refused_and_the_text_stays(page: PageBrowser) -> None:
    # A position from before another page's answer.
    page.script(
        "const real = window.fetch; let first = true; window.fetch = (path, options) => {"
        " if (path === 'api/answers' && first) { first = false; const body = JSON.parse(options.body);"
        " body.position = '0123456789abcdef'; options = { ...options, body: JSON.stringify(body) }; }"
        " return real(path, options); }"
    )
    page.press("Stale", Keys.ENTER)
    page.wait_text("#problem", "answered elsewhere")
    page.wait(lambda: page.script(f'return document.querySelector("{row(0)} .naming input").value') == "Stale")
    assert not page.all(".row.saved")
    page.wait(lambda: not page.all(".row.waiting"))
    page.press(Keys.ARROW_UP, Keys.ENTER)
    wait_saved(page, 0, "Stale")


HOLD = (  # Answers wait behind a promise of the test; the server is not told that it may end.
    "const real = window.fetch; let first = true; window.fetch = async (path, options) => {"
    " if (path === 'api/done') { window.ended = true; return new Response(null, { status: 204 }); }"
    " if (path === 'api/answers' && first) { first = false; await new Promise((go) => { window.release = go; }); }"
    " return real(path, options); }"
)


def answer_elsewhere(page: PageBrowser, at: int) -> None:
    with page.client as client:
        position = client.get("api/state").json()["position"]
        group = client.get("api/groups").json()["groups"][at][0]
        answer = {"kind": "name", "name": "Elsewhere", "groups": [group], "faces": [], "seen": [], "left_out": []}
        client.post("api/answers", json={"position": position, "answer": answer}).raise_for_status()


def test_answers_that_wait_are_refused_after_an_answer_elsewhere(page: PageBrowser) -> None:
    page.script(HOLD)
    page.press("Anna", Keys.ENTER, "Berta", Keys.ENTER)
    page.wait(lambda: page.all(f"{row(0)}.waiting") and page.all(f"{row(1)}.waiting"), "two answers that wait")
    answer_elsewhere(page, 2)
    page.script("window.release()")
    page.wait(lambda: page.all(f"{row(2)}.gone") and not page.all(".row.waiting"), "the refusals")
    assert page.answers()[-1]["name"] == "Elsewhere" and not page.all(".row.saved")
    texts = [
        page.script("return document.querySelector(arguments[0]).value", f"{row(at)} .naming input") for at in (0, 1)
    ]
    assert texts == ["Anna", "Berta"]
    assert "Elsewhere" in page.text("#last")  # what Undo would take back


def test_done_waits_for_answers(page: PageBrowser) -> None:
    page.script(HOLD)
    page.press("Anna", Keys.ENTER)
    page.wait(lambda: page.all(f"{row(0)}.waiting"))
    page.one("#done").click()
    assert not page.script("return window.ended")
    page.script("window.release()")
    wait_saved(page, 0, "Anna")
    page.wait(lambda: page.script("return window.ended"))


def test_undo_of_a_row_keeps_the_focus_there(page: PageBrowser) -> None:
    page.press("Anna", Keys.ENTER)
    wait_saved(page, 0)
    page.one(f"{row(0)} button").click()
    page.wait(lambda: page.all(f"{row(0)} .naming"), "the open row")
    page.wait(lambda: focused_row(page) == "0", "the focus")


def test_after_a_click_on_a_face_letters_still_type_the_name(page: PageBrowser) -> None:
    page.one(f"{row(3)} .tile").click()
    page.press("Mia")
    assert field_row(page) == "3" and page.focused.get_attribute("value") == "Mia"
    assert len(page.all(f"{row(3)} .tile[aria-pressed='false']")) == 1


def test_a_new_clustering_starts_the_wall_again(page: PageBrowser) -> None:
    page.press("An")
    library = Library(page.root)
    try:
        library.cluster(threshold=0.7)
        page.wait_text("#problem", "grouped again")
        assert page.all(f"{row(0)} .naming")
        assert page.script("return [...document.querySelectorAll('.naming input')].every((input) => !input.value)")
    finally:
        library.cluster()


def test_a_lost_connection_loses_nothing(page: PageBrowser) -> None:
    page.script(
        "const real = window.fetch; let lost = 2; window.fetch = (path, options) =>"
        " (path === 'api/answers' && lost-- > 0 ? Promise.reject(new TypeError('lost')) : real(path, options))"
    )
    page.press("Frieda", Keys.ENTER)
    page.wait_text("#problem", "No connection")
    wait_saved(page, 0, "Frieda")
    assert page.one("#problem").get_attribute("hidden") is not None


def test_markup_in_a_name_is_text(page: PageBrowser) -> None:
    page.press(EVIL, Keys.ENTER)
    wait_saved(page, 0, EVIL)
    page.wait_text("#last", EVIL)
    page.wait_text("#drop", EVIL)
    page.press("Eve")
    page.wait_text("#completions", EVIL)
    assert page.driver.title != "1" and not page.all("main img[src='x'], #completions img[src='x']")


def test_all_faces_of_a_group(page: PageBrowser) -> None:
    page.press(Keys.ESCAPE, "+")
    page.wait(lambda: len(page.all("dialog.all-faces .tile")) == 16)
    page.press(Keys.ARROW_RIGHT, "x", Keys.ESCAPE)
    page.wait(lambda: not page.all("dialog.all-faces"))
    page.press(Keys.ENTER, "Gina", Keys.ENTER)
    wait_saved(page, 0, "Gina · 15 faces")
    (event,) = page.answers()[-1:]
    assert len(event["rest"]) == 1


def test_not_a_face_and_one_face_alone(page: PageBrowser) -> None:
    page.press(Keys.ESCAPE, Keys.ARROW_RIGHT)
    face = page.focused.get_attribute("data-face")
    page.press("f")
    page.wait(lambda: page.answers()[-1]["kind"] == "remove" and page.answers()[-1]["faces"] == [face])
    page.wait(lambda: "15 faces" in page.text(row(0)))
    page.open("groups", ".row .tile img")
    page.press(Keys.ESCAPE, Keys.ARROW_RIGHT)
    alone = page.focused.get_attribute("data-face")
    page.press("t")
    page.wait(lambda: page.all("#doubt[open] input"))
    page.press("Hans", Keys.ENTER)
    page.wait(lambda: page.answers()[-1]["faces"] == [alone] and page.answers()[-1]["name"] == "Hans")


def test_of_ten_thousand_rows_only_those_in_sight_exist(page: PageBrowser) -> None:
    source = (
        "const real = window.fetch; window.fetch = async (path, options) => {"
        " if (path.startsWith('api/rows')) return new Response('{\"rows\": []}');"
        " const answer = await real(path, options); if (path !== 'api/groups') return answer;"
        " const data = await answer.json();"
        " data.groups = Array.from({ length: 10000 }, (_, at) => [100000 + at, 3, 3, 2019, 2020]);"
        " return new Response(JSON.stringify(data)); }"
    )
    added = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
    try:
        page.open("groups", ".row")
        assert page.text("#groups-note") == "10,000 to name"
        heights = []
        for share in (0.3, 0.6, 1):
            page.script("scrollTo(0, arguments[0] * document.documentElement.scrollHeight)", share)
            at = {0.3: 3000, 0.6: 6000, 1: 9999}[share]
            page.wait(
                lambda at=at: page.script(
                    "return [...document.querySelectorAll('.row:not([hidden])')]"
                    ".some((row) => Math.abs(row.dataset.at - arguments[0]) < 60)",
                    at,
                ),
                f"the rows about {at}",
            )
            assert len(page.all(".row")) < 60
            heights.append(page.script("return document.documentElement.scrollHeight"))
        assert len(set(heights)) == 1
    finally:
        page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


@pytest.mark.parametrize("what", ["row", "face"])
def test_drag_onto_a_person(page: PageBrowser, what: str) -> None:
    page.press("Ida", Keys.ENTER)
    wait_saved(page, 0)
    page.wait_text("#drop", "Ida")
    source = f"{row(3)} .tile" if what == "face" else f"{row(3)} .row-faces"
    faces = page.script("return document.querySelector(arguments[0]).dataset.face", f"{row(3)} .tile")
    page.script(
        "const options = { bubbles: true, cancelable: true, dataTransfer: new DataTransfer() };"
        "const at = (selector) => document.querySelector(selector);"
        "const send = (element, kind) => element.dispatchEvent(new DragEvent(kind, options));"
        "send(at(arguments[0]), 'dragstart'); send(at('#drop li'), 'dragover'); send(at('#drop li'), 'drop');",
        source,
    )
    if what == "row":
        wait_saved(page, 3, "Ida · 13 faces")
    else:
        page.wait(lambda: page.answers()[-1]["faces"] == [faces] and page.answers()[-1]["name"] == "Ida")


@pytest.mark.parametrize("key", ["o", " "])
def test_the_photo_and_back_to_the_same_place(page: PageBrowser, key: str) -> None:
    page.press("Jan", Keys.ENTER)
    wait_saved(page, 0)
    page.press("typed", Keys.ESCAPE, Keys.ESCAPE, *["j"] * 9, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    photo = page.focused.get_attribute("data-photo")
    page.press(key)
    page.wait(lambda: f"#/photo/{photo}?of=group/" in page.driver.current_url)
    page.driver.back()
    page.wait(lambda: page.all(row(10)), "the wall again")
    assert page.script("return scrollY") > 0
    page.script("scrollTo(0, 0)")
    page.wait(lambda: page.all(f"{row(0)}.saved"))
    page.wait(
        lambda: page.script("return document.querySelector(\".row[data-at='1'] input[type=text]\").value") == "typed"
    )


def test_the_map_and_back_to_the_same_screen(page: PageBrowser) -> None:
    page.one("nav a[href='map']").click()
    page.wait(lambda: page.driver.current_url.endswith("/map") and page.all(".back a"), "the map")
    page.one(".back a").click()
    page.wait(lambda: page.all(row(0)), "the wall again")


def test_letter_keys_can_be_switched_off(page: PageBrowser) -> None:
    before = len(page.answers())
    page.press(Keys.ESCAPE, "?")
    page.wait(lambda: page.all("#key-tables dl"))
    for label in ("take out the face that has the focus", "undo the last answer", "select several rows"):
        assert label in page.text("#key-tables")
    page.one("#letter-keys").click()
    page.go("groups", row(0))
    page.press(Keys.ESCAPE, "i", "x")
    assert len(page.answers()) == before and not page.all(".tile[aria-pressed='false']")
    page.go("help", "#letter-keys")
    page.one("#letter-keys").click()
