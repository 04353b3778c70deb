"""Facts about a person that the user gave: birth, death, groups, other names, a note and a chosen picture."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class PartialDate:
    """A year, a month or a day, such as 1987, 1987-05 or 1987-05-03. Raises ValueError if there is no such date."""

    year: int
    month: int | None = None
    day: int | None = None

    def __post_init__(self) -> None:
        if self.month is None and self.day is not None:
            raise ValueError("a day without a month")
        date(self.year, 1 if self.month is None else self.month, 1 if self.day is None else self.day)

    @classmethod
    def parse(cls, text: str) -> PartialDate:
        """Read "1987", "1987-05" or "1987-05-03". Raises ValueError for other text."""
        match = re.fullmatch(r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?", text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a date")
        year, month, day = match.groups()
        return cls(int(year), int(month) if month else None, int(day) if day else None)

    @property
    def first(self) -> date:
        """The first day that it can stand for."""
        return date(self.year, self.month or 1, self.day or 1)

    @property
    def last(self) -> date:
        """The last day that it can stand for."""
        month = self.month or 12
        return date(self.year, month, self.day or calendar.monthrange(self.year, month)[1])

    def __str__(self) -> str:
        parts = [f"{self.year:04}", *(f"{part:02}" for part in (self.month, self.day) if part is not None)]
        return "-".join(parts)


@dataclass(frozen=True)
class PersonFacts:
    """Facts about a person. `picture` is the id of the face that stands for the person in outputs. `groups` are such
    as "Family"; `aliases` are other names that find the person."""

    born: PartialDate | None = None
    died: PartialDate | None = None
    note: str = ""
    picture: str | None = None
    favourite: bool = False
    groups: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    def ages_on(self, day: date) -> tuple[int, int] | None:
        """Return the lowest and the highest age in completed years that the person can have on a day.

        They differ if the day of birth is not known exactly. Negative before the birth. None without a birth date.
        """
        if self.born is None:
            return None
        return _completed_years(self.born.last, day), _completed_years(self.born.first, day)


#: The facts about a person of whom nothing is known but the name.
NO_FACTS = PersonFacts()


def _completed_years(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
