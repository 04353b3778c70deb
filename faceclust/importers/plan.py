"""Import plans: names to enter, conflicts and unmatched names, with reasons."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from faceclust.importers.values import UnreadableSource
from faceclust.types import Box


@dataclass(frozen=True)
class FaceNaming:
    """A name to enter for a found face. `fit` of the box is 0 to 1.

    `confirmed` is false for our own earlier suggestions, for a face that looks unlike the others of the
    name, and for names without a region that go to a face of the group that is on the photos with the
    name, or to the photo's only unnamed face.
    """

    face_id: str
    photo: str
    name: str
    sources: tuple[str, ...]
    fit: float
    confirmed: bool = True


@dataclass(frozen=True)
class Conflict:
    """Names that contradict each other or the user's answers; none of them is entered.

    `faces` are the ids of the faces concerned.
    """

    photo: str
    faces: tuple[str, ...]
    names: tuple[str, ...]
    why: str
    where: tuple[str, ...]


@dataclass(frozen=True)
class UnlikeFaces:
    """Faces that look unlike the `alike` other faces of their name; the name is only suggested for them.

    If no others look alike, `alike` is 0. `photos` are those of the `faces` (ids).
    """

    name: str
    faces: tuple[str, ...]
    photos: tuple[str, ...]
    alike: int


@dataclass(frozen=True)
class UnplacedName:
    """A name without a found face.

    `box` is the program's region in fractions of the upright photo, None for a name without a region.
    """

    photo: str
    name: str
    box: Box | None
    why: str
    where: str


@dataclass(frozen=True)
class FaceAddition:
    """A face to draw by hand, at a place where none was found, with the name that other programs gave it.

    `box` is in fractions of the upright photo, WHOLE_PHOTO for a person whose face is not to be seen. `confirmed`
    is false if the name is only a suggestion.
    """

    photo: str
    name: str
    box: Box
    sources: tuple[str, ...]
    confirmed: bool = True


@dataclass(frozen=True)
class ImportPlan:
    """The outcome of reconciling imported names with the library.

    `namings` are to be entered, and `known` counts faces that have their name already. `unlike` are faces
    whose name is only suggested because they look unlike the others of the name. `branches` has the names
    whose keywords are in several branches, such as Family and Work; they are taken for one person.
    `additions` are faces to draw by hand; if none were asked for, `addable` counts those that could be.
    `unmatched` names have a region without a found face, `placeless` names have no region. `ungrouped`: a
    clustering could place some of the latter. `upright` and `turned` are photos whose boxes fit the
    upright or a rotated picture, against the rule. `passed_by` counts regions and keywords without a
    name. Among them are the `placeholders`: words for somebody unknown, with their counts. `elsewhere`
    are photos that are not in the library, `nameless` ids of Picasa contacts without a known name.
    `unread` are unreadable files. `other_roots` are folders of another computer that were taken for the
    library's root. `read` counts the files with names by kind of source. `skipped_regions` counts regions
    by the reason that they were not read, and `skipped_tags` the keywords with names of people, by a
    parent tag that was not read.
    """

    namings: tuple[FaceNaming, ...] = ()
    known: int = 0
    unlike: tuple[UnlikeFaces, ...] = ()
    branches: dict[str, tuple[str, ...]] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    additions: tuple[FaceAddition, ...] = ()
    addable: int = 0
    unmatched: tuple[UnplacedName, ...] = ()
    placeless: tuple[UnplacedName, ...] = ()
    ungrouped: bool = False
    upright: tuple[str, ...] = ()
    turned: tuple[str, ...] = ()
    passed_by: int = 0
    placeholders: dict[str, int] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    nameless: tuple[str, ...] = ()
    unread: tuple[UnreadableSource, ...] = ()
    other_roots: tuple[str, ...] = ()
    read: dict[str, int] = field(default_factory=dict)
    skipped_regions: dict[str, int] = field(default_factory=dict)
    skipped_tags: dict[str, int] = field(default_factory=dict)

    @property
    def faces_per_person(self) -> dict[str, int]:
        """Return the number of faces to enter for each name, most first."""
        names = [*(naming.name for naming in self.namings), *(addition.name for addition in self.additions)]
        counts = Counter(names)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
