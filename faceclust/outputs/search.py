"""Search photos by the people on them, and count the pairs of people that share photos."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from itertools import combinations

from faceclust.errors import UsageError
from faceclust.files.safe_paths import is_at_or_below
from faceclust.types import FaceOccurrence, PartialDate, Person
from faceclust.types.arguments import require_text

#: Ages above this are mistyped.
_MAX_AGE = 150


@dataclass(frozen=True)
class Subject:
    """A person, a group or several people to search for: the ids of all faces and of the confirmed ones.

    `by_age`: the ages of the query apply to them.
    """

    faces: frozenset[str]
    confirmed: frozenset[str]
    by_age: bool = True


@dataclass(frozen=True)
class Query:
    """The conditions that a photo has to meet.

    `present` are alternatives: everybody in one of them is on the photo; if it is empty, any face counts.
    Nobody in `absent` is on it. Faces of the people present have at least `min_quality` (0 to 1), and
    are confirmed if `confirmed` is set. A suggested face is enough to exclude a photo by `absent`.
    `alone` forbids faces of anybody who is not in `present`. `ages`: the lowest and the highest age in
    years; a face counts if its person can have been of such an age. The photo was taken between `since`
    and `until`, both inclusive, and is in or below `folder` (POSIX path below the library, "" for the
    whole library). With `undated`, photos without a date are looked for instead, which may match.
    """

    present: tuple[tuple[Subject, ...], ...] = ()
    absent: tuple[Subject, ...] = ()
    alone: bool = False
    ages: tuple[int, int] | None = None
    since: datetime | None = None
    until: datetime | None = None
    folder: str = ""
    min_quality: float = 0.0
    confirmed: bool = False
    undated: bool = False

    @property
    def needs_date(self) -> bool:
        return self.since is not None or self.until is not None or self.ages is not None


@dataclass(frozen=True)
class FoundFace:
    """A face on a matching photo. `matched`: it is one of the faces searched for.

    `ages`: the lowest and the highest age in years that the person can have had; None if it is unknown.
    """

    occurrence: FaceOccurrence
    name: str | None
    confirmed: bool
    matched: bool
    ages: tuple[int, int] | None = None


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
        matched = _matching_faces(faces, query, confirmed, person_of)
        if matched:
            found_faces = tuple(_to_found_face(face, person_of, matched) for face in faces)
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
    return datetime.combine(parse_partial_date(text).first, time.min)


def parse_range_end(text: str) -> datetime:
    """Return the last moment of "2019", "2019-05" or "2019-05-17". Raises UsageError for other text."""
    return datetime.combine(parse_partial_date(text).last, time.max)


def parse_date_range(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Parse both ends of a date range, each like "2019", "2019-05" or "2019-05-17"; None stays None.

    Raises UsageError for other text, and if the range ends before it starts.
    """
    first = parse_range_start(since) if since is not None else None
    last = parse_range_end(until) if until is not None else None
    if first and last and last < first:
        raise UsageError(f"{until} is before {since}", hint="since is the first day, until the last")
    return first, last


def parse_partial_date(text: str) -> PartialDate:
    """Parse "2019", "2019-05" or "2019-05-17". Raises UsageError for other text."""
    require_text("a date", text)
    try:
        return PartialDate.parse(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is not a date", hint="write a year, month or day: 2019, 2019-05, 2019-05-17"
        ) from None


def parse_ages(text: str | int) -> tuple[int, int]:
    """Return the lowest and the highest age in years of "4", "3-5", "-12" or "13-".

    Raises UsageError for other text.
    """
    hint = "write an age or a range of ages in years: 4, 3-5, -12, 13-"
    match = re.fullmatch(r"([0-9]{0,3})(?:\s*([-–])\s*([0-9]{0,3}))?", str(text).strip())
    if match is None or not (match[1] or match[3]):
        raise UsageError(f"{text!r} is not an age", hint=hint)
    lowest = int(match[1] or 0)
    highest = int(match[3] or _MAX_AGE) if match[2] else lowest
    if not lowest <= highest <= _MAX_AGE:
        raise UsageError(f"{text!r}: ages are between 0 and {_MAX_AGE}, the lower one first", hint=hint)
    return lowest, highest


def _faces_by_photo(occurrences: Iterable[FaceOccurrence], query: Query) -> dict[str, list[FaceOccurrence]]:
    """Group the faces by photo, for photos in the query's folder and date range."""
    since, until = query.since or datetime.min, query.until or datetime.max
    faces: dict[str, list[FaceOccurrence]] = defaultdict(list)
    for occurrence in occurrences:
        if not is_at_or_below(occurrence.photo, query.folder):
            continue
        taken_at = occurrence.taken_at
        if query.undated and taken_at is not None:
            continue
        if query.needs_date and not query.undated and not (taken_at is not None and since <= taken_at <= until):
            continue
        faces[occurrence.photo].append(occurrence)
    return faces


def _matching_faces(
    faces: Sequence[FaceOccurrence], query: Query, confirmed: Collection[str], person_of: Mapping[str, Person]
) -> frozenset[str]:
    """Return the ids of a photo's faces that match the query; empty if the photo does not match."""
    ids = frozenset(face.face_id for face in faces)
    if any(not subject.faces.isdisjoint(ids) for subject in query.absent):
        return frozenset()
    asked_for = [subject.faces for alternative in query.present for subject in alternative]
    others = ids.difference(*asked_for) if query.present else _faces_in_company(faces)
    if query.alone and others:
        return frozenset()
    good = frozenset(face.face_id for face in faces if face.quality >= query.min_quality)
    if not query.present:
        return good.intersection(confirmed) if query.confirmed else good
    of_age = good
    if query.ages is not None:
        of_age &= {face.face_id for face in faces if _may_be_of_age(face, person_of, query.ages)}
    found = frozenset[str]()
    for alternative in query.present:
        matches = [
            (of_age if subject.by_age else good) & (subject.confirmed if query.confirmed else subject.faces)
            for subject in alternative
        ]
        found = found.union(*matches) if all(matches) else found
    return found


def _ages_on(face: FaceOccurrence, person_of: Mapping[str, Person]) -> tuple[int, int] | None:
    """Return the lowest and the highest age that the person of a face can have had on the day of the photo.

    None if it is unknown, or if the photo was taken before the birth or after the death.
    """
    person = person_of.get(face.face_id)
    if person is None or face.taken_at is None:
        return None
    day, facts = face.taken_at.date(), person.facts
    ages = facts.ages_on(day)
    if ages is None or ages[1] < 0 or (facts.died and day > facts.died.last):
        return None
    return max(0, ages[0]), ages[1]


def _may_be_of_age(face: FaceOccurrence, person_of: Mapping[str, Person], asked_for: tuple[int, int]) -> bool:
    """Return whether the person of a face can have been of an age. On a photo without a date, anybody can."""
    if face.taken_at is None:
        return face.face_id in person_of and person_of[face.face_id].facts.born is not None
    ages = _ages_on(face, person_of)
    return ages is not None and ages[0] <= asked_for[1] and asked_for[0] <= ages[1]


def _faces_in_company(faces: Sequence[FaceOccurrence]) -> Sequence[FaceOccurrence]:
    """Return the faces of a photo or video beyond the first one of each picture."""
    return faces[len({face.picture for face in faces}) :]


def _to_found_face(occurrence: FaceOccurrence, person_of: Mapping[str, Person], matched: Collection[str]) -> FoundFace:
    person = person_of.get(occurrence.face_id)
    return FoundFace(
        occurrence=occurrence,
        name=person.name if person else None,
        confirmed=person is not None and occurrence.face_id in person.confirmed,
        matched=occurrence.face_id in matched,
        ages=_ages_on(occurrence, person_of),
    )
