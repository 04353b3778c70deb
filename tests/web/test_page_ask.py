"""The questions of the interview in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.page_browser import PageBrowser, make_drawn_library, open_page, undo_all

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageBrowser]:
    root = tmp_path_factory.mktemp("ask")
    make_drawn_library(root, [20, 14, 12, 10, 8, 6, 5, 4, 3, 2])
    with open_page(root) as page:
        yield page


@pytest.fixture
def page(served: PageBrowser) -> Iterator[PageBrowser]:
    undo_all(served)
    served.open("ask", "#tiles .tile img")
    served.errors()
    yield served
    assert served.errors() == []


def wait_question(page: PageBrowser, before: str) -> None:
    """Wait until another question than the one with this summary is shown."""
    page.wait(
        lambda: page.text("#summary") not in ("", before) and not page.all(".ask[aria-busy='true']"), "another question"
    )


def answer_with(page: PageBrowser, *keys: str) -> None:
    before = page.text("#summary")
    page.press(*keys)
    wait_question(page, before)


def shown_faces(page: PageBrowser) -> list[str]:
    return list(page.script("return [...document.querySelectorAll('#tiles .tile')].map((tile) => tile.dataset.face)"))


def test_type_a_name(page: PageBrowser) -> None:
    assert page.text("#question").startswith("Who is this?")
    assert page.focused.get_attribute("role") == "combobox"
    assert "20 faces" in page.text("#summary")
    shown = shown_faces(page)
    assert len(shown) >= 12
    answer_with(page, "Anna", Keys.ENTER)
    event = page.answers()[-1]
    assert (event["kind"], event["name"], len(event["faces"])) == ("name", "Anna", 20)
    assert "Anna" in page.text("#last")
    assert page.focused.get_attribute("role") == "combobox" and page.focused.get_attribute("value") == ""


def test_the_large_face_follows_the_focus(page: PageBrowser) -> None:
    first, second, *_ = shown_faces(page)
    assert page.one("#large").get_attribute("data-face") == first
    page.press(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)  # out of the empty field to the faces
    assert page.focused.get_attribute("data-face") == second
    assert page.one("#large").get_attribute("data-face") == second
    page.press("k")
    assert page.one("#large").get_attribute("data-face") == first
    page.press("j", Keys.ARROW_LEFT)
    assert page.focused.get_attribute("data-face") == first


def test_take_out_a_face_and_name_the_others(page: PageBrowser) -> None:
    first, second, third, *_ = shown_faces(page)
    page.press(Keys.ARROW_DOWN, "x", "j", "x", "j", "x", "x")
    page.wait_text("#tiles-note", "2 taken out")
    page.press(Keys.ENTER)  # back to the name
    assert page.focused.get_attribute("role") == "combobox"
    page.press(Keys.ENTER)  # without a name: they are only taken out
    page.wait(lambda: page.answers()[-1]["kind"] == "split", "the split")
    assert set(page.answers()[-1]["faces"]) == {first, second}
    undo_all(page)
    page.open("ask", "#tiles .tile img")
    page.all("#tiles .tile")[2].click()
    page.one("#name input").click()
    answer_with(page, "Berta", Keys.ENTER)
    event = page.answers()[-1]
    assert event["name"] == "Berta" and third in event["rest"] and third not in event["faces"]


def test_nobody_skip_and_candidates(page: PageBrowser) -> None:
    answer_with(page, "Anna", Keys.ENTER)
    first = page.text("#summary")
    answer_with(page, Keys.ESCAPE, "s")
    assert page.text("#summary") != first
    answer_with(page, Keys.ESCAPE, "i")
    assert page.answers()[-1]["kind"] == "ignore"
    assert page.text("#candidates li") == "1Anna20 faces"
    answer_with(page, "1")  # in the empty field
    assert page.answers()[-1]["name"] == "Anna"
    answer_with(page, Keys.ESCAPE, "1")  # outside of it
    assert page.answers()[-1]["name"] == "Anna"
    answer_with(page, Keys.ESCAPE, "n")
    assert page.answers()[-1]["kind"] == "ignore"


def test_undo_and_redo(page: PageBrowser) -> None:
    first = page.text("#summary")
    answer_with(page, "Anna", Keys.ENTER)
    page.press(Keys.ESCAPE, "u")
    page.wait(lambda: page.text("#summary").split(" · ")[0] == first.split(" · ")[0])
    page.wait(lambda: page.one("#redo").is_enabled())
    page.one("#redo").click()
    page.wait(lambda: page.text("#summary").split(" · ")[0] != first.split(" · ")[0])
    with page.client as client:
        assert [person["name"] for person in client.get("api/people").json()["people"]] == ["Anna"]


def test_undo_redo_and_skip_can_be_pressed_again(page: PageBrowser) -> None:
    """Outside the name field, these keys lead to another question without going back into its field."""
    answer_with(page, "Anna", Keys.ENTER)
    answer_with(page, "Ben", Keys.ENTER)
    answer_with(page, Keys.ESCAPE, "u")
    for key, names in (("u", []), ("U", ["Anna"]), ("U", ["Anna", "Ben"])):
        answer_with(page, key)
        with page.client as client:
            assert sorted(person["name"] for person in client.get("api/people").json()["people"]) == names
    answer_with(page, "s")
    answer_with(page, "s")
    assert page.focused.get_attribute("id") == "screen"
    page.press(Keys.ENTER, "Cleo")
    assert page.focused.get_attribute("value") == "Cleo"


def test_a_message_ends_with_its_screen(page: PageBrowser) -> None:
    page.press(Keys.ESCAPE, "/", "Nobody", Keys.ENTER)
    page.wait_text("#problem", "Nobody here is called Nobody.")
    page.go("help", ".key-tables dl")
    assert not page.one("#problem").is_displayed()


def test_more_faces_keep_what_is_typed(page: PageBrowser) -> None:
    before = len(shown_faces(page))
    page.press("An", Keys.ESCAPE, Keys.ESCAPE, "+")
    page.wait(lambda: len(shown_faces(page)) > before, "more faces")
    assert page.one("#name input").get_attribute("value") == "An"


def test_faces_taken_out_stay_out(page: PageBrowser) -> None:
    out = shown_faces(page)[1]
    page.all("#tiles .tile")[1].click()  # from within the field, which gets the letters that follow
    page.press("An")
    assert page.one("#name input").get_attribute("value") == "An"
    page.press(Keys.ESCAPE, Keys.ESCAPE, "+")
    page.wait(lambda: len(shown_faces(page)) > 13, "more faces")
    page.press("o")
    page.wait(lambda: page.all(".photo .stage"), "the photo")
    page.driver.back()
    page.wait(lambda: shown_faces(page), "the question")
    assert [tile.get_attribute("data-face") for tile in page.all("#tiles [aria-pressed='false']")] == [out]
    assert page.one("#name input").get_attribute("value") == "An"
    answer_with(page, "na", Keys.ENTER)
    event = page.answers()[-1]
    assert event["name"] == "Anna" and out in event["rest"] and out not in event["faces"]
    assert not page.all("#tiles [aria-pressed='false']") and page.focused.get_attribute("value") == ""


def test_a_key_that_is_held_down_answers_once(page: PageBrowser) -> None:
    count, first = len(page.answers()), page.text("#summary")
    page.press(Keys.ESCAPE)
    held = "document.dispatchEvent(new KeyboardEvent('keydown', { key: arguments[0], repeat: true, bubbles: true }))"
    page.script(held, "n")
    page.script(held, "s")
    page.script(held, "j")  # moves on
    assert page.focused.get_attribute("data-face") == shown_faces(page)[0]
    assert len(page.answers()) == count and page.text("#summary") == first


def test_a_question_that_another_page_answers(page: PageBrowser) -> None:
    before = page.text("#summary")
    page.press("Ann")
    with page.client as client:
        data = client.get("api/question").json()
        answer = {
            "kind": "question",
            "question": data["question"]["id"],
            "left_out": [],
            "name": "Other",
            "verdict": None,
        }
        client.post("api/answers", json={"position": data["position"], "answer": answer}).raise_for_status()
    page.wait_text("#problem", "settled elsewhere")
    assert page.text("#summary") == before  # it does not change under the keys
    page.press("a", Keys.ENTER)
    page.wait_text("#problem", "not recorded")
    wait_question(page, before)
    assert page.one("#name input").get_attribute("value") == ""
    assert page.answers()[-1]["name"] == "Other"
    assert "Other" in page.text("#last")  # what Undo would take back


def test_a_stale_answer_is_refused_and_the_text_stays(page: PageBrowser) -> None:
    count = len(page.answers())
    page.script(
        "const real = window.fetch; let first = true; window.fetch = (path, options) => {"
        " if (path === 'api/answers' && first) { first = false; const body = JSON.parse(options.body);"
        " body.position = '0123456789abcdef'; options = { ...options, body: JSON.stringify(body) }; }"
        " return real(path, options); }"
    )
    page.press("Stale", Keys.ENTER)
    page.wait_text("#problem", "answered elsewhere")
    page.wait(lambda: not page.all(".ask[aria-busy='true']"))
    assert len(page.answers()) == count
    assert page.one("#name input").get_attribute("value") == "Stale"
    answer_with(page, Keys.ENTER)
    assert page.answers()[-1]["name"] == "Stale"


def test_photo_and_find(page: PageBrowser) -> None:
    answer_with(page, "Anna", Keys.ENTER)
    photo = page.one("#large").get_attribute("data-photo")
    page.press(Keys.ESCAPE, "o")
    page.wait(lambda: page.driver.current_url.endswith(f"#/photo/{photo}"))
    page.wait_text(".way a", "Ask")  # the way back
    page.go("ask", "#tiles .tile")
    page.press(Keys.ESCAPE, "/")
    page.wait(lambda: page.focused.get_attribute("aria-label") == "Find a person")
    page.wait(lambda: page.text("#people-count") == "1")
    page.press("ann", Keys.ENTER)
    page.wait(lambda: "#/person/" in page.driver.current_url)


def test_not_a_face(page: PageBrowser) -> None:
    first, *_ = shown_faces(page)
    page.press(Keys.ESCAPE, "f")
    page.wait(lambda: page.answers()[-1]["kind"] == "remove", "the answer")
    assert page.answers()[-1]["faces"] == [first]
    page.wait(lambda: first not in shown_faces(page))


def test_the_end(page: PageBrowser) -> None:
    with page.client as client:
        data = client.get("api/question").json()
        while data["question"]:
            data = client.post("api/skip", json={"question": data["question"]["id"]}).json()
    page.open("ask", ".end")
    assert "skipped" in page.text(".end")
    with page.client as client:
        assert client.get("api/state").json()["undo"] is None


def test_without_scripts_there_is_a_message(tmp_path_factory: pytest.TempPathFactory) -> None:
    from importlib import resources

    from tests.support.browser import open_browser

    page = tmp_path_factory.mktemp("page") / "index.html"
    page.write_bytes((resources.files("faceclust.web") / "page" / "index.html").read_bytes())
    with open_browser(width=390, scripts=False) as driver:
        driver.get(page.as_uri())
        assert "needs JavaScript" in driver.find_element("tag name", "main").text
