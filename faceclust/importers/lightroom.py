"""Read the faces in a catalogue of Lightroom Classic (.lrcat).

The tables are not documented; their schema is public, as SQLite shows it. The corners of a face are in
fractions of the upright photo.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from faceclust.importers.catalogue import CataloguePhoto
from faceclust.importers.sqlite_file import SqliteFile, Value
from faceclust.importers.values import Region
from faceclust.text.dates import parse_date
from faceclust.types import Box

LIGHTROOM = "Lightroom"
#: Tables by which the catalogue is recognised.
TABLES = frozenset(["AgLibraryFace", "AgLibraryKeywordFace", "AgLibraryKeyword", "AgLibraryFile", "Adobe_images"])
_CORNERS = ("tl_x", "tl_y", "br_x", "br_y")


def read_lightroom(database: SqliteFile) -> Iterator[CataloguePhoto]:
    """Read the photos with people; names that Lightroom only proposes are not confirmed. Raises UsageError."""
    names, persons = dict[Value, str](), set[Value]()
    for keyword, name, kind in database.read("AgLibraryKeyword", ["id_local", "name"], ["keywordType"]):
        if isinstance(name, str):
            names[keyword] = name
            if kind == "person":
                persons.add(keyword)
    tags_of_face: dict[Value, list[tuple[Value, bool]]] = defaultdict(list)
    for face, tag, picked, rejected in database.read(
        "AgLibraryKeywordFace", ["face", "tag"], ["userPick", "userReject"]
    ):
        if tag in names and not _to_number(rejected):
            tags_of_face[face].append((tag, bool(_to_number(picked))))
    regions: dict[Value, dict[Region, None]] = defaultdict(dict)
    with_region: set[tuple[Value, Value]] = set()
    for face, image, *corners in database.read("AgLibraryFace", ["id_local", "image", *_CORNERS]):
        box = _to_box(corners)
        for tag, is_confirmed in tags_of_face.get(face, ()):
            if box is not None:
                regions[image][Region(names[tag], box, is_confirmed)] = None
                with_region.add((image, tag))
    people: dict[Value, list[str]] = defaultdict(list)
    if "AgLibraryKeywordImage" in database.list_tables():
        for image, tag in database.read("AgLibraryKeywordImage", ["image", "tag"]):
            if tag in persons and (image, tag) not in with_region:
                people[image].append(names[tag])
    roots = {root: str(path or "") for root, path in database.read("AgLibraryRootFolder", ["id_local", "absolutePath"])}
    folders = {
        folder: (roots.get(root, ""), str(below or ""))
        for folder, root, below in database.read("AgLibraryFolder", ["id_local", "rootFolder", "pathFromRoot"])
    }
    files = {
        file: (folder, f"{name}.{ending}" if ending else name)
        for file, folder, name, ending in database.read(
            "AgLibraryFile", ["id_local", "folder", "baseName", "extension"]
        )
        if isinstance(name, str)
    }
    images_of_file: dict[Value, list[Value]] = defaultdict(list)  # several with virtual copies
    dates: dict[Value, datetime | None] = {}
    for image, file, date in database.read("Adobe_images", ["id_local", "rootFile"], ["captureTime"]):
        dates[file] = parse_date(date) if isinstance(date, str) else None
        if image in regions or image in people:
            images_of_file[file].append(image)
    for file, images in images_of_file.items():
        folder, name = files.get(file, (None, None))
        if name is not None and folder in folders:
            root, below = folders[folder]
            yield CataloguePhoto(
                root=root,
                below=f"{below.rstrip('/')}/{name}",
                regions=tuple(dict.fromkeys(region for image in images for region in regions.get(image, ()))),
                people=tuple(dict.fromkeys(person for image in images for person in people.get(image, ()))),
                is_fractional=True,
                taken_at=dates.get(file),
            )


def _to_box(corners: list[Value]) -> Box | None:
    """Return the box of two opposite corners: on a face lying on its side, "left" can be at the right."""
    numbers = [_to_number(value) for value in corners]
    left, right = sorted((numbers[0], numbers[2]))
    top, bottom = sorted((numbers[1], numbers[3]))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _to_number(value: Value) -> float:
    """Return the number in a column without a type; 0 for anything else."""
    try:
        number = float(value or 0)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0
