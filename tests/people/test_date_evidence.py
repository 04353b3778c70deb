"""A date excludes a person only if the photo was taken before the birth by more than the date's doubt."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.people.date_evidence import DateEvidence, FaceDates, find_latest_day
from faceclust.people.persons import build_persons
from faceclust.people.replay import Label, ReplayedAnswers
from faceclust.types import DATE_SOURCES, PartialDate
from tests.support.people_builders import make_groups, make_occurrence

AFTERNOON = datetime(2019, 5, 17, 15, 4, 5)
SOURCES = st.sampled_from([*DATE_SOURCES, None, "a source of a later version"])
#: The days that a wrong time zone can move a date; a typed date may be off by what it leaves open.
ZONES = st.timedeltas(timedelta(hours=-26), timedelta(hours=26))


def evidence_of(births: dict[str, str], **faces: datetime | list[tuple[datetime | None, str | None]]) -> DateEvidence:
    """Return evidence about faces with these dates, given by camera, or as (date, source) of each copy."""
    occurrences = {
        face: [
            make_occurrence(face, f"{i}.jpg", taken=taken, source=source)
            for i, (taken, source) in enumerate(copies if isinstance(copies, list) else [(copies, "exif")])
        ]
        for face, copies in faces.items()
    }
    return DateEvidence(FaceDates(occurrences), {name: PartialDate.parse(born) for name, born in births.items()})


@pytest.mark.parametrize(
    ("taken", "source", "days"),
    [
        (AFTERNOON, "exif", 2),
        (AFTERNOON, "name", 2),
        (AFTERNOON, "takeout", 2),
        (AFTERNOON, "xmp", 366),
        (AFTERNOON, "sidecar", 366),
        (AFTERNOON, "iptc", 366),
        (AFTERNOON, "png", 366),
        (AFTERNOON, None, 366),  # a row of an older version
        (datetime(2019, 5, 17), "exif", 366),  # a day that was typed
        (datetime(2019, 5, 17, 12), "name", 366),
        (datetime(1985, 7, 2, 15, 4, 5), "exif", 366),  # before EXIF
        (datetime(2000, 3, 1, 9, 30, 1), "exif", None),  # a clock that nobody set
        (datetime(1970, 1, 1), "takeout", None),
        (datetime(1969, 12, 31, 16), "exif", None),  # the same in California
        (datetime(1999, 12, 31, 16), "exif", None),
        (datetime(2008, 1, 1, 0, 3, 12), "exif", None),
        (datetime(2005, 1, 1), "sidecar", None),  # "2005"
        (None, None, None),
    ],
)
def test_each_date_has_its_doubt(taken: datetime | None, source: str | None, days: int | None) -> None:
    expected = None if taken is None or days is None else taken.date() + timedelta(days)
    assert find_latest_day(taken, source) == expected


def test_a_date_at_the_end_of_the_calendar_is_no_evidence() -> None:
    assert find_latest_day(datetime(9999, 12, 31, 15), "exif") is None


@given(
    born=st.dates(date(1900, 1, 1), date(2030, 12, 31)),
    precision=st.sampled_from([4, 7, 10]),
    age=st.integers(0, 40_000),
    clock=st.times(),
    zone=ZONES,
    source=SOURCES,
)
def test_a_right_birth_date_and_a_right_clock_never_exclude(
    born: date, precision: int, age: int, clock: object, zone: timedelta, source: str | None
) -> None:
    """Whatever is known of the birth, and whatever the time zone of the camera."""
    shown = datetime.combine(born, clock) + timedelta(age) + zone  # type: ignore[arg-type]
    evidence = evidence_of({"anna": born.isoformat()[:precision]}, face=[(shown, source)])
    assert evidence.find_before_birth("Anna", ["face"]) == []
    assert not evidence.excludes("Anna", find_latest_day(shown, source))


@given(day=st.dates(date(1900, 1, 1), date(2030, 12, 31)), known=st.sampled_from([4, 7, 10]), source=SOURCES)
def test_a_typed_date_that_is_known_to_the_year_never_excludes_who_was_born_in_it(
    day: date, known: int, source: str | None
) -> None:
    """A program completes "1985" to the first of January, and "1985-06" to the first of June."""
    typed = datetime.fromisoformat(f"{day.isoformat()[:known]}-01-01"[:10])
    assert evidence_of({"anna": day.isoformat()}, face=[(typed, source)]).find_before_birth("anna", ["face"]) == []


@given(born=st.dates(date(1996, 1, 1), date(2030, 12, 31)), before=st.integers(3, 300))
def test_a_photo_from_before_the_birth_excludes(born: date, before: int) -> None:
    taken = datetime.combine(born - timedelta(before), datetime.min.time()) + timedelta(hours=9)
    found = evidence_of({"anna": born.isoformat()}, face=taken).find_before_birth("Anna", ["face"])
    assert found == ([] if find_latest_day(taken, "exif") is None else ["face"])


def test_only_what_is_before_the_whole_month_or_year_of_the_birth_is_excluded() -> None:
    faces = {"early": datetime(2018, 12, 28, 9), "january": datetime(2019, 1, 5, 9), "april": datetime(2019, 4, 27, 9)}
    for born, excluded in (("2019", ["early"]), ("2019-05", ["early", "january", "april"])):
        assert evidence_of({"anna": born}, **faces).find_before_birth("ANNA", faces) == excluded


def test_of_copies_the_latest_date_counts_and_undated_ones_do_not() -> None:
    early, late = datetime(2010, 3, 4, 9), datetime(2020, 3, 4, 9)
    evidence = evidence_of(
        {"anna": "2015"},
        both=[(early, "exif"), (late, "takeout")],
        undated=[(early, "exif"), (None, None)],
        unset=[(early, "exif"), (datetime(2000, 1, 1, 0, 2), "name")],
        none=[(None, None)],
        unknown=[],
    )
    faces = ["both", "undated", "unset", "none", "unknown"]
    assert evidence.find_before_birth("Anna", faces) == ["undated", "unset"]
    assert evidence.are_all_before_birth("Anna", ["undated", "unset"])
    assert not evidence.are_all_before_birth("Anna", faces) and not evidence.are_all_before_birth("Anna", [])
    assert evidence.find_before_birth("Ben", faces) == []  # of whom no birth is known
    assert evidence.day_of("both") == early.date()


def test_childhood_lasts_until_the_twelfth_birthday() -> None:
    days = {"baby": 2005, "eleven": 2016, "twelve": 2017, "before": 2003}
    evidence = evidence_of({"anna": "2005-03-02"}, **{face: datetime(year, 6, 7, 9) for face, year in days.items()})
    found = [face for face in days if evidence.childhood_day_of("Anna", face)]
    assert found == ["baby", "eleven"] and evidence.childhood_day_of("Ben", "baby") is None


# -- persons --------------------------------------------------------------------


def persons_of(evidence: DateEvidence, labels: dict[str, Label], **groups: int) -> dict[str, tuple[str, ...]]:
    photo_of = {face: face for face in groups}
    people = build_persons(make_groups(groups), ReplayedAnswers(labels), photo_of, evidence)
    return {person.label: person.face_ids for person in people}


def test_a_face_from_before_the_birth_stays_in_its_group_without_a_name() -> None:
    evidence = evidence_of({"anna": "2015"}, b=datetime(2010, 3, 4, 9), c=datetime(2016, 3, 4, 9))
    found = persons_of(evidence, {"a": Label("Anna", True)}, a=1, b=1, c=1)
    assert found == {"Anna": ("a", "c"), "group 1": ("b",)}


def test_a_confirmed_face_keeps_its_name_and_a_suggested_one_does_not() -> None:
    evidence = evidence_of({"anna": "2015"}, **dict.fromkeys("abc", datetime(2010, 3, 4, 9)))
    labels = {"a": Label("Anna", True), "b": Label("Anna", False), "c": Label("Anna", False)}
    assert persons_of(evidence, labels, a=1, b=1, c=-1) == {"Anna": ("a",), "group 1": ("b",)}


@given(st.lists(st.sampled_from(["2010-03-04", "2016-03-04", None]), min_size=3, max_size=8), st.booleans())
def test_dates_take_away_exactly_the_early_suggestions(days: list[str | None], confirmed: bool) -> None:
    taken = [(datetime.fromisoformat(f"{day} 09:30") if day else None) for day in days]
    faces = {f"f{i}": [(one, "exif")] for i, one in enumerate(taken)}
    labels = {"f0": Label("Anna", confirmed)}
    groups = dict.fromkeys(faces, 1)
    before = persons_of(evidence_of({}, **faces), labels, **groups)  # type: ignore[arg-type]
    after = persons_of(evidence_of({"anna": "2015"}, **faces), labels, **groups)  # type: ignore[arg-type]
    early = {f"f{i}" for i, day in enumerate(days) if day == "2010-03-04"}
    kept = {"f0"} if confirmed else set()
    assert set(after.get("Anna", ())) == set(before["Anna"]) - (early - kept)
