"""The date, camera and place of a video, from the texts in its container."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from faceclust.text.dates import parse_date
from faceclust.types import Metadata

#: The local time with its time zone, as iPhones write it, then the moment in UTC, as most devices do.
_LOCAL_DATE, _UTC_DATES = "com.apple.quicktime.creationdate", ("creation_time", "date")
_MAKES, _MODELS = ("com.apple.quicktime.make", "make"), ("com.apple.quicktime.model", "model")
_PLACES = ("com.apple.quicktime.location.ISO6709", "location", "location-eng")
#: Earlier dates are the zero of a container's clock, 1904 or 1970, or other errors.
_FIRST_YEAR = 1985
_MAX_LENGTH = 100  # characters of a text
#: ISO 6709 in decimal degrees: "+52.5200+013.4050+034.000/".
_PLACE = re.compile(r"([+-][0-9]{1,2}(?:\.[0-9]+)?)([+-][0-9]{1,3}(?:\.[0-9]+)?)(?:[+-].*)?/?")


def read_video_metadata(texts: Mapping[str, str]) -> Metadata:
    """Return the metadata in the texts of a container, by FFmpeg's names. Never raises.

    A date with a time zone is local time. Others are UTC, and kept so.
    """
    found = {str(name).lower(): _clean(text) for name, text in texts.items()}
    taken_at = next(filter(None, (_parse_date(found.get(name, "")) for name in (_LOCAL_DATE, *_UTC_DATES))), None)
    latitude, longitude = next(
        filter(None, (_parse_place(found.get(name.lower(), "")) for name in _PLACES)), (None, None)
    )
    return Metadata(
        taken_at=taken_at,
        taken_at_source="video" if taken_at else None,
        camera=_camera_name(_first(found, _MAKES), _first(found, _MODELS)),
        latitude=latitude,
        longitude=longitude,
    )


def _first(found: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next(filter(None, (found.get(name, "") for name in names)), "")


def _clean(text: str) -> str:
    return "".join(c for c in str(text)[:_MAX_LENGTH] if c.isprintable()).strip()


def _camera_name(make: str, model: str) -> str | None:
    name = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    return name.strip() or None


def _parse_date(text: str) -> datetime | None:
    date = parse_date(text)
    return date if date is not None and date.year >= _FIRST_YEAR else None


def _parse_place(text: str) -> tuple[float, float] | None:
    """Return degrees north and east; None unless both are valid, or for 0, 0, which devices without a fix write."""
    match = _PLACE.fullmatch(text)
    if match is None:
        return None
    north, east = float(match[1]), float(match[2])
    return (north, east) if abs(north) <= 90 and abs(east) <= 180 and (north or east) else None
