"""Findings that are worth a second look, and the questions about two groups, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.page_browser import PageBrowser, make_drawn_library, open_page, undo_all

pytestmark = pytest.mark.browser

EVIL = "Berta <b>&amp;</b>"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageBrowser]:
    """A library with two unnamed groups that may be one person, and a person who may be two."""
    root = tmp_path_factory.mktemp("again")
    library = make_drawn_library(root, [12, 8, 10, 6, 9, 5, 7, 4, 1], near={1: (0, 0.1), 3: (2, 0.14), 5: (4, 0.1)})
    by_size = {len(person.face_ids): person for person in library.persons}
    library.name(by_size[9].face_ids, "Anna", confirmed=by_size[9].face_ids[:4])
    library.name([*by_size[10].face_ids, *by_size[4].face_ids], EVIL, confirmed=by_size[10].face_ids[:3])
    with open_page(root) as page:
        yield page


@pytest.fixture
def page(served: PageBrowser) -> Iterator[PageBrowser]:
    undo_all(served, keep=2)
    served.open("again", ".finding")
    served.errors()
    yield served
    assert served.errors() == []


def kinds(page: PageBrowser) -> list[str]:
    return [heading.text for heading in page.all(".finding h2")]


def wait_saved(page: PageBrowser, at: int) -> str:
    selector = f".finding:nth-child({at + 1})"
    page.wait(lambda: page.all(f"{selector}.saved"), f"finding {at} saved")
    return page.text(selector)


def test_findings_are_shown_with_names_as_text(page: PageBrowser) -> None:
    assert kinds(page) == ["One person or two?", "One person or two?", f"Is {EVIL} one person or two?"]
    assert page.script("return document.activeElement.matches('.finding:first-child')")
    assert page.text("#again-note").startswith("3 findings open")


@pytest.mark.parametrize(
    ("at", "key", "kind", "told"),
    [
        (0, "y", "name", "one person"),  # a person and a group: the group gets the name
        (1, "y", "merge", "one person"),
        (1, "m", "merge", "one person"),
        (1, "n", "split", "two people"),
    ],
)
def test_two_groups(page: PageBrowser, at: int, key: str, kind: str, told: str) -> None:
    places = [finding.rect for finding in page.all(".finding")]
    page.press(*["j"] * at, key)
    assert told in wait_saved(page, at)
    assert [finding.rect for finding in page.all(".finding")] == places  # nothing has moved
    assert page.answers()[-1]["kind"] == kind
    page.wait(lambda: page.script("return document.activeElement.matches('.finding:not(.saved)')"), "the next one")
    page.press("u")
    page.wait(lambda: len(page.all(".finding h2")) == 3, "the finding opens again")


def test_name_both_groups(page: PageBrowser) -> None:
    page.press("j", Keys.ENTER, "Carl", Keys.ENTER)
    assert "it is Carl" in wait_saved(page, 1)
    event = page.answers()[-1]
    assert (event["name"], len(event["faces"])) == ("Carl", 20)


@pytest.mark.parametrize(("key", "kind"), [("y", "confirm"), ("n", "split")])
def test_one_person_or_two(page: PageBrowser, key: str, kind: str) -> None:
    page.press("j", "j", key)
    wait_saved(page, 2)
    assert page.answers()[-1]["kind"] == kind


def test_the_second_part_gets_a_name(page: PageBrowser) -> None:
    page.press("s", "s", "k", "j", Keys.ENTER, "Dora", Keys.ENTER)
    wait_saved(page, 2)
    event = page.answers()[-1]
    assert (event["name"], len(event["faces"])) == ("Dora", 4)


@pytest.mark.parametrize(
    ("keys", "kind", "name"),
    [
        ("x", "reject", "Anna"),
        ("n", "reject", "Anna"),
        ("y", "confirm", "Anna"),
        ("1", "name", EVIL),
        ("f", "remove", None),
        ((Keys.ENTER, "Emil", Keys.ENTER), "name", "Emil"),
    ],
)
def test_a_face_in_doubt(page: PageBrowser, keys: str | tuple[str, ...], kind: str, name: str | None) -> None:
    """The finding is made up, of faces of the library; the answers are recorded as usual."""
    with page.client as client:
        anna, other = (client.get(f"api/person/{one['person']}").json() for one in reversed(people(client)))
    doubtful = anna["suggested"][0]
    finding = {
        "kind": "outlier",
        **{key: doubtful[key] for key in ("face", "photo")},
        **{key: make_who(one) for key, one in (("person", anna), ("nearest", other))},
    }
    page.go("help", "#letter-keys")
    page.script(
        "const real = window.fetch; const added = JSON.parse(arguments[0]); window.fetch = async (path, options) => {"
        " const answer = await real(path, options); if (path !== 'api/review') return answer;"
        " const data = await answer.json(); data.findings.unshift(added); return new Response(JSON.stringify(data)); }",
        json.dumps(finding),
    )
    page.go("again", ".finding")
    assert kinds(page)[0] == "Is this Anna?"
    page.press(*keys)
    wait_saved(page, 0)
    event = page.answers()[-1]
    assert (event["kind"], event["name"], event["faces"]) == (kind, name, [doubtful["face"]])


def people(client: object) -> list[dict[str, object]]:
    """The named people, by name."""
    found = client.get("api/people").json()["people"]  # type: ignore[attr-defined]
    return sorted(found, key=lambda one: str(one["name"]), reverse=True)


def make_who(person: dict[str, object]) -> dict[str, object]:
    facts: dict[str, object] = person["person"]  # type: ignore[assignment]
    return {
        "person": facts["person"],
        "label": facts["name"],
        "named": True,
        "group": None,
        "faces": facts["faces"],
        "pictures": [facts["face"]],
    }


# -- the same pairs, as questions ------------------------------------------------------


def skip_to(page: PageBrowser, kind: str) -> dict[str, object]:
    """Skip questions up to the first of this kind, and show it."""
    with page.client as client:
        data = client.get("api/question").json()
        while data["question"]["kind"] != kind:
            data = client.post("api/skip", json={"question": data["question"]["id"]}).json()
    page.open("ask", "#tiles img")
    return dict(data["question"])


def test_questions_about_two_groups_and_of_a_known_person(page: PageBrowser) -> None:
    skip_to(page, "same")
    assert len(page.all(".side")) == 2 and not page.all("#name input")
    page.press("n")
    page.wait(lambda: page.answers()[-1]["kind"] == "split", "two people")
    question = skip_to(page, "also")
    assert page.text("#question") == "Is this Anna too?"
    known, *_ = page.all("#large, .known a")
    assert known.is_displayed() and question["accepts_name"]
    tiles = page.all("#tiles .tile")
    page.press("j", "x", "y")  # all but one
    page.wait(lambda: page.answers()[-1]["kind"] == "name", "yes")
    event = page.answers()[-1]
    assert event["name"] == "Anna" and len(event["rest"]) == 1 and len(event["faces"]) == len(tiles) - 1


def test_the_offer_shows_suggested_faces(page: PageBrowser) -> None:
    with page.client as client:
        group = client.get("api/groups").json()
        answer = {
            "kind": "name",
            "name": "Fritz",
            "groups": [group["groups"][0][0]],
            "faces": [],
            "seen": [],
            "left_out": [],
        }
        client.post("api/answers", json={"position": group["position"], "answer": answer}).raise_for_status()
    page.open("ask", "#summary button")
    assert "Fritz" in page.text("#summary button")
    page.one("#summary button").click()
    page.wait_text("#question", "Fritz")
    assert not page.all("#name input")
    page.press("j", "j", "x", Keys.ENTER)
    page.wait(lambda: page.answers()[-1]["rest"], "the answer")
    event = page.answers()[-1]
    assert event["name"] == "Fritz" and len(event["rest"]) == 1


@pytest.mark.parametrize("key", ["y", "1", "field"])
def test_the_likely_person_of_a_row(page: PageBrowser, key: str) -> None:
    page.go("groups", ".row .likely:not([hidden])")
    place = page.script("return document.querySelector('.row .likely:not([hidden])').closest('.row').dataset.at")
    page.script("document.querySelector(`.row[data-at='${arguments[0]}'] .naming input`).focus()", place)
    page.press(*(("1",) if key == "field" else (Keys.ESCAPE, key)))
    page.wait(lambda: page.all(f".row[data-at='{place}'].saved"), "the row")
    assert page.answers()[-1]["name"] == "Anna"
