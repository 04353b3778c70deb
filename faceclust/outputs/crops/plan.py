"""The names of the crops of a person's faces. Sorted by name, they are sorted by date."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from faceclust.files.names import CROPS_MARKER
from faceclust.outputs.albums.safe_names import NameAllocator, split_suffix
from faceclust.outputs.staged_folder import FolderKind
from faceclust.types import FaceOccurrence, PersonFacts
from faceclust.types.frames import format_frame_time

CROPS = FolderKind("crops", CROPS_MARKER, "writes crops")


@dataclass(frozen=True)
class PlannedCrop:
    """A face to write at `path` below the folder of crops. `ages`: the lowest and the highest age in years that the
    person can have on the photo, None if unknown."""

    path: str
    place: FaceOccurrence
    ages: tuple[int, int] | None


def plan_names(places: Iterable[FaceOccurrence], facts: PersonFacts, suffix: str) -> tuple[PlannedCrop, ...]:
    """Name the crops of these faces, such as "2019-05-17 14.03.22 party.jpg", in the order of their names.

    Faces without a date come last. Names are unique and valid on all file systems.
    """
    names, planned = NameAllocator(), []
    for place in sorted(places, key=_sort_key):
        stem = split_suffix(place.photo.rpartition("/")[2])[0]
        if place.frame_time is not None:
            stem += f" {format_frame_time(place.frame_time).replace(':', '.')}"
        path = names.allocate("", place.face_id, f"{_date_text(place.taken_at)} {stem}{suffix}")
        planned.append(PlannedCrop(path, place, _ages(facts, place.taken_at)))
    return tuple(sorted(planned, key=lambda crop: crop.path))


def plan_sheet_names(count: int, suffix: str) -> list[str]:
    """Name `count` contact sheets; "sheet.jpg" if it is one."""
    digits = len(str(count))
    return [f"sheet{suffix}"] if count == 1 else [f"sheet {page:0{digits}}{suffix}" for page in range(1, count + 1)]


def _sort_key(place: FaceOccurrence) -> tuple[str, str, float, str]:
    return _date_text(place.taken_at), place.photo, place.frame_time or 0.0, place.face_id


def _date_text(taken_at: datetime | None) -> str:
    """Return a date without characters that are invalid in names; "undated" sorts after all digits."""
    return "undated" if taken_at is None else taken_at.isoformat(" ", "seconds").replace(":", ".")


def _ages(facts: PersonFacts, taken_at: datetime | None) -> tuple[int, int] | None:
    ages = facts.ages_on(taken_at.date()) if taken_at else None
    return ages if ages and ages[0] >= 0 else None
