"""Write the faces of a person as pictures: plan, then write."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import FaceclustError, UsageError
from faceclust.files.user_folders import expand_user
from faceclust.library.duplicates import duplicates_among
from faceclust.library.isolated_pictures import make_crops
from faceclust.library.searching import folder_below_root
from faceclust.library.selection import Selector
from faceclust.outputs.albums import AlbumFilter
from faceclust.outputs.crops.plan import CROPS, PlannedCrop, plan_names, plan_sheet_names
from faceclust.outputs.crops.sheet import FACES_PER_SHEET, draw_sheet
from faceclust.outputs.search import parse_date_range
from faceclust.outputs.staged_folder import StagedFolder, read_previous_run, require_output_folder, stage_folder
from faceclust.people.names import person_key
from faceclust.photos.face_crops import CropOptions, FailedCrop, WantedCrop
from faceclust.store.landmarks import read_landmarks
from faceclust.types import NO_FACTS, FaceOccurrence, Float32, Person
from faceclust.types.arguments import require_number

#: The formats of crops, with the suffixes of their files.
FORMATS = {"jpeg": ".jpg", "png": ".png"}
#: Limits of the side of a crop, px, and of the margin around a face.
MIN_SIZE, MAX_SIZE, MAX_MARGIN = 32, 4096, 3.0


@dataclass(frozen=True)
class CropPlan:
    """The crops of a person's faces to write below `out`, and the `sheets` (paths below it).

    `label` is the person or group. `unavailable` are those of `crops` whose photos are not there: their files from an
    earlier run stay. `remove` are files of an earlier run that are no longer wanted. `without_face` counts the photos
    that show the person without a face, and `copies` the faces left out because another photo is the same picture.
    """

    out: Path
    label: str
    options: CropOptions
    crops: tuple[PlannedCrop, ...]
    unavailable: frozenset[str]
    sheets: tuple[str, ...]
    remove: tuple[str, ...]
    without_face: int
    copies: int


@dataclass(frozen=True)
class WrittenCrops:
    """The result of `write_crops`. `crops` and `sheets` are in the folder now; `new` and `removed` count changes.
    `failed` are faces that could not be cut out, each with a reason. `left_alone` are paths of files that
    faceclust did not write, or that have changed since."""

    crops: tuple[PlannedCrop, ...]
    sheets: tuple[str, ...]
    new: int
    removed: int
    failed: tuple[FailedCrop, ...]
    left_alone: tuple[str, ...]


def plan_crops(
    library: Catalogue,
    name: Selector,
    out: str | os.PathLike[str],
    *,
    size: int = 256,
    margin: float = 0.3,
    confirmed: bool = False,
    min_quality: float = 0.0,
    since: str | None = None,
    until: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    sheet: bool = False,
    format: str = "jpeg",
) -> CropPlan:
    """Plan a picture of each face of a person, or of a group, in the folder `out`.

    `name`: a name, group number or face id. `size`: the longest side in px, 32 to 4096; a face with fewer pixels on
    its photo stays smaller. `margin`: added on each side, as a fraction of the face. `confirmed`, `min_quality`,
    `since`, `until`, `folder`: only these faces, as in `search`. `sheet`: contact sheets as well. `format`: one of
    FORMATS. Raises UsageError for an unknown person, an invalid value, or a folder that cannot hold crops;
    FaceclustError if no photo is there.
    """
    options = _check_options(size, margin, format)
    require_number("min_quality", min_quality)
    accepted = AlbumFilter(
        min_quality, confirmed, *parse_date_range(since, until), folder=folder_below_root(library, folder)
    )
    selection = library.select_faces(name)
    person = library.find_person(selection.name) if selection.name else None
    out = Path(os.path.abspath(expand_user(out)))  # noqa: PTH100 # "resolve" would follow links
    require_output_folder(out, CROPS)
    previous = _read_previous_paths(library, out, selection.label)
    places, unavailable = _choose_places(library, _list_faces(selection.faces, person, confirmed), accepted)
    shown = [place for place in places if not place.is_whole_photo]
    first = _without_copies(library, shown)
    crops = plan_names(first, person.facts if person else NO_FACTS, FORMATS[format])
    away = frozenset(crop.path for crop in crops if crop.place.face_id in unavailable)
    if crops and len(away) == len(crops):
        raise FaceclustError(
            f"none of the photos of {selection.label} is there", hint="is the disk mounted? If so: faceclust scan"
        )
    sheets = plan_sheet_names(-(-len(crops) // FACES_PER_SHEET), FORMATS[format]) if sheet and crops else []
    wanted = {*sheets, *(crop.path for crop in crops)}
    remove = tuple(sorted(path for path in previous - wanted if os.path.lexists(out / path)))
    return CropPlan(
        out,
        selection.label,
        options,
        crops,
        away,
        tuple(sheets),
        remove,
        without_face=len(places) - len(shown),
        copies=len(shown) - len(first),
    )


def write_crops(library: Catalogue, plan: CropPlan) -> WrittenCrops:
    """Carry out a plan of `plan_crops`. Nothing changes in the folder before all pictures are ready.

    Raises FaceclustError if they cannot be written.
    """
    with stage_folder(plan.out, CROPS, plan.label) as stage:
        left_alone = {crop.path for crop in plan.crops if not stage.is_writable(crop.path)}
        failed = tuple(_add_crops(library, plan, stage, left_alone))
        written = tuple(crop for crop in plan.crops if crop.path in stage.paths)
        left_alone.update(_add_sheets(library, plan, stage, written))
        done = stage.finish()
    sheets = tuple(path for path in plan.sheets if path in done.paths)
    return WrittenCrops(written, sheets, done.new, done.removed, failed, tuple(sorted(left_alone)))


def _check_options(size: int, margin: float, format: str) -> CropOptions:
    require_number("size", size)
    require_number("margin", margin)
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise UsageError(f"the size must be {MIN_SIZE} to {MAX_SIZE} pixels, not {size}")
    if not 0 <= margin <= MAX_MARGIN:
        raise UsageError(f"the margin must be between 0 and {MAX_MARGIN:g}, not {margin:g}")
    if format not in FORMATS:
        raise UsageError(f"unknown format {format!r}", hint=f"known: {', '.join(FORMATS)}")
    return CropOptions(int(size), float(margin), format.upper())


def _read_previous_paths(library: Catalogue, out: Path, label: str) -> frozenset[str]:
    """Return the files of an earlier run. Raises UsageError if they show somebody else, whose crops would be lost."""
    paths, subject = read_previous_run(out, CROPS)
    labels = {person_key(person.label): person.label for person in library.persons}
    if paths and person_key(subject) != person_key(label) and person_key(subject) in labels:
        raise UsageError(f"{out} holds the faces of {subject}", hint="name another folder, or delete this one first")
    return paths


def _list_faces(faces: Iterable[str], person: Person | None, confirmed: bool) -> list[str]:
    known = person.confirmed if person else frozenset[str]()
    return [face for face in faces if face in known or not confirmed]


def _choose_places(
    library: Catalogue, faces: Iterable[str], accepted: AlbumFilter
) -> tuple[list[FaceOccurrence], set[str]]:
    """Return a place of each face on a photo that is there, and the ids of the faces without one."""
    places, unavailable = [], set()
    for face in faces:
        possible = [place for place in library.occurrences_of[face] if accepted.accepts(place)]
        if not possible:
            continue
        place = next((place for place in possible if _is_there(library, place.photo)), None)
        if place is None:
            unavailable.add(face)
        places.append(place or possible[0])
    return places, unavailable


def _is_there(library: Catalogue, photo: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(library.path_of(photo)).st_mode)
    except OSError:
        return False


def _without_copies(library: Catalogue, places: list[FaceOccurrence]) -> list[FaceOccurrence]:
    """Leave out the faces on photos that are the same picture as another one with a face of the person."""
    place_in_set = {
        photo.photo: (number, (not library.is_here(photo.photo), rank))
        for number, found in enumerate(duplicates_among(library, {place.photo_hash for place in places}))
        for rank, photo in enumerate(found.photos)
    }
    best: dict[int, tuple[bool, int]] = {}
    for place in places:
        if (found := place_in_set.get(place.photo)) is not None:
            best[found[0]] = min(found[1], best.get(found[0], found[1]))
    return [place for place in places if (found := place_in_set.get(place.photo)) is None or best[found[0]] == found[1]]


def _add_crops(library: Catalogue, plan: CropPlan, stage: StagedFolder, left_alone: set[str]) -> Iterator[FailedCrop]:
    """Stage the crops, and yield the faces that cannot be cut out."""
    path_of = {crop.place.face_id: crop.path for crop in plan.crops if crop.path not in left_alone}
    wanted = _wanted_crops(plan, path_of, read_landmarks(library.table, list(path_of)))
    library.progress.start("cutting out faces", len(path_of), "faces")
    for cut in make_crops(library.roots, wanted, plan.options):
        library.progress.advance()
        path = path_of[cut.place.face_id]
        if not isinstance(cut, FailedCrop):
            stage.add(path, cut.content)
        else:
            stage.keep(path)
            yield cut
    library.progress.finish()


def _wanted_crops(plan: CropPlan, path_of: Mapping[str, str], landmarks: Mapping[str, Float32]) -> Iterator[WantedCrop]:
    for crop in plan.crops:
        if crop.place.face_id in path_of:
            yield WantedCrop(crop.place, landmarks.get(crop.place.face_id))


def _add_sheets(
    library: Catalogue, plan: CropPlan, stage: StagedFolder, written: tuple[PlannedCrop, ...]
) -> Iterator[str]:
    """Stage the contact sheets, and yield the paths where another file is."""
    if not plan.sheets:
        return
    library.progress.start("drawing contact sheets", len(written), "faces")
    for number, path in enumerate(plan.sheets):
        crops = written[number * FACES_PER_SHEET : (number + 1) * FACES_PER_SHEET]
        if crops and stage.is_writable(path):
            stage.add(path, draw_sheet(crops, [stage.read(crop.path) for crop in crops], plan.options.format))
            library.progress.advance(len(crops))
        elif crops:
            yield path
    library.progress.finish()
