"""Knowing faces again that are not to be known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from faceclust.people.events import Event, JournalFace
from faceclust.people.face_finder import FaceFinder
from faceclust.types import FaceOccurrence


def collect_forgotten_faces(events: Iterable[Event]) -> list[JournalFace]:
    """The faces that the journal says are forgotten."""
    return [face for event in events if event.kind == "forget" for face in event.faces]


@dataclass(frozen=True)
class PossibleMatch:
    """The face `face_id` of a photo may be the forgotten `face`. `here`: by the photo's path; else
    by the moment it was taken."""

    face_id: str
    face: JournalFace
    same_path: bool


class ForgottenFaces:
    """Faces that are forgotten: the same one once for each photo it is known to be on."""

    def __init__(self, faces: Iterable[JournalFace]) -> None:
        self.faces = tuple(faces)
        self.ids = frozenset(face.face_id for face in self.faces)
        self._by_hash: dict[str, list[JournalFace]] = defaultdict(list)
        self._by_path: dict[str, list[JournalFace]] = defaultdict(list)
        self._by_time: dict[str, list[JournalFace]] = defaultdict(list)
        for face in self.faces:
            self._by_hash[face.photo_hash].append(face)
            self._by_path[face.photo].append(face)
            if face.taken_at:
                self._by_time[face.taken_at].append(face)

    @property
    def photo_hashes(self) -> Collection[str]:
        """The contents of the photos they are on."""
        return self._by_hash.keys()

    def certain_matches(self, photo_faces: Sequence[FaceOccurrence]) -> frozenset[str]:
        """Which of one photo's faces are forgotten: by their ids, or by the photo's content and
        their boxes."""
        faces = self._by_hash.get(photo_faces[0].photo_hash, ()) if photo_faces else ()
        if not faces:
            return frozenset()
        finder = FaceFinder(photo_faces)
        return frozenset(found[0] for face in faces if (found := finder.find(face)))

    def possible_matches(self, photo_faces: Sequence[FaceOccurrence]) -> list[PossibleMatch]:
        """Which of one photo's faces may be forgotten ones, the photo's content having changed:
        as `FaceFinder` finds them, were this the only photo."""
        if not photo_faces:
            return []
        first = photo_faces[0]
        moment = first.taken_at.isoformat() if first.taken_at else ""
        near = {*self._by_path.get(first.photo, ()), *self._by_time.get(moment, ())}
        finder = FaceFinder(photo_faces)
        return [
            PossibleMatch(found[0], face, face.photo == first.photo)
            for face in sorted(near, key=lambda face: (face.photo, face.face_id))
            if face.photo_hash != first.photo_hash and (found := finder.find(face))
        ]

    def confirm_matches(
        self, matches: Iterable[PossibleMatch], new_hashes: Collection[str], photo_exists: Callable[[str], bool]
    ) -> frozenset[str]:
        """Which of these are forgotten, once all photos have been seen. `new`: the contents of photos
        that are new at their path; `there`: whether a photo is at this path.

        Where the forgotten face's photo has just moved elsewhere, what is at its old path is another
        one; and where it is still there, so is what was taken in the same moment.
        """

        def elsewhere(one: PossibleMatch) -> bool:
            if one.face.photo_hash in new_hashes:
                return True
            return not one.same_path and any(photo_exists(face.photo) for face in self._by_hash[one.face.photo_hash])

        return frozenset(one.face_id for one in matches if not elsewhere(one))
