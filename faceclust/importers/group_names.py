"""Place names without a region on faces, by the groups that the faces are in."""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from faceclust.importers.co_occurrence import assign_names
from faceclust.people.names import person_key
from faceclust.types import FaceOccurrence, Person, PhotoInfo


def place_names(
    photos: Mapping[str, PhotoInfo],
    faces: Mapping[str, Sequence[FaceOccurrence]],
    persons: Sequence[Person],
    keys_on_photo: Mapping[str, Collection[str]],
    claimed: Mapping[str, str],
) -> dict[tuple[str, str], str]:
    """Return the face that a name on a photo means, by photo and key of the name.

    `keys_on_photo` has the keys of the names that other programs gave to a photo, `claimed` the key of each
    face that they named by a region. Photos count that are in a folder with such names: names say nothing
    about folders that the other program did not have. Copies of a photo count once. Faces that are named
    already are left out.
    """
    folders = {posixpath.dirname(photo) for photo in keys_on_photo}
    counted = {photo: info.photo_hash for photo, info in photos.items() if posixpath.dirname(photo) in folders}
    tagged: dict[str, set[str]] = defaultdict(set)
    for photo, names in keys_on_photo.items():
        for name in names:
            tagged[name].add(photos[photo].photo_hash)
    occurrences: dict[str, list[FaceOccurrence]] = defaultdict(list)
    for photo in counted:
        for face in faces.get(photo, ()):
            occurrences[face.face_id].append(face)
    groups = {
        person.id: {face.photo_hash for id in person.face_ids for face in occurrences.get(id, ())} for person in persons
    }
    group_of = {id: person.id for person in persons for id in person.face_ids}
    face_counts = {hash: _count_people(faces.get(photo, ()), group_of) for photo, hash in counted.items()}
    key_of_group = assign_names(groups, tagged, face_counts, _known_names(persons, claimed))
    placed: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for person in persons:
        if (key := key_of_group.get(person.id)) is not None:
            for id in person.face_ids:
                for face in occurrences.get(id, ()):
                    if key in keys_on_photo.get(face.photo, ()):
                        # All faces of a group in a video are one person, so that one of them gets the name.
                        placed[face.photo, key].setdefault(id if face.frame_time is None else person.id, id)
    return {place: next(iter(ids.values())) for place, ids in placed.items() if len(ids) == 1}


def _count_people(faces: Sequence[FaceOccurrence], group_of: Mapping[str, str]) -> int:
    """Return the number of people with a face on a photo; of a video, the smallest number possible."""
    if all(face.frame_time is None for face in faces):
        return len(faces)
    groups = {group_of[face.face_id] for face in faces if face.face_id in group_of}
    ungrouped = Counter(face.frame_time for face in faces if face.face_id not in group_of)
    return len(groups) + max(ungrouped.values(), default=0)


def _known_names(persons: Sequence[Person], claimed: Mapping[str, str]) -> dict[str, str]:
    """Return the keys of the names that persons have or are about to get; "" for ignored ones."""
    known = {}
    for person in persons:
        claims = Counter(claimed[face] for face in person.face_ids if face in claimed)
        if person.name is not None:
            known[person.id] = person_key(person.name)
        elif person.ignored:
            known[person.id] = ""
        elif claims:
            known[person.id] = min(claims, key=lambda key: (-claims[key], key))
    return known
