"""Build databases of digiKam and Lightroom with their public schemas, and answers of Immich."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class NamedFace:
    """A face in a catalogue: the photo below the root, the name and the box, (left, top, right, bottom)."""

    photo: str
    name: str
    box: tuple[float, float, float, float]
    confirmed: bool = True


DIGIKAM_SCHEMA = """
CREATE TABLE AlbumRoots (id INTEGER PRIMARY KEY, label TEXT, status INTEGER NOT NULL, type INTEGER NOT NULL,
    identifier TEXT, specificPath TEXT, caseSensitivity INTEGER, UNIQUE(identifier, specificPath));
CREATE TABLE Albums (id INTEGER PRIMARY KEY, albumRoot INTEGER NOT NULL, relativePath TEXT NOT NULL, date DATE,
    caption TEXT, collection TEXT, icon INTEGER, modificationDate DATETIME, UNIQUE(albumRoot, relativePath));
CREATE TABLE Images (id INTEGER PRIMARY KEY, album INTEGER, name TEXT NOT NULL, status INTEGER NOT NULL,
    category INTEGER NOT NULL, modificationDate DATETIME, fileSize INTEGER, uniqueHash TEXT, manualOrder INTEGER,
    UNIQUE (album, name));
CREATE TABLE ImageInformation (imageid INTEGER PRIMARY KEY, rating INTEGER, creationDate DATETIME,
    digitizationDate DATETIME, orientation INTEGER, width INTEGER, height INTEGER, format TEXT,
    colorDepth INTEGER, colorModel INTEGER);
CREATE TABLE Tags (id INTEGER PRIMARY KEY, pid INTEGER, name TEXT NOT NULL, icon INTEGER, iconkde TEXT,
    UNIQUE (name, pid));
CREATE TABLE TagProperties (tagid INTEGER, property TEXT, value TEXT);
CREATE TABLE ImageTags (imageid INTEGER NOT NULL, tagid INTEGER NOT NULL, UNIQUE (imageid, tagid));
CREATE TABLE ImageTagProperties (imageid INTEGER, tagid INTEGER, property TEXT, value TEXT);
CREATE TRIGGER delete_image DELETE ON Images BEGIN DELETE FROM ImageTagProperties WHERE imageid = OLD.id; END;
INSERT INTO Tags (id, pid, name) VALUES (1, 0, 'People'), (2, 1, 'Unknown'), (3, 1, 'Unconfirmed');
INSERT INTO TagProperties VALUES (2, 'unknownPerson', NULL), (2, 'person', NULL), (3, 'unconfirmedPerson', NULL);
"""


def write_digikam(
    path: Path,
    faces: Iterable[NamedFace],
    *,
    root: str = "/home/anna/Pictures",
    size: tuple[int, int] | None = None,
    people: Iterable[tuple[str, str]] = (),
) -> Path:
    """Write a digikam4.db. Boxes are in pixels of the upright photo; `people` are photos and names without a box."""
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(DIGIKAM_SCHEMA)
        database.execute("INSERT INTO AlbumRoots VALUES (1, 'Pictures', 0, 1, 'volumeid:?uuid=1', ?, 0)", [root])
        for photo, name, face in [
            *((face.photo, face.name, face) for face in faces),
            *((*one, None) for one in people),
        ]:
            image, tag = _add_digikam_photo(database, photo, size), _add_digikam_tag(database, name)
            database.execute("INSERT OR IGNORE INTO ImageTags VALUES (?, ?)", [image, tag])
            if face is None:
                continue
            left, top, right, bottom = map(round, face.box)
            rect = f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"/>'
            row = [image, tag, "tagRegion", rect]
            if not face.confirmed:
                row = [image, 3, "autodetectedPerson", f"{tag},autodetectedFace,{rect}"]
                database.execute("DELETE FROM ImageTags WHERE imageid = ? AND tagid = ?", [image, tag])
            database.execute("INSERT INTO ImageTagProperties VALUES (?, ?, ?, ?)", row)
    return path


def _add_digikam_photo(database: sqlite3.Connection, photo: str, size: tuple[int, int] | None) -> int:
    folder, _, file = f"/{photo}".rpartition("/")
    database.execute("INSERT OR IGNORE INTO Albums (albumRoot, relativePath) VALUES (1, ?)", [folder or "/"])
    (album,) = database.execute("SELECT id FROM Albums WHERE relativePath = ?", [folder or "/"]).fetchone()
    database.execute("INSERT OR IGNORE INTO Images (album, name, status, category) VALUES (?, ?, 1, 1)", [album, file])
    (image,) = database.execute("SELECT id FROM Images WHERE album = ? AND name = ?", [album, file]).fetchone()
    if size:
        values = [image, *size]
        database.execute("INSERT OR IGNORE INTO ImageInformation (imageid, width, height) VALUES (?, ?, ?)", values)
    return int(image)


def _add_digikam_tag(database: sqlite3.Connection, name: str) -> int:
    cursor = database.execute("INSERT OR IGNORE INTO Tags (pid, name) VALUES (1, ?)", [name])
    (tag,) = database.execute("SELECT id FROM Tags WHERE pid = 1 AND name = ?", [name]).fetchone()
    if cursor.rowcount > 0:
        database.execute("INSERT INTO TagProperties VALUES (?, 'person', ?)", [tag, name])
    return int(tag)


LIGHTROOM_SCHEMA = """
CREATE TABLE AgLibraryRootFolder (id_local INTEGER PRIMARY KEY, id_global UNIQUE NOT NULL,
    absolutePath UNIQUE NOT NULL DEFAULT '', name NOT NULL DEFAULT '', relativePathFromCatalog);
CREATE TABLE AgLibraryFolder (id_local INTEGER PRIMARY KEY, id_global UNIQUE NOT NULL,
    pathFromRoot NOT NULL DEFAULT '', rootFolder INTEGER NOT NULL DEFAULT 0);
CREATE TABLE AgLibraryFile (id_local INTEGER PRIMARY KEY, id_global UNIQUE NOT NULL, baseName NOT NULL DEFAULT '',
    extension NOT NULL DEFAULT '', folder INTEGER NOT NULL DEFAULT 0, idx_filename NOT NULL DEFAULT '');
CREATE TABLE Adobe_images (id_local INTEGER PRIMARY KEY, id_global UNIQUE NOT NULL, masterImage INTEGER,
    orientation, captureTime, rootFile INTEGER NOT NULL DEFAULT 0);
CREATE TABLE AgLibraryKeyword (id_local INTEGER PRIMARY KEY, id_global UNIQUE NOT NULL, keywordType, lc_name, name,
    parent INTEGER);
CREATE TABLE AgLibraryKeywordImage (id_local INTEGER PRIMARY KEY, image INTEGER NOT NULL DEFAULT 0,
    tag INTEGER NOT NULL DEFAULT 0);
CREATE TABLE AgLibraryKeywordFace (id_local INTEGER PRIMARY KEY, face INTEGER NOT NULL DEFAULT 0, keyFace INTEGER,
    rankOrder, tag INTEGER NOT NULL DEFAULT 0, userPick INTEGER, userReject INTEGER);
CREATE TABLE AgLibraryFace (id_local INTEGER PRIMARY KEY, bl_x, bl_y, br_x, br_y, cluster INTEGER, compatibleVersion,
    ignored INTEGER, image INTEGER NOT NULL DEFAULT 0, imageOrientation NOT NULL DEFAULT '', orientation,
    regionType NOT NULL DEFAULT 0, tl_x NOT NULL DEFAULT '', tl_y NOT NULL DEFAULT '', tr_x, tr_y, version);
"""


def write_lightroom(
    path: Path,
    faces: Iterable[NamedFace],
    *,
    root: str = "C:/Users/Anna/Pictures/",
    people: Iterable[tuple[str, str]] = (),
    rejected: Sequence[NamedFace] = (),
) -> Path:
    """Write an .lrcat. Boxes are fractions of the upright photo; `people` are photos and names without a box."""
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(LIGHTROOM_SCHEMA)
        database.execute("INSERT INTO AgLibraryRootFolder VALUES (1, 'g1', ?, 'Pictures', NULL)", [root])
        ids: dict[tuple[str, str], int] = {}

        def add(table: str, key: str, columns: dict[str, Any]) -> int:
            if (table, key) not in ids:
                ids[table, key] = 100 + len(ids)
                values = {"id_local": ids[table, key], "id_global": f"{table} {key}"} | columns
                names, marks = ", ".join(values), ", ".join("?" * len(values))
                database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))
            return ids[table, key]

        def add_image(photo: str) -> int:
            below, _, name = photo.rpartition("/")
            stem, _, ending = name.rpartition(".")
            path_from_root = f"{below}/" if below else ""
            folder = add("AgLibraryFolder", below, {"rootFolder": 1, "pathFromRoot": path_from_root})
            file = add("AgLibraryFile", photo, {"folder": folder, "baseName": stem, "extension": ending})
            return add("Adobe_images", photo, {"rootFile": file, "orientation": "AB"})

        def add_keyword(name: str) -> int:
            return add("AgLibraryKeyword", name, {"keywordType": "person", "name": name, "lc_name": name.lower()})

        for face in [*faces, *rejected]:
            number = 10_000 + len(ids)
            ids["AgLibraryFace", str(number)] = number
            left, top, right, bottom = face.box
            database.execute(
                "INSERT INTO AgLibraryFace (id_local, image, tl_x, tl_y, br_x, br_y) VALUES (?, ?, ?, ?, ?, ?)",
                [number, add_image(face.photo), left, str(top), right, bottom],
            )
            database.execute(
                "INSERT INTO AgLibraryKeywordFace (face, tag, userPick, userReject) VALUES (?, ?, ?, ?)",
                [number, add_keyword(face.name), int(face.confirmed), int(face in rejected)],
            )
        for photo, name in people:
            values = [add_image(photo), add_keyword(name)]
            database.execute("INSERT INTO AgLibraryKeywordImage (image, tag) VALUES (?, ?)", values)
    return path


def build_immich_asset(path: str, faces: Iterable[NamedFace], **fields: Any) -> dict[str, Any]:
    """Build Immich's answer about a photo; boxes are fractions of it."""
    people = [
        {
            "id": f"person {face.name}",
            "name": face.name,
            "faces": [
                {
                    "id": "face",
                    "imageWidth": 1440,
                    "imageHeight": 1080,
                    "sourceType": "manual" if face.confirmed else "machine-learning",
                    **{f"boundingBox{side}": round(value * scale) for side, value, scale in _sides(face.box)},
                }
            ],
        }
        for face in faces
    ]
    name = path.rpartition("/")[2]
    return {"id": "asset", "originalPath": path, "originalFileName": name, "people": people} | fields


def _sides(box: tuple[float, float, float, float]) -> Iterable[tuple[str, float, int]]:
    return zip(("X1", "Y1", "X2", "Y2"), box, (1440, 1080, 1440, 1080), strict=True)


def build_takeout(title: str, *people: str, taken: int = 1_558_094_400) -> str:
    """Build the JSON that Google Takeout puts beside a photo."""
    return json.dumps(
        {
            "title": title,
            "description": "",
            "imageViews": "7",
            "photoTakenTime": {"timestamp": str(taken), "formatted": "17 May 2019, 12:00:00 UTC"},
            "geoData": {"latitude": 0.0, "longitude": 0.0, "altitude": 0.0},
            "people": [{"name": name} for name in people],
        }
    )
