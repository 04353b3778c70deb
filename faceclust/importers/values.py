"""What a program said of one photo, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from faceclust.types import Box


class Frame(StrEnum):
    """The picture that a program's boxes relate to."""

    STORED = "stored"  # as the file holds it
    UPRIGHT = "upright"  # as it is shown
    ROTATED = "turned"  # as the file held it before somebody turned it


@dataclass(frozen=True)
class Region:
    """A name and its place. `box`: left, top, right, bottom as fractions of the program's picture;
    not `sure`: our own suggestion, come back."""

    name: str
    box: Box
    confirmed: bool = True


@dataclass(frozen=True)
class PhotoNames:
    """What one program says of one photo at one place. `photo`: POSIX path below the root; `source`:
    what is told to the user, such as "XMP sidecars"; `scheme`: which of two ways to write regions;
    `where`: the file it stands in; `frame`: what the boxes relate to by the program's rules, and
    `sure` where there is no doubt about it;
    `applied_to`: width and height of that picture as the program says; `orientation`: the EXIF
    orientation of the stored picture, as the program says; `people`: names without a place."""

    photo: str
    source: str
    where: str
    scheme: str = ""
    regions: tuple[Region, ...] = ()
    people: tuple[str, ...] = ()
    frame: Frame = Frame.STORED
    frame_certain: bool = False
    applied_to: tuple[int, int] | None = None
    orientation: int | None = None


@dataclass(frozen=True)
class UnreadableSource:
    """A file, or a part of it, that nothing could be made of."""

    where: str
    why: str
