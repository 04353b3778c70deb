"""The screens of everybody and of one person, in a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from faceclust import Library
from tests.support.naming_page import NamingPage, open_naming_page
from tests.support.sample_photos import COLLINS, HOPPER

pytestmark = [pytest.mark.browser, pytest.mark.process]

ANNA, BEN = "Anna <b>Berg</b>", "Ben & Söhne"
SUGGESTED, CONFIRMED = "section:last-of-type .faces li", "section:first-of-type .faces li"


@pytest.fixture(scope="module")
def served(
    truth_and_scanned_root: tuple[dict[str, list[str]], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NamingPage]:
    """A page of the library with Anna, of whose faces two are confirmed, and Ben. They are on two photos together."""
    truth, scanned = truth_and_scanned_root
    root = tmp_path_factory.mktemp("person") / "photos"
    shutil.copytree(scanned, root)
    library = Library(root)
    for name, person in ((ANNA, COLLINS), (BEN, HOPPER)):
        photo = next(photo for photo, people in sorted(truth.items()) if people == [person])
        group = library.group_of[next(one.face_id for one in library.occurrences if one.photo == photo)]
        library.name(group, name, confirmed=library.group_members[group][:2])
    with open_naming_page(root) as page:
        yield page


@pytest.fixture
def page(served: NamingPage) -> Iterator[NamingPage]:
    """The page; nothing may be wrong in its console at the end, except that a renamed person is not found."""
    served.errors()
    yield served
    assert [error for error in served.errors() if not re.search("/api/person/.* status of 404", error)] == []


def person_id(page: NamingPage, name: str = ANNA) -> str:
    library = page.library
    return next(person.id for person in library.people() if person.name == name)


def open_person(page: NamingPage, name: str = ANNA) -> list[str]:
    """Open the screen of a person, and return the suggested faces in their order."""
    page.show(f"person/{person_id(page, name)}", SUGGESTED)
    return page.faces(SUGGESTED)


def face_ids(event: dict[str, object], key: str = "faces") -> list[str]:
    return sorted(face["face"] for face in event[key])  # type: ignore[attr-defined]


def test_everybody_is_there_with_counts_and_the_filter_and_keys_lead_to_a_person(page: NamingPage) -> None:
    page.show("people", ".everyone li")
    names = page.texts(".everyone .who")
    assert sorted(names) == [ANNA, BEN], "markup in a name is text"
    assert page.script("return document.querySelector('.everyone b')") is None
    assert "faces" in page.texts(".everyone .facts")[0]
    page.press("ArrowRight", "ArrowRight")
    assert names[1] in page.focused.text
    page.press("k")
    assert names[0] in page.focused.text
    page.press("j", "ArrowLeft", "ArrowDown", "ArrowUp")
    assert names[0] in page.focused.text
    page.press("/", *"sohne")
    assert page.texts(".everyone .who") == [BEN]
    assert page.texts("output")[0] == "1 of 2"
    page.press("Enter")
    page.wait_for(".person h1")
    assert page.texts(".person h1")[0] == BEN


def test_a_person_has_facts_and_companions(page: NamingPage) -> None:
    open_person(page)
    assert page.texts(".portrait h1")[0] == ANNA
    assert "2019–2021" in page.texts(".portrait .facts")[0]
    assert page.texts(".seen-with .chip bdi")[0] == BEN
    assert len(page.faces(CONFIRMED)) == 2


def test_enter_does_not_confirm_all_faces_by_accident(page: NamingPage) -> None:
    faces = open_person(page)
    page.press("Enter", "j", "y")
    (event,) = page.new_events()
    assert face_ids(event) == faces[:1]
    page.wait_for("[data-state=confirmed]")
    page.undo()
    page.wait(lambda: not page.texts("[data-state]"))


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        (["y"], "confirm"),
        (["Enter"], "confirm"),
        (["x"], "reject"),
        (["n"], "reject"),
        (["f"], "remove"),
        (["i"], "ignore"),
    ],
)
def test_a_key_answers_for_the_face_that_has_the_focus(page: NamingPage, keys: list[str], kind: str) -> None:
    faces = open_person(page)
    page.press("j", *keys)
    (event,) = page.new_events()
    assert (event["event"], face_ids(event)) == (kind, [faces[0]])
    page.wait_for(f"[data-face='{faces[0]}'][data-state={'confirmed' if kind == 'confirm' else 'out'}]")
    assert page.faces(SUGGESTED) == faces, "no face moves"
    assert page.focused_face == faces[1], "the focus goes on"
    page.undo()
    page.wait(lambda: not page.texts("[data-state]"))


def test_keys_pressed_quickly_answer_for_one_face_after_the_other(page: NamingPage) -> None:
    faces = open_person(page)
    page.press("j", "x", "y", "i")
    events = page.new_events(3)
    assert [(event["event"], face_ids(event)) for event in events] == [
        ("reject", faces[:1]),
        ("confirm", faces[1:2]),
        ("ignore", faces[2:3]),
    ]
    page.undo(3)
    page.wait(lambda: not page.texts("[data-state]"))


def test_all_suggested_faces_are_confirmed_with_one_key(page: NamingPage) -> None:
    faces = open_person(page)
    page.press("y")
    (event,) = page.new_events()
    assert (event["event"], face_ids(event)) == ("confirm", sorted(faces))
    page.undo()


def test_faces_are_selected_by_keys_and_with_the_mouse(page: NamingPage) -> None:
    faces = open_person(page)
    page.press("j", "Shift+ArrowRight", "Shift+ArrowRight")
    assert page.faces("[aria-selected=true]") == faces[:3]
    page.press("a")
    assert page.faces("[aria-selected=true]") == []
    page.press("a")
    assert page.faces("[aria-selected=true]") == faces
    page.press("a")
    for tile in page.all(SUGGESTED)[1:3]:
        tile.click()
    assert page.faces("[aria-selected=true]") == faces[1:3]
    page.click(".answers .primary")
    (event,) = page.new_events()
    assert (event["event"], face_ids(event)) == ("confirm", sorted(faces[1:3]))
    page.undo()
    page.press("k", "k", "ArrowDown", "ArrowUp")
    assert page.focused_face in page.script(
        "return [...document.querySelectorAll('.faces li')].map((tile) => tile.dataset.face)"
    )


def test_a_click_on_the_cross_takes_a_face_away(page: NamingPage) -> None:
    faces = open_person(page)
    page.script("document.querySelector(arguments[0]).querySelector('.out').click()", SUGGESTED)
    (event,) = page.new_events()
    assert (event["event"], face_ids(event), event["name"]) == ("reject", [faces[0]], ANNA)
    page.undo()


@pytest.mark.parametrize("key", ["o", "Space"])
def test_the_photo_of_a_face_opens_and_leads_back(page: NamingPage, key: str) -> None:
    faces = open_person(page)
    page.press("j", key)
    page.wait_for(f".spot[data-face='{faces[0]}'][aria-current]")
    page.click(".way a")
    page.wait_for(".portrait")


def test_a_person_gets_another_name(page: NamingPage) -> None:
    open_person(page)
    page.press("r", "Escape", "r")
    page.script("document.activeElement.value = ''")
    page.press(*"Zoe", "Enter")
    (event,) = page.new_events()
    assert (event["event"], event["name"], event["to"]) == ("rename", ANNA, "Zoe")
    page.wait(lambda: page.texts(".portrait h1") == ["Zoe"])
    page.undo()
    page.wait(lambda: page.texts(".portrait h1") == [ANNA])


def test_two_people_on_one_photo_become_one_only_after_a_question(page: NamingPage) -> None:
    open_person(page)
    page.press("m", *"Ben")
    page.wait_for("#completions li")
    page.press("ArrowDown", "Enter")
    page.wait_for("#doubt h2")
    assert "photo" in page.texts("#doubt-text")[0]
    page.press("Escape")
    page.wait(lambda: not page.texts("#doubt h2"))
    page.press("Enter")
    page.wait_for("#doubt h2")
    page.click("#doubt .choices button")
    (event,) = page.new_events()
    assert (event["event"], event["name"], event["to"]) == ("merge", ANNA, BEN)
    page.wait(lambda: page.texts(".portrait h1") == [BEN])
    page.undo()
    page.wait(lambda: page.texts(".portrait .facts")[0].startswith("6 faces"), "the faces of Ben alone")


def test_answers_given_elsewhere_are_shown_in_place(page: NamingPage) -> None:
    faces = open_person(page)
    library = page.library
    library.confirm(faces[:1], ANNA)
    page.wait_for(f"[data-face='{faces[0]}'][data-state=confirmed]")
    assert page.faces(SUGGESTED) == faces
    library.undo()
    page.wait(lambda: not page.texts("[data-state]"))
