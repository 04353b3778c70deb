"""The screen of one photo, in a real browser: who is who, and boxes drawn by hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains

from faceclust import Library
from tests.support.naming_page import NamingPage, open_naming_page
from tests.support.sample_photos import COLLINS, HOPPER

pytestmark = [pytest.mark.browser, pytest.mark.process]

ANNA = "Anna <i>Berg</i>"
TOGETHER, MARKUP = "together/both 0.jpg", "together/<b>&both 1.jpg"


@pytest.fixture(scope="module")
def served(
    truth_and_scanned_root: tuple[dict[str, list[str]], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NamingPage]:
    """A page of the library in which Anna, on the left of two photos, is named with two of her faces confirmed."""
    truth, scanned = truth_and_scanned_root
    root = tmp_path_factory.mktemp("photo") / "photos"
    shutil.copytree(scanned, root)
    (root / "together/both 1.jpg").rename(root / MARKUP)
    library = Library(root)
    library.scan(workers=0)
    photo = next(photo for photo, people in sorted(truth.items()) if people == [COLLINS])
    group = library.group_of[next(one.face_id for one in library.occurrences if one.photo == photo)]
    library.name(
        group,
        ANNA,
        confirmed=[
            face for face in library.group_members[group] if "both" not in library.occurrences_of[face][0].photo
        ][:2],
    )
    assert HOPPER not in {person.name for person in library.people()}
    with open_naming_page(root) as page:
        yield page


@pytest.fixture
def page(served: NamingPage) -> Iterator[NamingPage]:
    """The page; nothing may be wrong in its console at the end."""
    served.errors()
    yield served
    assert served.errors() == []


def open_photo(page: NamingPage, photo: str = TOGETHER, of: str = "") -> list[str]:
    """Open the screen of a photo, and return its faces from the left."""
    library = page.library
    page.show(f"photo/{library.photos[photo].photo_hash}{of}", ".photo-head h1")
    return page.faces(".spot")


def anna(page: NamingPage) -> str:
    (person,) = (person for person in page.library.people() if person.name == ANNA)
    return person.id


def test_boxes_and_rows_say_who_is_who_and_belong_together(page: NamingPage) -> None:
    left, right = open_photo(page)
    assert page.faces(".who-is-who [data-face]") == [left, right]
    assert page.texts(".tag") == [ANNA]
    assert page.texts(".who-is-who .entry") == [f"{ANNA}\nsuggested", "Without a name\nnobody named it yet"]
    assert page.focused_face == right, "the face without a name comes first"
    ActionChains(page.driver).move_to_element(page.all(".entry")[0]).perform()
    page.wait_for(f".spot.lit[data-face='{left}']")
    ActionChains(page.driver).move_to_element(page.all(".spot")[1]).perform()
    page.wait_for(f".entry.lit[data-face='{right}']")
    page.press("ArrowUp")
    assert page.focused_face == left
    assert page.texts(".panel h2") == [ANNA]
    page.press("ArrowDown")
    assert page.focused_face == right


def test_the_age_on_the_photo_and_the_chosen_picture_are_shown(page: NamingPage) -> None:
    def portrait() -> str:
        page.show(f"person/{anna(page)}", ".portrait .face img")
        return str(page.script("return document.querySelector('.portrait .face img').src"))

    (left, _), library = open_photo(page), page.library
    assert left not in portrait()
    library.confirm([left], ANNA)
    library.set_facts(ANNA, born="1956-11-19", picture=left)
    try:
        assert left in portrait()
        open_photo(page)
        assert page.texts(".who-is-who .entry")[0] == f"{ANNA}\nconfirmed · 62 years"
    finally:
        library.undo()
        library.undo()


def test_markup_in_names_is_text(page: NamingPage) -> None:
    open_photo(page, MARKUP)
    assert page.texts(".photo-head h1") == ["<b>&both 1.jpg"]
    assert not page.texts("#screen b, #screen i")


@pytest.mark.parametrize(
    ("face", "keys", "expected"),
    [
        (0, ["y"], {"event": "confirm", "name": ANNA}),
        (0, ["x"], {"event": "reject", "name": ANNA}),
        (0, ["n"], {"event": "reject", "name": ANNA}),
        (0, ["f"], {"event": "remove"}),
        (1, ["i"], {"event": "ignore"}),
        (1, ["I"], {"event": "ignore"}),
        (1, ["Enter", *"Grace", "Enter"], {"event": "name", "name": "Grace"}),
        (1, ["Enter", *"ann", "ArrowDown", "Enter"], {"event": "name", "name": ANNA}),
    ],
)
def test_a_key_answers_for_the_chosen_face(
    page: NamingPage, face: int, keys: list[str], expected: dict[str, str]
) -> None:
    faces = open_photo(page)
    page.press(*["ArrowUp"] * (1 - face), *keys)
    (event,) = page.new_events()
    assert expected.items() <= event.items()
    assert [one["face"] for one in event["faces"]] == [faces[face]]
    page.wait(lambda: page.script("return document.activeElement.matches('.photo [data-face]')"), "the focus")
    page.undo()
    page.wait(lambda: page.faces(".spot") == faces and page.texts(".tag") == [ANNA])


def test_a_second_face_of_a_person_on_one_photo_is_asked_about(page: NamingPage) -> None:
    left, right = open_photo(page)
    page.press("ArrowUp", "y")
    page.new_events()
    page.wait_for(f".spot.confirmed[data-face='{left}']")
    page.press("ArrowDown", "Enter", *"ann", "ArrowDown", "Enter")
    page.wait_for("#doubt .choices button")
    page.click("#doubt .choices button")
    (event,) = page.new_events()
    assert (event["name"], event["faces"][0]["face"]) == (ANNA, right)
    page.wait(lambda: page.script("return document.activeElement.matches('.photo [data-face]')"), "the focus")
    page.undo(2)


def test_an_ignored_face_can_be_taken_back(page: NamingPage) -> None:
    open_photo(page)
    page.press("i")
    page.new_events()
    page.wait_for(".spot.ignored")
    page.press("i")
    (event,) = page.new_events()
    assert event["event"] == "unignore"
    page.undo(2)


def test_keys_and_links_lead_through_the_photos_of_a_person(page: NamingPage) -> None:
    library, of = page.library, f"?of=person/{anna(page)}"
    hers = {library.photo_of[face] for person in library.people() for face in person.face_ids}
    order = sorted(
        (info.taken_at, info.photo, hash)
        for hash in hers
        for info in library.photos.values()
        if info.photo_hash == hash
    )
    hashes = [hash for _, _, hash in order]
    page.show(f"photo/{hashes[0]}{of}", ".photo-head h1")
    shown = lambda: page.script("return location.hash").split("/")[2].split("?")[0]  # noqa: E731
    for key, number in (("j", 1), ("ArrowRight", 2), ("k", 1), ("ArrowLeft", 0)):
        page.press(key)
        page.wait(
            lambda number=number: (
                shown() == hashes[number] and page.texts(".photo-head h1") == [order[number][1].rpartition("/")[2]]
            )
        )
    page.press("k")
    assert shown() == hashes[0], "no photo comes before"
    page.click(".way a")
    page.wait_for(".portrait")


def sides_of(page: NamingPage, css: str) -> list[float]:
    """Left, top, right and bottom of an element in pixels of the window."""
    script = "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
    return list(page.script(f"{script} return [box.left, box.top, box.right, box.bottom]", css))


def drag(page: NamingPage, start: tuple[float, float], end: tuple[float, float]) -> None:
    actions = ActionChains(page.driver, duration=20)
    actions.w3c_actions.pointer_action.move_to_location(*map(round, start)).pointer_down()
    actions.w3c_actions.pointer_action.move_to_location(*map(round, end)).pointer_up()
    actions.perform()


def drawn(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("id", "time")}


def test_the_mouse_and_keys_draw_the_same_box(page: NamingPage) -> None:
    faces = open_photo(page)
    page.press("d", "ArrowUp", "ArrowUp", "ArrowLeft", "Shift+ArrowRight", "Shift+ArrowDown", "Shift+ArrowDown")
    box = sides_of(page, ".draft")
    page.press("Enter")
    (by_keys,) = page.new_events()
    assert by_keys["event"] == "add"
    page.wait(lambda: len(page.faces(".spot")) == 3)
    assert page.focused_face == by_keys["faces"][0]["face"], "the new face has the focus"
    page.undo()
    page.wait(lambda: page.faces(".spot") == faces)
    drag(page, (box[0], box[1]), (box[2], box[3]))
    assert sides_of(page, ".draft") == pytest.approx(box, abs=1)
    page.press("Enter")
    (by_mouse,) = page.new_events()
    page.wait(lambda: page.focused_face == by_mouse["faces"][0]["face"], "the drawn face")
    assert drawn(by_mouse) == drawn(by_keys)
    page.undo()


def test_letters_name_a_drawn_face_and_escape_gives_it_up(page: NamingPage) -> None:
    open_photo(page)
    page.press("d", "Escape")
    assert not page.texts(".draft")
    page.press("d", *"Zoe", "Enter")
    (event,) = page.new_events()
    assert (event["event"], event["name"]) == ("add", "Zoe")
    page.wait(lambda: "Zoe" in page.texts(".tag"))
    page.undo()


def test_a_box_is_moved_by_keys(page: NamingPage) -> None:
    faces = open_photo(page)
    page.press("b", "ArrowRight", "Enter")
    (event,) = page.new_events()
    assert (event["event"], event["rest"][0]["face"]) == ("move", faces[1])
    page.wait(lambda: page.focused_face == event["faces"][0]["face"], "the moved face")
    page.undo()


def test_a_box_is_moved_by_its_handles(page: NamingPage) -> None:
    faces = open_photo(page)
    page.press("b")
    left, top, right, bottom = sides_of(page, ".draft")
    drag(page, (left, top), (left - 20, top - 30))
    assert sides_of(page, ".draft") == pytest.approx([left - 20, top - 30, right, bottom], abs=2)
    page.click(".panel .primary")
    (event,) = page.new_events()
    assert (event["event"], event["rest"][0]["face"]) == ("move", faces[1])
    page.wait(lambda: page.focused_face == event["faces"][0]["face"], "the moved face")
    page.undo()


def test_a_finger_moves_the_box_that_a_button_has_started(page: NamingPage) -> None:
    open_photo(page)
    page.click(".photo-tools button")
    before = sides_of(page, ".draft")
    x, y = (before[0] + before[2]) / 2, (before[1] + before[3]) / 2
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x + 40, "y": y + 25}]),
        ("touchEnd", []),
    ):
        page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    expected = [before[0] + 40, before[1] + 25, before[2] + 40, before[3] + 25]
    assert sides_of(page, ".draft") == pytest.approx(expected, abs=2)
    page.press("Escape")
    assert not page.texts(".draft")


def test_an_answer_given_elsewhere_keeps_what_was_typed(page: NamingPage) -> None:
    left, _ = open_photo(page)
    page.press("Enter", *"Gra")
    library = page.library
    library.confirm([left], ANNA)
    page.wait_for(f".spot.confirmed[data-face='{left}']")
    page.press(*"ce")
    assert page.focused.get_attribute("value") == "Grace"
    library.undo()
    page.wait_for(f".spot.suggested[data-face='{left}']")


def test_an_answer_given_elsewhere_leaves_the_draft_alone(page: NamingPage) -> None:
    left, _ = open_photo(page)
    page.press("d")
    before = sides_of(page, ".draft")
    library = page.library
    library.confirm([left], ANNA)
    page.wait_for(f".spot.confirmed[data-face='{left}']")
    page.press("ArrowRight")
    assert sides_of(page, ".draft")[0] > before[0]
    page.press("Escape")
    library.undo()
    page.wait_for(f".spot.suggested[data-face='{left}']")


def test_somebody_without_a_face_is_added_and_taken_away(page: NamingPage) -> None:
    open_photo(page)
    page.press("w", *"Zoe", "Enter")
    (event,) = page.new_events()
    assert (event["event"], event["name"], event["faces"][0]["box"]) == ("add", "Zoe", [0, 0, 1, 1])
    page.wait(lambda: "Zoe\nconfirmed · no face to be seen" in page.texts(".entry"))
    assert page.focused_face == event["faces"][0]["face"]
    page.press("f")
    (removed,) = page.new_events()
    assert (removed["event"], removed["faces"][0]["face"]) == ("remove", event["faces"][0]["face"])
    page.wait(lambda: not any("Zoe" in text for text in page.texts(".entry")))
    page.undo(2)


def test_a_harder_look_says_how_many_faces_it_found(page: NamingPage) -> None:
    open_photo(page)
    page.press("l")
    page.wait(lambda: any("face" in text for text in page.texts(".looking") if "…" not in text))


def test_the_photo_is_zoomed_by_keys(page: NamingPage) -> None:
    open_photo(page)
    width = lambda: page.script("return document.querySelector('.sheet').offsetWidth")  # noqa: E731
    whole = width()
    page.press("+")
    assert width() == pytest.approx(whole * 1.5, abs=3)
    page.press("-")
    assert width() == whole
    page.press("z")
    assert width() > whole
    face, stage = sides_of(page, ".spot[aria-current]"), sides_of(page, ".stage")
    assert stage[0] < face[0] < face[2] < stage[2]
    page.press("0")
    assert width() == whole
