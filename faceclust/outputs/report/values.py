"""What a report says, before it is a page: nothing here knows of HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True)
class FacePicture:
    """A face on a photo (POSIX path below the library), and whether the user confirmed it."""

    face_id: str
    photo: str
    taken_at: datetime | None
    confirmed: bool


@dataclass(frozen=True)
class Month:
    """The faces of a month that are pictured, the best first, and how many `more` there are.
    `parse_number`: 1 to 12, None where no date is known."""

    number: int | None
    pictures: tuple[FacePicture, ...]
    omitted: int


@dataclass(frozen=True)
class Year:
    """The faces of a year, None where no date is known. `share`: of the fullest year's, 0 to 1."""

    number: int | None
    faces: int
    share: float
    months: tuple[Month, ...]


@dataclass(frozen=True)
class GeoPlace:
    """A place of some kilometres: the mean of where its photos were taken, degrees north and east,
    how many of them show somebody, and the years of these."""

    latitude: float
    longitude: float
    photos: int
    years: str


@dataclass(frozen=True)
class Companion:
    """Somebody who is on the same photos. On `confirmed` of them both are for certain."""

    id: str
    name: str
    photos: int
    confirmed: int


@dataclass(frozen=True)
class ListedPhoto:
    """A photo in a list. `confirmed`: the user confirmed that the person is on it."""

    photo: str
    taken_at: datetime | None
    confirmed: bool


@dataclass(frozen=True)
class ReportEntry:
    """A person, or a group without a name. `best` is None where no photo is here. `advice`: what to
    type to name a group."""

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

    @property
    def suggested(self) -> int:
        return self.faces - self.confirmed


@dataclass(frozen=True)
class Outlier:
    """A face far from its group: `distance` is the mean squared L2 to the group's other faces.
    `nearest`: the id of the person or group that it is nearest to besides, None where there is none."""

    face_id: str
    person: str
    distance: float
    nearest_person: str | None
    nearest_distance: float


@dataclass(frozen=True)
class MergeCandidate:
    """Two persons or groups, by id, that may be one. `distance`: mean squared L2 of their faces;
    `chance`, 0 to 1, that they are."""

    persons: tuple[str, str]
    distance: float
    probability: float


@dataclass(frozen=True)
class SplitCandidate:
    """Two groups of one person that are far apart: the numbers, the faces of each, the best first,
    and the mean squared L2 between them."""

    person: str
    groups: tuple[int, int]
    faces: tuple[tuple[str, ...], tuple[str, ...]]
    distance: float


@dataclass(frozen=True)
class ReviewFindings:
    """What is worth a look, the most doubtful first."""

    outliers: tuple[Outlier, ...] = ()
    merge_candidates: tuple[MergeCandidate, ...] = ()
    split_candidates: tuple[SplitCandidate, ...] = ()


@dataclass(frozen=True)
class PersonReference:
    """A person or group that is spoken of; `here`: it has a place of its own in the report."""

    id: str
    title: str
    faces: int
    best: FacePicture | None
    has_entry: bool


@dataclass(frozen=True)
class ReviewItem:
    """Something to look at: faces side by side, each with its words, and what to type."""

    sides: tuple[tuple[PersonReference, FacePicture, str], ...]
    explanation: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class SkipGroup:
    """Photos passed by for one reason: how many, what that means, and the first of them with details."""

    reason: str
    count: int
    explanation: str
    photos: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CooccurrenceMatrix:
    """On how many photos each two of some people are: `counts[i][j]`, the diagonal being how many
    show person i at all; `highest` is the highest of the others."""

    people: tuple[tuple[str, str], ...]
    counts: tuple[tuple[int, ...], ...]
    max_count: int


@dataclass(frozen=True)
class Report:
    """All of it. `left_out`: groups without a name that have no place in it; `alone`: faces in no
    group; `pictures`: ids of the faces to be pictured; `unpictured`: how many would have been
    pictured as well if there were no limit."""

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
    matrix: CooccurrenceMatrix | None = None
    pairs: tuple[tuple[Companion, Companion], ...] = ()
    pair_count: int = 0
    places: tuple[GeoPlace, ...] = ()
    skip_groups: tuple[SkipGroup, ...] = ()
    pictures: frozenset[str] = field(default_factory=frozenset)
    omitted_pictures: int = 0

    @property
    def skipped_count(self) -> int:
        return sum(skips.count for skips in self.skip_groups)

    @property
    def review_count(self) -> int:
        return len(self.outliers) + len(self.merge_candidates) + len(self.split_candidates)
