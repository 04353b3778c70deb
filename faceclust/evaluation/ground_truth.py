"""The true persons of a library's faces: from a table, or from the folders of the photos."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from pathlib import Path

import numpy as np

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import UsageError
from faceclust.evaluation.thresholds import LabelledFaces
from faceclust.files.user_folders import expand_user
from faceclust.importers.box_matching import compute_fit, match_boxes
from faceclust.importers.collect import collect_names
from faceclust.importers.csv_table import guess_separator
from faceclust.importers.small_files import UnreadableFileError, decode_text, read_small_file
from faceclust.importers.sources import Sources
from faceclust.text.csv_cells import unguard_cell
from faceclust.types import Box, FaceOccurrence

#: The truth that names persons by the folders of their photos, <person>/<photo>.
FOLDERS = "folders"
_PERSON_COLUMNS = ("person", "name", "label")
_HINT = "expected columns: face_id, person; or photo, left, top, right, bottom, name"


def label_library_faces(library: Catalogue, truth: str | Path) -> LabelledFaces:
    """Label the library's faces with their true persons.

    `truth` is one of three:

    - "folders": photos lie in folders named after their person. Of several faces on a photo, the person's
      is the one nearest to the centre.
    - A CSV with the columns face_id and person.
    - A CSV with photo, left, top, right, bottom and name (or person). The boxes are on the upright photo,
      in pixels or fractions. They are matched to the found faces as in an import.

    Raises UsageError for anything else.
    """
    if str(truth) == FOLDERS:
        names, missed, unknown_photos = *_names_from_folders(library), 0
    elif (by_id := read_persons_by_face_id(Path(truth))) is not None:
        names = {face: name for face, name in by_id.items() if face in library.occurrences_of}
        missed, unknown_photos = len(by_id) - len(names), 0
    else:
        names, missed, unknown_photos = _names_from_boxes(library, Path(truth))
    persons = np.array([names.get(face, "") for face in library.faces.face_ids.tolist()], dtype=np.str_)
    return LabelledFaces(library.faces, persons, missed, unknown_photos)


def read_persons_by_face_id(table: Path) -> dict[str, str] | None:
    """Read a CSV with the columns face_id and person as a mapping; None if it has no face ids.

    Rows without a person are skipped. Raises UsageError if the file cannot be read, has no person
    column or names two persons for one face.
    """
    text = decode_text(_read_table_file(table))
    persons: dict[str, str] = {}
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=guess_separator(text))
        for line, row in enumerate(rows, start=2):
            cells = {
                (name or "").strip().lower(): unguard_cell((cell or "").strip()) for name, cell in row.items() if name
            }
            if "face_id" not in cells or "left" in cells:
                return None
            column = next((name for name in _PERSON_COLUMNS if name in cells), None)
            if column is None:
                raise UsageError(f"{table}:1: missing column: person", hint=_HINT)
            face, person = cells["face_id"].lower(), cells[column]
            if person and persons.setdefault(face, person) != person:
                raise UsageError(f"{table}:{line}: face {face} is {person} here, but {persons[face]} above")
    except csv.Error as error:
        raise UsageError(f"{table}: {error}", hint=_HINT) from error
    return persons or None


def _read_table_file(table: Path) -> bytes:
    try:
        return read_small_file(expand_user(table).resolve())
    except UnreadableFileError as error:
        raise UsageError(f"{table} cannot be read: {error}", hint=_HINT) from error


def _names_from_folders(library: Catalogue) -> tuple[dict[str, str], int]:
    """Face id → name, and the number of photos without a face."""
    names: dict[str, str] = {}
    missed = 0
    faces_of = _group_by_photo(library)
    for photo in library.photos:
        person, _, below = photo.partition("/")
        if not below:
            continue
        if faces := faces_of.get(photo):
            names.setdefault(min(faces, key=_distance_from_centre).face_id, person)
        else:
            missed += 1
    return names, missed


def _group_by_photo(library: Catalogue) -> dict[str, list[FaceOccurrence]]:
    faces_of: dict[str, list[FaceOccurrence]] = defaultdict(list)
    for occurrence in library.occurrences:
        if occurrence.has_embedding:
            faces_of[occurrence.photo].append(occurrence)
    return faces_of


def _distance_from_centre(face: FaceOccurrence) -> tuple[float, str]:
    (left, top, right, bottom), (width, height) = face.box, face.photo_size
    return ((left + right - 1) * width) ** 2 + ((top + bottom - 1) * height) ** 2, face.face_id


def _names_from_boxes(library: Catalogue, table: Path) -> tuple[dict[str, str], int, int]:
    """Face id → name, the number of boxes without a face, and of rows whose photo is unknown."""
    _read_table_file(table)
    path = expand_user(table).resolve()
    collected = collect_names(library.root, library.photos, Sources(tables=[path]), library.progress)
    if not collected.photo_names and not collected.unknown_photos:
        raise UsageError(f"{table} holds no names", hint=_HINT)
    faces_of = _group_by_photo(library)
    names: dict[str, str] = {}
    missed = 0
    for photo_names in collected.photo_names:
        faces = faces_of.get(photo_names.photo, [])
        boxes = [region.box for region in photo_names.regions]
        matches = _match_boxes_to_faces(boxes, faces, library.photos[photo_names.photo].size)
        missed += len(boxes) - len(matches)
        for box, face in matches.items():
            names.setdefault(faces[face].face_id, photo_names.regions[box].name)
    return names, missed, len(collected.unknown_photos)


def _match_boxes_to_faces(boxes: list[Box], faces: list[FaceOccurrence], size: tuple[int, int]) -> dict[int, int]:
    """Position of a box → position of its face; `size` is the photo's width and height in pixels."""
    scale = np.array([*size, *size], np.float64)
    found = np.array([face.box for face in faces], np.float64).reshape(-1, 4) * scale
    drawn = np.array(boxes, np.float64).reshape(-1, 4) * scale
    return dict(match_boxes(compute_fit([tuple(box) for box in drawn], [tuple(box) for box in found])))
