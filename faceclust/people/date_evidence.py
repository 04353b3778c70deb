"""Dates as evidence: nobody is on a photo that was taken before their birth.

A date only excludes a person, it never suggests one. A date that is too late excludes nobody: those of scanning, of
sending and of saving a copy are later than the photo. So the doubt of a date is how many days too early it may be.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta

from faceclust.people.names import person_key
from faceclust.types import FaceOccurrence, PartialDate, PersonFacts

#: Days that a date with a time of day may be too early, by its source (see `types.DATE_SOURCES`). The clock of a
#: camera, which also names files, may show any time zone of the world, and those are up to 26 hours apart. Takeout
#: has the moment in UTC.
_CLOCK_DOUBT_DAYS = {"exif": 2, "name": 2, "takeout": 2}
#: Days that any other date may be too early. People who date a scan often know the year only. This is the doubt of
#: the other sources, which photo programs write, of rows of older versions, which have no source, and of dates
#: without a time of day.
_TYPED_DOUBT_DAYS = 366
#: The times of day that programs add to a day that was typed.
_TYPED_TIMES = frozenset({time(0), time(12)})
#: The first year in which cameras wrote EXIF (version 1.0). Earlier dates were typed, whatever their source.
_FIRST_EXIF_YEAR = 1995
#: The years that the clocks of cameras and programs begin with, if nobody sets them. Such a clock runs on from there.
_CLOCK_START_YEARS = frozenset({1904, 1970, 1980, 2000})
#: Up to this age, in completed years, faces change fast: see `interview.nearby_age`.
_LAST_YEAR_OF_CHILDHOOD = 11


def find_latest_day(taken_at: datetime | None, source: str | None) -> date | None:
    """Return the last day on which a photo with this date can have been taken; None if the date is no evidence.

    `source` is one of `types.DATE_SOURCES`, None if unknown. The first of January of any year, and the first year of
    clocks that nobody set, are no evidence.
    """
    if taken_at is None or _is_unset_clock(taken_at):
        return None
    has_clock = taken_at.year >= _FIRST_EXIF_YEAR and taken_at.time() not in _TYPED_TIMES
    days = _CLOCK_DOUBT_DAYS.get(source or "", _TYPED_DOUBT_DAYS) if has_clock else _TYPED_DOUBT_DAYS
    try:
        return taken_at.date() + timedelta(days)
    except OverflowError:  # in the year 9999
        return None


def _is_unset_clock(taken_at: datetime) -> bool:
    """True for a date that may be that of a clock which nobody set, or stand for a year as a whole.

    In a western time zone, such a clock begins on the last day of the year before.
    """
    is_first_day = (taken_at.month, taken_at.day) == (1, 1)
    is_day_before = (taken_at.month, taken_at.day) == (12, 31) and taken_at.year + 1 in _CLOCK_START_YEARS
    return is_first_day or is_day_before or taken_at.year in _CLOCK_START_YEARS


class FaceDates:
    """The dates of faces, each worked out once. `occurrences_of` maps a face id to its occurrences.

    The copies of a photo may have different dates: of a face, the latest one of those that are evidence counts.
    """

    def __init__(self, occurrences_of: Mapping[str, Sequence[FaceOccurrence]]) -> None:
        self._occurrences_of = occurrences_of
        self._latest: dict[str, date | None] = {}
        self._days: dict[str, date | None] = {}

    def latest_day(self, face: str) -> date | None:
        """Return the last day on which a face can have been photographed; None if its dates are no evidence."""
        if face not in self._latest:
            found = (find_latest_day(one.taken_at, one.taken_at_source) for one in self._occurrences_of.get(face, ()))
            self._latest[face] = max((day for day in found if day is not None), default=None)
        return self._latest[face]

    def day(self, face: str) -> date | None:
        """Return the day on which a face was photographed, as far as it is known; None if its dates are no evidence.

        Of the dates of copies, the earliest is the likeliest: the others are later ones of sending and saving.
        """
        if face not in self._days:
            known = (
                one.taken_at.date()
                for one in self._occurrences_of.get(face, ())
                if one.taken_at is not None and find_latest_day(one.taken_at, one.taken_at_source) is not None
            )
            self._days[face] = min(known, default=None)
        return self._days[face]


class DateEvidence:
    """What dates tell about people with a birth date. `births`: the dates by `person_key` of the name.

    Of a birth that is known to the month or the year, the first day counts: only what is before it is excluded.
    """

    def __init__(self, dates: FaceDates, births: Mapping[str, PartialDate]) -> None:
        self._dates, self._births = dates, births

    def __bool__(self) -> bool:
        """Whether the birth of anybody is known."""
        return bool(self._births)

    def birth_of(self, name: str) -> PartialDate | None:
        """Return the birth date of the person of this name; None if it is not known."""
        return self._births.get(person_key(name)) if self._births else None

    def find_before_birth(self, name: str, faces: Iterable[str]) -> list[str]:
        """Return those of the faces that are dated before the person's birth by more than the date's doubt."""
        born = self.birth_of(name)
        if born is None:
            return []
        latest_day = self._dates.latest_day
        return [face for face in faces if (day := latest_day(face)) is not None and day < born.first]

    def are_all_before_birth(self, name: str, faces: Collection[str]) -> bool:
        """Whether all these faces, at least one, are dated before the person's birth."""
        return bool(faces) and len(self.find_before_birth(name, faces)) == len(faces)

    def latest_ordinal_of(self, faces: Iterable[str]) -> float:
        """Return the ordinal of the last day on which all faces had been photographed; inf if unknown for one."""
        days = [self._dates.latest_day(face) for face in faces]
        return max((math.inf if day is None else day.toordinal() for day in days), default=math.inf)

    def excludes(self, name: str, latest_day: date | None) -> bool:
        """Whether a photo that was taken on this day at the latest was taken before the person's birth."""
        born = self.birth_of(name)
        return born is not None and latest_day is not None and latest_day < born.first

    def day_of(self, face: str) -> date | None:
        """Return the day on which a face was photographed: see `FaceDates.day`."""
        return self._dates.day(face)

    def childhood_day_of(self, name: str, face: str) -> date | None:
        """Return the day of a face if it makes this person less than 12 years old; None otherwise."""
        born = self.birth_of(name)
        day = self._dates.day(face) if born is not None else None
        ages = PersonFacts(born).ages_on(day) if day is not None else None
        return day if ages is not None and ages[0] <= _LAST_YEAR_OF_CHILDHOOD and ages[1] >= 0 else None


#: The evidence about people of whom no birth date is known.
NO_DATE_EVIDENCE = DateEvidence(FaceDates({}), {})
