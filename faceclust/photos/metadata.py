"""Camera metadata: date, camera and location, read by exifread."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import exifread

from faceclust.photos.metadata_blocks import strip_exif_header
from faceclust.text.dates import parse_date
from faceclust.types import Metadata

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
    """Return the metadata in EXIF blocks or whole TIFF files; of two values, that of the earlier source.

    Never raises: unreadable values are None.
    """
    metadata = Metadata()
    for source in sources:
        block = strip_exif_header(source or b"")
        # The EXIF block of HEIC and AVIF is given instead, and exifread has no limits in such files.
        if not block or block[4:8] == b"ftyp":
            continue
        try:
            tags = exifread.process_file(_LimitedFile(block), details=False, extract_thumbnail=False)
        except Exception:  # damaged bytes make exifread raise exceptions of any type
            continue
        metadata = _fill_in(metadata, _from_tags(tags))
    return metadata


def _fill_in(metadata: Metadata, other: Metadata) -> Metadata:
    """Return the metadata with the values of another where its own are missing."""
    missing = {field.name for field in fields(Metadata) if getattr(metadata, field.name) is None}
    if metadata.latitude is not None or metadata.longitude is not None:
        missing -= {"latitude", "longitude"}
    return replace(metadata, **{name: getattr(other, name) for name in missing})


def _from_tags(tags: Mapping[str, Any]) -> Metadata:
    taken_at = _parse_exif_date(tags, "EXIF DateTimeOriginal", "EXIF DateTimeDigitized", "Image DateTime")
    latitude, longitude = _parse_place(tags)
    return Metadata(
        taken_at=taken_at,
        taken_at_source="exif" if taken_at else None,
        camera=_camera_name(_tag_text(tags, "Image Make"), _tag_text(tags, "Image Model")),
        latitude=latitude,
        longitude=longitude,
    )


def _tag_text(tags: Mapping[str, Any], name: str) -> str:
    text = str(tags.get(name, ""))
    return "".join(c for c in text if c.isprintable()).strip()


def _camera_name(make: str, model: str) -> str | None:
    # Many model names already begin with the make.
    name = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    return name.strip() or None


def _parse_exif_date(tags: Mapping[str, Any], *names: str) -> datetime | None:
    return next(filter(None, (parse_date(_tag_text(tags, name)) for name in names)), None)


def _parse_place(tags: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return degrees north and east, None for both unless both are valid.

    Devices without a fix write 0, 0 or 0/0. Without the references, the hemispheres are unknown.
    """
    north = _parse_degrees(tags, "GPS GPSLatitude", references="NS", limit=90)
    east = _parse_degrees(tags, "GPS GPSLongitude", references="EW", limit=180)
    if north is None or east is None or not (north or east):
        return None, None
    return north, east


def _parse_degrees(tags: Mapping[str, Any], name: str, references: str, limit: int) -> float | None:
    """Return an angle in degrees, negative for the second of two references (N and S, or E and W)."""
    reference = _tag_text(tags, f"{name}Ref").upper()[:1]
    try:
        parts = [float(part) for part in tags[name].values]
        degrees: float = sum(part / 60**i for i, part in enumerate(parts[:3]))
    except (KeyError, AttributeError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not reference or reference not in references or not math.isfinite(degrees) or abs(degrees) > limit:
        return None
    return -degrees if reference == references[1] else degrees
