"""Find the faces that stay in the answers about others when a person is erased from the journal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from faceclust.people.events import Event, JournalFace, effective_events
from faceclust.people.names import person_key
from faceclust.people.replay import Replay

#: Maps a face of the journal to its current id in the library, or to its own id if it is not in the library.
FaceIdOf = Callable[[JournalFace], str]


@dataclass(frozen=True)
class _Override:
    """The effect of the person's last event on one face: it overrode the answers given before.

    Names, confirmations, ignores and rejections of the face before event `number` no longer count,
    except the rejections in `kept` (event ids), which were still in force.
    """

    number: int
    kept: frozenset[str] = frozenset()


class RemainingFaces:
    """The faces that stay in the events that do not name the person.

    Invariant: if only these faces stay, and the events that name the person go, then replaying
    the journal gives the same labels, rejections, merges and splits as before for every other
    face, except for those that mention the person.

    Three kinds of faces must go for that:

    * forgotten faces, and in "found" and "move" events every face that such a face became or was;
    * faces in answers that an event of the person overrode. Without that event the earlier answer
      would count again: "a is Ben", then "a is Anna", and Anna is forgotten. `_overrides` has an
      entry for each such face, also for those whose rejection ended the person's name;
    * faces that left a merge or split because of the person's name. Names take precedence over
      merges, so without the name the merge would be larger. `_final_sets` replaces the faces of
      each affected merge and split by those that are left of it after the last event.
    """

    def __init__(
        self,
        events: Sequence[Event],
        key: str,
        about_person: Collection[str],
        forgotten: frozenset[str],
        face_id_of: FaceIdOf,
    ) -> None:
        self._forgotten, self._face_id_of, self._about_person = forgotten, face_id_of, about_person
        effective = effective_events(events)
        self._number_of = {event.id: number for number, event in enumerate(effective)}
        self._overrides: dict[str, _Override] = {}
        self._rejections: dict[str, str] = {}  # event id → current key of the rejected name
        self._replay = Replay()
        for event in effective:
            self._replay_event(event)
        labels = self._replay.labels
        named_in_the_end = [face for face, label in labels.items() if label.name == key and face not in forgotten]
        self._override(len(effective), named_in_the_end)
        self._final_sets = self._affected_merges_and_splits(effective)

    def _replay_event(self, event: Event) -> None:
        faces, rest = replay_arguments(event, self._face_id_of)
        if event.id in self._about_person and event.name is not None:
            key, labels = person_key(event.name), self._replay.labels
            named, rejected = ({}, faces) if event.kind == "reject" else (faces, rest)
            unnamed = [face for face in rejected if face in named or (face in labels and labels[face].name == key)]
            self._override(self._number_of[event.id], unnamed)
        self._track_rejections(event)
        self._replay.apply(event, faces, rest)

    def _track_rejections(self, event: Event) -> None:
        if event.name is not None and event.to is None:
            self._rejections[event.id] = person_key(event.name)
        elif event.name is not None and event.to is not None:
            old, new = person_key(event.name), person_key(event.to)
            self._rejections = {id: new if name == old else name for id, name in self._rejections.items()}

    def _override(self, number: int, faces: Iterable[str]) -> None:
        for face in faces:
            rejected = self._replay.rejected.get(face, set())
            kept = frozenset(id for id, name in self._rejections.items() if name in rejected)
            self._overrides[face] = _Override(number, kept)

    def _affected_merges_and_splits(self, effective: Sequence[Event]) -> dict[str, tuple[set[str], set[str]]]:
        """Map the ids of merges and splits that the person's name may have changed to their final faces.

        These are the ones that contain a forgotten face or a face of an event about the person, and,
        transitively, those that share a face with one of them.
        """
        merges = [event for event in effective if event.kind == "merge" and event.name is None]
        splits = [event for event in effective if event.kind == "split"]
        final_sets = {event.id: (faces, set[str]()) for event, faces in zip(merges, self._replay.merges, strict=True)}
        final_sets |= {event.id: sets for event, sets in zip(splits, self._replay.splits, strict=True)}
        faces_of = {event.id: set(map(self._face_id_of, event.all_faces)) for event in (*merges, *splits)}
        about_person = [event for event in effective if event.id in self._about_person]
        reached = set(self._forgotten) | {self._face_id_of(face) for event in about_person for face in event.all_faces}
        reached = _connected_faces(reached, faces_of.values())
        return {id: final_sets[id] for id, faces in faces_of.items() if faces & reached}

    def remaining(self, event: Event) -> tuple[list[JournalFace], list[JournalFace]]:
        """Return those of the event's `faces` and of its `rest` that stay."""
        if event.kind in ("found", "move"):
            return self._remaining_pairs(event)
        return (
            [face for face in event.faces if self._stays(event, face, in_rest=False)],
            [face for face in event.rest if self._stays(event, face, in_rest=True)],
        )

    def _stays(self, event: Event, face: JournalFace, *, in_rest: bool) -> bool:
        id = self._face_id_of(face)
        if id in self._forgotten or face.face_id in self._forgotten:
            return False
        if event.id in self._final_sets:
            return id in self._final_sets[event.id][in_rest]
        if event.kind == "add" and self.loses_name(event):
            return True  # it was drawn, whoever it is
        return not self._is_overridden(event, id, rejected=in_rest or event.kind == "reject")

    def _is_overridden(self, event: Event, face: str, *, rejected: bool) -> bool:
        override = self._overrides.get(face)
        # An event without a number was undone: it has no effect to preserve.
        if override is None or self._number_of.get(event.id, override.number) >= override.number:
            return False
        if rejected:
            return event.name is not None and event.id not in override.kept
        return event.kind in ("name", "confirm", "add", "ignore")

    def loses_name(self, event: Event) -> bool:
        """Whether an event that drew faces keeps them without the name: it is the person's, or overridden for all."""
        if event.id in self._about_person or event.name is None:
            return True
        return all(self._is_overridden(event, self._face_id_of(face), rejected=False) for face in event.faces)

    def _remaining_pairs(self, event: Event) -> tuple[list[JournalFace], list[JournalFace]]:
        """Return the pairs of a "found" or "move" event without those connected to a forgotten face."""
        pairs = list(zip(event.faces, event.rest, strict=False))
        gone = {
            face.face_id for pair in pairs for face in pair if {face.face_id, self._face_id_of(face)} & self._forgotten
        }
        gone = _connected_faces(gone, [face_ids(pair) for pair in pairs])
        kept = [pair for pair in pairs if not face_ids(pair) & gone]
        return [face for face, _ in kept], [face for _, face in kept]


def replay_arguments(event: Event, face_id_of: FaceIdOf) -> tuple[dict[str, bool], dict[str, bool]]:
    """Return the event's `faces` and `rest` in the form that `Replay.apply` takes."""
    faces = {face_id_of(face): face.confirmed for face in event.faces}
    return faces, {face_id_of(face): True for face in event.rest}


def _connected_faces(start: Collection[str], links: Iterable[Collection[str]]) -> set[str]:
    """Return the faces of `start` and all that lead to them by way of sets of linked faces."""
    links_of: dict[str, list[int]] = defaultdict(list)
    linked = list(links)
    for number, link in enumerate(linked):
        for face in link:
            links_of[face].append(number)
    found, waiting, visited = set(start), list(start), set[int]()
    while waiting:
        for number in links_of.get(waiting.pop(), ()):
            if number not in visited:
                visited.add(number)
                waiting += set(linked[number]) - found
                found.update(linked[number])
    return found


def face_ids(faces: Iterable[JournalFace]) -> frozenset[str]:
    """Return the ids of these faces in the journal."""
    return frozenset(face.face_id for face in faces)
