"""What the user said, as values: the lines of the journal, read and written."""

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
    """A face as the journal knows it, with enough to find it again: by id, else by the photo's
    content, else by its path and date; and by its box (fractions of the upright photo).
    `confirmed`: the user saw this very face, or pointed at it."""

    face_id: str
    photo_hash: str
    photo: str
    box: Box
    confirmed: bool
    taken_at: str | None = None

    @classmethod
    def from_occurrence(cls, place: FaceOccurrence, *, confirmed: bool) -> JournalFace:
        taken = place.taken_at.isoformat() if place.taken_at else None
        return cls(place.face_id, place.photo_hash, place.photo, place.box, confirmed, taken)


@dataclass(frozen=True)
class Event:
    """One line of the journal; what its fields mean depends on `kind`, one of KINDS:

    name      `faces` are the person `name`, and `rest` are not
    confirm   `faces` are indeed the person `name`, and `rest` are not
    reject    `faces` are not the person `name`
    rename    the person `name` is called `to` from now on
    merge     the persons `name` and `to` are one, called `to`; or, without names, all `faces`
              are one person
    split     none of `faces` is the person that `rest` are
    ignore    `faces` are nobody the user wants to name
    unignore  `faces` are asked about again
    forget    `faces` are never to be known again; it cannot be taken back
    found     what `rest` were before their photos were edited are `faces` now, one by one; noted by
              a scan, so that the trail is not lost when the photos are renamed next
    undo      the event whose id is `undoes` is taken back

    `source`: where it was taken from, where that is not the user's own mouth: what another program
    had said.
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


#: Each kind of event, and which of name, to and undoes it has: "merge" has both names or none.
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

#: What cannot be taken back: it is lost for good, or was not said by the user.
IRREVERSIBLE_KINDS = ("forget", "found")


def new_event(kind: str, **fields: Any) -> Event:
    """An event of this moment."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Event(id=secrets.token_hex(6), time=time, kind=kind, **fields)


def effective_events(events: Iterable[Event]) -> list[Event]:
    """The events still standing, in order: neither undone nor undos. An undo counts wherever it
    stands: clocks of several computers do not agree."""
    events = list(events)
    undone = {event.undoes for event in events if event.kind == "undo"}
    return [
        event
        for event in events
        if event.kind != "undo" and (event.id not in undone or event.kind in IRREVERSIBLE_KINDS)
    ]


def to_record(event: Event) -> dict[str, Any]:
    """The event as one JSON object. The time comes first: sorted lines are in order."""
    record: dict[str, Any] = {"time": event.time, "event": event.kind, "id": event.id, "version": __version__}
    for field in ("name", "to", "undoes", "source"):
        if getattr(event, field) is not None:
            record[field] = getattr(event, field)
    for field, faces in (("faces", event.faces), ("rest", event.rest)):
        if faces:
            record[field] = [_face_to_record(face) for face in faces]
    return record


def from_record(record: dict[str, Any]) -> Event | None:
    """The event of a JSON object, None for a kind unknown here. Raises ValueError, KeyError,
    TypeError or AttributeError for what is no event."""
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
        raise ValueError(f"{kind} with {' and '.join(sorted(given)) or 'no name'}")
    return event


def prefix_photo_paths(folder: str, events: list[Event]) -> list[Event]:
    """Events of a library that lies in a folder of this one, their paths as seen from here."""
    if not folder:
        return events

    def moved(faces: tuple[JournalFace, ...]) -> tuple[JournalFace, ...]:
        return tuple(replace(face, photo=f"{folder}/{face.photo}") for face in faces)

    return [replace(event, faces=moved(event.faces), rest=moved(event.rest)) for event in events]


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
        raise ValueError("a name without a letter")
    return cleaned


def _text_or_none(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"expected text, found {value!r:.40}")
    if value is not None:
        value.encode()  # half a character raises a ValueError, here and not later
    return value
