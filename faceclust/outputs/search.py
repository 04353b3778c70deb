"""Search photos by the people on them, and count the pairs of people that share photos."""

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
from faceclust.types.arguments import require_text


@dataclass(frozen=True)
class Subject:
    """A person or group to search for: the ids of all its faces and of the confirmed ones."""

    faces: frozenset[str]
    confirmed: frozenset[str]


@dataclass(frozen=True)
class Query:
    """The conditions that a photo has to meet.

    Everybody in `present` is on it and nobody in `absent`; if `present` is empty, any face counts.
    Faces of the people present have at least `min_quality` (0 to 1), and are confirmed if `confirmed`
    is set. A suggested face is enough to exclude a photo by `absent`. `alone` forbids further faces.
    The photo was taken between `since` and `until`, both inclusive, and is in or below `folder` (POSIX
    path below the library, "" for the whole library).
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
    """A face on a matching photo. `matched`: it is one of the faces searched for."""

    occurrence: FaceOccurrence
    name: str | None
    confirmed: bool
    matched: bool


@dataclass(frozen=True)
class FoundPhoto:
    """A matching photo: its path below the library, and every face on it."""

    photo: str
    taken_at: datetime | None
    faces: tuple[FoundFace, ...]


@dataclass(frozen=True)
class PersonPair:
    """Two named persons and the number of photos they share.

    In `confirmed` of the photos, both people are confirmed; in the others, at least one is suggested.
    """

    names: tuple[str, str]
    photos: int
    confirmed: int

    @property
    def suggested(self) -> int:
        return self.photos - self.confirmed


def find_photos(occurrences: Iterable[FaceOccurrence], persons: Iterable[Person], query: Query) -> list[FoundPhoto]:
    """Find the photos that match a query, sorted by date (undated last), then by path.

    Copies of one photo are separate results.
    """
    person_of = {face: person for person in persons if person.name is not None for face in person.face_ids}
    confirmed = frozenset(face for face, person in person_of.items() if face in person.confirmed)
    found = []
    for photo, faces in _faces_by_photo(occurrences, query).items():
        matched = _matching_faces(faces, query, confirmed)
        if matched:
            found_faces = tuple(_to_found_face(face, person_of.get(face.face_id), matched) for face in faces)
            found.append(FoundPhoto(photo, faces[0].taken_at, found_faces))
    return sorted(found, key=lambda photo: (photo.taken_at or datetime.max, photo.photo))


def count_pairs(
    occurrences: Iterable[FaceOccurrence],
    persons: Iterable[Person],
    person_ids: Collection[str] = (),
    *,
    confirmed: bool = False,
) -> list[PersonPair]:
    """Count the photos that each pair of named persons shares, most photos first.

    With `person_ids`, only pairs with one of these persons count, who comes first in the pair. With
    `confirmed`, only confirmed faces count. Copies of one photo count once.
    """
    named = [person for person in persons if person.name is not None]
    wanted = {number for number, person in enumerate(named) if not person_ids or person.id in person_ids}
    number_of = {face: number for number, person in enumerate(named) for face in person.face_ids}
    on_photo: dict[str, dict[int, bool]] = defaultdict(dict)
    for occurrence in occurrences:
        number = number_of.get(occurrence.face_id)
        if number is None:
            continue
        is_confirmed = occurrence.face_id in named[number].confirmed
        if is_confirmed or not confirmed:
            people = on_photo[occurrence.photo_hash]
            people[number] = people.get(number, False) or is_confirmed
    photos: Counter[tuple[int, int]] = Counter()
    both_confirmed: Counter[tuple[int, int]] = Counter()
    for people in on_photo.values():
        for pair in combinations(sorted(people), 2):
            if not wanted.isdisjoint(pair):
                photos[pair] += 1
                both_confirmed[pair] += people[pair[0]] and people[pair[1]]
    ranked = sorted(photos, key=lambda pair: (-photos[pair], -both_confirmed[pair], pair))
    ordered = [(pair, pair if pair[0] in wanted else pair[::-1]) for pair in ranked]
    return [
        PersonPair((named[a].label, named[b].label), photos[pair], both_confirmed[pair]) for pair, (a, b) in ordered
    ]


def parse_range_start(text: str) -> datetime:
    """Return the first moment of "2019", "2019-05" or "2019-05-17". Raises UsageError for other text."""
    year, month, day = _parse_partial_date(text)
    return datetime(year, month or 1, day or 1)


def parse_range_end(text: str) -> datetime:
    """Return the last moment of "2019", "2019-05" or "2019-05-17". Raises UsageError for other text."""
    year, month, day = _parse_partial_date(text)
    month = month or 12
    return datetime(year, month, day or calendar.monthrange(year, month)[1], 23, 59, 59, 999999)


def parse_date_range(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Parse both ends of a date range, each like "2019", "2019-05" or "2019-05-17"; None stays None.

    Raises UsageError for other text, and if the range ends before it starts.
    """
    first = parse_range_start(since) if since is not None else None
    last = parse_range_end(until) if until is not None else None
    if first and last and last < first:
        raise UsageError(f"{until} is before {since}", hint="since is the first day, until the last")
    return first, last


def _parse_partial_date(text: str) -> tuple[int, int | None, int | None]:
    require_text("a date", text)
    match = re.fullmatch(r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?", text.strip())
    year, month, day = (int(part) if part else None for part in match.groups()) if match else (None, None, None)
    try:
        if year is not None:
            datetime(year, 1 if month is None else month, 1 if day is None else day)
            return year, month, day
    except ValueError:  # no such month or day
        pass
    raise UsageError(f"{text!r} is not a date", hint="write a year, month or day: 2019, 2019-05, 2019-05-17")


def _faces_by_photo(occurrences: Iterable[FaceOccurrence], query: Query) -> dict[str, list[FaceOccurrence]]:
    """Group the faces by photo, for photos in the query's folder and date range."""
    prefix = f"{query.folder}/" if query.folder else ""
    needs_date = query.since is not None or query.until is not None
    since, until = query.since or datetime.min, query.until or datetime.max
    faces: dict[str, list[FaceOccurrence]] = defaultdict(list)
    for occurrence in occurrences:
        if not occurrence.photo.startswith(prefix):
            continue
        if needs_date and not (occurrence.taken_at is not None and since <= occurrence.taken_at <= until):
            continue
        faces[occurrence.photo].append(occurrence)
    return faces


def _matching_faces(faces: Sequence[FaceOccurrence], query: Query, confirmed: Collection[str]) -> frozenset[str]:
    """Return the ids of a photo's faces that match the query; empty if the photo does not match."""
    ids = frozenset(face.face_id for face in faces)
    if any(not subject.faces.isdisjoint(ids) for subject in query.absent):
        return frozenset()
    others = ids.difference(*(subject.faces for subject in query.present)) if query.present else faces[1:]
    if query.alone and others:
        return frozenset()
    good = frozenset(face.face_id for face in faces if face.quality >= query.min_quality)
    if not query.present:
        return good.intersection(confirmed) if query.confirmed else good
    matches = [good & (subject.confirmed if query.confirmed else subject.faces) for subject in query.present]
    return frozenset().union(*matches) if all(matches) else frozenset()


def _to_found_face(occurrence: FaceOccurrence, person: Person | None, matched: Collection[str]) -> FoundFace:
    return FoundFace(
        occurrence=occurrence,
        name=person.name if person else None,
        confirmed=person is not None and occurrence.face_id in person.confirmed,
        matched=occurrence.face_id in matched,
    )
