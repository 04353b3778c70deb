"""The contents of a report as values, independent of HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from faceclust.types import NO_FACTS, PersonFacts
from faceclust.types.face_numbers import format_face_address
from faceclust.types.frames import format_frame_time


@dataclass(frozen=True)
class FacePicture:
    """A face in a photo (POSIX path below the library), on which it is face `number` from the left, or in a video.

    `age` is that of the person on the photo in words, "" if unknown. `frame_time`: seconds from the start of the video.
    """

    face_id: str
    photo: str
    number: int
    taken_at: datetime | None
    confirmed: bool
    age: str = ""
    frame_time: float | None = None

    @property
    def time(self) -> str:
        """The time of the frame in a video, such as "1:23"; "" for a photo."""
        return "" if self.frame_time is None else format_frame_time(self.frame_time)

    @property
    def address(self) -> str:
        """The face as commands take it."""
        return format_face_address(self.photo, self.number)


@dataclass(frozen=True)
class Month:
    """The pictured faces of a month, best quality first, and the number of omitted ones.

    `number` is 1 to 12, or None for undated faces.
    """

    number: int | None
    pictures: tuple[FacePicture, ...]
    omitted: int


@dataclass(frozen=True)
class Year:
    """The faces of a year; `number` is None for undated faces.

    `share` is the number of faces relative to the year with most faces, 0 to 1. `age` is that of the person on
    the photos of the year in words, "" if unknown.
    """

    number: int | None
    faces: int
    share: float
    months: tuple[Month, ...]
    age: str = ""


@dataclass(frozen=True)
class GeoPlace:
    """A place of a few kilometres: the mean coordinates of its photos in degrees north and east.

    `photos` counts the photos taken there, `years` is their range.
    """

    latitude: float
    longitude: float
    photos: int
    years: str


@dataclass(frozen=True)
class Companion:
    """Somebody in the same photos. In `confirmed` of the `photos`, both people are confirmed."""

    id: str
    name: str
    photos: int
    confirmed: int


@dataclass(frozen=True)
class ListedPhoto:
    """A photo in a person's list. `confirmed` is true if the user confirmed the person in it. `age` is that of the
    person in words, "" if unknown."""

    photo: str
    taken_at: datetime | None
    confirmed: bool
    age: str = ""


@dataclass(frozen=True)
class ReportEntry:
    """A person, or a group without a name.

    `best` is None if no photo is available. `command` names the group; it is "" for named people. `life` has
    birth and death in words, "" if unknown.
    """

    id: str
    title: str
    named: bool
    faces: int
    confirmed: int
    photos: tuple[ListedPhoto, ...]
    first: date | None
    last: date | None
    years: str
    best: FacePicture | None
    timeline: tuple[Year, ...]
    places: tuple[GeoPlace, ...] = ()
    companions: tuple[Companion, ...] = ()
    command: str = ""
    facts: PersonFacts = NO_FACTS
    life: str = ""

    @property
    def suggested(self) -> int:
        return self.faces - self.confirmed


@dataclass(frozen=True)
class Outlier:
    """A face far from its group: `distance` is the mean squared L2 to the group's other faces.

    `nearest_person` is the id of the nearest other person or group, None if there is no other.
    """

    face_id: str
    person: str
    distance: float
    nearest_person: str | None
    nearest_distance: float


@dataclass(frozen=True)
class MergeCandidate:
    """Two persons or groups, by id, that may be the same person.

    `distance` is the mean squared L2 between their faces. `probability` of the same person is 0 to 1.
    """

    persons: tuple[str, str]
    distance: float
    probability: float


@dataclass(frozen=True)
class SplitCandidate:
    """Two groups of one person that are far apart.

    `faces` has the face ids of each group, best quality first. `distance` is the mean squared L2
    between the groups.
    """

    person: str
    groups: tuple[int, int]
    faces: tuple[tuple[str, ...], tuple[str, ...]]
    distance: float


@dataclass(frozen=True)
class CrowdedGroup:
    """A person or group whose faces look like many others to the model, as those of children do.

    `offset` is what local scaling adds to the squared L2 of each of the faces, on average. `faces` are the
    face nearest to the mean, and the unconfirmed one farthest from it.
    """

    person: str
    offset: float
    faces: tuple[str, str]


@dataclass(frozen=True)
class FacesBeforeBirth:
    """Confirmed faces of a person, by id, that are dated before the birth, and the birth date as text."""

    person: str
    faces: tuple[str, ...]
    born: str


@dataclass(frozen=True)
class ReviewFindings:
    """Doubtful faces and groups, the most doubtful first."""

    outliers: tuple[Outlier, ...] = ()
    merge_candidates: tuple[MergeCandidate, ...] = ()
    split_candidates: tuple[SplitCandidate, ...] = ()
    crowded_groups: tuple[CrowdedGroup, ...] = ()
    before_birth: tuple[FacesBeforeBirth, ...] = ()


@dataclass(frozen=True)
class PersonReference:
    """A person or group mentioned in a review item. `has_entry`: the report has an entry for it."""

    id: str
    title: str
    faces: int
    best: FacePicture | None
    has_entry: bool


@dataclass(frozen=True)
class ReviewItem:
    """Faces to compare, each with the person and a caption, and the commands that correct them."""

    sides: tuple[tuple[PersonReference, FacePicture, str], ...]
    explanation: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class SkipGroup:
    """Photos skipped for one reason. `photos` has (path, detail) of the first ones, `count` is of all."""

    reason: str
    count: int
    explanation: str
    photos: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CooccurrenceMatrix:
    """Numbers of photos that two people share.

    `people` has (id, name). `counts[i][j]` is the number for persons i and j, and the diagonal has all
    photos of a person. `max_count` is the maximum off the diagonal.
    """

    people: tuple[tuple[str, str], ...]
    counts: tuple[tuple[int, ...], ...]
    max_count: int


@dataclass(frozen=True)
class Report:
    """A whole report.

    `alone` counts faces in no group, `omitted_groups` the groups without a name that are not listed.
    `pictures` has the ids of the faces to picture; `omitted_pictures` more were left out by the limit.
    """

    library: str
    made_at: datetime
    photos: int
    faces: int
    alone: int
    years: str
    named: tuple[ReportEntry, ...]
    groups: tuple[ReportEntry, ...]
    omitted_groups: int = 0
    outliers: tuple[ReviewItem, ...] = ()
    merge_candidates: tuple[ReviewItem, ...] = ()
    split_candidates: tuple[ReviewItem, ...] = ()
    crowded_groups: tuple[ReviewItem, ...] = ()
    before_birth: tuple[ReviewItem, ...] = ()
    matrix: CooccurrenceMatrix | None = None
    pairs: tuple[tuple[Companion, Companion], ...] = ()
    pair_count: int = 0
    places: tuple[GeoPlace, ...] = ()
    skip_groups: tuple[SkipGroup, ...] = ()
    pictures: frozenset[str] = field(default_factory=frozenset)
    omitted_pictures: int = 0

    @property
    def skipped_count(self) -> int:
        return sum(group.count for group in self.skip_groups)

    @property
    def review_count(self) -> int:
        groups = (self.outliers, self.merge_candidates, self.split_candidates, self.crowded_groups, self.before_birth)
        return sum(map(len, groups))
