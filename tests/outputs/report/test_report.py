from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.outputs.overview import format_year_range
from faceclust.outputs.report.chosen_pictures import choose_pictures
from faceclust.outputs.report.companions import build_matrix
from faceclust.outputs.report.places import assign_places, format_coordinates, summarise_places
from faceclust.outputs.report.skipped import group_skips
from faceclust.outputs.report.text import shade_level
from faceclust.outputs.report.timeline import build_timeline, select_faces_across_years
from faceclust.outputs.report.values import CrowdedGroup, GeoPlace, Outlier, ReviewFindings
from faceclust.outputs.search import PersonPair
from faceclust.types import Person, SkipReason
from faceclust.types.face_numbers import number_faces
from tests.support.report_builders import (
    HOSTILE_NAME,
    make_occurrence,
    make_photo_info,
    make_report,
    make_varied_people,
    render_html,
)


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def anna(confirmed: str = "1") -> list[Person]:
    return [
        Person("p1", "Anna", ("1", "2"), frozenset(confirmed), (1,)),
        Person("group-2", None, ("3",), frozenset(), (2,)),
    ]


@pytest.mark.slow
def test_hostile_names_cannot_break_the_page() -> None:
    persons, places, more = make_varied_people()
    found = Elements()
    page = render_html(make_report(persons, places, **more))
    found.feed(page)
    assert found.tags.count("script") == 1  # its own
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    links = [value for name, value in found.attributes if name in ("href", "src")]
    assert links and all(value and value.startswith(("./", "#", "data:image/jpeg;base64,")) for value in links)
    assert HOSTILE_NAME not in page and ">49" not in page
    assert "http:" not in page and "https:" not in page  # nothing is fetched from anywhere
    ids = [value for name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in links if value and value.startswith("#")} <= set(ids)


def test_the_page_has_counts_dates_places_and_companions() -> None:
    persons = [*anna(), Person("p2", "Ben", ("4",), frozenset("4"), (3,))]
    places = [
        make_occurrence("1", "a.jpg", (2019, 3)),
        make_occurrence("2", "b.jpg", (2021, 7)),
        make_occurrence("3", "c.jpg", None),
    ]
    built = make_report(
        persons, [*places, make_occurrence("4", "a.jpg", (2019, 3)), make_occurrence("9", "c.jpg", None)]
    )
    page = render_html(built)
    for text in (
        "2 faces on 2 photos · 2019–2021",
        "1 confirmed, 1 suggested",
        "Group 2",
        "1 face on 1 photo",
        "1 face is alone",
        "March",
        "48.14° N, 11.58° E",
        "– 2 photos, 2019–2021",
        "faceclust name 2 NAME",
        '<bdi>Anna</bdi></a> and <a href="#p2"><bdi>Ben</bdi></a>',
    ):
        assert text in page, text
    (companion,) = built.named[0].companions
    assert (companion.name, companion.photos, companion.confirmed) == ("Ben", 1, 1)
    assert "nobody was found" in render_html(make_report([], []))


def test_only_suggested_faces_and_photos_are_marked() -> None:
    def page(confirmed: str) -> str:
        return render_html(
            make_report(
                anna(confirmed),
                [make_occurrence("1", "a.jpg"), make_occurrence("2", "b.jpg"), make_occurrence("3", "c.jpg")],
            )
        )

    items = [item.partition("</li>")[0] for item in page("1").split("<li")[1:]]
    marked = [item for item in items if 'class="maybe"' in item or ">suggested<" in item]
    assert len(marked) == 2  # Anna's second picture, and the photo it is from
    assert all("b.jpg" in item for item in marked)
    assert "nobody has confirmed them" in page("1")
    assert "nobody has confirmed them" not in page("12") and ">suggested<" not in page("12")


def test_a_copy_of_a_confirmed_photo_is_confirmed() -> None:
    built = make_report(
        anna(), [make_occurrence("1", "a.jpg"), make_occurrence("1", "copy.jpg"), make_occurrence("2", "b.jpg")]
    )
    lines = {line.photo: line.confirmed for line in built.named[0].photos}
    assert lines == {"a.jpg": True, "copy.jpg": True, "b.jpg": False}


def test_pictures_are_the_best_of_each_year() -> None:
    places = [make_occurrence(f"{year}-{i}", when=(year, 1), quality=i / 10) for year in (2018, 2019) for i in range(5)]
    chosen = [found.face_id for found in select_faces_across_years(places, 4)]
    assert chosen == ["2018-4", "2019-4", "2018-3", "2019-3"]
    assert len(select_faces_across_years(places, 99)) == 10


def test_a_timeline_is_by_month_with_undated_faces_last() -> None:
    places = [
        make_occurrence("old", when=(2018, 12), quality=0.1),
        make_occurrence("good", when=(2019, 2), quality=0.9),
        make_occurrence("better", when=(2019, 2), quality=0.95),
        make_occurrence("left out", when=(2019, 2), quality=0.99),
        make_occurrence("summer", when=(2019, 8)),
        make_occurrence("undated", when=None),
    ]
    years = build_timeline(places, {found.face_id for found in places} - {"left out"}, {"old"}, number_faces(places))
    assert [year.number for year in years] == [2018, 2019, None]
    assert [month.number for month in years[1].months] == [2, 8]
    assert [picture.face_id for picture in years[1].months[0].pictures] == ["better", "good"]
    assert (years[1].faces, years[1].share, years[1].months[0].omitted) == (4, 1.0, 1)
    assert years[0].months[0].pictures[0].confirmed and years[0].share == 0.25


def test_a_picture_limit_reduces_everybody_equally() -> None:
    persons = [
        Person(f"p{i}", f"P{i}", tuple(f"{i} {n}" for n in range(size)), frozenset(), (i,))
        for i, size in enumerate((50, 50, 2))
    ]
    places = {face: [make_occurrence(face)] for person in persons for face in person.face_ids}
    unlimited = choose_pictures(persons, places, ["0 7"], 20, None)
    assert (len(unlimited.faces), unlimited.omitted) == (43, 0)
    limited = choose_pictures(persons, places, ["0 49"], 20, 15)
    assert len(limited.faces) == 15 and limited.omitted > 0 and "0 49" in limited.faces
    counts = [len(limited.faces.intersection(person.face_ids)) for person in persons]
    assert counts[2] == 2 and abs(counts[0] - counts[1]) <= 1
    assert len(choose_pictures(persons, places, [], 20, 2).faces) == 2


def test_a_town_on_a_grid_line_is_one_place() -> None:
    north = [(48.149, 11.5), (48.151, 11.5), (48.15, 11.501), (48.4, 11.5)]
    photos = [
        make_photo_info(make_occurrence(f"{i}", f"{i}.jpg", (2019 + i, 1)), coordinates)
        for i, coordinates in enumerate(north)
    ]
    found = assign_places(photos)
    assert len(set(found.values())) == 2 and len({found[f"{i}.jpg"] for i in range(3)}) == 1
    town, hut = summarise_places(photos, found)
    assert (format_coordinates(town), town.photos, town.years) == ("48.15° N, 11.50° E", 3, "2019–2021")
    assert (format_coordinates(hut), hut.photos) == ("48.40° N, 11.50° E", 1)


def test_places_cross_the_date_line_and_invalid_coordinates_are_ignored() -> None:
    photos = [
        make_photo_info(make_occurrence("1", "1.jpg"), (-17.0, 179.999)),
        make_photo_info(make_occurrence("2", "2.jpg"), (-17.0, -179.999)),
    ]
    (place_summary,) = summarise_places(photos, assign_places(photos))
    assert format_coordinates(place_summary) in ("17.00° S, 180.00° E", "17.00° S, 180.00° W")
    for invalid in ((91.0, 0.0), (float("nan"), 0.0), (0.0, 181.0)):
        assert assign_places([make_photo_info(make_occurrence("1"), invalid)]) == {}
    assert assign_places([]) == {} and summarise_places([], {}) == ()
    assert format_coordinates(GeoPlace(-0.001, -0.004, 1, "")) == "0.00° N, 0.00° E"


@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), max_size=30))
def test_every_photo_with_coordinates_has_one_place(points: list[tuple[float, float]]) -> None:
    photos = [make_photo_info(make_occurrence(str(i), f"{i}.jpg"), coordinates) for i, coordinates in enumerate(points)]
    found = assign_places(photos)
    assert len(found) == len(points)
    assert sum(place_summary.photos for place_summary in summarise_places(photos, found)) == len(points)


def test_a_matrix_has_the_people_who_share_most_photos() -> None:
    pairs = [PersonPair(("Anna", "Ben"), 5, 2), PersonPair(("Ben", "Clara"), 1, 0)]
    ids = {"Anna": "a", "Ben": "b", "Clara": "c"}
    built = build_matrix(pairs, ids, {"Anna": 9, "Ben": 7, "Clara": 3})
    assert built is not None and built.max_count == 5
    assert [name for _, name in built.people] == ["Ben", "Anna", "Clara"]
    assert built.counts == ((7, 5, 1), (5, 9, 0), (1, 0, 3))
    assert build_matrix([], {}, {}) is None
    assert [shade_level(n, 5) for n in (0, 1, 5)] == [0, 1, 5]


def test_every_reason_for_skipping_is_explained() -> None:
    skipped = [{"photo": f"{i} {reason}", "reason": reason, "detail": ""} for reason in SkipReason for i in range(2)]
    built = group_skips([*skipped, {"photo": "x", "reason": "empty file", "detail": ""}])
    assert built[0].reason == "empty file" and built[0].count == 3
    assert all(group.explanation for group in built) and len(built) == len(SkipReason)
    (unknown,) = group_skips([{"photo": "x", "reason": "of tomorrow", "detail": "y"}])
    assert unknown.explanation == "" and unknown.photos == (("x", "y"),)


@pytest.mark.parametrize(
    ("years", "text"), [([], ""), ([None], ""), ([2019], "2019"), ([2021, None, 2019], "2019–2021")]
)
def test_year_range_is_formatted(years: list[int | None], text: str) -> None:
    assert format_year_range(datetime(y, 1, 1) if y else None for y in years) == text


def test_review_items_and_pictures_name_the_face_as_commands_take_it() -> None:
    """The doubtful face is the second one from the left, on a photo whose name needs quotes."""
    photo = "2019/at home.jpg"
    faces = [make_occurrence(f"f{number}", f"{number}.jpg") for number in range(3)]
    faces += [
        replace(make_occurrence("doubtful", photo), box=(0.6, 0.2, 0.8, 0.4)),
        replace(make_occurrence("alone", photo), box=(0.1, 0.2, 0.3, 0.4)),
    ]
    ids = ("f0", "f1", "f2", "doubtful")
    for name, command in (("Anna M", "faceclust reject 'Anna M' '2019/at home.jpg#2'"), (None, "faceclust split 4 ")):
        persons = [Person("p", name, ids, frozenset(), (4,))]
        findings = ReviewFindings(
            outliers=(Outlier("doubtful", "p", 1.5, None, 0.0),),
            crowded_groups=(CrowdedGroup("p", 0.1, ("f0", "doubtful")),),
        )
        report = make_report(persons, faces, findings=findings)
        assert [item.commands[0].startswith(command) for item in report.outliers + report.crowded_groups] == [True] * 2
        assert report.outliers[0].commands[0].endswith(" '2019/at home.jpg#2'")
        page = render_html(report)
        assert 'title="2019/at home.jpg#2"' in page and 'title="0.jpg#1"' in page
