"""`people.jsonl`: what the user said, one JSON object a line, only ever appended to.

The one precious file: everything else can be made anew from the photos. Undo is a line too.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faceclust import __version__
from faceclust.errors import CacheError
from faceclust.types import FacePlace


@dataclass(frozen=True)
class JournalFace:
    """A face as the journal knows it, with enough to find it again: by id, else by the photo's
    content, else by its path and date; and by its box (fractions of the upright photo)."""

    face_id: str
    photo_hash: str
    photo: str
    box: tuple[float, float, float, float]
    confirmed: bool
    taken_at: str | None = None

    @classmethod
    def of(cls, place: FacePlace, *, confirmed: bool) -> JournalFace:
        taken = place.taken_at.isoformat() if place.taken_at else None
        return cls(place.face_id, place.photo_hash, place.photo, place.box, confirmed, taken)


@dataclass(frozen=True)
class Event:
    """One line: `kind` is "name", "reject", "ignore" or "undo"; a name and a reject have `name` and
    `faces`, an ignore has `faces`, an undo has `undoes`, the id of the event it takes back."""

    id: str
    time: str
    kind: str
    faces: tuple[JournalFace, ...] = ()
    name: str | None = None
    undoes: str | None = None


KINDS = ("name", "reject", "ignore", "undo")


class Journal:
    """The journal at `path`. `on_note` is told of lines that cannot be used.

    `others` are journals read with it, never written: of parts of the library that were
    libraries of their own, each with the folder (POSIX path) its photo paths begin at.
    """

    def __init__(
        self,
        path: Path,
        others: Sequence[tuple[Path, str]] = (),
        on_note: Callable[[str], None] | None = None,
    ) -> None:
        self.path, self._others = path, others
        self._on_note = on_note or (lambda message: None)

    def events(self) -> list[Event]:
        """All usable events in order; with other journals, in the order of their times. Lines of
        a kind unknown here, written by a newer version, stay in the file and are passed by; so
        are damaged ones, which are told of."""
        events = self._read(self.path)
        if self._others:
            events = [moved for path, folder in self._others for moved in _below(folder, self._read(path))] + events
            events.sort(key=lambda event: event.time)
        return events

    def _read(self, path: Path) -> list[Event]:
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CacheError(f"{path} cannot be read: {error.strerror or error}") from error
        events = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                if record["event"] in KINDS:
                    events.append(_event(record))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                self._on_note(f"{path}:{number}: this line cannot be read and is passed by ({error})")
        return events

    def name(self, name: str, faces: Iterable[JournalFace]) -> Event:
        """These faces are the person called `name`."""
        return self._append(_new("name", name=name, faces=tuple(faces)))

    def reject(self, name: str, faces: Iterable[JournalFace]) -> Event:
        """These faces are not the person called `name`."""
        return self._append(_new("reject", name=name, faces=tuple(faces)))

    def ignore(self, faces: Iterable[JournalFace]) -> Event:
        """These faces are nobody the user wants to name."""
        return self._append(_new("ignore", faces=tuple(faces)))

    def undo(self) -> Event | None:
        """Take back the last event still standing; gives that event, None where there is none."""
        standing = effective(self.events())
        if not standing:
            return None
        self._append(_new("undo", undoes=standing[-1].id))
        return standing[-1]

    def _append(self, event: Event) -> Event:
        line = (json.dumps(_record(event), ensure_ascii=False) + "\n").encode()
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
            try:
                self._set_torn_line_aside(descriptor)
                before = os.fstat(descriptor).st_size
                try:
                    _write_all(descriptor, line)
                    os.fsync(descriptor)
                except OSError:
                    os.ftruncate(descriptor, before)  # no half line stays behind
                    raise
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CacheError(
                f"the answer was not saved: {self.path}: {error.strerror or error}",
                hint="is the disk full or the folder read-only?",
            ) from error
        return event

    def _set_torn_line_aside(self, descriptor: int) -> None:
        """A crash in the middle of a write leaves a line without its end: keep it in a file of
        its own, so that the next line begins on a line of its own."""
        content = self.path.read_bytes()
        if not content or content.endswith(b"\n"):
            return
        whole, _, torn = content.rpartition(b"\n")
        try:
            json.loads(torn)
        except ValueError:
            aside = self.path.with_suffix(".torn")
            with aside.open("ab") as stream:
                stream.write(torn + b"\n")
            os.ftruncate(descriptor, len(whole) + 1 if whole else 0)
            self._on_note(f"{self.path}: the last line was cut off by a crash; it was moved to {aside.name}")
        else:
            _write_all(descriptor, b"\n")


def effective(events: Iterable[Event]) -> list[Event]:
    """The events still standing, in order: neither undone nor undos. An undo counts wherever it
    stands: clocks of several computers do not agree."""
    events = list(events)
    undone = {event.undoes for event in events if event.kind == "undo"}
    return [event for event in events if event.kind != "undo" and event.id not in undone]


def _new(kind: str, **fields: Any) -> Event:
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Event(id=secrets.token_hex(6), time=time, kind=kind, **fields)


def _record(event: Event) -> dict[str, Any]:
    record: dict[str, Any] = {"time": event.time, "event": event.kind, "id": event.id, "version": __version__}
    if event.name is not None:
        record["name"] = event.name
    if event.undoes is not None:
        record["undoes"] = event.undoes
    if event.faces:
        record["faces"] = [
            {
                "face": face.face_id,
                "hash": face.photo_hash,
                "photo": face.photo,
                "box": [round(side, 5) for side in face.box],
                "confirmed": face.confirmed,
                "taken_at": face.taken_at,
            }
            for face in event.faces
        ]
    return record


def _event(record: dict[str, Any]) -> Event:
    faces = []
    for face in record.get("faces", ()):
        left, top, right, bottom = (float(side) for side in face["box"])
        faces.append(
            JournalFace(
                face_id=str(face["face"]),
                photo_hash=str(face["hash"]),
                photo=str(face["photo"]),
                box=(left, top, right, bottom),
                confirmed=bool(face["confirmed"]),
                taken_at=_text_or_none(face.get("taken_at")),
            )
        )
    event = Event(
        id=str(record["id"]),
        time=str(record["time"]),
        kind=record["event"],
        faces=tuple(faces),
        name=_text_or_none(record.get("name")),
        undoes=_text_or_none(record.get("undoes")),
    )
    if (event.kind in ("name", "reject")) != (event.name is not None):
        raise ValueError("a name where none belongs, or none where one does")
    return event


def _text_or_none(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"expected text, found {value!r:.40}")
    return value


def _below(folder: str, events: list[Event]) -> list[Event]:
    """Events of a library that lies in a folder of this one, their paths as seen from here."""
    if not folder:
        return events
    return [
        replace(event, faces=tuple(replace(face, photo=f"{folder}/{face.photo}") for face in event.faces))
        for event in events
    ]


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
