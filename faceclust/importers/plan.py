"""What an import would enter, what it leaves to the user, and why: a value."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from faceclust.importers.values import UnreadableSource
from faceclust.types import Box


@dataclass(frozen=True)
class FaceNaming:
    """A found face gets a name. `fit`: how well the box fits it, 0 to 1; not `confirmed`: the name had
    no place, and was given to the photo's only face without one, or faceclust itself had suggested it."""

    face_id: str
    photo: str
    name: str
    sources: tuple[str, ...]
    fit: float
    confirmed: bool = True


@dataclass(frozen=True)
class Conflict:
    """Names that contradict each other or what the user said; nothing of it is entered. `faces`: the
    found faces it is about; `why` in words."""

    photo: str
    faces: tuple[str, ...]
    names: tuple[str, ...]
    why: str
    where: tuple[str, ...]


@dataclass(frozen=True)
class UnplacedName:
    """A name that no found face was given. `box`: where the program says it is, fractions of the
    upright photo, None for a name without a place."""

    photo: str
    name: str
    box: Box | None
    why: str
    where: str


@dataclass(frozen=True)
class ImportPlan:
    """`namings` are to be entered; `known` faces have the name they would be given;
    `unmatched` names have a place where no face was found; `placeless` ones have none; `upright` and
    `turned`: photos whose boxes were taken as of the upright picture, or of one turned otherwise,
    since they fit that; `passed_by`: regions without a name; `elsewhere`: photos spoken of that are
    not in the library; `nameless`: Picasa's contacts whose name stands nowhere; `read`: files of
    each kind that had something to say."""

    namings: tuple[FaceNaming, ...] = ()
    known: int = 0
    conflicts: tuple[Conflict, ...] = ()
    unmatched: tuple[UnplacedName, ...] = ()
    placeless: tuple[UnplacedName, ...] = ()
    upright: tuple[str, ...] = ()
    turned: tuple[str, ...] = ()
    passed_by: int = 0
    elsewhere: tuple[str, ...] = ()
    nameless: tuple[str, ...] = ()
    unread: tuple[UnreadableSource, ...] = ()
    read: dict[str, int] = field(default_factory=dict)

    @property
    def faces_per_person(self) -> dict[str, int]:
        """Name → faces that would get it, most first."""
        counts = Counter(naming.name for naming in self.namings)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
