"""Faces on photos, photos and persons, as outputs and the journal use them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from faceclust.types.boxes import WHOLE_PHOTO, Box
from faceclust.types.frames import picture_id
from faceclust.types.person_facts import NO_FACTS, PersonFacts


@dataclass(frozen=True)
class FaceOccurrence:
    """One face on one photo of the library. `photo` is a POSIX path below the root, `photo_hash` the hash of
    its content, `box` in fractions of the upright photo and `photo_size` its width and height in px. `turn`:
    quarter turns counter-clockwise that make a face upright which lies on its side or upside down. `by_hand`:
    the user drew the box. `has_embedding` is false for a drawn face that cannot be compared with others.
    `taken_at_source`: see `PhotoInfo`. `frame_time`: seconds from the start of a video to the frame with the face, None
    for a photo."""

    face_id: str
    photo: str
    photo_hash: str
    box: Box
    photo_size: tuple[int, int]
    quality: float
    score: float
    taken_at: datetime | None
    turn: int = 0
    by_hand: bool = False
    has_embedding: bool = True
    taken_at_source: str | None = None
    frame_time: float | None = None

    @property
    def picture(self) -> str:
        """The picture with the face: the hash of the photo, and for a video the time of the frame as well."""
        return picture_id(self.photo_hash, self.frame_time)

    @property
    def is_whole_photo(self) -> bool:
        """Whether this is a person who is on the photo without a face to be seen."""
        return self.by_hand and self.box == WHOLE_PHOTO

    @property
    def pixel_box(self) -> tuple[int, int, int, int]:
        """The box as left, top, right, bottom in pixels of the upright photo."""
        width, height = self.photo_size
        left, top, right, bottom = self.box
        return round(left * width), round(top * height), round(right * width), round(bottom * height)


@dataclass(frozen=True)
class DrawnFace:
    """A face that the user drew on a photo, as the journal records it. `photo` is a POSIX path below the root,
    `photo_hash` the hash of its content, `box` in fractions of the upright photo. `taken_at` is the date of the
    photo in ISO 8601, None if unknown. The box WHOLE_PHOTO stands for a person without a face to be seen."""

    face_id: str
    photo: str
    photo_hash: str
    box: Box
    taken_at: str | None = None

    @property
    def is_whole_photo(self) -> bool:
        """Whether the person is on the photo without a face to be seen."""
        return self.box == WHOLE_PHOTO


@dataclass(frozen=True)
class LibraryFace:
    """A confirmed face of a library, for training. `path` is that of a photo with it, and `box` left, top, right,
    bottom in pixels of the upright photo. `person` is the name that the user confirmed. `photo_hash` is the hash of the
    photo's content when it was scanned, "" if unknown. `address` is the face as PHOTO#N, "" if unknown."""

    path: Path
    box: Box
    person: str
    face_id: str
    photo_hash: str = ""
    address: str = ""


@dataclass(frozen=True)
class PhotoInfo:
    """A photo of the library without its faces. `photo` is a POSIX path below the root, and
    `photo_hash` the hash of its content. `size` is the width and height of the upright photo in px.
    `orientation` is the EXIF orientation (1 to 8) that makes the stored picture upright. `latitude`
    and `longitude` are degrees north and east. `taken_at_source` is one of DATE_SOURCES, None without a
    date or for a photo that was scanned by an older version."""

    photo: str
    photo_hash: str
    size: tuple[int, int]
    orientation: int
    taken_at: datetime | None
    camera: str | None
    latitude: float | None
    longitude: float | None
    taken_at_source: str | None = None


@dataclass(frozen=True)
class Person:
    """A named person, or a group without a name (`name` is None).

    `confirmed` are the faces that the user saw or selected when naming the person. The other
    faces are suggested: they belong to the same groups. `clusters` are the numbers of these groups. `facts` are what
    the user told about a named person.
    """

    id: str
    name: str | None
    face_ids: tuple[str, ...]
    confirmed: frozenset[str]
    clusters: tuple[int, ...]
    ignored: bool = False
    facts: PersonFacts = NO_FACTS

    @property
    def label(self) -> str:
        """The name, or for example "group 12"."""
        return self.name or f"group {self.clusters[0]}"
