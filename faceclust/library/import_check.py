"""Check imported names against the faces: one name on faces that look unlike each other is only suggested.

Another program may have a wrong name on a face, or a word for somebody unknown on many faces. Such a name,
once confirmed, would join strangers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from faceclust.catalogue.catalogue import Catalogue
from faceclust.cluster.constraints import Constraints
from faceclust.cluster.labels import groups_of
from faceclust.cluster.two_passes import cluster_in_two_passes
from faceclust.errors import PackError
from faceclust.importers.plan import FaceNaming, ImportPlan, UnlikeFaces
from faceclust.people.identification import VERIFY_THRESHOLD
from faceclust.people.names import person_key
from faceclust.types import Float32, Float64, Indices


@dataclass(frozen=True)
class _Look:
    """The embeddings of faces and their groups: `position` maps a face id to its row in the arrays (n, …).

    `parts` (n,) numbers the groups of the last clustering without the user's links. A face alone, or without a
    part that is certain enough, has a number of its own.
    """

    position: dict[str, int]
    embeddings: Float32
    offsets: Float64
    parts: Indices


def suggest_unlike_faces(library: Catalogue, plan: ImportPlan) -> ImportPlan:
    """Return the plan with the names suggested instead of confirmed on faces that look unlike the others of a name.

    The faces of each name, with those that the user has confirmed, are grouped by average linkage up to
    VERIFY_THRESHOLD, starting from the groups of the last clustering. A face is like the others if its group
    has a face that was confirmed before, or else more than half of the faces of the name. On five synthetic
    albums of adults, 7 of 3,239 right names were only suggested. So were all 474 faces of a word that was put
    on 20 people at a time, and 86 of 87 single faces with a wrong name.
    """
    by_key: dict[str, list[FaceNaming]] = defaultdict(list)
    for naming in plan.namings:
        if naming.confirmed:
            by_key[person_key(naming.name)].append(naming)
    if not by_key or not _has_known_distances(library):
        return plan
    before = {person_key(person.label): person.confirmed for person in library.people()}
    look = _look_of(library, sorted({face for key in by_key for face in (*before.get(key, ()), *_faces(by_key[key]))}))
    unlike: list[UnlikeFaces] = []
    doubtful: set[str] = set()
    for key, namings in sorted(by_key.items()):
        confirmed = sorted(face for face in before.get(key, ()) if face in look.position)
        named = [face for face in _faces(namings) if face in look.position]
        found, alike = _find_unlike(confirmed, named, look) if named else (set(), 0)
        if found:
            photos = tuple(naming.photo for naming in namings if naming.face_id in found)
            unlike.append(UnlikeFaces(namings[0].name, tuple(sorted(found)), photos, alike))
            doubtful |= found
    return _demote(library, plan, doubtful, tuple(unlike))


def _find_unlike(confirmed: Sequence[str], named: Sequence[str], look: _Look) -> tuple[set[str], int]:
    """Return those of the `named` faces that are unlike the others, and the number of the others."""
    faces = [*confirmed, *named]
    rows = np.array([look.position[face] for face in faces], np.int64)
    if (parts := look.parts[rows]).min() == parts.max():
        return set(), len(faces)
    linked = Constraints(groups_of(parts))  # much faster than clustering them again
    groups = cluster_in_two_passes(look.embeddings[rows], VERIFY_THRESHOLD, linked, offsets=look.offsets[rows])
    sizes = np.bincount(groups, minlength=len(faces))
    like = set(groups[: len(confirmed)].tolist()) if confirmed else set(np.flatnonzero(2 * sizes > len(faces)).tolist())
    unlike = {face for face, group in zip(faces, groups.tolist(), strict=True) if group not in like}
    return unlike, len(faces) - len(unlike)


def _demote(library: Catalogue, plan: ImportPlan, doubtful: set[str], unlike: tuple[UnlikeFaces, ...]) -> ImportPlan:
    """Only suggest the names of doubtful faces; those suggested before are known."""
    namings, known = [], 0
    for naming in plan.namings:
        if naming.face_id not in doubtful:
            namings.append(naming)
        elif (person := library.person_of.get(naming.face_id)) and person_key(person.label) == person_key(naming.name):
            known += 1
        else:
            namings.append(replace(naming, confirmed=False))
    return replace(plan, namings=tuple(namings), known=plan.known + known, unlike=unlike)


def _faces(namings: Sequence[FaceNaming]) -> list[str]:
    return [naming.face_id for naming in namings]


def _look_of(library: Catalogue, face_ids: Sequence[str]) -> _Look:
    faces = library.faces_of(face_ids)
    position = {face: number for number, face in enumerate(faces.face_ids.tolist())}
    parts, clustering = -1 - np.arange(len(faces)), library.clustering
    if clustering and clustering.params.algorithm == "average" and clustering.params.threshold <= VERIFY_THRESHOLD:
        for face, part in zip(clustering.face_ids.tolist(), clustering.parts.tolist(), strict=True):
            if part >= 0 and face in position:
                parts[position[face]] = part
    return _Look(position, faces.embeddings, library.offsets_of(faces.face_ids, faces.embeddings), parts)


def _has_known_distances(library: Catalogue) -> bool:
    """Do distances have a meaning? They have none for a pack that is not calibrated."""
    try:
        return library.pack.radius_source != "none"
    except PackError:  # the pack is gone; it was in use
        return True
