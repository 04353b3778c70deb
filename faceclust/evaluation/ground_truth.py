"""Who the faces of a library really are, by somebody who knows."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import UsageError
from faceclust.evaluation.thresholds import LabelledFaces
from faceclust.importers.box_matching import compute_fit, match_boxes
from faceclust.importers.collect import collect_names
from faceclust.importers.small_files import UnreadableFileError, decode_text, read_small_file
from faceclust.importers.sources import Sources
from faceclust.types import Box, FaceOccurrence

#: As a truth: the folders that the photos lie in, <person>/<photo>.
FOLDERS = "folders"
_PERSON_COLUMNS = ("person", "name", "label")
_HINT = "its columns are face_id, person; or photo, left, top, right, bottom, name"


def label_library_faces(library: Catalogue, truth: str | Path) -> LabelledFaces:
    """The library's faces, and who they are by a table, or by the folders they lie in.

    `truth`: "folders", where every photo lies in a folder named after the person on it (of several
    faces it is the one nearest the middle); or a CSV with the columns face_id and person; or one
    with photo, left, top, right, bottom and name (or person): boxes of the upright photo, in pixels
    or fractions, set on the found faces as in an import. Raises UsageError for another.
    """
    if str(truth) == FOLDERS:
        names, missed, elsewhere = *_names_from_folders(library), 0
    elif (by_id := read_persons_by_face_id(Path(truth))) is not None:
        names = {face: name for face, name in by_id.items() if face in library.occurrences_of}
        missed, elsewhere = len(by_id) - len(names), 0
    else:
        names, missed, elsewhere = _names_from_boxes(library, Path(truth))
    persons = np.array([names.get(face, "") for face in library.faces.face_ids.tolist()], dtype=np.str_)
    return LabelledFaces(library.faces, persons, missed, elsewhere)


def read_persons_by_face_id(table: Path) -> dict[str, str] | None:
    """Face id → person of a CSV that has these two columns; None for a table without face ids. Rows
    without a person are passed by. Raises UsageError for a file that is no such."""
    text = decode_text(_read_table_file(table))
    separator = max(",;\t", key=lambda mark: (text.partition("\n")[0].count(mark), mark == ","))
    found: dict[str, str] = {}
    try:
        for line, row in enumerate(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator), start=2):
            cells = {(name or "").strip().lower(): (cell or "").strip() for name, cell in row.items() if name}
            if "face_id" not in cells or "left" in cells:
                return None
            column = next((name for name in _PERSON_COLUMNS if name in cells), None)
            if column is None:
                raise UsageError(f"{table}:1: there is no column person", hint=_HINT)
            face, person = cells["face_id"].lower(), cells[column]
            if person and found.setdefault(face, person) != person:
                raise UsageError(f"{table}:{line}: face {face} is {person} here and {found[face]} above")
    except csv.Error as error:
        raise UsageError(f"{table}: {error}", hint=_HINT) from error
    return found or None


def _read_table_file(table: Path) -> bytes:
    try:
        return read_small_file(table.expanduser())
    except UnreadableFileError as error:
        raise UsageError(f"{table} cannot be read: {error}", hint=_HINT) from error


def _names_from_folders(library: Catalogue) -> tuple[dict[str, str], int]:
    names: dict[str, str] = {}
    missed = 0
    places: dict[str, list[FaceOccurrence]] = defaultdict(list)
    for place in library.occurrences:
        places[place.photo].append(place)
    for photo in library.photos:
        person, _, below = photo.partition("/")
        if not below:
            continue
        if faces := places.get(photo):
            names.setdefault(min(faces, key=_distance_from_centre).face_id, person)
        else:
            missed += 1
    return names, missed


def _distance_from_centre(place: FaceOccurrence) -> tuple[float, str]:
    (left, top, right, bottom), (width, height) = place.box, place.photo_size
    return ((left + right - 1) * width) ** 2 + ((top + bottom - 1) * height) ** 2, place.face_id


def _names_from_boxes(library: Catalogue, table: Path) -> tuple[dict[str, str], int, int]:
    """Face id → name; how many boxes no face was found in; how many rows are of other photos."""
    _read_table_file(table)
    path = table.expanduser().resolve()
    gathered = collect_names(library.root, library.photos, Sources(tables=[path]), library.progress)
    if not gathered.photo_names and not gathered.unknown_photos:
        raise UsageError(f"{table} names nobody", hint=_HINT)
    places: dict[str, list[FaceOccurrence]] = defaultdict(list)
    for place in library.occurrences:
        places[place.photo].append(place)
    names: dict[str, str] = {}
    missed = 0
    for words in gathered.photo_names:
        faces = places.get(words.photo, [])
        pairs = dict(
            _match_boxes_to_faces([region.box for region in words.regions], faces, library.photos[words.photo].size)
        )
        missed += len(words.regions) - len(pairs)
        for box, face in pairs.items():
            names.setdefault(faces[face].face_id, words.regions[box].name)
    return names, missed, len(gathered.unknown_photos)


def _match_boxes_to_faces(
    boxes: list[Box], faces: list[FaceOccurrence], size: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    scale = np.array([*size, *size], np.float64)
    found = np.array([face.box for face in faces], np.float64).reshape(-1, 4) * scale
    drawn = np.array(boxes, np.float64).reshape(-1, 4) * scale
    yield from match_boxes(compute_fit([tuple(box) for box in drawn], [tuple(box) for box in found])).items()
