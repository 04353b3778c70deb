"""The caches of all folders as one table, and views of it for the later stages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from faceclust.files.names import PRECISIONS
from faceclust.store.hex_digits import hex_to_integers
from faceclust.store.precision import decode_embeddings
from faceclust.store.schema import (
    FACE_COLUMNS,
    STATUS_OK,
    CacheInfo,
    concatenate,
    convert_table,
    folder_schema,
    photos_to_table,
    stored_name,
    table_precision,
    texts_to_array,
    without_faces,
)
from faceclust.store.spilled_embeddings import SpilledEmbeddings
from faceclust.types import FaceOccurrence, FaceTable, Float32, Float64, PhotoInfo, ScannedPhoto
from faceclust.types.frames import MIN_FRAMES_FOR_GROUP
from faceclust.types.landmarks import find_upright_turns


@dataclass(frozen=True)
class LibraryTable:
    """The rows of every folder's cache, with the photo's folder as an additional first column.

    With `spilled`, the rows hold the numbers of embeddings instead of the embeddings.
    """

    rows: pa.Table
    info: CacheInfo
    spilled: SpilledEmbeddings | None = None

    @classmethod
    def from_folders(cls, folders: list[tuple[str, pa.Table]], info: CacheInfo) -> LibraryTable:
        """Combine (folder, cache rows) pairs. Embeddings are converted to the most precise type found."""
        found = {table_precision(table) for _, table in folders} or {info.precision}
        info = replace(info, precision=max(found, key=PRECISIONS.index))
        folders = [(folder, convert_table(table, info)) for folder, table in folders]
        return cls(_combine([("", folder_schema(info).empty_table()), *folders]), info)

    @classmethod
    def spill_embeddings(
        cls, folders: Iterable[tuple[str, pa.Table]], info: CacheInfo, spilled: SpilledEmbeddings
    ) -> LibraryTable:
        """Combine (folder, cache rows) pairs, but move the embeddings of each to `spilled`."""
        taken = list(spilled.take_from(folders)) or list(spilled.take_from([("", folder_schema(info).empty_table())]))
        return cls(_combine(taken), info, spilled)

    def without_faces(self, face_ids: Collection[str]) -> LibraryTable:
        """Return the table without these faces, but with all photos."""
        return replace(self, rows=without_faces(self.rows, face_ids)) if face_ids else self

    def with_faces(self, photos: Iterable[ScannedPhoto]) -> tuple[LibraryTable, LibraryTable]:
        """Return the table with the faces of these results, which its photos lack, and a table of only those."""
        added = []
        for photo in photos:
            folder, name = pa.scalar(photo.ref.folder), pa.scalar(stored_name(photo.ref))
            known = self.rows.filter(pc.and_(pc.equal(self.rows["photo"], name), pc.equal(self.rows["folder"], folder)))
            rows = photos_to_table([photo], self.info)
            faces = known.take([0] * len(rows))
            for column in FACE_COLUMNS:
                place = faces.schema.get_field_index(column)
                faces = faces.set_column(place, faces.schema.field(place), rows[column])
            first = pc.count(known["face"]).as_py()
            place = faces.schema.get_field_index("face")
            numbers = pa.array(range(first, first + len(rows)), pa.int16())
            added.append(faces.set_column(place, faces.schema.field(place), numbers))
        new = concatenate(added)
        return replace(self, rows=concatenate([self.rows, new])), replace(self, rows=new)

    @cached_property
    def _face_rows(self) -> pa.Table:
        """The rows of the faces that can be compared."""
        return self._select_face_rows()

    def _select_face_rows(self) -> pa.Table:
        rows = self.rows.select(_FACE_TABLE_COLUMNS)
        return rows.filter(pc.is_valid(rows["embedding"]))

    def face_table(self, face_ids: Sequence[str] | None = None) -> FaceTable:
        """Return the distinct faces that can be compared, sorted by id; with `face_ids`, only those."""
        if face_ids is None:
            rows = self._select_face_rows()  # not kept: they take as much memory as the table
        else:
            rows = self._face_rows
            rows = rows.filter(pc.is_in(rows["face_id"], value_set=pa.array(face_ids, pa.string())))
        numbers = [np.empty(0, np.uint64), *(hex_to_integers(chunk, 16) for chunk in rows["face_id"].chunks)]
        first = np.unique(np.concatenate(numbers), return_index=True)[1]

        def take(*names: str) -> pa.Table:
            return rows.select(names).take(first)

        boxes = np.empty((len(first), 4), np.float32)
        for place, side in enumerate(("left", "top", "right", "bottom")):
            boxes[:, place] = take(side)[side]
        shots = np.empty((len(first), 2), np.int64)
        shots[:, 0] = _factorize(_capture_keys(take("camera", "taken_at")))
        shots[:, 1] = _factorize(_base_name_keys(take("folder", "photo")))
        frames_seen = take("frames_seen")["frames_seen"]
        # The frames of a video are not shots of a moment.
        shots[pc.is_valid(frames_seen).to_numpy()] = -1
        return FaceTable(
            face_ids=texts_to_array(take("face_id")["face_id"], 16),
            photo_ids=_rank(_picture_keys(take("photo_hash", "frame_time"))),
            embeddings=self._read_embeddings(take("embedding")["embedding"]),
            quality=take("quality")["quality"].to_numpy().astype(np.float32),
            taken_at=take("taken_at")["taken_at"].to_numpy().astype("datetime64[s]"),
            boxes=boxes,
            shots=shots,
            may_start_group=pc.fill_null(pc.greater_equal(frames_seen, MIN_FRAMES_FOR_GROUP), True).to_numpy(),
        )

    def _read_embeddings(self, column: pa.ChunkedArray) -> Float32:
        if self.spilled is not None:
            return self.spilled.read(column.to_numpy())
        return decode_embeddings(column, self.info.dimension, self.info.radius)

    def occurrences(self) -> Iterator[FaceOccurrence]:
        """Yield every face on every photo, by photo path, then face number. A face on two copies of
        a photo is yielded twice."""
        # Only these columns are copied: the embeddings take most of the memory.
        rows = self.rows.select(OCCURRENCE_COLUMNS)
        return iter_occurrences(rows.filter(pc.is_valid(rows["quality"])))

    def face_ids(self) -> frozenset[str]:
        """Return the ids of the faces that `occurrences` yields."""
        rows = self.rows.select(["face_id", "quality"])
        return frozenset(rows.filter(pc.is_valid(rows["quality"]))["face_id"].unique().to_pylist())

    def forgotten_occurrences(self) -> Iterator[FaceOccurrence]:
        """Yield every forgotten face on every photo, in the same order, with quality 0."""
        return iter_occurrences(self.rows.filter(is_forgotten(self.rows)))

    def photos(self) -> Iterator[PhotoInfo]:
        """Yield every photo that could be read, by path; copies of a photo are yielded as well."""
        rows = self.rows.select(_PHOTO_COLUMNS).filter(pc.equal(self.rows["status"].cast(pa.string()), STATUS_OK))
        before = None
        for batch in rows.sort_by([("folder", "ascending"), ("photo", "ascending")]).to_batches(max_chunksize=8192):
            for row in batch.to_pylist():
                if (path := _photo_path(row)) != before:
                    yield PhotoInfo(
                        photo=path,
                        photo_hash=row["photo_hash"],
                        size=(row["width"], row["height"]),
                        orientation=row["orientation"] or 1,
                        taken_at=row["taken_at"],
                        camera=row["camera"],
                        latitude=row["latitude"] if _has_place(row) else None,
                        longitude=row["longitude"] if _has_place(row) else None,
                        taken_at_source=row["taken_at_source"],
                    )
                before = path

    @property
    def photo_count(self) -> int:
        return len(self.rows.select(["folder", "photo"]).group_by(["folder", "photo"]).aggregate([]))

    @property
    def duplicate_count(self) -> int:
        """The number of photos with the same content as another one."""
        hashed = self.rows.filter(pc.is_valid(self.rows["photo_hash"])).select(["folder", "photo", "photo_hash"])
        photos = hashed.group_by(["folder", "photo", "photo_hash"]).aggregate([])
        return len(photos) - len(pc.unique(photos["photo_hash"]))

    def skipped_photos(self) -> list[dict[str, str]]:
        """Return the skipped photos as dictionaries of photo (path), reason and detail."""
        rows = self.rows.filter(pc.not_equal(self.rows["status"].cast(pa.string()), STATUS_OK))
        return [
            {
                "photo": _photo_path(row),
                "reason": row["status"],
                "detail": row["detail"],
            }
            for row in rows.select(["folder", "photo", "status", "detail"]).to_pylist()
        ]


def _combine(folders: Iterable[tuple[str, pa.Table]]) -> pa.Table:
    return concatenate(
        [table.add_column(0, "folder", pa.array([folder] * len(table), pa.string())) for folder, table in folders]
    )


#: The columns that `FaceTable` needs.
_FACE_TABLE_COLUMNS = (
    "folder photo photo_hash taken_at camera face_id frame_time frames_seen embedding quality left top right bottom"
).split()
_PHOTO_COLUMNS = (
    "folder photo photo_hash width height orientation taken_at taken_at_source camera latitude longitude".split()
)
#: The columns that `iter_occurrences` needs.
OCCURRENCE_COLUMNS = (
    "folder photo photo_hash width height taken_at taken_at_source face face_id by_hand frame_time left top right"
    " bottom score quality landmarks".split()
)


def iter_occurrences(rows: pa.Table) -> Iterator[FaceOccurrence]:
    """Yield the occurrences of rows that have a face, by photo path, then face number."""
    rows = rows.select(OCCURRENCE_COLUMNS).sort_by(
        [("folder", "ascending"), ("photo", "ascending"), ("face", "ascending")]
    )
    for batch in rows.to_batches(max_chunksize=8192):
        turns = find_upright_turns(_landmarks_in_pixels(batch)).tolist()
        are_compared = batch["landmarks"].is_valid().to_pylist()
        rest = batch.drop_columns(["landmarks"]).to_pylist()
        for row, turn, is_compared in zip(rest, turns, are_compared, strict=True):
            yield FaceOccurrence(
                face_id=row["face_id"],
                photo=_photo_path(row),
                photo_hash=row["photo_hash"],
                box=(row["left"], row["top"], row["right"], row["bottom"]),
                photo_size=(row["width"], row["height"]),
                quality=row["quality"] or 0.0,
                score=row["score"],
                taken_at=row["taken_at"],
                turn=turn,
                by_hand=bool(row["by_hand"]),
                has_embedding=is_compared,
                taken_at_source=row["taken_at_source"],
                frame_time=row["frame_time"],
            )


def _landmarks_in_pixels(rows: pa.RecordBatch) -> Float64:
    """Return the landmarks (n, 5, 2) in pixels of the photos, 0 for faces without any."""
    landmarks = np.zeros((len(rows), 5, 2))
    column = rows["landmarks"]
    known = column.is_valid().to_numpy(zero_copy_only=False)
    landmarks[known] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, 5, 2)
    size = np.stack([rows["width"].to_numpy(), rows["height"].to_numpy()], axis=1)
    return np.asarray(landmarks * size[:, None], np.float64)


def is_forgotten(rows: pa.Table) -> pa.ChunkedArray:
    """Return a boolean mask of the rows of forgotten faces, of which only the box is kept."""
    return pc.and_(pc.is_valid(rows["face_id"]), pc.is_null(rows["quality"]))


def _capture_keys(faces: pa.Table) -> pa.Array:
    """Join camera and second of capture of each photo; null if either is unknown."""
    return pc.binary_join_element_wise(
        faces["camera"].cast(pa.string()), faces["taken_at"].cast(pa.int64()).cast(pa.string()), "\n"
    )


def _picture_keys(faces: pa.Table) -> pa.ChunkedArray:
    """Return text that is equal for the faces of one picture: a photo, or one frame of a video."""
    hashes, times = faces["photo_hash"], faces["frame_time"]
    if times.null_count == len(times):
        return hashes
    milliseconds = pc.round(pc.multiply(times.cast(pa.float64()), 1000.0)).cast(pa.int64()).cast(pa.string())
    frames = pc.binary_join_element_wise(hashes.cast(pa.string()), milliseconds, "@")
    return pc.coalesce(frames, hashes.cast(pa.string()))


def _base_name_keys(faces: pa.Table) -> pa.Array:
    """Join folder and base name of each photo, so that different files of one shot get the same key.

    The base name lacks the extension: a RAW file and the still of a Live Photo share the name of
    the JPEG beside them. It also lacks editors' additions: "edit" at the end, or the E that Apple's
    Photos puts before the number.
    """
    names = pc.utf8_lower(faces["photo"])
    names = pc.replace_substring_regex(names, r"([-_ ~(]+edit(ed)?\)?)*\.[^.]+$", "")
    names = pc.replace_substring_regex(names, r"^img_e([0-9]{4,})$", r"img_\1")
    return pc.binary_join_element_wise(faces["folder"], names, "\n")


def _factorize(values: pa.ChunkedArray) -> NDArray[np.int64]:
    """Encode each string as an integer, equal ones as the same; −1 for null."""
    codes = values.combine_chunks().dictionary_encode().indices
    return np.asarray(pc.fill_null(codes, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def _rank(values: pa.ChunkedArray) -> NDArray[np.int64]:
    """Encode each string as its position among the distinct ones in ascending order."""
    encoded = values.combine_chunks().dictionary_encode()
    rank = np.empty(len(encoded.dictionary), np.int64)
    rank[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(rank))
    return np.asarray(rank[encoded.indices.to_numpy()])


def _has_place(row: dict[str, Any]) -> bool:
    """False for 0, 0, which devices without a fix write, and older versions stored."""
    return bool(row["latitude"] or row["longitude"])


def _photo_path(row: dict[str, Any]) -> str:
    return f"{row['folder']}/{row['photo']}" if row["folder"] else str(row["photo"])
