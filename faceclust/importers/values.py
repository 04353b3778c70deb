"""Names from other programs as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from faceclust.types import Box


class Frame(StrEnum):
    """The picture that a program's boxes refer to."""

    STORED = "stored"  # before the EXIF orientation is applied
    UPRIGHT = "upright"  # after the EXIF orientation is applied
    ROTATED = "turned"  # stored, before somebody rotated the file; or turned in the program alone


@dataclass(frozen=True)
class Region:
    """A name with a box: (left, top, right, bottom) in fractions of the program's picture.

    `confirmed` is false for our own suggestions, read back.
    """

    name: str
    box: Box
    confirmed: bool = True


@dataclass(frozen=True)
class PhotoNames:
    """The names for one photo (POSIX path below the root) in one file of another program.

    `source` is the kind of source in messages, such as "XMP sidecars". `where` is the file. `scheme`
    is the notation of regions in XMP, such as "mwg". `frame` is what the boxes refer to by the program's rule,
    without doubt if `frame_certain`. `applied_to` (width and height in px) and `orientation` (EXIF)
    describe the stored picture according to the program. `people` are names without a region, and
    `without_face` names of people whose face is not to be seen, as faceclust wrote them. `is_own`: faceclust
    wrote all regions.
    """

    photo: str
    source: str
    where: str
    scheme: str = ""
    regions: tuple[Region, ...] = ()
    people: tuple[str, ...] = ()
    without_face: tuple[str, ...] = ()
    frame: Frame = Frame.STORED
    frame_certain: bool = False
    applied_to: tuple[int, int] | None = None
    orientation: int | None = None
    is_own: bool = False


@dataclass(frozen=True)
class UnreadableSource:
    """A file that cannot be read, and why."""

    where: str
    why: str
