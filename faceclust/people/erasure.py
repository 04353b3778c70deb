"""Erase a person from the journal without changing the answers about anybody else."""

from __future__ import annotations

import io
import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
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
from faceclust.people.remaining_faces import FaceIdOf, RemainingFaces, face_ids, replay_arguments
from faceclust.people.replay import Replay


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
    """Return the names and faces that the journal holds for the person with this key, who may only have suggested
    names of others."""
    final = final_person_keys(events)
    names = {text: None for event in reversed(events) for text in reversed(_names_of_person(event, final, key))}
    suggesters = filter(None, map(suggester_of, reversed(events)))
    names |= {text: None for text in suggesters if person_key(text) == key}
    replay = Replay()
    for event in effective_events(events):
        replay.apply(event, *replay_arguments(event, face_id_of))
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
    remaining_faces = RemainingFaces(events, key, about_person, frozenset(forgotten), face_id_of)
    drawn = (event for event in events if event.kind == "add" and event.name is not None)
    unnamed = {event.id for event in drawn if remaining_faces.loses_name(event)}
    dropped, trimmed = about_person - unnamed, {}
    for event in events:
        if event.id in dropped or event.kind in ("forget", "undo"):
            continue
        faces, rest = remaining_faces.remaining(event)
        if (len(faces), len(rest)) == (len(event.faces), len(event.rest)):
            continue
        trimmed[event.id] = (face_ids(event.faces) - face_ids(faces), face_ids(event.rest) - face_ids(rest))
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
        frozenset(keys | {key}),
        frozenset(unnamed - dropped),
        frozenset(aliases),
    )


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
