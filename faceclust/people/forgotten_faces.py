"""Recognise forgotten faces, so that scans leave them out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from faceclust.people.events import Event, JournalFace
from faceclust.people.face_finder import FaceFinder
from faceclust.types import FaceOccurrence


def collect_forgotten_faces(events: Iterable[Event]) -> list[JournalFace]:
    """Return the faces of all "forget" events."""
    return [face for event in events if event.kind == "forget" for face in event.faces]


@dataclass(frozen=True)
class PossibleMatch:
    """A face of a photo, `face_id`, that may be the forgotten `face`.

    They match by path if `same_path`, otherwise by the time the photo was taken.
    """

    face_id: str
    face: JournalFace
    same_path: bool


class ForgottenFaces:
    """The forgotten faces; one entry for each photo that a face is on."""

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
        """The content hashes of their photos."""
        return self._by_hash.keys()

    def hides_whole_video(self, photo_faces: Sequence[FaceOccurrence]) -> bool:
        """Is somebody forgotten in this video whom a new scan of it has found in other frames, or not at all?

        Other models choose other frames, in which nothing tells the forgotten person from others. Then all faces
        of the video are forgotten.
        """
        faces = self._by_hash.get(photo_faces[0].photo_hash, ()) if photo_faces else ()
        in_video = [face for face in faces if face.frame_time is not None]
        finder = FaceFinder(photo_faces)
        return any(finder.find(face) is None for face in in_video)

    def certain_matches(self, photo_faces: Sequence[FaceOccurrence]) -> frozenset[str]:
        """Return the ids of one photo's faces that are forgotten, by id or by photo content and box."""
        faces = self._by_hash.get(photo_faces[0].photo_hash, ()) if photo_faces else ()
        if not faces:
            return frozenset()
        finder = FaceFinder(photo_faces)
        return frozenset(found[0] for face in faces if (found := finder.find(face)))

    def possible_matches(self, photo_faces: Sequence[FaceOccurrence]) -> list[PossibleMatch]:
        """Return one photo's faces that may be forgotten, if the photo's content has changed.

        The matches are those of `FaceFinder` with this photo alone.
        """
        if not photo_faces:
            return []
        first = photo_faces[0]
        taken_at = first.taken_at.isoformat() if first.taken_at else ""
        candidates = {*self._by_path.get(first.photo, ()), *self._by_time.get(taken_at, ())}
        finder = FaceFinder(photo_faces)
        return [
            PossibleMatch(found[0], face, face.photo == first.photo)
            for face in sorted(candidates, key=lambda face: (face.photo, face.face_id))
            if face.photo_hash != first.photo_hash and (found := finder.find(face))
        ]

    def confirm_matches(
        self, matches: Iterable[PossibleMatch], new_hashes: Collection[str], photo_exists: Callable[[str], bool]
    ) -> frozenset[str]:
        """Return the ids of the matches that are forgotten faces, after all photos have been scanned.

        `new_hashes` are the contents of photos that are new at their path, and `photo_exists` says
        whether there is a photo at a path. A match is rejected if the forgotten face's photo was found at
        a new path: then the one at the old path is a different photo. A match by time is also rejected
        if the forgotten face's photo still exists: then this one is another photo of the same moment.
        """

        def is_rejected(match: PossibleMatch) -> bool:
            if match.face.photo_hash in new_hashes:
                return True
            copies = self._by_hash[match.face.photo_hash]
            return not match.same_path and any(photo_exists(face.photo) for face in copies)

        return frozenset(match.face_id for match in matches if not is_rejected(match))
