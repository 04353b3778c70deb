"""The state of a library that an import starts from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from faceclust.people.names import person_key
from faceclust.people.replay import ReplayedAnswers
from faceclust.types import Box, FaceOccurrence, Person, PhotoInfo


@dataclass(frozen=True)
class HandAnswers:
    """What the user said against faces on photos, by content hash.

    `refused_boxes` are boxes without a face, each with the reason: removed, moved away or forgotten.
    `withdrawn` has the keys of people who were taken off the whole photo.
    """

    refused_boxes: Mapping[str, Sequence[tuple[Box, str]]] = field(default_factory=dict)
    withdrawn: Mapping[str, Collection[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class LibraryNames:
    """The state of a library that names are reconciled with.

    `faces` are by photo, people without a face to be seen last. `resolved` has the user's answers, `by_hand`
    those about the faces themselves. `spelling` maps a name's key to its spelling, `renamed` the key of a person's
    former name or alias to the present name. `current_names` has the names of faces, including suggested ones.
    `persons` are the persons and the groups without a name, None before the first clustering.
    """

    photos: Mapping[str, PhotoInfo]
    faces: Mapping[str, Sequence[FaceOccurrence]]
    resolved: ReplayedAnswers
    spelling: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    current_names: Mapping[str, str] = field(default_factory=dict)
    persons: Sequence[Person] | None = None
    by_hand: HandAnswers = field(default_factory=HandAnswers)

    def keys_on(self, photo: str) -> set[str]:
        """Return the keys of the people on a photo, those only suggested included."""
        names = (self.current_names.get(face.face_id) for face in self.faces.get(photo, ()))
        return {person_key(name) for name in names if name is not None}
