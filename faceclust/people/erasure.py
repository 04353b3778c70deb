"""Erase a person from the journal without changing the answers about anybody else."""

from __future__ import annotations

import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from faceclust.people.events import (
    Event,
    JournalFace,
    effective_events,
    from_record,
    suggester_of,
    suggestion_source,
    to_record,
)
from faceclust.people.journal_lines import encode_record, has_end, parse_record, split_lines
from faceclust.people.names import person_key
from faceclust.people.replay import Replay

#: Maps a face of the journal to its current id in the library, or to its own id if it is not in the library.
FaceIdOf = Callable[[JournalFace], str]


@dataclass(frozen=True)
class JournalPerson:
    """A person in the journal: their names as spelt, the last one first, and their faces.

    `faces` maps face ids to whether the face is confirmed.
    """

    names: tuple[str, ...]
    faces: Mapping[str, bool]


@dataclass(frozen=True)
class Erasure:
    """The changes that erase a person from the journals of a library, by event id.

    `dropped` events go. `trimmed_faces` are the face ids to remove from the `faces` and the `rest` of
    other events. `renames` are the dropped events that hold the person's earlier names.
    `person_keys` are the keys of all their names, `alias_keys` those of their aliases. `unnamed` events, which drew
    faces, lose only the name.
    """

    dropped: frozenset[str]
    renames: frozenset[str]
    trimmed_faces: Mapping[str, tuple[frozenset[str], frozenset[str]]]
    person_keys: frozenset[str]
    unnamed: frozenset[str] = frozenset()
    alias_keys: frozenset[str] = frozenset()

    def apply(self, content: bytes, *, keep: Collection[str] = ()) -> bytes:
        """Return the journal with the changes applied.

        The events in `keep` stay, and so do their undo events. Other unchanged lines stay byte for
        byte. A torn line at the end goes.
        """
        changed = bytearray()
        for _, line in self._rewrite_lines(content, keep):
            changed += line
        return bytes(changed)

    def count_changed_lines(self, content: bytes) -> int:
        """Count the lines that are removed or lose faces."""
        return sum(before != after for before, after in self._rewrite_lines(content, ()))

    def _rewrite_lines(self, content: bytes, keep: Collection[str]) -> Iterator[tuple[bytes, bytes]]:
        """Yield each line before and after; a removed one is empty after."""
        for line in split_lines(io.BytesIO(content)):
            if line.isspace():
                yield line, line
            elif has_end(line):
                yield line, self._rewrite_line(line, keep)
            elif parse_record(line) is None:
                yield line, b""
            else:
                line += b"\n"  # only the end is missing
                yield line, self._rewrite_line(line, keep)

    def _rewrite_line(self, line: bytes, keep: Collection[str]) -> bytes:
        record = parse_record(line)
        event = _read_event(record)
        if event is None or record is None:
            return b"" if self._mentions_person(line) else line
        if event.id in keep or (event.undoes is not None and event.undoes in keep):
            return line
        if event.id in self.dropped or event.undoes in self.dropped:
            return b""
        if event.id in self.unnamed:
            record.pop("name", None)
        if is_suggester := self._is_suggester(event):
            record["source"] = suggestion_source("somebody")
        if not is_suggester and event.id not in self.unnamed and event.id not in self.trimmed_faces:
            return line
        for field, gone in zip(("faces", "rest"), self.trimmed_faces.get(event.id, (frozenset(),) * 2), strict=True):
            if field in record:
                record[field] = [face for face in record[field] or () if face["face"] not in gone]
        try:
            return encode_record(record)
        except RecursionError:  # fields of a newer version, or of nobody's, that are nested too deeply
            return encode_record(to_record(from_record(record) or event))

    def _is_suggester(self, event: Event) -> bool:
        suggester = suggester_of(event)
        return suggester is not None and person_key(suggester) in self.person_keys | self.alias_keys

    def _mentions_person(self, line: bytes) -> bool:
        """Return whether a line that is no known event contains one of the names or aliases as a word."""
        pattern = self._name_pattern
        return pattern is not None and any(pattern.search(person_key(text)) for text in _extract_texts(line))

    @cached_property
    def _name_pattern(self) -> re.Pattern[str] | None:
        words = "|".join(map(re.escape, sorted(self.person_keys | self.alias_keys, key=len, reverse=True)))
        return re.compile(rf"(?<!\w)(?:{words})(?!\w)") if words else None


def find_journal_person(events: Sequence[Event], key: str, face_id_of: FaceIdOf) -> JournalPerson:
    """Return the names and faces that the journal holds for the person with this key."""
    final = final_person_keys(events)
    names = {text: None for event in reversed(events) for text in reversed(_names_of_person(event, final, key))}
    replay = Replay()
    for event in effective_events(events):
        replay.apply(event, *_replay_arguments(event, face_id_of))
    labels = ((face, label) for face, label in replay.labels.items() if face not in replay.forgotten)
    return JournalPerson(tuple(names), {face: label.confirmed for face, label in labels if label.name == key})


def find_mentions(
    events: Sequence[Event], faces: Collection[str], face_id_of: FaceIdOf
) -> dict[str, list[JournalFace]]:
    """Return the journal's records of these faces, by current id.

    They include records from before the photo was edited, moved or scanned with another model.
    """
    found: dict[str, dict[JournalFace, None]] = defaultdict(dict)
    for event in events:
        for face in event.all_faces if event.kind != "forget" else ():
            if (id := face_id_of(face)) in faces:
                found[id][replace(face, confirmed=False)] = None
    return {id: list(faces) for id, faces in found.items()}


def final_person_keys(events: Sequence[Event]) -> dict[str, tuple[str, ...]]:
    """Map each event's id to the current keys of its `name` and its `to`, after later renames and merges."""
    effective = {event.id for event in effective_events(events)}
    became: dict[str, str] = {}
    final: dict[str, tuple[str, ...]] = {}
    for event in reversed(events):
        if event.name is None:
            continue
        key = person_key(event.name)
        if event.to is None:
            final[event.id] = (became.get(key, key),)
            continue
        to = became.get(person_key(event.to), person_key(event.to))
        if event.id in effective:
            became[key] = to
        final[event.id] = (became.get(key, key), to)
    return final


def _names_of_person(event: Event, final: Mapping[str, tuple[str, ...]], key: str) -> list[str]:
    """Return the event's names that are names of the person."""
    pairs = zip((event.name, event.to), final.get(event.id, ()), strict=False)
    return [text for text, became in pairs if text is not None and became == key]


def plan_erasure(events: Sequence[Event], key: str, forgotten: Collection[str], face_id_of: FaceIdOf) -> Erasure:
    """Plan to erase the person with this key, and the `forgotten` faces (current ids).

    The answers about everybody else stay the same. An event is dropped if one of its names has become
    the person's, or if too few of its faces are left.
    """
    final = final_person_keys(events)
    about_person = {event for event, keys in final.items() if key in keys}
    remaining_faces = _RemainingFaces(events, key, about_person, frozenset(forgotten), face_id_of)
    drawn = (event for event in events if event.kind == "add" and event.name is not None)
    unnamed = {event.id for event in drawn if remaining_faces.loses_name(event)}
    dropped, trimmed = about_person - unnamed, {}
    for event in events:
        if event.id in dropped or event.kind in ("forget", "undo"):
            continue
        faces, rest = remaining_faces.remaining(event)
        if (len(faces), len(rest)) == (len(event.faces), len(event.rest)):
            continue
        trimmed[event.id] = (_face_ids(event.faces) - _face_ids(faces), _face_ids(event.rest) - _face_ids(rest))
        if event.kind == "person":
            continue  # facts about somebody else, whose chosen picture is forgotten
        is_empty = not (faces or rest) or (event.kind == "split" and not (faces and rest))
        if is_empty or (event.kind == "merge" and len(set(map(face_id_of, faces))) < 2):
            dropped.add(event.id)
    dropped |= {event.id for event in events if event.undoes in dropped}
    person_events = [event for event in events if event.id in about_person]
    keys = {person_key(text) for event in person_events for text in _names_of_person(event, final, key)}
    renames = {event.id for event in person_events if event.to is not None}
    changes = [event.facts for event in person_events if event.facts is not None]
    aliases = {person_key(alias) for change in changes for alias in (*change.added_aliases, *change.removed_aliases)}
    return Erasure(
        frozenset(dropped),
        frozenset(renames),
        trimmed,
        frozenset(keys),
        frozenset(unnamed - dropped),
        frozenset(aliases),
    )


@dataclass(frozen=True)
class _Override:
    """The effect of the person's last event on one face: it overrode the answers given before.

    Names, confirmations, ignores and rejections of the face before event `number` no longer count,
    except the rejections in `kept` (event ids), which were still in force.
    """

    number: int
    kept: frozenset[str] = frozenset()


class _RemainingFaces:
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
        faces, rest = _replay_arguments(event, self._face_id_of)
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
        gone = _connected_faces(gone, [_face_ids(pair) for pair in pairs])
        kept = [pair for pair in pairs if not _face_ids(pair) & gone]
        return [face for face, _ in kept], [face for _, face in kept]


def _replay_arguments(event: Event, face_id_of: FaceIdOf) -> tuple[dict[str, bool], dict[str, bool]]:
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


def _face_ids(faces: Iterable[JournalFace]) -> frozenset[str]:
    return frozenset(face.face_id for face in faces)


def _read_event(record: dict[str, object] | None) -> Event | None:
    try:
        return from_record(record) if record is not None else None
    except ValueError:
        return None


def _extract_texts(line: bytes) -> Iterator[str]:
    """Yield all strings in a line; if it is JSON, all except the photos' paths."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        text = line.decode("utf-8", "replace")
        yield text
        yield re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text)
        return
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            yield from value
            waiting += [inner for field, inner in value.items() if field != "photo"]
