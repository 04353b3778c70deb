"""Persons: the named ones first, then the groups nobody has named."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping

from faceclust.people.resolve import Said, person_key
from faceclust.types import Clustering, Person


def build_persons(
    clustering: Clustering | None,
    said: Mapping[str, Said],
    photo_of: Mapping[str, str],
    rejected: Mapping[str, frozenset[str]] | None = None,
) -> tuple[Person, ...]:
    """Join the groups with what the user said of their faces.

    A face the user named has that name, in whatever group it lies. A group belongs to whom
    most of its confirmed faces belong to (then: of its named faces); its other faces come
    with it as that person's, unconfirmed, save on a photo where the person is already and
    where they were said not to be that person (`rejected`, by face). A group most of whose
    faces are ignored is ignored; else its other faces are asked about.
    `photo_of`: each face's photo (content hash). Named persons come first, then unnamed
    groups, then ignored ones, each by falling number of faces.
    """
    groups: dict[int, list[str]] = defaultdict(list)
    group_of: dict[str, int] = {}
    if clustering is not None:
        for face, label in zip(clustering.face_ids.tolist(), clustering.labels.tolist(), strict=True):
            if label >= 0 and face in photo_of:
                groups[label].append(face)
                group_of[face] = label
    faces: dict[str | None, list[str]] = defaultdict(list)
    for face, word in said.items():
        faces[word.name].append(face)
    photos = {name: {photo_of[face] for face in found} for name, found in faces.items()}
    unnamed: list[Person] = []
    for number, members in sorted(groups.items()):
        unsaid = [face for face in members if face not in said]
        ignored = [face for face in members if face in said and said[face].name is None]
        owner = _owner(members, said)
        if owner is not None:
            joining = [
                face
                for face in unsaid
                if photo_of[face] not in photos[owner] and owner not in (rejected or {}).get(face, ())
            ]
            faces[owner] += joining
            photos[owner] |= {photo_of[face] for face in joining}
            unsaid = sorted(set(unsaid) - set(joining))
        elif 2 * len(ignored) > len(members):
            ignored, unsaid = ignored + unsaid, []
        if unsaid:
            unnamed.append(Person(f"group-{number}", None, tuple(sorted(unsaid)), frozenset(), (number,)))
        if ignored:
            ids = tuple(sorted(ignored))
            unnamed.append(Person(f"ignored-{number}", None, ids, frozenset(), (number,), ignored=True))
    named = [
        Person(
            id=hashlib.blake2b(person_key(name).encode(), digest_size=6).hexdigest(),
            name=name,
            face_ids=tuple(sorted(found)),
            confirmed=frozenset(face for face in found if face in said and said[face].confirmed),
            clusters=tuple(sorted({group_of[face] for face in found if face in group_of})),
        )
        for name, found in faces.items()
        if name is not None
    ]
    named.sort(key=lambda person: (-len(person.face_ids), person_key(person.name or "")))
    unnamed.sort(key=lambda person: (person.ignored, -len(person.face_ids), person.clusters))
    return (*named, *unnamed)


def _owner(members: list[str], said: Mapping[str, Said]) -> str | None:
    """The name a group goes by: None where none of its faces has one."""
    words = [said[face] for face in members if face in said and said[face].name is not None]
    words = [word for word in words if word.confirmed] or words
    counts = Counter(word.name for word in words if word.name is not None)
    return min(counts, key=lambda name: (-counts[name], name), default=None)
