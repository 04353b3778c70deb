"""Photo files with their sizes, to compare copies of a photo."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from faceclust.store.library_table import LibraryTable
from faceclust.store.schema import STATUS_OK

_COLUMNS = "folder photo photo_hash photo_size photo_mtime_ns width height taken_at camera".split()


@dataclass(frozen=True)
class PhotoFile:
    """A photo file that could be read. `size` is the width and height of the upright photo in px, `file_size` in
    bytes."""

    photo: str
    photo_hash: str
    size: tuple[int, int]
    file_size: int
    mtime_ns: int
    taken_at: datetime | None
    camera: str | None


def list_copied_hashes(table: LibraryTable) -> list[str]:
    """Return the content hashes that several photos have."""
    hashes = _photo_rows(table, ["folder", "photo", "photo_hash"]).group_by("photo_hash").aggregate([([], "count_all")])
    return list(hashes.filter(pc.greater(hashes["count_all"], 1))["photo_hash"].to_pylist())


def find_photo_hashes(table: LibraryTable, face_ids: Collection[str]) -> dict[str, str]:
    """Return face id → content hash of its photo, for these faces."""
    rows = table.rows.select(["face_id", "photo_hash"])
    rows = rows.filter(pc.is_in(rows["face_id"], value_set=pa.array(face_ids, pa.string())))
    return dict(zip(rows["face_id"].to_pylist(), rows["photo_hash"].to_pylist(), strict=True))


def list_faces_on_photos(table: LibraryTable, hashes: Collection[str] | None = None) -> list[str]:
    """Return the ids of the faces that are not in videos. `hashes`: only on photos with these content hashes."""
    rows = table.rows.select(["face_id", "photo_hash", "frame_time"])
    rows = rows.filter(pc.and_(pc.is_valid(rows["face_id"]), pc.is_null(rows["frame_time"])))
    if hashes is not None:
        rows = rows.filter(pc.is_in(rows["photo_hash"], value_set=pa.array(hashes, pa.string())))
    return list(rows["face_id"].to_pylist())


def list_photo_files(table: LibraryTable, hashes: Collection[str]) -> list[PhotoFile]:
    """Return the photos with one of these content hashes, by path."""
    rows = _photo_rows(table, _COLUMNS)
    rows = rows.filter(pc.is_in(rows["photo_hash"], value_set=pa.array(hashes, pa.string())))
    files = [
        PhotoFile(
            photo=f"{row['folder']}/{row['photo']}" if row["folder"] else row["photo"],
            photo_hash=row["photo_hash"],
            size=(row["width"], row["height"]),
            file_size=row["photo_size"],
            mtime_ns=row["photo_mtime_ns"],
            taken_at=row["taken_at"],
            camera=row["camera"],
        )
        for row in rows.to_pylist()
    ]
    return sorted(files, key=lambda file: file.photo)


def _photo_rows(table: LibraryTable, columns: list[str]) -> pa.Table:
    """Return these columns of the photos that could be read, one row each."""
    rows = table.rows.select(columns).filter(pc.equal(table.rows["status"].cast(pa.string()), STATUS_OK))
    if "camera" in columns:  # keys of groups must not be dictionaries
        place = columns.index("camera")
        rows = rows.set_column(place, "camera", rows["camera"].cast(pa.string()))
    return rows.group_by(columns).aggregate([])
