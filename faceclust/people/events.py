"""The user's answers as events, and their JSON records in the journal."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from faceclust.people.names import clean_name
from faceclust.types import Box, FaceOccurrence
from faceclust.version import __version__


@dataclass(frozen=True)
class JournalFace:
    """A face in the journal, with enough data to find it again.

    It is found by id, or by box (fractions of the upright photo) on a photo with the same content,
    path or time. `confirmed` means that the user saw or selected this face. `taken_at` is in ISO 8601.
    """

    face_id: str
    photo_hash: str
    photo: str
    box: Box
    confirmed: bool
    taken_at: str | None = None

    @classmethod
    def from_occurrence(cls, occurrence: FaceOccurrence, *, confirmed: bool) -> JournalFace:
        taken_at = occurrence.taken_at.isoformat() if occurrence.taken_at else None
        return cls(occurrence.face_id, occurrence.photo_hash, occurrence.photo, occurrence.box, confirmed, taken_at)


@dataclass(frozen=True)
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
    forget    `faces` are never to be recognised again; cannot be undone
    found     `rest` became `faces`, pair by pair, when their photos were edited; recorded by a scan,
              so that the faces can still be found after the photos are renamed
    undo      takes back the event with the id `undoes`

    `source` names the program or file that an answer was imported from; None for the user's own answers.
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
    "forget": (frozenset(),),
    "found": (frozenset(),),
    "undo": (frozenset({"undoes"}),),
}

#: Events that cannot be undone: "forget" deletes data, and "found" is not an answer of the user.
IRREVERSIBLE_KINDS = ("forget", "found")


def new_event(kind: str, **fields: Any) -> Event:
    """Create an event with a new id and the current time."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Event(id=secrets.token_hex(6), time=time, kind=kind, **fields)


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


def to_record(event: Event) -> dict[str, Any]:
    """Return the event as a JSON object. The time comes first, so that sorted lines are in order."""
    record: dict[str, Any] = {"time": event.time, "event": event.kind, "id": event.id, "version": __version__}
    for field in ("name", "to", "undoes", "source"):
        if getattr(event, field) is not None:
            record[field] = getattr(event, field)
    for field, faces in (("faces", event.faces), ("rest", event.rest)):
        if faces:
            record[field] = [_face_to_record(face) for face in faces]
    return record


def from_record(record: dict[str, Any]) -> Event | None:
    """Return the event of a JSON object; None if its kind is unknown.

    Raises ValueError, KeyError, TypeError or AttributeError if the object is not a valid event.
    """
    kind = record["event"]
    if kind not in EVENT_KINDS:
        return None
    event = Event(
        id=str(record["id"]),
        time=str(record["time"]),
        kind=kind,
        faces=tuple(_face_from_record(face) for face in record.get("faces", ())),
        rest=tuple(_face_from_record(face) for face in record.get("rest", ())),
        name=_name_or_none(record.get("name")),
        to=_name_or_none(record.get("to")),
        undoes=_text_or_none(record.get("undoes")),
        source=_text_or_none(record.get("source")),
    )
    given = {field for field in ("name", "to", "undoes") if getattr(event, field) is not None}
    if given not in EVENT_KINDS[kind]:
        raise ValueError(f"invalid combination of fields for {kind}: {', '.join(sorted(given)) or 'none'}")
    return event


def prefix_photo_paths(folder: str, events: list[Event]) -> list[Event]:
    """Return the events of a library inside `folder` of this one, with photo paths relative to this library."""
    if not folder:
        return events

    def prefix(faces: tuple[JournalFace, ...]) -> tuple[JournalFace, ...]:
        return tuple(replace(face, photo=f"{folder}/{face.photo}") for face in faces)

    return [replace(event, faces=prefix(event.faces), rest=prefix(event.rest)) for event in events]


def _face_to_record(face: JournalFace) -> dict[str, Any]:
    return {
        "face": face.face_id,
        "hash": face.photo_hash,
        "photo": face.photo,
        "box": [round(side, 5) for side in face.box],
        "confirmed": face.confirmed,
        "taken_at": face.taken_at,
    }


def _face_from_record(record: dict[str, Any]) -> JournalFace:
    left, top, right, bottom = (float(side) for side in record["box"])
    return JournalFace(
        face_id=str(record["face"]),
        photo_hash=str(record["hash"]),
        photo=str(record["photo"]),
        box=(left, top, right, bottom),
        confirmed=bool(record["confirmed"]),
        taken_at=_text_or_none(record.get("taken_at")),
    )


def _name_or_none(value: object) -> str | None:
    text = _text_or_none(value)
    if text is None:
        return None
    if not (cleaned := clean_name(text)):
        raise ValueError("empty name")
    return cleaned


def _text_or_none(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"expected text, found {value!r:.40}")
    if value is not None:
        value.encode()  # a lone surrogate raises ValueError here instead of later
    return value
