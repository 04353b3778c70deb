"""Parse the dates that cameras, photo programs and people write, without a time zone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import parsedate

_FIRST_PHOTO_YEAR = 1826  # the first photograph; earlier dates are camera errors
_MAX_CLOCK_AHEAD = timedelta(days=366)  # later dates are, too
_MAX_LENGTH = 100  # characters; no date is longer

#: EXIF ("2019:05:17 12:34:56"), ISO 8601 and what programs make of them. Blanks may stand for zeros. Any time
#: zone follows the seconds and is dropped: what counts is the clock at the place.
_SEPARATED_DATE = re.compile(
    r"([0-9]{4}) ?([:/.-]) ?([0-9]{1,2}) ?\2 ?([0-9]{1,2})"
    r"(?:[T ]{1,3}([0-9]{1,2}) ?[:.] ?([0-9]{1,2})(?: ?[:.] ?([0-9]{1,2})(?![0-9]).*| ?(?:Z|[AP]M|[+-][0-9:]+)?)|T?Z?)"
)
_COMPACT_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[T ]?([0-9]{2})([0-9]{2})([0-9]{2})?(?:Z|[+-][0-9:]+)?)?")
_MERIDIEM = re.compile(r"\b([AP])M\b", re.IGNORECASE)

#: Dates in file names. Digits on either side would make them part of a longer number.
_NAME_DATE = r"(?<![0-9])((?:19|20)[0-9]{2})([-._:]?)([01][0-9])\2([0-3][0-9])"
_NAME_TIME = (
    r"(?:[-_ T]{0,3}|[ _][^\W\d_]{1,4}[ _])"  # "2019-05-17 at 12.34.56", in any language
    r"(?:([0-2][0-9])([0-5][0-9])([0-5][0-9])(?:[0-9]{3})?|([0-2]?[0-9])([-._:])([0-5][0-9])\9([0-5][0-9])(?:\.[0-9]{3})?)"
    r"(?![0-9])(?:[ \u202f]([AP])M\b)?"
)
_DATE_AND_TIME = re.compile(_NAME_DATE + _NAME_TIME)
_WHOLE_DATE = re.compile(r"(?<![0-9A-Za-z])((?:19|20)[0-9]{2})([-._])([01][0-9])\2([0-3][0-9])(?![0-9A-Za-z])")
#: What cameras and messengers write before a date without a time.
_PREFIXED_DATE = re.compile(
    r"^(?:IMG|VID|PXL|MVIMG|PANO|Screenshot)[-_]((?:19|20)[0-9]{2})()([01][0-9])([0-3][0-9])(?![0-9])", re.IGNORECASE
)
#: Names with the date of scanning, which is not the date of the photo.
_SCAN_NAME = re.compile(r"scan", re.IGNORECASE)


def parse_date(text: str) -> datetime | None:
    """Parse a date of EXIF, XMP or PNG in any unambiguous form; None if it is none, or absurd.

    A date alone means midnight. A leap second becomes second 59. Dates before photography and far in
    the future are errors.
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in text[:_MAX_LENGTH]).split())
    if found := _SEPARATED_DATE.fullmatch(text):
        year, _, *rest = found.groups(default="0")
    elif found := _COMPACT_DATE.fullmatch(text):
        year, *rest = found.groups(default="0")
    else:
        return _parse_mail_date(text)
    meridiem = _MERIDIEM.search(text)
    return _make_date([year, *rest], meridiem[1] if meridiem else None)


def is_photo_date(date: datetime) -> bool:
    """Is this date, without a time zone, neither before photography nor far in the future?"""
    return date.year >= _FIRST_PHOTO_YEAR and date < datetime.now() + _MAX_CLOCK_AHEAD


def parse_name_date(name: str) -> datetime | None:
    """Return the date in a photo's file name, such as "IMG-20190517-WA0001.jpg"; None without one.

    Cameras, messengers and screenshots name files so. A date that may be part of a longer number, one
    of two different dates, and the date of a scan are left out.
    """
    if _SCAN_NAME.search(name[:_MAX_LENGTH]):
        return None
    stem = name.rpartition(".")[0] or name
    found = {_make_name_date(match) for match in _DATE_AND_TIME.finditer(stem[:_MAX_LENGTH])}
    if not found - {None}:
        matches = (_WHOLE_DATE.finditer(stem[:_MAX_LENGTH]), _PREFIXED_DATE.finditer(stem[:_MAX_LENGTH]))
        found = {_make_date([match[1], match[3], match[4]]) for each in matches for match in each}
    dates = found - {None}
    return dates.pop() if len(dates) == 1 else None


def _make_name_date(match: re.Match[str]) -> datetime | None:
    year, _, month, day, *compact, hour, _, minute, second, meridiem = match.groups()
    time = compact if compact[0] else [hour, minute, second]
    return _make_date([year, month, day, *time], meridiem)


def _parse_mail_date(text: str) -> datetime | None:
    """Parse "Fri, 17 May 2019 12:34:56 +0200" (RFC 1123, which PNG suggests) or "Fri May 17 12:34:56 2019"."""
    if not re.fullmatch(r"[A-Za-z0-9:+,. -]+", text) or not re.search(r"[A-Za-z]{3}", text):
        return None
    try:
        found = parsedate(text)
    except (ValueError, IndexError, TypeError):
        return None
    return _make_date(map(str, found[:6])) if found and re.search(rf"\b{found[0]}\b", text) else None


def _make_date(parts: Iterable[str], meridiem: str | None = None) -> datetime | None:
    year, month, day, hour, minute, second = [*map(int, parts), 0, 0, 0][:6]
    if meridiem and hour <= 12:
        hour = hour % 12 + (12 if meridiem.upper() == "P" else 0)
    try:
        date = datetime(year, month, day, hour, minute, 59 if second == 60 else second)
    except (ValueError, OverflowError):
        return None
    return date if is_photo_date(date) else None
