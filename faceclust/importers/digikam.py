"""Read the faces in digiKam's database, digikam4.db.

The tables are described in digiKam's source (`core/data/database/dbconfig.xml.cmake.in`). Regions are
rectangles in pixels of the upright photo.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from faceclust.importers.catalogue import CataloguePhoto
from faceclust.importers.sqlite_file import SqliteFile, Value
from faceclust.importers.values import Region
from faceclust.text.dates import parse_date
from faceclust.types import Box

DIGIKAM = "digiKam"
#: Tables by which the database is recognised.
TABLES = frozenset(["AlbumRoots", "Albums", "Images", "Tags", "ImageTagProperties"])
_RECT_PATTERN = re.compile(r"<rect\b[^<>]{0,200}>")
_SIDE_PATTERN = re.compile(r'\b(x|y|width|height)="(\d{1,6})"')
#: Tags that stand for nobody.
_NOBODY = frozenset(["unknownPerson", "unconfirmedPerson", "ignoredPerson"])
#: Status of photos in the trash; higher for those that were deleted.
_FIRST_REMOVED_STATUS = 3
#: A person's tag has one of these properties.
_PERSON = frozenset(["person", "faceEngineId", "faceEngineUuid"])


def read_digikam(database: SqliteFile) -> Iterator[CataloguePhoto]:
    """Read the photos with people; names that digiKam only proposes are not confirmed. Raises UsageError."""
    names = {tag: name for tag, name in database.read("Tags", ["id", "name"]) if isinstance(name, str)}
    persons, nobody = set[Value](), set[Value]()
    for tag, property in database.read("TagProperties", ["tagid", "property"]):
        if property in _NOBODY:
            nobody.add(tag)
        elif property in _PERSON:
            persons.add(tag)
    rects: dict[Value, list[tuple[str, Box, bool]]] = defaultdict(list)
    with_region: set[tuple[Value, Value]] = set()
    for image, tag, property, value in database.read("ImageTagProperties", ["imageid", "tagid", "property", "value"]):
        is_confirmed = property == "tagRegion"
        if property == "autodetectedPerson" and isinstance(value, str):  # "17,autodetectedFace,<rect …/>"
            number = value.partition(",")[0]
            tag = int(number) if re.fullmatch(r"[0-9]{1,18}", number) else None
        elif property not in ("tagRegion", "autodetectedFace"):
            continue
        rect = parse_rect(value)
        if tag in names and tag not in nobody and rect is not None:
            rects[image].append((names[tag], rect, is_confirmed))
            with_region.add((image, tag))
    people: dict[Value, list[str]] = defaultdict(list)
    for image, tag in database.read("ImageTags", ["imageid", "tagid"]) if persons else ():
        if tag in persons - nobody and tag in names and (image, tag) not in with_region:
            people[image].append(names[tag])
    sizes, dates = dict[Value, tuple[int, int]](), dict[Value, datetime | None]()
    for image, width, height, date in database.read(
        "ImageInformation", ["imageid", "width", "height"], ["creationDate"]
    ):
        dates[image] = parse_date(date) if isinstance(date, str) else None
        if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
            sizes[image] = width, height
    roots = {root: str(path or "") for root, path in database.read("AlbumRoots", ["id", "specificPath"])}
    albums = {
        album: (root, folder) for album, root, folder in database.read("Albums", ["id", "albumRoot", "relativePath"])
    }
    for image, album, name, status in database.read("Images", ["id", "album", "name"], ["status"]):
        is_removed = isinstance(status, int) and status >= _FIRST_REMOVED_STATUS
        if (image in rects or image in people) and isinstance(name, str) and album in albums and not is_removed:
            root, folder = albums[album]
            yield CataloguePhoto(
                root=roots.get(root, ""),
                below=f"{folder or ''}/{name}",
                regions=tuple(Region(*rect) for rect in rects.get(image, ())),
                people=tuple(people.get(image, ())),
                size=sizes.get(image),
                taken_at=dates.get(image),
            )


def parse_rect(value: Value) -> Box | None:
    """Parse `<rect x="…" y="…" width="…" height="…"/>`: left, top, right, bottom in pixels; None if invalid."""
    rect = _RECT_PATTERN.search(value) if isinstance(value, str) else None
    sides = {side: int(number) for side, number in _SIDE_PATTERN.findall(rect[0])} if rect else {}
    if len(sides) < 4 or not (sides["width"] and sides["height"]):
        return None
    return sides["x"], sides["y"], sides["x"] + sides["width"], sides["y"] + sides["height"]
