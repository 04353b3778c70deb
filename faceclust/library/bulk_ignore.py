"""Ignore many faces by one answer, which `undo` takes back as one: plan it, look at the plan, record it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from faceclust.catalogue.catalogue import Catalogue
from faceclust.catalogue.photo_addresses import find_photo
from faceclust.errors import UsageError
from faceclust.library.naming import find_ignored, journal_transaction
from faceclust.library.searching import faces_in_folder
from faceclust.library.selection import Selectors, refuse_named_groups, resolve_faces
from faceclust.people.events import Event, JournalFace
from faceclust.types import FaceOccurrence
from faceclust.types.arguments import as_list

#: A condition that a face meets or not.
_Predicate: TypeAlias = Callable[[FaceOccurrence], bool]


@dataclass(frozen=True)
class BulkPlan:
    """The faces of one answer about many, each on one of its photos.

    `chosen`: the ids of those that the user named one by one. `not_grouped`: the number of faces that were left
    out because the last `cluster` came before them.
    """

    faces: tuple[FaceOccurrence, ...]
    chosen: frozenset[str] = frozenset()
    not_grouped: int = 0

    @property
    def face_ids(self) -> tuple[str, ...]:
        return tuple(face.face_id for face in self.faces)

    @property
    def photos(self) -> dict[str, int]:
        """Photo path → number of these faces on it, by path."""
        return dict(sorted(Counter(face.photo for face in self.faces).items()))


def plan_bulk_ignore(
    library: Catalogue,
    faces: Selectors = (),
    *,
    others_on: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    folder: str | os.PathLike[str] | None = None,
    seen_once: bool = False,
) -> BulkPlan:
    """Plan to ignore `faces`, and all faces without a name that are meant by the other arguments.

    `others_on`: those on these photos and their copies. `folder`: those on the photos in and below it.
    `seen_once`: those of people who are on one photo only, which are groups on one photo and faces alone; with
    `folder`, only those there. Copies of a photo are one photo. Faces with a confirmed or suggested name are left
    out, and so are ignored ones. Raises UsageError for an unknown face, photo or folder, for `faces` as `ignore`
    does, without any argument, and for `seen_once` before the first grouping.
    """
    selectors, photos = as_list(faces), as_list(others_on)
    if not (selectors or photos or folder is not None or seen_once):
        raise UsageError("no faces to ignore are given", hint="name groups, faces, photos or a folder")
    refuse_named_groups(library, selectors, "to ignore that person: faceclust ignore {name}")
    chosen = resolve_faces(library, selectors)
    found = {face: library.occurrences_of[face][0] for face in chosen}
    is_open = _open_faces(library)
    found |= {face.face_id: face for photo in photos for face in _faces_on(library, photo) if is_open(face)}
    not_grouped = 0
    if folder is not None or seen_once:
        everywhere = library.occurrences if folder is None else faces_in_folder(library, folder)
        there = {face.face_id: face for face in reversed(everywhere) if is_open(face)}
        if seen_once:
            seen, grouped = _find_seen_once(library), _grouped_faces(library)
            not_grouped = sum(id not in grouped and face.has_embedding for id, face in there.items())
            there = {id: face for id, face in there.items() if id in seen}
        found = there | found
    return BulkPlan(_in_order(found.values()), frozenset(chosen), not_grouped)


def plan_bulk_unignore(
    library: Catalogue, faces: Selectors = (), *, folder: str | os.PathLike[str] | None = None
) -> BulkPlan:
    """Plan to ask again about `faces`, and about all ignored faces on the photos in and below `folder`.

    Raises UsageError for an unknown face or folder, for `faces` as `unignore` does, and without any argument.
    """
    selectors = as_list(faces)
    if not selectors and folder is None:
        raise UsageError("no ignored faces are given", hint="name groups, faces or a folder")
    chosen = find_ignored(library, selectors) if selectors else []
    there = faces_in_folder(library, folder) if folder is not None else []
    is_ignored = _ignored_faces(library)
    found = {face.face_id: face for face in reversed(there) if is_ignored(face)}
    found |= {face: library.occurrences_of[face][0] for face in chosen}
    return BulkPlan(_in_order(found.values()), frozenset(chosen))


def bulk_ignore(library: Catalogue, plan: BulkPlan) -> Event:
    """Ignore the faces of a plan by one answer. Faces that were named since it was made are left out.

    Raises UsageError if no face is left, CacheError if the answer cannot be saved.
    """
    return _record(library, "ignore", plan, _open_faces)


def bulk_unignore(library: Catalogue, plan: BulkPlan) -> Event:
    """Ask about the ignored faces of a plan again, by one answer.

    Raises UsageError if none of them is ignored any more, CacheError if the answer cannot be saved.
    """
    return _record(library, "unignore", plan, _ignored_faces)


def _record(library: Catalogue, kind: str, plan: BulkPlan, select: Callable[[Catalogue], _Predicate]) -> Event:
    with journal_transaction(library):
        library.invalidate_people()
        applies_to = select(library)
        there = [face for face in plan.faces if face.face_id in library.occurrences_of]
        faces = [
            JournalFace.from_occurrence(face, confirmed=face.face_id in plan.chosen)
            for face in there
            if face.face_id in plan.chosen or applies_to(face)
        ]
        if not faces:
            raise UsageError(f"there is no face left to {kind}", hint="faceclust journal lists the last answers")
        return library.journal.record(kind, faces)


def _in_order(faces: Iterable[FaceOccurrence]) -> tuple[FaceOccurrence, ...]:
    return tuple(sorted(faces, key=lambda face: (face.photo, face.box, face.face_id)))


def _open_faces(library: Catalogue) -> _Predicate:
    """Return a predicate: a face has neither a confirmed or suggested name, nor an answer that it is ignored."""
    named, is_ignored = library.person_of, _ignored_faces(library)
    return lambda face: face.face_id not in named and not is_ignored(face)


def _ignored_faces(library: Catalogue) -> _Predicate:
    """Return a predicate: there is an answer that the face is ignored."""
    labels = library.answers.labels

    def is_ignored(face: FaceOccurrence) -> bool:
        label = labels.get(face.face_id)
        return label is not None and label.name is None

    return is_ignored


def _faces_on(library: Catalogue, photo: str | os.PathLike[str]) -> tuple[FaceOccurrence, ...]:
    found = find_photo(library.roots, library.photos, os.fspath(photo))
    return library.faces_on.get(library.photos[found].photo_hash, ())


def _grouped_faces(library: Catalogue) -> frozenset[str]:
    """The faces that the last clustering has seen. Raises UsageError before the first one."""
    if library.clustering is None:
        raise UsageError("the faces are not grouped yet, so nobody is known to be seen once", hint="faceclust cluster")
    return frozenset(library.clustering.face_ids.tolist())


def _find_seen_once(library: Catalogue) -> frozenset[str]:
    """The faces without a name in groups that are on one photo only, and those in no group.

    A group that is ignored in part counts as a whole. Faces that the user declared to be one person count as
    a group. Raises UsageError before the first clustering.
    """
    photo_of, named = library.photo_of, library.person_of

    def is_seen_once(faces: Iterable[str]) -> bool:
        return len({photo_of[face] for face in faces if face not in named}) == 1

    alone = _grouped_faces(library) - library.group_of.keys()
    in_groups = [
        person.face_ids
        for person in library.unnamed_groups()
        if is_seen_once(face for number in person.clusters for face in library.group_members[number])
    ]
    linked = [faces for faces in library.answers.merges if not is_seen_once(faces)]
    return (alone.union(*in_groups)).difference(*linked)
