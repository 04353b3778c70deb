"""Which photos show whom, and who is photographed with whom."""

from __future__ import annotations

import calendar
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from faceclust.errors import UsageError
from faceclust.types import FaceOccurrence, Person


@dataclass(frozen=True)
class Subject:
    """Somebody to look for: the faces of a person or a group, and which of them are confirmed."""

    faces: frozenset[str]
    confirmed: frozenset[str]


@dataclass(frozen=True)
class Query:
    """What a photo has to be.

    Everybody of `present` is on it and nobody of `absent`; with nobody in `present`, any face
    will do. The faces that make somebody present have `min_quality` (0 to 1), and are confirmed
    where `confirmed` asks for it; whoever may be there by a suggestion is not absent. `alone`:
    there is no face besides. It was taken from `since` to `until`, both inclusive, and lies in
    `folder` (POSIX path below the library, "" for all of it) or below.
    """

    present: tuple[Subject, ...] = ()
    absent: tuple[Subject, ...] = ()
    alone: bool = False
    since: datetime | None = None
    until: datetime | None = None
    folder: str = ""
    min_quality: float = 0.0
    confirmed: bool = False


@dataclass(frozen=True)
class FoundFace:
    """A face on a photo that was found. `name` is None where it has none; `matched`: it is one
    of those that were looked for."""

    occurrence: FaceOccurrence
    name: str | None
    confirmed: bool
    matched: bool


@dataclass(frozen=True)
class FoundPhoto:
    """A photo that was found: its path below the library, and every face on it."""

    photo: str
    taken_at: datetime | None
    faces: tuple[FoundFace, ...]


@dataclass(frozen=True)
class PersonPair:
    """Two named persons, and on how many photos both are: on `confirmed` of them both for
    certain, on the others one or both by a suggestion."""

    names: tuple[str, str]
    photos: int
    confirmed: int

    @property
    def suggested(self) -> int:
        return self.photos - self.confirmed


def find_photos(occurrences: Iterable[FaceOccurrence], persons: Iterable[Person], query: Query) -> list[FoundPhoto]:
    """The photos that are as asked for, by the time they were taken (those without one last),
    then by path. A photo kept twice is found twice."""
    person_of = {face: person for person in persons if person.name is not None for face in person.face_ids}
    confirmed = frozenset(face for face, person in person_of.items() if face in person.confirmed)
    found = []
    for photo, faces in _faces_by_photo(occurrences, query).items():
        matched = _matching_faces(faces, query, confirmed)
        if matched:
            named = tuple(_to_found_face(face, person_of.get(face.face_id), matched) for face in faces)
            found.append(FoundPhoto(photo, faces[0].taken_at, named))
    return sorted(found, key=lambda photo: (photo.taken_at or datetime.max, photo.photo))


def count_pairs(
    occurrences: Iterable[FaceOccurrence],
    persons: Iterable[Person],
    person_ids: Collection[str] = (),
    *,
    confirmed: bool = False,
) -> list[PersonPair]:
    """Pairs of named persons that are on one photo, most photos first. `of`: only pairs with one
    of these persons (by their ids), who comes first in them. `confirmed`: confirmed faces alone
    count. Copies of one photo are one."""
    named = [person for person in persons if person.name is not None]
    wanted = {number for number, person in enumerate(named) if not person_ids or person.id in person_ids}
    number_of = {face: number for number, person in enumerate(named) for face in person.face_ids}
    on_photo: dict[str, dict[int, bool]] = defaultdict(dict)
    for place in occurrences:
        number = number_of.get(place.face_id)
        if number is None:
            continue
        sure = place.face_id in named[number].confirmed
        if sure or not confirmed:
            here = on_photo[place.photo_hash]
            here[number] = here.get(number, False) or sure
    photos: Counter[tuple[int, int]] = Counter()
    both_sure: Counter[tuple[int, int]] = Counter()
    for here in on_photo.values():
        for pair in combinations(sorted(here), 2):
            if not wanted.isdisjoint(pair):
                photos[pair] += 1
                both_sure[pair] += here[pair[0]] and here[pair[1]]
    ranked = sorted(photos, key=lambda pair: (-photos[pair], -both_sure[pair], pair))
    ordered = [(pair, pair if pair[0] in wanted else pair[::-1]) for pair in ranked]
    return [PersonPair((named[a].label, named[b].label), photos[pair], both_sure[pair]) for pair, (a, b) in ordered]


def parse_range_start(text: str) -> datetime:
    """The first moment of "2019", "2019-05" or "2019-05-17". Raises UsageError for other text."""
    year, month, day = _parse_partial_date(text)
    return datetime(year, month or 1, day or 1)


def parse_range_end(text: str) -> datetime:
    """The last moment of "2019", "2019-05" or "2019-05-17". Raises UsageError for other text."""
    year, month, day = _parse_partial_date(text)
    month = month or 12
    return datetime(year, month, day or calendar.monthrange(year, month)[1], 23, 59, 59, 999999)


def parse_date_range(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """The first and the last moment of "2019", "2019-05" or "2019-05-17" each, None where there is no
    text. Raises UsageError for other text, and where the last is before the first."""
    first = parse_range_start(since) if since is not None else None
    last = parse_range_end(until) if until is not None else None
    if first and last and last < first:
        raise UsageError(f"{until} is before {since}", hint="since comes first, until last")
    return first, last


def _parse_partial_date(text: str) -> tuple[int, int | None, int | None]:
    match = re.fullmatch(r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?", text.strip())
    year, month, day = (int(part) if part else None for part in match.groups()) if match else (None, None, None)
    try:
        if year is not None:
            datetime(year, 1 if month is None else month, 1 if day is None else day)
            return year, month, day
    except ValueError:  # no such day
        pass
    raise UsageError(f"{text!r} is no date", hint="write a year, month or day: 2019, 2019-05, 2019-05-17")


def _faces_by_photo(occurrences: Iterable[FaceOccurrence], query: Query) -> dict[str, list[FaceOccurrence]]:
    """The faces of each photo that lies in the folder and was taken in the time."""
    below = f"{query.folder}/" if query.folder else ""
    dated = query.since is not None or query.until is not None
    since, until = query.since or datetime.min, query.until or datetime.max
    faces: dict[str, list[FaceOccurrence]] = defaultdict(list)
    for place in occurrences:
        if not place.photo.startswith(below):
            continue
        if dated and not (place.taken_at is not None and since <= place.taken_at <= until):
            continue
        faces[place.photo].append(place)
    return faces


def _matching_faces(faces: Sequence[FaceOccurrence], query: Query, confirmed: Collection[str]) -> frozenset[str]:
    """The faces of a photo that make it one asked for; none where it is not."""
    ids = frozenset(face.face_id for face in faces)
    if any(not subject.faces.isdisjoint(ids) for subject in query.absent):
        return frozenset()
    others = ids.difference(*(subject.faces for subject in query.present)) if query.present else faces[1:]
    if query.alone and others:
        return frozenset()
    good = frozenset(face.face_id for face in faces if face.quality >= query.min_quality)
    if not query.present:
        return good.intersection(confirmed) if query.confirmed else good
    shown = [good & (subject.confirmed if query.confirmed else subject.faces) for subject in query.present]
    return frozenset().union(*shown) if all(shown) else frozenset()


def _to_found_face(occurrence: FaceOccurrence, person: Person | None, matched: Collection[str]) -> FoundFace:
    return FoundFace(
        occurrence=occurrence,
        name=person.name if person else None,
        confirmed=person is not None and occurrence.face_id in person.confirmed,
        matched=occurrence.face_id in matched,
    )
