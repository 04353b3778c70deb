"""What is left of the journal when a person is forgotten."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from faceclust.people.events import Event, JournalFace, effective_events, from_record
from faceclust.people.journal import encode_record, parse_record
from faceclust.people.names import person_key
from faceclust.people.replay import Replay

#: The id here of a face of the journal; its own where it is not here.
FaceIdOf = Callable[[JournalFace], str]


@dataclass(frozen=True)
class JournalPerson:
    """What the journal has of a person: the names, as they were spelt, first the last one; and the
    faces that are said to be them, by id, with whether they are confirmed."""

    names: tuple[str, ...]
    faces: Mapping[str, bool]


@dataclass(frozen=True)
class Erasure:
    """What goes from the journals of a library, by event id: `dropped` events, and of `trimmed`
    ones these ids from `faces` and from `rest`. `renames` are those of the dropped events that
    say what the person was called before. `keys`: the person's names."""

    dropped: frozenset[str]
    renames: frozenset[str]
    trimmed_faces: Mapping[str, tuple[frozenset[str], frozenset[str]]]
    person_keys: frozenset[str]

    def apply(self, content: bytes, *, keep: Collection[str] = ()) -> bytes:
        """The journal without what goes, save the events `but`, whose undoing stays too. Lines that
        are not touched stay byte for byte; half a line at the end goes."""
        return b"".join(line for _, line in self._rewritten_lines(content, keep))

    def count_changed_lines(self, content: bytes) -> int:
        """How many lines go or lose faces."""
        before = [line for line in content.split(b"\n") if line.strip()]
        kept = [line for old, line in self._rewritten_lines(content, ()) if old + b"\n" == line]
        return len(before) - sum(1 for line in kept if line.strip())

    def _rewritten_lines(self, content: bytes, but: Collection[str]) -> Iterator[tuple[bytes, bytes]]:
        *lines, tail = content.split(b"\n")
        if parse_record(tail) is not None:
            lines.append(tail)
        for line in lines:
            kept = self._rewrite_line(line, but)
            if kept is not None:
                yield line, kept

    def _rewrite_line(self, line: bytes, but: Collection[str]) -> bytes | None:
        record = parse_record(line)
        event = _parse_event(record)
        if event is None or record is None:
            return None if self._mentions_person(line) else line + b"\n"
        if event.id in but or (event.undoes is not None and event.undoes in but):
            return line + b"\n"
        if event.id in self.dropped:
            return None
        if event.id not in self.trimmed_faces:
            return line + b"\n"
        for field, gone in zip(("faces", "rest"), self.trimmed_faces[event.id], strict=True):
            faces = record.get(field)
            if isinstance(faces, list):
                record[field] = [face for face in faces if str(face["face"]) not in gone]
        return encode_record(record)

    def _mentions_person(self, line: bytes) -> bool:
        """Whether a line that says nothing here has one of the names in it, as a word."""
        words = "|".join(re.escape(key) for key in sorted(self.person_keys, key=len, reverse=True))
        pattern = re.compile(rf"(?<!\w)(?:{words})(?!\w)")
        return bool(self.person_keys) and any(pattern.search(person_key(text)) for text in _extract_texts(line))


def find_journal_person(events: Sequence[Event], key: str, face_id_of: FaceIdOf) -> JournalPerson:
    """What the journal has of the person of this key."""
    final = final_person_keys(events)
    names = {text: None for event in reversed(events) for text in reversed(_names_of_person(event, final, key))}
    replay = Replay()
    for event in effective_events(events):
        replay.apply(event, *_replay_arguments(event, face_id_of))
    said = ((face, word) for face, word in replay.labels.items() if face not in replay.forgotten)
    return JournalPerson(tuple(names), {face: word.confirmed for face, word in said if word.name == key})


def find_mentions(
    events: Sequence[Event], faces: Collection[str], face_id_of: FaceIdOf
) -> dict[str, list[JournalFace]]:
    """Of these faces (ids here), what the journal knows them by: also what they were before their
    photos were edited, moved or looked at by other models."""
    found: dict[str, dict[JournalFace, None]] = defaultdict(dict)
    for event in events:
        for face in event.all_faces if event.kind != "forget" else ():
            if (id := face_id_of(face)) in faces:
                found[id][replace(face, confirmed=False)] = None
    return {id: list(known) for id, known in found.items()}


def final_person_keys(events: Sequence[Event]) -> dict[str, tuple[str, ...]]:
    """Event id → the keys that its names have come to have, by what was said of them later: of
    `name`, then of `to`."""
    standing = {event.id for event in effective_events(events)}
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
        if event.id in standing:
            became[key] = to
        final[event.id] = (became.get(key, key), to)
    return final


def _names_of_person(event: Event, final: Mapping[str, tuple[str, ...]], key: str) -> list[str]:
    """Those names of the event that are the person's."""
    pairs = zip((event.name, event.to), final.get(event.id, ()), strict=False)
    return [text for text, became in pairs if text is not None and became == key]


def plan_erasure(events: Sequence[Event], key: str, forgotten: Collection[str], face_id_of: FaceIdOf) -> Erasure:
    """What goes when the person of this key is forgotten, and these faces (ids here).

    What the journal says of everybody else stays as it is. An event goes where one of its names has
    come to be the person's, or where no face of it is left.
    """
    final = final_person_keys(events)
    about = {event for event, keys in final.items() if key in keys}
    rest = _RemainingFaces(events, key, about, frozenset(forgotten), face_id_of)
    dropped, trimmed = set(about), {}
    for event in events:
        if event.id in about or event.kind in ("forget", "undo"):
            continue
        faces, others = rest.remaining(event)
        if (len(faces), len(others)) == (len(event.faces), len(event.rest)):
            continue
        trimmed[event.id] = (_face_ids(event.faces) - _face_ids(faces), _face_ids(event.rest) - _face_ids(others))
        says_nothing = not (faces or others) or (event.kind == "split" and not (faces and others))
        if says_nothing or (event.kind == "merge" and len(set(map(face_id_of, faces))) < 2):
            dropped.add(event.id)
    dropped |= {event.id for event in events if event.undoes in dropped}
    of_person = [event for event in events if event.id in about]
    keys = {person_key(text) for event in of_person for text in _names_of_person(event, final, key)}
    renames = {event.id for event in of_person if event.to is not None}
    return Erasure(frozenset(dropped), frozenset(renames), trimmed, frozenset(keys))


class _RemainingFaces:
    """Which faces stay in the events that are not about the person."""

    def __init__(
        self, events: Sequence[Event], key: str, about: Collection[str], forgotten: frozenset[str], who: FaceIdOf
    ) -> None:
        self._forgotten, self._face_id_of, self._about = forgotten, who, about
        self._event_number: dict[str, int] = {}
        self._superseded: dict[str, tuple[int, frozenset[str]]] = {}
        self._replay = Replay()
        self._rejections: dict[str, str] = {}  # id of the event → the key the rejected name has by now
        standing = effective_events(events)
        for number, event in enumerate(standing):
            self._event_number[event.id] = number
            here, others = _replay_arguments(event, who)
            if event.id in about and event.name is not None:
                word, said = person_key(event.name), self._replay.labels
                named, refused = ({}, here) if event.kind == "reject" else (here, others)
                gone = [face for face in refused if face in named or (face in said and said[face].name == word)]
                self._mark_superseded(number, gone)
            self._track_rejection(event)
            self._replay.apply(event, here, others)
        last = (face for face, word in self._replay.labels.items() if word.name == key and face not in forgotten)
        self._mark_superseded(len(standing), last)
        self._remaining_sets = self._final_face_sets(standing)

    def _track_rejection(self, event: Event) -> None:
        if event.name is not None and event.to is None:
            self._rejections[event.id] = person_key(event.name)
        elif event.name is not None and event.to is not None:
            old, new = person_key(event.name), person_key(event.to)
            self._rejections = {id: new if name == old else name for id, name in self._rejections.items()}

    def _mark_superseded(self, number: int, faces: Iterable[str]) -> None:
        """What was said of these faces before event `parse_number` was the person's to take: without the
        person it would stand again. Only what they were said not to be stays."""
        for face in faces:
            rejected = self._replay.rejected.get(face, set())
            self._superseded[face] = (
                number,
                frozenset(id for id, name in self._rejections.items() if name in rejected),
            )

    def _final_face_sets(self, standing: Sequence[Event]) -> dict[str, tuple[set[str], set[str]]]:
        """The faces that merges and splits are about in the end, for those that share faces with one
        that faces are in of which the person's name was said: these words have made them smaller."""
        merges = [event for event in standing if event.kind == "merge" and event.name is None]
        splits = [event for event in standing if event.kind == "split"]
        outcome = {event.id: (faces, set[str]()) for event, faces in zip(merges, self._replay.merges, strict=True)} | {
            event.id: sets for event, sets in zip(splits, self._replay.splits, strict=True)
        }
        faces_of = {event.id: set(map(self._face_id_of, event.all_faces)) for event in (*merges, *splits)}
        about = {self._face_id_of(face) for event in standing if event.id in self._about for face in event.all_faces}
        reached, concerned = set(self._forgotten) | about, set[str]()
        while new := {id for id, faces in faces_of.items() if id not in concerned and faces & reached}:
            concerned |= new
            reached = set[str]().union(reached, *(faces_of[id] for id in new))
        return {id: outcome[id] for id in concerned}

    def remaining(self, event: Event) -> tuple[list[JournalFace], list[JournalFace]]:
        """Of the faces, and of the rest, those that stay."""
        if event.kind == "found":
            return self._remaining_pairs(event)
        sets = self._remaining_sets.get(event.id)

        def stays(face: JournalFace, side: int) -> bool:
            id = self._face_id_of(face)
            if id in self._forgotten or face.face_id in self._forgotten:
                return False
            if sets is not None:
                return id in sets[side]
            return not self._is_superseded(event, id, refused=side == 1 or event.kind == "reject")

        return [face for face in event.faces if stays(face, 0)], [face for face in event.rest if stays(face, 1)]

    def _remaining_pairs(self, event: Event) -> tuple[list[JournalFace], list[JournalFace]]:
        pairs = list(zip(event.faces, event.rest, strict=False))
        gone = {
            face.face_id for pair in pairs for face in pair if {face.face_id, self._face_id_of(face)} & self._forgotten
        }
        while more := {face.face_id for pair in pairs if _face_ids(pair) & gone for face in pair} - gone:
            gone |= more
        kept = [pair for pair in pairs if not _face_ids(pair) & gone]
        return [face for face, _ in kept], [face for _, face in kept]

    def _is_superseded(self, event: Event, face: str, *, refused: bool) -> bool:
        number, rejections = self._superseded.get(face, (0, frozenset[str]()))
        if self._event_number.get(event.id, number) >= number:
            return False
        if refused:
            return event.name is not None and event.id not in rejections
        return event.kind in ("name", "confirm", "ignore")


def _replay_arguments(event: Event, who: FaceIdOf) -> tuple[dict[str, bool], dict[str, bool]]:
    """The faces and the rest, as `Replay` takes them."""
    return {who(face): face.confirmed for face in event.faces}, {who(face): True for face in event.rest}


def _face_ids(faces: Iterable[JournalFace]) -> frozenset[str]:
    return frozenset(face.face_id for face in faces)


def _parse_event(record: dict[str, object] | None) -> Event | None:
    try:
        return from_record(record) if record is not None else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _extract_texts(line: bytes) -> Iterator[str]:
    """All texts in a line, whatever it is; of JSON all but the photos' paths."""
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
