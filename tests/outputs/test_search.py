from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.errors import UsageError
from faceclust.outputs.overview import build_overview
from faceclust.outputs.search import (
    Query,
    Subject,
    count_pairs,
    find_photos,
    parse_ages,
    parse_range_end,
    parse_range_start,
)
from faceclust.types import FaceOccurrence, PartialDate, Person, PersonFacts


def make_occurrence(
    photo: str, face: str, taken: datetime | None = datetime(2020, 6, 1, 12), quality: float = 0.5
) -> FaceOccurrence:
    return FaceOccurrence(face, photo, f"hash of {photo}", (0.1, 0.2, 0.3, 0.4), (4000, 3000), quality, 0.99, taken)


def make_person(name: str | None, faces: str, confirmed: str = "") -> Person:
    return Person(f"id of {name}", name, tuple(faces.split()), frozenset(confirmed.split()), (1,))


def make_subject(person: Person) -> Subject:
    return Subject(frozenset(person.face_ids), person.confirmed)


ANNA = make_person("Anna", "a1 a2 a3 a5", "a1 a2")
BEN = make_person("Ben", "b2 b3 b4", "b2")
GROUP = make_person(None, "g4")
PEOPLE = (ANNA, BEN, GROUP)
PLACES = [
    make_occurrence("2019/1.jpg", "a1", datetime(2019, 12, 31, 23, 59, 59), 0.9),
    make_occurrence("2.jpg", "a2", datetime(2020, 1, 1), 0.4),
    make_occurrence("2.jpg", "b2", datetime(2020, 1, 1), 0.8),
    make_occurrence("3.jpg", "a3", datetime(2021, 5, 31, 12)),
    make_occurrence("3.jpg", "b3", datetime(2021, 5, 31, 12)),
    make_occurrence("3.jpg", "x3", datetime(2021, 5, 31, 12), 0.95),
    make_occurrence("2019 b/4.jpg", "b4", datetime(2018, 3, 3)),
    make_occurrence("2019 b/4.jpg", "g4", datetime(2018, 3, 3)),
    make_occurrence("5.jpg", "a5", None),
    make_occurrence("6.jpg", "x6", datetime(2022, 1, 1), 0.1),
]


def find(**conditions: Any) -> list[str]:
    return [
        photo.photo.rpartition("/")[2].removesuffix(".jpg")
        for photo in find_photos(PLACES, PEOPLE, Query(**conditions))
    ]


@pytest.mark.parametrize(
    ("conditions", "photos"),
    [
        ({}, "4 1 2 3 6 5"),
        ({"present": ((make_subject(ANNA),),)}, "1 2 3 5"),
        ({"present": ((make_subject(ANNA), make_subject(BEN)),)}, "2 3"),
        ({"present": ((make_subject(ANNA),),), "absent": (make_subject(BEN),)}, "1 5"),
        ({"absent": (make_subject(ANNA), make_subject(BEN))}, "6"),
        ({"present": ((make_subject(ANNA),),), "absent": (make_subject(ANNA),)}, ""),
        ({"present": ((make_subject(GROUP),),)}, "4"),
        ({"present": ((make_subject(GROUP),),), "confirmed": True}, ""),
        ({"present": ((make_subject(ANNA),),), "confirmed": True}, "1 2"),
        ({"present": ((make_subject(ANNA), make_subject(BEN)),), "confirmed": True}, "2"),
        ({"absent": (make_subject(BEN),), "confirmed": True}, "1"),
        ({"confirmed": True}, "1 2"),
        ({"present": ((make_subject(ANNA),),), "alone": True}, "1 5"),
        ({"present": ((make_subject(ANNA), make_subject(BEN)),), "alone": True}, "2"),
        ({"alone": True}, "1 6 5"),
        ({"present": ((make_subject(ANNA),), (make_subject(BEN),))}, "4 1 2 3 5"),
        ({"present": ((make_subject(ANNA),), (make_subject(BEN),)), "alone": True}, "1 2 5"),
        ({"present": ((make_subject(ANNA),), (make_subject(BEN),)), "min_quality": 0.8}, "1 2"),
        ({"present": ((make_subject(ANNA), make_subject(BEN)), (make_subject(GROUP),))}, "4 2 3"),
        ({"present": ((make_subject(ANNA),),), "min_quality": 0.5}, "1 3 5"),
        ({"present": ((make_subject(ANNA), make_subject(BEN)),), "min_quality": 0.5}, "3"),
        ({"present": ((make_subject(ANNA),),), "min_quality": 0.4}, "1 2 3 5"),
        ({"min_quality": 0.9}, "1 3"),
        ({"min_quality": 0.9, "confirmed": True}, "1"),
        ({"folder": "2019"}, "1"),
        ({"folder": "2019 b"}, "4"),
        ({"since": parse_range_start("2020")}, "2 3 6"),
        ({"until": parse_range_end("2019")}, "4 1"),
        ({"since": parse_range_start("2019"), "until": parse_range_end("2021-05")}, "1 2 3"),
        ({"since": parse_range_start("2021-05-31"), "until": parse_range_end("2021-05-31")}, "3"),
        ({"since": parse_range_start("2019-12-31"), "until": parse_range_end("2019-12-31")}, "1"),
        ({"since": parse_range_start("0001"), "until": parse_range_end("9999")}, "4 1 2 3 6"),
    ],
)
def test_queries_find_photos_in_order(conditions: dict[str, Any], photos: str) -> None:
    assert find(**conditions) == photos.split()


def test_a_suggested_face_excludes_a_photo_even_with_confirmed() -> None:
    all_confirmed = make_person("Anna", "a1 a2 a3", "a1 a2 a3")
    query = Query(present=((make_subject(all_confirmed),),), absent=(make_subject(BEN),), confirmed=True)
    assert [photo.photo for photo in find_photos(PLACES, [all_confirmed, BEN], query)] == ["2019/1.jpg"]


def test_a_found_photo_has_all_its_faces() -> None:
    (photo,) = find_photos(PLACES, PEOPLE, Query(present=((make_subject(BEN), make_subject(ANNA)),), min_quality=0.5))
    assert [(face.occurrence.face_id, face.name, face.confirmed, face.matched) for face in photo.faces] == [
        ("a3", "Anna", False, True),
        ("b3", "Ben", False, True),
        ("x3", None, False, False),
    ]


def test_a_photo_kept_twice_is_found_twice() -> None:
    copies = [make_occurrence("b.jpg", "a1"), make_occurrence("a.jpg", "a1")]
    assert [photo.photo for photo in find_photos(copies, PEOPLE, Query(present=((make_subject(ANNA),),)))] == [
        "a.jpg",
        "b.jpg",
    ]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2019", datetime(2019, 1, 1), datetime(2019, 12, 31, 23, 59, 59, 999999)),
        ("2020-02", datetime(2020, 2, 1), datetime(2020, 2, 29, 23, 59, 59, 999999)),
        ("2019-2", datetime(2019, 2, 1), datetime(2019, 2, 28, 23, 59, 59, 999999)),
        ("2019-05-17", datetime(2019, 5, 17), datetime(2019, 5, 17, 23, 59, 59, 999999)),
        ("9999", datetime(9999, 1, 1), datetime.max),
    ],
)
def test_partial_dates_are_ranges(text: str, first: datetime, last: datetime) -> None:
    assert (parse_range_start(text), parse_range_end(text)) == (first, last)


BAD_DATES = [
    "", "19", "last week", "2019-13", "2019-00", "2019-02-30", "2019-01-00", "2019-", "2019-05-", "17.5.2019",
    "2019/05", "0000", "12019", "２０１９", "2019-05-17T10:00", "-2019", "2019-05-17-1",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_DATES)
def test_an_invalid_date_gives_an_error_with_examples(text: str) -> None:
    for moment in (parse_range_start, parse_range_end):
        with pytest.raises(UsageError, match="is not a date") as error:
            moment(text)
        assert error.value.hint and "2019-05-17" in error.value.hint


@pytest.mark.parametrize(
    ("text", "ages"),
    [("4", (4, 4)), (4, (4, 4)), ("3-5", (3, 5)), (" 3 – 5 ", (3, 5)), ("-12", (0, 12)), ("13-", (13, 150))],
)  # fmt: skip
def test_ages_are_numbers_and_ranges(text: str | int, ages: tuple[int, int]) -> None:
    assert parse_ages(text) == ages


@pytest.mark.parametrize(
    "text", ["", "-", "–", "x", "4.5", "5-3", "1000", "151-", "3-5-7", "３", "4 years", "3--5", -4000, True]
)
def test_an_invalid_age_gives_an_error_with_examples(text: str | int) -> None:
    with pytest.raises(UsageError, match="age") as error:
        parse_ages(text)
    assert error.value.hint and "3-5" in error.value.hint


@st.composite
def albums(draw: st.DrawFn) -> tuple[list[FaceOccurrence], list[Person]]:
    """Some photos with faces of three named people and one without a name; births are known in part."""
    dates = st.sampled_from(
        [None, datetime(2009, 3, 1), datetime(2010, 7, 1), datetime(2013, 3, 2), datetime(2020, 1, 1)]
    )
    places = []
    for number, crowd in enumerate(draw(st.lists(st.lists(st.sampled_from("ABCx"), max_size=4), max_size=6))):
        taken, folder = draw(dates), draw(st.sampled_from(["", "a/", "a b/"]))
        qualities = draw(st.lists(st.sampled_from([0.2, 0.8]), min_size=len(crowd), max_size=len(crowd)))
        for i, (who, quality) in enumerate(zip(crowd, qualities, strict=True)):
            places.append(make_occurrence(f"{folder}{number}.jpg", f"{who}{number}{i}", taken, quality))
    confirmed = draw(st.sets(st.sampled_from([place.face_id for place in places]))) if places else set()
    births = {who: draw(st.sampled_from([None, "2010", "2010-03", "2010-03-02"])) for who in "ABC"}
    people = []
    for who in "ABCx":
        faces = tuple(place.face_id for place in places if place.face_id[0] == who)
        born = births.get(who)
        facts = PersonFacts(born=PartialDate.parse(born) if born else None)
        is_named = who != "x"
        theirs = confirmed & set(faces) if is_named else set()
        people.append(Person(who, who if is_named else None, faces, theirs, (1,), facts=facts))
    return places, people


@given(
    albums(),
    st.lists(st.lists(st.sampled_from("ABCx"), min_size=1, max_size=2), max_size=3),
    st.sampled_from(["", "A", "BC"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, (0, 0), (2, 3), (9, 150)]),
    st.sampled_from(["", "a", "a b"]),
    st.sampled_from([0.0, 0.5]),
    st.sampled_from([None, datetime(2010, 7, 1)]),
    st.booleans(),
)
def test_queries_equal_a_search_by_hand(
    album: tuple[list[FaceOccurrence], list[Person]],
    alternatives: list[list[str]],
    absent: str,
    alone: bool,
    confirmed: bool,
    ages: tuple[int, int] | None,
    folder: str,
    quality: float,
    since: datetime | None,
    undated: bool,
) -> None:
    places, people = album
    person = {one.id: one for one in people}
    query = Query(
        present=tuple(tuple(make_subject(person[who]) for who in one) for one in alternatives),
        absent=tuple(make_subject(person[who]) for who in absent),
        alone=alone,
        ages=ages if alternatives else None,
        since=since,
        folder=folder,
        min_quality=quality,
        confirmed=confirmed,
        undated=undated,
    )

    def counts(place: FaceOccurrence) -> bool:
        owner = person[place.face_id[0]]
        if place.quality < quality or (confirmed and (place.face_id not in owner.confirmed or owner.name is None)):
            return False
        if query.ages is None:
            return True
        if undated:
            return owner.facts.born is not None and owner.name is not None
        possible = owner.facts.ages_on(place.taken_at.date()) if place.taken_at and owner.name else None
        return possible is not None and any(
            ages and ages[0] <= age <= ages[1] for age in range(possible[0], possible[1] + 1)
        )

    def is_found(faces: list[FaceOccurrence]) -> bool:
        taken = faces[0].taken_at
        if (taken is not None) if undated else (query.needs_date and (taken is None or (since and taken < since))):
            return False
        if folder and faces[0].photo.rpartition("/")[0] != folder:
            return False
        everybody, present = (
            {place.face_id[0] for place in faces},
            {place.face_id[0] for place in faces if counts(place)},
        )
        if everybody & set(absent):
            return False
        asked_for = {who for one in alternatives for who in one}
        if alone and (everybody - asked_for if alternatives else len(faces) > 1):
            return False
        return any(set(one) <= present for one in alternatives) if alternatives else bool(present)

    photos: dict[str, list[FaceOccurrence]] = {}
    for place in places:
        photos.setdefault(place.photo, []).append(place)
    expected = {photo for photo, faces in photos.items() if is_found(faces)}
    assert {photo.photo for photo in find_photos(places, people, query)} == expected


def test_a_found_face_has_the_age_of_its_person() -> None:
    def ages(born: str, taken: datetime | None) -> tuple[int, int] | None:
        anna = replace(ANNA, facts=PersonFacts(born=PartialDate.parse(born), died=PartialDate(2001)))
        (photo,) = find_photos([make_occurrence("1.jpg", "a1", taken)], [anna], Query())
        return photo.faces[0].ages

    assert ages("1987-05-03", datetime(1990, 5, 2)) == (2, 2)
    assert ages("1987", datetime(1990, 5, 2)) == (2, 3)
    assert ages("1987", datetime(1987, 5, 2)) == (0, 0), "nobody is younger than 0"
    assert ages("1987", datetime(1986, 5, 2)) is None, "before the birth"
    assert ages("1987", None) is None
    assert ages("1987", datetime(2001, 1, 1)) == (13, 14)
    assert ages("1987", datetime(2002, 1, 1)) is None, "after the death"


def list_pairs(**conditions: Any) -> list[tuple[str, str, int, int, int]]:
    found_pairs = count_pairs(PLACES, PEOPLE, **conditions)
    return [(*pair.names, pair.photos, pair.confirmed, pair.suggested) for pair in found_pairs]


def test_pairs_keep_confirmed_and_suggested_apart() -> None:
    assert list_pairs() == [("Anna", "Ben", 2, 1, 1)]
    assert list_pairs(confirmed=True) == [("Anna", "Ben", 1, 1, 0)]
    assert list_pairs(person_ids={BEN.id}) == [("Ben", "Anna", 2, 1, 1)]
    assert list_pairs(person_ids={"somebody else"}) == []


def test_a_copy_of_a_photo_counts_once() -> None:
    copy = [replace(place, photo=f"copy/{place.photo}") for place in PLACES]
    assert [pair.photos for pair in count_pairs([*PLACES, *copy], PEOPLE)] == [2]


def test_of_two_faces_of_one_person_the_confirmed_one_decides() -> None:
    mirror = [make_occurrence("1.jpg", "a1"), make_occurrence("1.jpg", "a3"), make_occurrence("1.jpg", "b2")]
    assert [(pair.photos, pair.confirmed) for pair in count_pairs(mirror, PEOPLE)] == [(1, 1)]


@given(st.lists(st.lists(st.integers(0, 4), max_size=6), max_size=12))
def test_pairs_equal_a_count_by_hand(photos: list[list[int]]) -> None:
    places = [
        make_occurrence(f"{n}.jpg", f"{n}-{i}-{who}") for n, crowd in enumerate(photos) for i, who in enumerate(crowd)
    ]
    faces = {who: [p.face_id for p in places if p.face_id.endswith(f"-{who}")] for who in range(5)}
    persons = [Person(str(who), f"P{who}", tuple(faces[who]), frozenset(), ()) for who in range(5)]
    expected = Counter(
        frozenset((f"P{a}", f"P{b}")) for crowd in photos for a, b in combinations(sorted(set(crowd)), 2)
    )
    found_pairs = count_pairs(places, persons)
    assert {frozenset(pair.names): pair.photos for pair in found_pairs} == expected
    assert [pair.photos for pair in found_pairs] == sorted(expected.values(), reverse=True)
    of_one = count_pairs(places, persons, {"3"})
    assert all(pair.names[0] == "P3" for pair in of_one)
    assert len(of_one) == sum("P3" in names for names in expected)


def group_by_face(*places: FaceOccurrence) -> dict[str, list[FaceOccurrence]]:
    by_id: dict[str, list[FaceOccurrence]] = {}
    for each in places:
        by_id.setdefault(each.face_id, []).append(each)
    return by_id


def test_an_overview_counts_and_picks_the_best_confirmed_face() -> None:
    overview = build_overview(
        ANNA, group_by_face(*PLACES, make_occurrence("copy of 2.jpg", "a2", datetime(2020, 1, 1), 0.4))
    )
    assert (overview.confirmed, overview.suggested, overview.photos) == (("a1", "a2"), ("a3", "a5"), 5)
    assert (overview.first, overview.last) == (date(2019, 12, 31), date(2021, 5, 31))
    assert overview.best and overview.best.face_id == "a1"
    better = build_overview(ANNA, group_by_face(*PLACES[1:], make_occurrence("7.jpg", "a3", quality=0.99)))
    assert better.best and better.best.face_id == "a2", "the confirmed face, despite a better unconfirmed one"
    unconfirmed = build_overview(make_person("Carl", "b3 x3"), group_by_face(*PLACES))
    assert unconfirmed.best and unconfirmed.best.face_id == "x3"


def test_an_overview_without_dates_or_photos() -> None:
    undated = build_overview(make_person("Anna", "a5", "a5"), group_by_face(*PLACES))
    assert (undated.first, undated.last) == (None, None) and undated.best
    missing = build_overview(make_person("Anna", "z1"), group_by_face(*PLACES))
    assert (missing.photos, missing.best, missing.suggested) == (0, None, ("z1",))
