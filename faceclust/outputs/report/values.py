"""What a report says, before it is a page: nothing here knows of HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True)
class Shot:
    """A face on a photo (POSIX path below the library), and whether the user confirmed it."""

    face_id: str
    photo: str
    when: datetime | None
    confirmed: bool


@dataclass(frozen=True)
class Month:
    """The faces of a month that are pictured, the best first, and how many `more` there are.
    `number`: 1 to 12, None where no date is known."""

    number: int | None
    shots: tuple[Shot, ...]
    more: int


@dataclass(frozen=True)
class Year:
    """The faces of a year, None where no date is known. `share`: of the fullest year's, 0 to 1."""

    number: int | None
    faces: int
    share: float
    months: tuple[Month, ...]


@dataclass(frozen=True)
class Spot:
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
class Line:
    """A photo in a list. `confirmed`: the user confirmed that the person is on it."""

    photo: str
    when: datetime | None
    confirmed: bool


@dataclass(frozen=True)
class Entry:
    """A person, or a group without a name. `best` is None where no photo is here. `advice`: what to
    type to name a group."""

    id: str
    title: str
    named: bool
    faces: int
    confirmed: int
    photos: tuple[Line, ...]
    first: date | None
    last: date | None
    years: str
    best: Shot | None
    timeline: tuple[Year, ...]
    spots: tuple[Spot, ...] = ()
    company: tuple[Companion, ...] = ()
    advice: str = ""

    @property
    def suggested(self) -> int:
        return self.faces - self.confirmed


@dataclass(frozen=True)
class Stray:
    """A face far from its group: `distance` is the mean squared L2 to the group's other faces.
    `nearest`: the id of the person or group that it is nearest to besides, None where there is none."""

    face_id: str
    person: str
    distance: float
    nearest: str | None
    nearest_distance: float


@dataclass(frozen=True)
class Likeness:
    """Two persons or groups, by id, that may be one. `distance`: mean squared L2 of their faces;
    `chance`, 0 to 1, that they are."""

    persons: tuple[str, str]
    distance: float
    chance: float


@dataclass(frozen=True)
class Rift:
    """Two groups of one person that are far apart: the numbers, the faces of each, the best first,
    and the mean squared L2 between them."""

    person: str
    groups: tuple[int, int]
    faces: tuple[tuple[str, ...], tuple[str, ...]]
    distance: float


@dataclass(frozen=True)
class Doubts:
    """What is worth a look, the most doubtful first."""

    strays: tuple[Stray, ...] = ()
    alike: tuple[Likeness, ...] = ()
    rifts: tuple[Rift, ...] = ()


@dataclass(frozen=True)
class Mention:
    """A person or group that is spoken of; `here`: it has a place of its own in the report."""

    id: str
    title: str
    faces: int
    best: Shot | None
    here: bool


@dataclass(frozen=True)
class Doubt:
    """Something to look at: faces side by side, each with its words, and what to type."""

    sides: tuple[tuple[Mention, Shot, str], ...]
    words: str
    advice: tuple[str, ...]


@dataclass(frozen=True)
class Skips:
    """Photos passed by for one reason: how many, what that means, and the first of them with details."""

    reason: str
    count: int
    meaning: str
    photos: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Matrix:
    """On how many photos each two of some people are: `counts[i][j]`, the diagonal being how many
    show person i at all; `highest` is the highest of the others."""

    people: tuple[tuple[str, str], ...]
    counts: tuple[tuple[int, ...], ...]
    highest: int


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
    named: tuple[Entry, ...]
    groups: tuple[Entry, ...]
    left_out: int = 0
    strays: tuple[Doubt, ...] = ()
    alike: tuple[Doubt, ...] = ()
    rifts: tuple[Doubt, ...] = ()
    matrix: Matrix | None = None
    pairs: tuple[tuple[Companion, Companion], ...] = ()
    pair_count: int = 0
    spots: tuple[Spot, ...] = ()
    skips: tuple[Skips, ...] = ()
    pictures: frozenset[str] = field(default_factory=frozenset)
    unpictured: int = 0

    @property
    def skipped(self) -> int:
        return sum(skips.count for skips in self.skips)

    @property
    def doubts(self) -> int:
        return len(self.strays) + len(self.alike) + len(self.rifts)
