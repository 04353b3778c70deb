"""Faces on photos, and persons: what is said of them and shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from faceclust.types.boxes import Box


@dataclass(frozen=True)
class FaceOccurrence:
    """One face on one photo of the library, where outputs and the journal need to find it."""

    face_id: str
    photo: str
    photo_hash: str
    box: Box
    photo_size: tuple[int, int]
    quality: float
    score: float
    taken_at: datetime | None

    @property
    def pixel_box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in pixels of the upright photo."""
        width, height = self.photo_size
        left, top, right, bottom = self.box
        return round(left * width), round(top * height), round(right * width), round(bottom * height)


@dataclass(frozen=True)
class PhotoInfo:
    """What is known of a photo of the library apart from its faces. `photo`: POSIX path below the
    root; `photo_hash`: of its bytes; `read_dimensions`: width and height of the upright photo, px;
    `orientation`: the EXIF orientation (1 to 8) by which the stored picture becomes upright;
    `latitude`, `longitude`: degrees, north and east."""

    photo: str
    photo_hash: str
    size: tuple[int, int]
    orientation: int
    taken_at: datetime | None
    camera: str | None
    latitude: float | None
    longitude: float | None


@dataclass(frozen=True)
class Person:
    """A named person, or a group nobody has named yet (`name` is None).

    `confirmed` are the faces the user was shown, or pointed at, when giving the name; the
    other faces came with the group. `clusters` are the numbers of the groups they lie in.
    """

    id: str
    name: str | None
    face_ids: tuple[str, ...]
    confirmed: frozenset[str]
    clusters: tuple[int, ...]
    ignored: bool = False

    @property
    def label(self) -> str:
        """The name, or "group 12"."""
        return self.name or f"group {self.clusters[0]}"
