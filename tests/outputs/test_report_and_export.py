from __future__ import annotations

from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from faceclust.outputs.page import photo_href
from faceclust.outputs.report import Summary, date_range, make_card, pictured_faces, render_report
from faceclust.types import FacePlace, Person

EVIL = "<script>alert('x')</script>\"' onload=alert(1) {{ 7*7 }}"


def place(face: str, photo: str = "a.jpg", year: int | None = 2020, quality: float = 0.5) -> FacePlace:
    taken = datetime(year, 6, 1, 12) if year else None
    return FacePlace(face, photo, "h", (0.1, 0.2, 0.3, 0.4), (4000, 3000), quality, 0.99, taken)


def persons() -> list[Person]:
    return [Person("p1", "Anna", ("1", "2"), frozenset("1"), (1,)), Person("group-2", None, ("3",), frozenset(), (2,))]


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_what_users_and_files_are_called_cannot_break_the_page() -> None:
    root, page = Path("/photos"), Path("/out/page.html")
    places = {"1": [place("1", photo=f"{EVIL}/javascript:alert(1).jpg")]}
    someone = Person("p", EVIL, ("1",), frozenset(), (1,))
    card = make_card(someone, places["1"], places, {"1": b"jpeg"}, root, page)
    html = render_report(Summary(f"/photos/{EVIL}", datetime(2024, 1, 1), 1, 1, 0, 0), [card])
    found = Elements()
    found.feed(html)
    assert "script" not in found.tags
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    links = [value for name, value in found.attributes if name in ("href", "src")]
    assert links and all(value and value.startswith(("./", "data:image/jpeg;base64,")) for value in links)
    assert "49" not in html.replace("data:image", "")
    assert "http" not in html.replace("http-equiv", "")  # nothing is fetched from anywhere


def test_the_page_says_who_how_many_and_when() -> None:
    places = {"1": [place("1", year=2019)], "2": [place("2", "b.jpg", 2021)], "3": [place("3", "c.jpg", None)]}
    cards = [
        make_card(p, [places[f][0] for f in p.face_ids], places, {}, Path("/r"), Path("/r/p.html")) for p in persons()
    ]
    html = render_report(Summary("/r", datetime(2024, 1, 1), 3, 3, 5, 2), cards)
    for words in (
        "Anna",
        "2 faces on 2 photos · 2019–2021 · 1 confirmed, 1 suggested",
        "Group 2",
        "1 face on 1 photo",
        "no photo",
        "5 faces are alone",
        "2 smaller groups",
    ):
        assert words in html
    assert "nobody was found" in render_report(Summary("/r", datetime(2024, 1, 1), 0, 0, 0, 0), [])


def test_the_page_marks_what_is_suggested_and_nothing_else() -> None:
    def page(confirmed: str) -> str:
        places = {"1": [place("1", "a.jpg")], "2": [place("2", "b.jpg")], "3": [place("3", "c.jpg")]}
        people = [Person("p1", "Anna", ("1", "2"), frozenset(confirmed), (1,)), persons()[1]]
        pictures = dict.fromkeys(places, b"jpeg")
        cards = [
            make_card(p, [places[f][0] for f in p.face_ids], places, pictures, Path("/r"), Path("/r/p.html"))
            for p in people
        ]
        return render_report(Summary("/r", datetime(2024, 1, 1), 3, 3, 0, 0), cards)

    items = [item for item in page("1").split("<li")[1:] if item.partition("</li>")[0].count(">suggested<")]
    assert len(items) == 2  # Anna's second picture, and the photo it is from
    assert all("b.jpg" in item for item in items)
    assert "nobody has confirmed them" in page("1")
    assert "nobody has confirmed them" not in page("12") and ">suggested<" not in page("12")


def test_a_copy_of_a_photo_is_as_sure_as_the_photo() -> None:
    places = {"1": [place("1", "a.jpg"), place("1", "copy.jpg")], "2": [place("2", "b.jpg")]}
    card = make_card(persons()[0], [], places, {}, Path("/r"), Path("/r/p.html"))
    assert [(photo, sure) for photo, _, sure in card.photos] == [("a.jpg", True), ("b.jpg", False), ("copy.jpg", True)]


def test_pictures_are_the_best_of_each_year() -> None:
    places = {
        f"{year}-{i}": [place(f"{year}-{i}", year=year, quality=i / 10)] for year in (2018, 2019) for i in range(5)
    }
    chosen = pictured_faces(Person("p", "A", tuple(places), frozenset(), ()), places, 4)
    assert {p.face_id for p in chosen} == {"2018-3", "2018-4", "2019-3", "2019-4"}
    assert [p.taken_at for p in chosen] == sorted(p.taken_at for p in chosen if p.taken_at)
    assert len(pictured_faces(Person("p", "A", tuple(places), frozenset(), ()), places, 99)) == 10


def test_links_are_relative_and_quoted() -> None:
    assert photo_href(Path("/lib/2020/a b#1.jpg"), Path("/lib/page.html")) == "./2020/a%20b%231.jpg"
    assert photo_href(Path("/lib/a.jpg"), Path("/out/page.html")) == "./../lib/a.jpg"


@pytest.mark.parametrize(
    ("years", "words"), [([], ""), ([None], ""), ([2019], "2019"), ([2021, None, 2019], "2019–2021")]
)
def test_date_range(years: list[int | None], words: str) -> None:
    assert date_range(datetime(y, 1, 1) if y else None for y in years) == words
