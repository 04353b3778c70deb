"""Find photos by the people on them, and people by the photos they share."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import UsageError
from faceclust.files.safe_paths import is_at_or_below
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
    parse_ages,
    parse_date_range,
)
from faceclust.people.names import person_key
from faceclust.store.find_library import relative_folder, resolve_folder
from faceclust.types import FaceOccurrence, Person
from faceclust.types.arguments import as_list, require_number, require_text


def search(
    library: Catalogue,
    *people: Selector,
    any_of: Selectors = (),
    along_with: Selectors = (),
    without: Selectors = (),
    alone: bool = False,
    age: str | int | None = None,
    since: str | None = None,
    until: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    min_quality: float = 0.0,
    confirmed: bool = False,
    undated: bool = False,
) -> list[FoundPhoto]:
    """Return the photos that show all of `people` and nobody of `without`, by the time they were taken.

    Photos that show anybody of `any_of` instead of `people` are found, too. All photos show everybody of
    `along_with`. Without these three, photos with any face are found. People are given by name, group number
    or face id; the name of a group of people stands for any of them. `alone`: no face of anybody else is on
    the photo. `age`: of `people` and `any_of` in years, such as "4", "3-5" or "13-"; without both, of
    anybody. `since`, `until`: "2019", "2019-05" or "2019-05-17", inclusive. They and `age` exclude photos
    without a date. `folder`: relative to the working directory or to the root. `min_quality` (0 to 1) and
    `confirmed` restrict the faces that make a person present; for `without`, any face counts. `undated`:
    only the photos without a date, which would match but for `age`, `since` and `until`. Raises UsageError
    for an unknown person, an invalid value, and for `age` if a birth date is missing.
    """
    require_number("min_quality", min_quality)
    if not 0 <= min_quality <= 1:
        raise UsageError(f"the quality must be between 0 and 1, not {min_quality}")
    first, last = parse_date_range(since, until)
    ages = None if age is None else parse_ages(age)
    query = Query(
        present=_find_alternatives(library, people, as_list(any_of), as_list(along_with), by_age=ages is not None),
        absent=tuple(_find_subject(library, person) for person in as_list(without)),
        alone=alone,
        ages=ages,
        since=first,
        until=last,
        folder=folder_below_root(library, folder),
        min_quality=min_quality,
        confirmed=confirmed,
        undated=undated,
    )
    return find_photos(library.occurrences, library.people(), query)


def _find_alternatives(
    library: Catalogue,
    all_of: Sequence[Selector],
    any_of: Sequence[Selector],
    along_with: Sequence[Selector],
    *,
    by_age: bool,
) -> tuple[tuple[Subject, ...], ...]:
    """Return the sets of subjects of which one has to be on a photo: all of `all_of` or one of `any_of`,
    each along with all of `along_with`. With `by_age`, birth dates are needed."""
    alternatives = [[_find_subject(library, one) for one in all_of]] if all_of else []
    alternatives += [[_find_subject(library, one)] for one in any_of]
    if by_age:
        for selector, subject in zip((*all_of, *any_of), chain.from_iterable(alternatives), strict=True):
            _require_birth_date(library, selector, subject)
        alternatives = alternatives or [[_everybody_born(library)]]
    others = [replace(_find_subject(library, one), by_age=False) for one in along_with]
    return tuple((*subjects, *others) for subjects in alternatives or [[]] if subjects or others)


def _require_birth_date(library: Catalogue, selector: Selector, subject: Subject) -> None:
    """Raises UsageError if no birth date is known of anybody among the subject."""
    owners = {
        library.person_of[face].label: library.person_of[face] for face in subject.faces & library.person_of.keys()
    }
    if any(person.facts.born for person in owners.values()):
        return
    name = shlex.quote(next(iter(owners))) if len(owners) == 1 else "NAME"
    raise UsageError(
        f"the birth date of {selector} is not known, so neither is the age",
        hint=f"faceclust person {name} --born 1987-05-03",
    )


def _everybody_born(library: Catalogue) -> Subject:
    """The people with a known birth date. Raises UsageError if nobody has one."""
    people = [person for person in library.people() if person.facts.born]
    if not people:
        raise UsageError("no birth date is known, so no age is", hint="faceclust person NAME --born 1987-05-03")
    return _to_subject(people)


def co_occurrences(library: Catalogue, *people: str, confirmed: bool = False, min_photos: int = 1) -> list[PersonPair]:
    """Return the pairs of named persons who share photos, most photos first.

    `people`: only pairs with one of these names, or with somebody of these groups of people. `confirmed`: count
    confirmed faces only. `min_photos`: only pairs on at least this many photos. Raises UsageError for an unknown name.
    """
    require_number("min_photos", min_photos)
    ids = {
        person.id for name in people for person in _find_group_of_people(library, name) or (library.find_person(name),)
    }
    pairs = count_pairs(library.occurrences, library.people(), ids, confirmed=confirmed)
    return [pair for pair in pairs if pair.photos >= min_photos]


def overviews(
    library: Catalogue,
    *,
    include_unnamed: bool = False,
    folder: str | os.PathLike[str] | None = None,
    group: str | None = None,
) -> list[Overview]:
    """Return counts, dates and the best face of each named person, most faces first.

    `include_unnamed`: groups without a name as well. `folder`: only people on photos in and below it, and
    only their faces there; it is given as in `search`. `group`: only people of this group of people. Raises
    UsageError if the folder is not in the library, and for an unknown group.
    """
    persons = library.persons if include_unnamed else library.people()
    if group is not None:
        persons = _require_group_of_people(library, group)
    if folder is None:
        return [build_overview(person, library.occurrences_of) for person in persons]
    there: dict[str, list[FaceOccurrence]] = defaultdict(list)
    for occurrence in faces_in_folder(library, folder):
        there[occurrence.face_id].append(occurrence)
    restricted = [restrict_person(person, there.keys()) for person in persons]
    found = [build_overview(person, there) for person in restricted if person.face_ids]
    return sorted(found, key=lambda one: _overview_sort_key(one.person))


def _overview_sort_key(person: Person) -> tuple[bool, bool, bool, int]:
    """Favourites first, then other named persons, groups without a name and ignored ones, most faces first."""
    return person.name is None, person.ignored, not person.facts.favourite, -len(person.face_ids)


def restrict_person(person: Person, faces: Collection[str]) -> Person:
    """Return a person with those of the `faces` alone."""
    theirs = tuple(face for face in person.face_ids if face in faces)
    return replace(person, face_ids=theirs, confirmed=person.confirmed.intersection(theirs))


def faces_in_folder(library: Catalogue, folder: str | os.PathLike[str]) -> list[FaceOccurrence]:
    """Return the faces on the photos in and below a folder. Raises UsageError if it is not in the library."""
    within = folder_below_root(library, folder)
    return [occurrence for occurrence in library.occurrences if is_at_or_below(occurrence.photo, within)]


def _find_subject(library: Catalogue, selector: Selector) -> Subject:
    if (people := _find_group_of_people(library, selector)) is not None:
        return _to_subject(people)
    faces = frozenset(library.select_faces(selector).faces)
    owners = {face: library.person_of[face] for face in faces if face in library.person_of}
    return Subject(faces, frozenset(face for face, person in owners.items() if face in person.confirmed))


def _find_group_of_people(library: Catalogue, selector: Selector) -> tuple[Person, ...] | None:
    """Return the people of a group such as "Family". The names of people and the numbers of groups come first."""
    if not isinstance(selector, str) or selector.isdecimal() or person_key(selector) in library.known_names:
        return None
    return library.find_group(selector)


def _require_group_of_people(library: Catalogue, group: str) -> tuple[Person, ...]:
    """Return the people of a group such as "Family". Raises UsageError if there is no such group."""
    require_text("a group", group)
    if (people := library.find_group(group)) is None:
        groups = ", ".join(library.people_groups)
        hint = f"the groups are: {groups}" if groups else "faceclust person NAME --group GROUP makes one"
        raise UsageError(f"there is no group of people called {group}", hint=hint)
    return people


def _to_subject(people: Iterable[Person]) -> Subject:
    """The faces of any of these people."""
    faces, confirmed = frozenset[str](), frozenset[str]()
    for person in people:
        faces, confirmed = faces.union(person.face_ids), confirmed | person.confirmed
    return Subject(faces, confirmed)


def folder_below_root(library: Catalogue, folder: str | os.PathLike[str] | None) -> str:
    """Return a folder, relative to the working directory or else to the root, as a path of the library, which may
    be on a disk that is away; "" for None, "." for the own root of a library with several.

    Raises UsageError if it is not in the library.
    """
    if folder is None:
        return ""
    folder, roots = expand_user(folder), library.roots
    for path in (folder, library.root / folder):
        with contextlib.suppress(UsageError):
            found = roots.path_in_library(resolve_folder(path))
            if found is not None:
                return found or ("." if roots.additional else "")
    typed = Path(os.path.abspath(folder)).as_posix()  # noqa: PTH100 - its disk may be away
    if any(is_at_or_below(typed, root.path) for root in roots.away):
        return typed
    return relative_folder(roots, folder)  # raises
