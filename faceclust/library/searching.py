"""Find photos by the people on them, and people by the photos they share."""

from __future__ import annotations

import contextlib
import os

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import UsageError
from faceclust.files.safe_paths import relative_posix
from faceclust.files.user_folders import expand_user
from faceclust.library.selection import Selector, Selectors
from faceclust.outputs.overview import Overview, build_overview
from faceclust.outputs.search import (
    FoundPhoto,
    PersonPair,
    Query,
    Subject,
    count_pairs,
    find_photos,
    parse_date_range,
)
from faceclust.store.find_library import relative_folder, resolve_folder
from faceclust.types.arguments import as_list, require_number


def search(
    library: Catalogue,
    *people: Selector,
    without: Selectors = (),
    alone: bool = False,
    since: str | None = None,
    until: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    min_quality: float = 0.0,
    confirmed: bool = False,
) -> list[FoundPhoto]:
    """Return the photos that show all of `people` and nobody of `without`, by the time they were taken.

    Without `people`, photos with any face. People are given by name, group number or face id.
    `alone`: no other face is on the photo. `since`, `until`: "2019", "2019-05" or "2019-05-17",
    inclusive; they exclude photos without a date. `folder`: relative to the working directory or
    to the root. `min_quality` (0 to 1) and `confirmed` restrict the faces that make a person of
    `people` present; for `without`, any face counts. Raises UsageError for an unknown person or an
    invalid value.
    """
    require_number("min_quality", min_quality)
    if not 0 <= min_quality <= 1:
        raise UsageError(f"the quality must be between 0 and 1, not {min_quality}")
    first, last = parse_date_range(since, until)
    query = Query(
        present=tuple(_find_subject(library, person) for person in people),
        absent=tuple(_find_subject(library, person) for person in as_list(without)),
        alone=alone,
        since=first,
        until=last,
        folder=folder_below_root(library, folder),
        min_quality=min_quality,
        confirmed=confirmed,
    )
    return find_photos(library.occurrences, library.people(), query)


def co_occurrences(library: Catalogue, *people: str, confirmed: bool = False, min_photos: int = 1) -> list[PersonPair]:
    """Return the pairs of named persons who share photos, most photos first.

    `people`: only pairs with one of these names. `confirmed`: count confirmed faces only.
    `min_photos`: only pairs on at least this many photos. Raises UsageError for an unknown name.
    """
    require_number("min_photos", min_photos)
    ids = {library.find_person(name).id for name in people}
    pairs = count_pairs(library.occurrences, library.people(), ids, confirmed=confirmed)
    return [pair for pair in pairs if pair.photos >= min_photos]


def overviews(library: Catalogue, *, include_unnamed: bool = False) -> list[Overview]:
    """Return counts, dates and the best face of each named person, most faces first.

    `include_unnamed`: groups without a name as well.
    """
    persons = library.persons if include_unnamed else library.people()
    return [build_overview(person, library.occurrences_of) for person in persons]


def _find_subject(library: Catalogue, selector: Selector) -> Subject:
    faces = frozenset(library.select_faces(selector).faces)
    owners = {face: library.person_of[face] for face in faces if face in library.person_of}
    return Subject(faces, frozenset(face for face, person in owners.items() if face in person.confirmed))


def folder_below_root(library: Catalogue, folder: str | os.PathLike[str] | None) -> str:
    """Return a folder, relative to the working directory or else to the root, as a POSIX path below the root;
    "" for None. Raises UsageError if it is not in the library."""
    if folder is None:
        return ""
    folder = expand_user(folder)
    for path in (folder, library.root / folder):
        with contextlib.suppress(UsageError):
            resolved = resolve_folder(path)
            if resolved.is_relative_to(library.root):
                return relative_posix(library.root, resolved)
    return relative_folder(library.root, folder)  # raises
