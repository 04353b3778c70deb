"""Camera metadata: date, camera, orientation and location, read by exifread."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import exifread

from faceclust.types import Metadata

_FIRST_PHOTO_YEAR = 1826  # the first photograph; earlier dates are camera errors
_MAX_CLOCK_AHEAD = timedelta(days=366)  # later dates are, too
#: exifread reads a tag in about ten pieces, and cameras write a few hundred tags.
MAX_READS = 100_000

# The user need not know about unusual tags in old photos.
logging.getLogger("exifread").setLevel(logging.CRITICAL)


class _LimitedFile(io.BytesIO):
    """A file that raises EOFError after MAX_READS reads.

    Thousands of entries of a directory may refer to the same subdirectory. Reading all of them from
    60 KB would take a minute.
    """

    _reads_left = MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads_left -= 1
        if self._reads_left < 0:
            raise EOFError("too many tags")
        return super().read(size)


def read_metadata(*sources: bytes | None) -> Metadata:
    """Return the metadata of the first source that has any: an EXIF block or a whole file.

    Never raises: unreadable values are None.
    """
    for source in sources:
        block = (source or b"").removeprefix(b"Exif\x00\x00")
        # The decoders of HEIC and AVIF return the EXIF block, and exifread has no limits in such files.
        if not block or block[4:8] == b"ftyp":
            continue
        try:
            tags = exifread.process_file(_LimitedFile(block), details=False, extract_thumbnail=False)
        except Exception:  # damaged bytes make exifread raise exceptions of any type
            tags = {}
        if tags:
            return _from_tags(tags)
    return Metadata()


def _from_tags(tags: Mapping[str, Any]) -> Metadata:
    return Metadata(
        taken_at=_parse_exif_date(tags, "EXIF DateTimeOriginal", "EXIF DateTimeDigitized", "Image DateTime"),
        camera=_camera_name(_tag_text(tags, "Image Make"), _tag_text(tags, "Image Model")),
        orientation=_parse_orientation(tags.get("Image Orientation")),
        latitude=_parse_degrees(tags, "GPS GPSLatitude", negative="S", limit=90),
        longitude=_parse_degrees(tags, "GPS GPSLongitude", negative="W", limit=180),
    )


def _tag_text(tags: Mapping[str, Any], name: str) -> str:
    text = str(tags.get(name, ""))
    return "".join(c for c in text if c.isprintable()).strip()


def _camera_name(make: str, model: str) -> str | None:
    # Many model names already begin with the make.
    name = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    return name.strip() or None


def _parse_exif_date(tags: Mapping[str, Any], *names: str) -> datetime | None:
    for name in names:
        try:
            date = datetime.strptime(_tag_text(tags, name)[:19], "%Y:%m:%d %H:%M:%S")
        except ValueError:
            continue
        if date.year >= _FIRST_PHOTO_YEAR and date < datetime.now() + _MAX_CLOCK_AHEAD:
            return date
    return None


def _parse_orientation(tag: Any) -> int | None:
    values = getattr(tag, "values", None)
    return values[0] if values and isinstance(values[0], int) and 1 <= values[0] <= 8 else None


def _parse_degrees(tags: Mapping[str, Any], name: str, negative: str, limit: int) -> float | None:
    try:
        parts = [float(part) for part in tags[name].values]
        degrees = sum(part / 60**i for i, part in enumerate(parts[:3]))
    except (KeyError, AttributeError, TypeError, ValueError, ZeroDivisionError):
        return None
    if _tag_text(tags, f"{name}Ref").upper().startswith(negative):
        degrees = -degrees
    return degrees if math.isfinite(degrees) and abs(degrees) <= limit else None
