"""The user's answers as events, and their JSON records in the journal."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from faceclust.files.safe_paths import is_absolute_posix, join_posix
from faceclust.people.fact_changes import FactChanges
from faceclust.people.names import clean_name, shorten_name
from faceclust.types import Box, FaceOccurrence
from faceclust.types.frames import MAX_FRAME_TIME
from faceclust.version import __version__

#: Characters that a text in the journal can have, and the path of a photo. Names have no bound here.
_MAX_TEXT_LENGTH, _MAX_PATH_LENGTH = 1_000, 32_768
#: The bounds of a box's sides, as fractions of the photo: a detector may draw it over the photo's edge.
_MIN_SIDE, _MAX_SIDE = -1.0, 2.0
#: The source of the answers that somebody else has suggested begins with it.
_SOURCE_PREFIX = "suggested by "


@dataclass(frozen=True, slots=True)
class JournalFace:
    """A face in the journal, with enough data to find it again.

    It is found by id, or by box (fractions of the upright photo) on a photo with the same content,
    path or time. `confirmed` means that the user saw or selected this face. `taken_at` is in ISO 8601. `frame_time`:
    seconds from the start of a video to the frame with the face, None on a photo.
    """

    face_id: str
    photo_hash: str
    photo: str
    box: Box
    confirmed: bool
    taken_at: str | None = None
    frame_time: float | None = None

    @classmethod
    def from_occurrence(cls, occurrence: FaceOccurrence, *, confirmed: bool) -> JournalFace:
        taken_at = occurrence.taken_at.isoformat() if occurrence.taken_at else None
        return cls(
            occurrence.face_id,
            occurrence.photo_hash,
            occurrence.photo,
            occurrence.box,
            confirmed,
            taken_at,
            occurrence.frame_time,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal. The meaning of its fields depends on `kind`, a key of EVENT_KINDS:

    name      `faces` are the person `name`, and `rest` are not
    confirm   `faces` are confirmed to be the person `name`, and `rest` are not that person
    reject    `faces` are not the person `name`
    rename    the person `name` is now called `to`
    merge     the persons `name` and `to` are the same, called `to`; or, without names, all `faces`
              are the same person
    split     none of `faces` is the person in `rest`
    ignore    `faces` will not be named
    unignore  `faces` may be named again
    add       `faces` were drawn by hand; they are the person `name`, if it is given
    move      `faces` are the new boxes of `rest`, pair by pair, drawn by hand
    remove    `faces` are not faces of anybody, and never asked about again
    person    `facts` are new facts about the person `name`; `faces` is the chosen picture, if one is given
    forget    `faces` are never to be recognised again; cannot be undone
    found     `rest` became `faces`, pair by pair, when their photos were edited; recorded by a scan,
              so that the faces can still be found after the photos are renamed
    undo      takes back the event with the id `undoes`

    `source` names the program or file that an answer was imported from; None for the user's own answers.
    `redoes` is the id of the undone answer that this one repeats: a redo is a line of its own, which versions
    without redo read as the same answer, given again.
    """

    id: str
    time: str
    kind: str
    faces: tuple[JournalFace, ...] = ()
    rest: tuple[JournalFace, ...] = ()
    name: str | None = None
    to: str | None = None
    undoes: str | None = None
    source: str | None = None
    redoes: str | None = None
    facts: FactChanges | None = None

    @property
    def all_faces(self) -> tuple[JournalFace, ...]:
        return self.faces + self.rest


#: The combinations of `name`, `to` and `undoes` that each kind of event allows.
EVENT_KINDS: dict[str, tuple[frozenset[str], ...]] = {
    "name": (frozenset({"name"}),),
    "confirm": (frozenset({"name"}),),
    "reject": (frozenset({"name"}),),
    "rename": (frozenset({"name", "to"}),),
    "merge": (frozenset({"name", "to"}), frozenset()),
    "split": (frozenset(),),
    "ignore": (frozenset(),),
    "unignore": (frozenset(),),
    "add": (frozenset(), frozenset({"name"})),
    "move": (frozenset(),),
    "remove": (frozenset(),),
    "person": (frozenset({"name"}),),
    "forget": (frozenset(),),
    "found": (frozenset(),),
    "undo": (frozenset({"undoes"}),),
}

_GIVEN_FIELDS = {
    kind: {tuple(field in fields for field in ("name", "to", "undoes")) for fields in combinations}
    for kind, combinations in EVENT_KINDS.items()
}

#: Events that cannot be undone: "forget" deletes data, and "found" is not an answer of the user.
IRREVERSIBLE_KINDS = ("forget", "found")


def new_event(kind: str, **fields: Any) -> Event:
    """Create an event with a new id and the current time."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Event(id=secrets.token_hex(6), time=time, kind=kind, **fields)


def suggestion_source(suggester: str) -> str:
    """Return the source of the answers that this person suggests."""
    return _SOURCE_PREFIX + suggester


def suggester_of(event: Event) -> str | None:
    """Return who suggested an answer; None for the user's own answers and those of programs."""
    if event.source is None or not event.source.startswith(_SOURCE_PREFIX):
        return None
    return clean_name(event.source.removeprefix(_SOURCE_PREFIX)) or None  # a journal of somebody else may hold anything


def effective_events(events: Iterable[Event]) -> list[Event]:
    """Return the events in effect, in order, without undone events and undos.

    An undo may precede its event in the list, because the clocks of several computers differ.
    """
    events = list(events)
    undone = {event.undoes for event in events if event.kind == "undo"}
    return [
        event
        for event in events
        if event.kind != "undo" and (event.id not in undone or event.kind in IRREVERSIBLE_KINDS)
    ]


def undoable_events(events: Iterable[Event]) -> list[Event]:
    """Return the answers that can be undone, the last one first."""
    return [event for event in reversed(effective_events(events)) if event.kind not in IRREVERSIBLE_KINDS]


def redoable_events(events: Iterable[Event]) -> list[Event]:
    """Return the answers that can be redone, the one undone last first: those undone since the last new answer."""
    by_id: dict[str, Event] = {}
    undone: dict[str, None] = {}  # ids, in the order they were undone
    for event in events:
        by_id[event.id] = event
        if event.undoes is not None:
            undone[event.undoes] = None
        elif event.redoes is not None:
            undone.pop(event.redoes, None)
        elif event.kind != "found":  # not an answer
            undone.clear()
    answers = (by_id.get(id) for id in reversed(undone))
    return [event for event in answers if event is not None and event.kind not in ("undo", *IRREVERSIBLE_KINDS)]


def to_record(event: Event) -> dict[str, Any]:
    """Return the event as a JSON object. The time comes first, so that sorted lines are in order."""
    record: dict[str, Any] = {"time": event.time, "event": event.kind, "id": event.id, "version": __version__}
    for field in ("name", "to", "undoes", "source", "redoes"):
        if getattr(event, field) is not None:
            record[field] = getattr(event, field)
    if event.facts is not None:
        record["facts"] = event.facts.to_record()
    for field, faces in (("faces", event.faces), ("rest", event.rest)):
        if faces:
            record[field] = [face_to_record(face) for face in faces]
    return record


def from_record(record: Mapping[str, Any], folder: str = "") -> Event | None:
    """Return the event of a JSON object; None if its kind is unknown. Fields of newer versions are ignored.

    `folder`: the photo paths are relative to this folder of the library, itself a former library.
    Raises ValueError if the object is not a valid event.
    """
    kind, name, to, undoes = _text(record.get("event")), record.get("name"), record.get("to"), record.get("undoes")
    if kind not in EVENT_KINDS:
        return None
    if (name is not None, to is not None, undoes is not None) not in _GIVEN_FIELDS[kind]:
        raise ValueError(f"invalid combination of fields for {kind}")
    event = Event(
        _text(record.get("id")),
        _text(record.get("time")),
        kind,
        _faces(record.get("faces"), folder),
        _faces(record.get("rest"), folder),
        None if name is None else _name(name),
        None if to is None else _name(to),
        None if undoes is None else _text(undoes),
        _text_or_none(record.get("source")),
        None if kind == "undo" else _text_or_none(record.get("redoes")),
        FactChanges.from_record(record.get("facts")) if kind == "person" else None,
    )
    if kind in ("found", "move") and len(event.faces) != len(event.rest):
        raise ValueError(f"{kind}: faces without their counterparts")
    if kind == "person" and len(event.all_faces) > 1:
        raise ValueError(f"{kind}: more than one picture")
    return event


def face_to_record(face: JournalFace) -> dict[str, Any]:
    """Return a face as a JSON object."""
    record: dict[str, Any] = {
        "face": face.face_id,
        "hash": face.photo_hash,
        "photo": face.photo,
        "box": [round(side, 5) for side in face.box],
        "confirmed": face.confirmed,
        "taken_at": face.taken_at,
    }
    return record if face.frame_time is None else record | {"frame_time": round(face.frame_time, 3)}


def _faces(value: object, folder: str) -> tuple[JournalFace, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ValueError("faces are not a list")
    return tuple([face_from_record(face, folder) for face in value])


def face_from_record(record: object, folder: str = "") -> JournalFace:
    """Return the face of a JSON object; `folder` as in `from_record`. Raises ValueError if it is not a valid face."""
    if not isinstance(record, dict):
        raise ValueError("a face is not an object")
    photo, confirmed = _text(record.get("photo"), _MAX_PATH_LENGTH), record.get("confirmed")
    if not isinstance(confirmed, bool):
        raise ValueError("confirmed is neither true nor false")
    return JournalFace(
        face_id=_text(record.get("face")),
        photo_hash=_text(record.get("hash")),
        photo=photo if is_absolute_posix(photo) else join_posix(folder, photo),
        box=_box(record.get("box")),
        confirmed=confirmed,
        taken_at=_text_or_none(record.get("taken_at")),
        frame_time=_frame_time(record.get("frame_time")),
    )


def _frame_time(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_FRAME_TIME:
        raise ValueError("the time of a frame is not a number of seconds")
    return float(value)


def _box(value: object) -> Box:
    if not isinstance(value, list) or len(value) != 4 or not {type(side) for side in value} <= {int, float}:
        raise ValueError("a box is not four numbers")
    left, top, right, bottom = value
    if not (_MIN_SIDE <= left <= right <= _MAX_SIDE and _MIN_SIDE <= top <= bottom <= _MAX_SIDE):
        raise ValueError("a box is not in the photo")
    return float(left), float(top), float(right), float(bottom)


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a name is not text")
    # The cut comes first: cleaning a text of megabytes takes seconds. Cleaning can make a name longer.
    if not (cleaned := clean_name(shorten_name(value))):
        raise ValueError("empty name")
    value.encode()  # raises ValueError for a lone surrogate
    return shorten_name(cleaned)


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _text(value: object, max_length: int = _MAX_TEXT_LENGTH) -> str:
    if not isinstance(value, str) or len(value) > max_length or "\0" in value:
        raise ValueError(f"not a text of at most {max_length:,} characters")
    if not value.isascii():
        value.encode()  # raises ValueError for a lone surrogate
    return value
